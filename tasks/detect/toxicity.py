"""Look for toxic content in a text: Comprehend DetectToxicContent, which reads English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.detect.chunks import split
from tasks.detect.finding import Finding
from tasks.detect.kind import unreadable
from tasks.detect.language import UNKNOWN
from tasks.ledger import note_looked, note_used

if TYPE_CHECKING:
    from tasks.aws.session import Aws

DETECTOR = "comprehend-toxicity"
#: Comprehend states no model version.
VERSION = "unversioned"

LANGUAGE = "en"
#: A call takes ten segments of 1 KB; a KB counts 1,000 bytes, as in Comprehend's own error messages.
#: https://docs.aws.amazon.com/comprehend/latest/APIReference/API_DetectToxicContent.html
SEGMENT_BYTES, SEGMENTS = 1_000, 10
#: Code points: a sentence that a cut goes through is whole on one side of it, unless it is longer than this.
OVERLAP = 200
#: Confidence (0-100) below which nothing is told: every segment scores a little on every type.
FLOOR = 10.0


def find_toxicity(aws: Aws, text: str, *, part: str, language: str = LANGUAGE) -> tuple[Finding, ...]:
    """What is toxic in a text of any length, by its worst segment; `unreadable/toxicity` where an answer lacks one.

    A text that is certainly in another language is left to the guardrail, and the record says so; one whose
    language nobody can tell, as of most short ones, is looked at.

    Raises what every call raises.
    """
    if language not in (LANGUAGE, UNKNOWN):
        note_looked(DETECTOR, f"unsupported:{language}")
        return ()
    pieces = split(text, limit=SEGMENT_BYTES, overlap=OVERLAP)
    segments = [piece.text for piece in pieces if piece.text.strip()]
    found = [one for batch in _batches(segments) for one in _look(aws, batch, part=part)]
    worst: dict[str, Finding] = {}
    for finding in found:
        if finding.label not in worst or finding.confidence > worst[finding.label].confidence:
            worst[finding.label] = finding
    return tuple(worst.values())


def toxicity_units(segments: list[str]) -> int:
    """What Comprehend bills for one request: units of 100 characters, three at least."""
    return max(3, -(-sum(map(len, segments)) // 100))


def read_toxicity(answer: Mapping[str, Any], *, segments: int, part: str = "body") -> list[Finding]:
    """One finding per type and segment from FLOOR on; `unreadable/toxicity` where not every segment has a result."""
    results = answer.get("ResultList", [])
    if len(results) != segments:
        return [unreadable("toxicity", detector=DETECTOR, detector_version=VERSION, part=part)]
    return [
        Finding(
            detector=DETECTOR,
            detector_version=VERSION,
            label=f"toxicity/{label['Name']}",
            confidence=float(label["Score"]) * 100,
            part=part,
        )
        for result in results
        for label in result.get("Labels", ())
        # Not "below the floor": no number at all (NaN) must reach the policy, which holds it.
        if not float(label["Score"]) * 100 < FLOOR
    ]


def _look(aws: Aws, segments: list[str], *, part: str) -> list[Finding]:
    answer = call(
        aws.detect,
        aws.comprehend.detect_toxic_content,
        TextSegments=[{"Text": segment} for segment in segments],
        LanguageCode=LANGUAGE,
    )
    note_looked(DETECTOR, VERSION)
    note_used("toxicity-unit", toxicity_units(segments))
    return read_toxicity(answer, segments=len(segments), part=part)


def _batches(segments: list[str]) -> Iterator[list[str]]:
    return (segments[at : at + SEGMENTS] for at in range(0, len(segments), SEGMENTS))
