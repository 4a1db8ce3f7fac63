"""Look at an image: Rekognition DetectModerationLabels, by reference to exactly one version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.faults import Unreadable
from tasks.detect.finding import Finding
from tasks.detect.reference import explain, label_path, parents, s3_object
from tasks.detect.small_image import MAX_INLINE_BYTES, enlarge
from tasks.intake.upload import read_body
from tasks.item import Item
from tasks.ledger import note_looked

if TYPE_CHECKING:
    from tasks.aws.session import Aws

DETECTOR = "rekognition-image"

#: Rekognition reads at most 15 MB from S3: https://docs.aws.amazon.com/rekognition/latest/dg/limits.html
MAX_IMAGE_BYTES = 15 * 1024 * 1024
#: All that Rekognition says of an image below its minimum side; the request's other parameters are always ours.
REFUSED = "image-refused"


def look_at_image(aws: Aws, item: Item, *, floor: float) -> tuple[Finding, ...]:
    """Everything Rekognition sees in this version of the image with at least `floor` (0-100) confidence.

    An image below Rekognition's minimum side is enlarged and sent as bytes.

    Raises Unreadable (`image-size`, `image-format`, `s3-object`), Gone, and what every call raises.
    """
    if item.size > MAX_IMAGE_BYTES:
        raise Unreadable(f"{item.size} bytes", reason="image-size")
    try:
        return _look(aws, {"S3Object": s3_object(item)}, floor=floor)
    except Unreadable as fault:
        if fault.reason != REFUSED or item.size > MAX_INLINE_BYTES:
            raise explain(aws, item, fault) from fault.__cause__
    return _look(aws, {"Bytes": enlarge(read_body(aws, item))}, floor=floor)


def _look(aws: Aws, image: Mapping[str, Any], *, floor: float) -> tuple[Finding, ...]:
    answer = call(aws.detect, aws.rekognition.detect_moderation_labels, Image=image, MinConfidence=floor)
    note_looked(DETECTOR, str(answer.get("ModerationModelVersion", "unknown")))
    return read_moderation_labels(answer)


def read_moderation_labels(answer: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Labels with their whole path, and content types, from a DetectModerationLabels answer."""
    version = answer.get("ModerationModelVersion", "unknown")
    labels = answer.get("ModerationLabels", [])
    parent_of = parents(labels)
    seen = [(label_path(label["Name"], parent_of), label["Confidence"]) for label in labels]
    seen += [(f"content-type/{kind['Name']}", kind["Confidence"]) for kind in answer.get("ContentTypes", [])]
    return tuple(
        Finding(detector=DETECTOR, detector_version=version, label=label, confidence=float(confidence))
        for label, confidence in seen
    )
