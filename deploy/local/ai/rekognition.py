"""Rekognition on images: DetectModerationLabels and DetectText."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from PIL import Image

from deploy.local.ai.cards import Card, CardError, Faults, Sighting, find_card
from deploy.local.ai.eyes import Eyes, ImageTooLarge, NotAnImage, open_image
from deploy.local.ai.objects import Objects, name_of
from deploy.local.ai.protocol import Refusal
from deploy.local.taxonomy import CHAINS, MODEL_VERSION

#: https://docs.aws.amazon.com/rekognition/latest/dg/limits.html
MOST_OBJECT_BYTES = 15 * 1024 * 1024
#: The API's own default MinConfidence.
DEFAULT_CONFIDENCE = 50.0

#: What the API says of itself.
TEXT_MODEL_VERSION = "3.0"
_CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))

Params = Mapping[str, Any]


class Images:
    """DetectModerationLabels by the card where there is one, else by the eyes; DetectText by the card alone."""

    def __init__(self, objects: Objects, eyes: Eyes, faults: Faults, *, shortest_side: int) -> None:
        """`shortest_side` is in pixels; a picture with a shorter one is refused."""
        self._objects, self._eyes, self._faults = objects, eyes, faults
        self._shortest_side = shortest_side

    def detect_moderation_labels(self, params: Params) -> dict[str, Any]:
        """{Image: {Bytes} or {S3Object}, MinConfidence?} -> {ModerationLabels, ModerationModelVersion, ...}."""
        _refuse_adapters(params)
        content, about = self._content(params["Image"])
        card = read_card(content)
        self._faults.strike(card, about=about)
        seen = self._look(content, card)
        floor = params.get("MinConfidence", DEFAULT_CONFIDENCE)
        return {
            "ModerationLabels": [label for label in with_parents(seen) if label["Confidence"] >= floor],
            "ModerationModelVersion": MODEL_VERSION,
            "ContentTypes": [],
        }

    def detect_text(self, params: Params) -> dict[str, Any]:
        """{Image: {Bytes} or {S3Object}} -> {TextDetections, TextModelVersion}. Only cards have words here."""
        if "Filters" in params:
            raise Refusal("InvalidParameterException", "the stand-in has no Filters")
        content, about = self._content(params["Image"])
        card = read_card(content)
        self._faults.strike(card, about=about)
        image = self._opened(content)
        if not (card and card.text) and min(image.size) < self._shortest_side:
            raise Refusal("InvalidParameterException", "Request has invalid parameters")
        return {"TextDetections": written(card.text if card else ()), "TextModelVersion": TEXT_MODEL_VERSION}

    def _content(self, image: Params) -> tuple[bytes, str]:
        if len(image) != 1:
            raise Refusal("InvalidParameterException", "Request has invalid parameters: Bytes or S3Object, one of them")
        if "Bytes" in image:
            return image["Bytes"], ""
        where = image["S3Object"]
        content = self._objects.read(where, most=MOST_OBJECT_BYTES, too_large="ImageTooLargeException")
        return content, name_of(where)

    def _look(self, content: bytes, card: Card | None) -> tuple[Sighting, ...]:
        image = self._opened(content)
        if card is not None and card.labels is not None:
            return card.labels
        if min(image.size) < self._shortest_side:
            raise Refusal("InvalidParameterException", "Request has invalid parameters")
        return (Sighting("Explicit", self._eyes.look_at(content, image)),)

    @staticmethod
    def _opened(content: bytes) -> Image.Image:
        try:
            return open_image(content)
        except NotAnImage:
            raise Refusal("InvalidImageFormatException", "Request has invalid image format") from None
        except ImageTooLarge:
            raise Refusal("ImageTooLargeException", "The image's dimensions are too large") from None


def read_card(content: bytes) -> Card | None:
    """The object's card, with Rekognition's error where it is wrong."""
    try:
        return find_card(content)
    except CardError as error:
        raise Refusal("InvalidParameterException", str(error)) from None


def with_parents(seen: Iterable[Sighting]) -> list[dict[str, Any]]:
    """ModerationLabel shapes, each label with its parents at its own confidence; of a repeated name, the surest."""
    best: dict[str, float] = {}
    for sighting in seen:
        for name in CHAINS[sighting.label]:
            best[name] = max(best.get(name, 0.0), sighting.confidence)
    return [moderation_label(name, confidence) for name, confidence in best.items()]


def moderation_label(name: str, confidence: float) -> dict[str, Any]:
    """Rekognition's ModerationLabel; level 1 has an empty ParentName."""
    chain = CHAINS[name]
    parent = chain[-2] if len(chain) > 1 else ""
    return {"Confidence": confidence, "Name": name, "ParentName": parent, "TaxonomyLevel": len(chain)}


def written(lines: Sequence[str]) -> list[dict[str, Any]]:
    """TextDetection shapes: the lines below each other with their words, as Rekognition numbers them: lines first."""
    rows = [_detection(line, number, number, lines) for number, line in enumerate(lines)]
    words = [(word, number) for number, line in enumerate(lines) for word in line.split()]
    return rows + [
        {**_detection(word, number, at, lines), "Type": "WORD", "ParentId": number}
        for at, (word, number) in enumerate(words, len(lines))
    ]


def _detection(text: str, row: int, number: int, rows: Sequence[str]) -> dict[str, Any]:
    box = {"Width": 0.8, "Height": 0.9 / len(rows), "Left": 0.1, "Top": row / len(rows)}
    corners = [(box["Left"] + x * box["Width"], box["Top"] + y * box["Height"]) for x, y in _CORNERS]
    geometry = {"BoundingBox": box, "Polygon": [{"X": x, "Y": y} for x, y in corners]}
    return {"DetectedText": text, "Type": "LINE", "Id": number, "Confidence": 99.0, "Geometry": geometry}


def _refuse_adapters(params: Params) -> None:
    for name in ("HumanLoopConfig", "ProjectVersion"):
        if name in params:
            raise Refusal("InvalidParameterException", f"the stand-in has no {name}")
