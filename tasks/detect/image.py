"""Look at an image: Rekognition DetectModerationLabels, by reference where it reads it, else by converted views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.faults import Unreadable
from tasks.detect.finding import Finding
from tasks.detect.kind import Kind, unreadable
from tasks.detect.picture import Converter, View
from tasks.detect.reference import explain, label_path, parents, s3_object
from tasks.detect.signature import may_show_more
from tasks.intake.upload import read_body
from tasks.item import Item
from tasks.ledger import note_looked

if TYPE_CHECKING:
    from tasks.aws.session import Aws

DETECTOR = "rekognition-image"

#: Rekognition reads at most 15 MB from S3: https://docs.aws.amazon.com/rekognition/latest/dg/limits.html
MAX_IMAGE_BYTES = 15 * 1024 * 1024
#: What Rekognition says of an image that it may take when converted: too small or too large, CMYK or 16 bits deep.
#: `image-refused` is all it says of one below its minimum side; the request's other parameters are always ours.
CONVERTIBLE = ("image-refused", "image-size", "image-format")

_CONTENT_TYPE = "content-type/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was seen of an image."""

    findings: tuple[Finding, ...]
    #: What Rekognition took; none where it refused every view.
    shown: tuple[View, ...]


def look_at_image(aws: Aws, item: Item, *, kind: Kind, head: bytes, floor: float, converter: Converter) -> Looked:
    """Everything Rekognition sees in this version of the image with at least `floor` (0-100) confidence.

    A JPEG or PNG goes by reference. What Rekognition does not read, or refuses, is converted; and so is, beside the
    reference, what may show more to a viewer: the frames and the transparency of a PNG.

    Raises Unreadable (`s3-object`, and what the converter raises), Gone, Moved, Withheld while many pictures wait to
    be converted, and what every call raises.
    """
    if kind is Kind.PICTURE or item.size > MAX_IMAGE_BYTES:
        return look_at_views(aws, _converted(aws, item, converter), floor=floor)
    reference = View(part="body", image={"S3Object": s3_object(item)})
    try:
        looked = Looked(findings=_ask(aws, reference, floor=floor), shown=(reference,))
    except Unreadable as fault:
        if fault.reason not in CONVERTIBLE:
            raise explain(aws, item, fault) from fault.__cause__
        return look_at_views(aws, _converted(aws, item, converter), floor=floor)
    return _with_more(aws, item, looked, floor=floor, converter=converter) if may_show_more(head) else looked


def look_at_views(aws: Aws, views: Sequence[View], *, floor: float) -> Looked:
    """What Rekognition sees in each view, by its part; a view that it refuses is a finding that it is unreadable.

    What `look_at_image` raises of calls.
    """
    answers = [(view, _ask_or_say(aws, view, floor=floor)) for view in views]
    return _together((view, found) for view, found in answers)


def _with_more(aws: Aws, item: Item, looked: Looked, *, floor: float, converter: Converter) -> Looked:
    """And what the picture shows beyond what was seen by reference; that it cannot be told is a finding, too."""
    try:
        views = _converted(aws, item, converter, only_more=True)
    except Unreadable as why:
        return replace(looked, findings=(*looked.findings, unreadable(why.reason)))
    more = [(view, _ask_or_say(aws, view, floor=floor)) for view in views]
    return _together([(looked.shown[0], looked.findings), *more])


def _converted(aws: Aws, item: Item, converter: Converter, *, only_more: bool = False) -> tuple[View, ...]:
    if item.size > converter.most_bytes:
        raise Unreadable(f"{item.size} bytes", reason="image-size")
    with converter.turn():
        return converter.convert(read_body(aws, item), only_more=only_more)


def _together(answers: Iterable[tuple[View, tuple[Finding, ...]]]) -> Looked:
    seen = list(answers)
    read = [(view, found) for view, found in seen if not any(f.label.startswith("unreadable/") for f in found)]
    return Looked(
        findings=(*_labels(found for _, found in seen), *_content_types([found for _, found in seen])),
        shown=tuple(view for view, _ in read),
    )


def _labels(answers: Iterable[tuple[Finding, ...]]) -> Iterable[Finding]:
    return [finding for found in answers for finding in found if not finding.label.startswith(_CONTENT_TYPE)]


def _content_types(answers: list[tuple[Finding, ...]]) -> Iterable[Finding]:
    """Content types that every view has, with the least confidence of any.

    A content type can make a policy more lenient, so one cartoon frame must not speak for the rest.
    """
    rows = [{f.label: f for f in found if f.label.startswith(_CONTENT_TYPE)} for found in answers]
    for label in sorted(set.intersection(*(set(row) for row in rows)) if rows else ()):
        yield replace(min((row[label] for row in rows), key=lambda finding: finding.confidence), part="body")


def _ask_or_say(aws: Aws, view: View, *, floor: float) -> tuple[Finding, ...]:
    try:
        return _ask(aws, view, floor=floor)
    except Unreadable as why:
        return (unreadable(why.reason, part=view.part),)


def _ask(aws: Aws, view: View, *, floor: float) -> tuple[Finding, ...]:
    answer = call(aws.detect, aws.rekognition.detect_moderation_labels, Image=view.image, MinConfidence=floor)
    note_looked(DETECTOR, str(answer.get("ModerationModelVersion", "unknown")))
    return read_moderation_labels(answer, part=view.part)


def read_moderation_labels(answer: Mapping[str, Any], *, part: str = "body") -> tuple[Finding, ...]:
    """Labels with their whole path, and content types, from a DetectModerationLabels answer."""
    version = answer.get("ModerationModelVersion", "unknown")
    labels = answer.get("ModerationLabels", [])
    parent_of = parents(labels)
    seen = [(label_path(label["Name"], parent_of), label["Confidence"]) for label in labels]
    seen += [(f"{_CONTENT_TYPE}{kind['Name']}", kind["Confidence"]) for kind in answer.get("ContentTypes", [])]
    return tuple(
        Finding(detector=DETECTOR, detector_version=version, label=label, confidence=float(confidence), part=part)
        for label, confidence in seen
    )
