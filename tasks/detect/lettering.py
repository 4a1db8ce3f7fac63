"""Read the words in an image: Rekognition DetectText, joined to one text in reading order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.detect.picture import View
from tasks.ledger import note_looked

if TYPE_CHECKING:
    from tasks.aws.session import Aws

DETECTOR = "image-text"
#: The part of an item that these words are.
LETTERING = "image-text"
#: What is read with less confidence (0-100) is rather a pattern than a word.
LEAST_CONFIDENCE = 50.0


def read_lettering(aws: Aws, views: Sequence[View]) -> str:
    """The lines of text in an image's views, each line once; empty where there are none.

    Raises Unreadable (`image-refused`, ...) and what every call raises.
    """
    lines: dict[str, None] = {}
    for view in views:
        answer = call(aws.detect, aws.rekognition.detect_text, Image=view.image)
        note_looked(DETECTOR, str(answer.get("TextModelVersion", "unknown")))
        lines |= dict.fromkeys(read_lines(answer))
    return "\n".join(lines)


def read_lines(answer: Mapping[str, Any]) -> list[str]:
    """The lines in a DetectText answer, from top to bottom; those beside each other from left to right."""
    lines = [
        detection
        for detection in answer.get("TextDetections", ())
        if detection.get("Type") == "LINE" and float(detection.get("Confidence", 0)) >= LEAST_CONFIDENCE
    ]
    rows = _rows(sorted(lines, key=lambda line: _box(line)["Top"]))
    return [str(line.get("DetectedText", "")) for row in rows for line in sorted(row, key=lambda e: _box(e)["Left"])]


def _rows(lines: Iterable[Mapping[str, Any]]) -> Iterable[list[Mapping[str, Any]]]:
    """Lines, given by their upper edge, grouped where the middle of one is above the lower edge of the row's first."""
    row: list[Mapping[str, Any]] = []
    for line in lines:
        if row and _box(line)["Top"] + _box(line)["Height"] / 2 > _box(row[0])["Top"] + _box(row[0])["Height"]:
            yield row
            row = []
        row.append(line)
    if row:
        yield row


def _box(line: Mapping[str, Any]) -> dict[str, float]:
    """Shares of the picture, 0-1."""
    given = line.get("Geometry", {}).get("BoundingBox", {})
    return {side: float(given.get(side, 0.0)) for side in ("Top", "Left", "Height")}
