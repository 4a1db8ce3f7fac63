"""Images: which bytes are looked at, and what the answer says."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from tasks.aws.faults import Denied, Gone, Unreadable
from tasks.aws.session import Aws
from tasks.detect.image import MAX_IMAGE_BYTES, Looked, look_at_image, look_at_views, read_moderation_labels
from tasks.detect.kind import Kind
from tasks.detect.picture import Converter, View
from tasks.item import Item

Stub = Callable[[object], Stubber]
Recorded = Callable[[str], dict[str, Any]]
ITEM = Item(
    bucket="uploads-example",
    key="feed/a cat+1%.png",
    version_id="v1",
    etag="e",
    size=1000,
    sequencer="",
    event_time=datetime(2026, 1, 1, tzinfo=UTC),
)
#: The first bytes of a JPEG, of an opaque PNG, and of one with transparency.
JPEG = b"\xff\xd8\xff\xe0"
CLEAR = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x06\0\0\0"
NOTHING = "rekognition.DetectModerationLabels.nothing"


def request(**changes: Any) -> dict[str, Any]:
    """What Rekognition should be asked about ITEM."""
    return {"Image": {"S3Object": {"Bucket": ITEM.bucket, "Name": ITEM.key, **changes}}, "MinConfidence": 30.0}


class Darkroom(Converter):
    """Gives these views of any body, or fails like this."""

    def __init__(self, *parts: str, fails: Exception | None = None) -> None:
        super().__init__()
        self._parts, self._fails = parts, fails
        self.asked: list[tuple[bytes, bool]] = []

    def convert(self, body: bytes, *, only_more: bool = False) -> tuple[View, ...]:
        self.asked.append((body, only_more))
        if self._fails:
            raise self._fails
        return tuple(view(part) for part in self._parts)


NO_CONVERTER = Darkroom(fails=AssertionError("nothing needs to be converted"))


def view(part: str) -> View:
    return View(part=part, image={"Bytes": part.encode()})


def bytes_of(part: str) -> dict[str, Any]:
    """What Rekognition should be asked about a view."""
    return {"Image": {"Bytes": part.encode()}, "MinConfidence": 30.0}


def answer(*labels: str, version: str = "7.0", **content_types: float) -> dict[str, Any]:
    """DetectModerationLabels' answer with these labels of the first level, and content types."""
    return {
        "ModerationModelVersion": version,
        "ModerationLabels": [
            {"Name": label, "ParentName": "", "Confidence": 90.0, "TaxonomyLevel": 1} for label in labels
        ],
        "ContentTypes": [{"Name": name, "Confidence": percent} for name, percent in content_types.items()],
    }


def look(
    aws: Aws, item: Item = ITEM, *, kind: Kind = Kind.IMAGE, head: bytes = JPEG, converter: Converter = NO_CONVERTER
) -> Looked:
    return look_at_image(aws, item, kind=kind, head=head, floor=30.0, converter=converter)


def give(s3: Stubber, body: bytes) -> None:
    """Let S3 have exactly this version of the item."""
    stream = StreamingBody(io.BytesIO(body), len(body))
    wanted = {"Bucket": ITEM.bucket, "Key": ITEM.key, "VersionId": ITEM.version_id}
    s3.add_response("get_object", {"Body": stream, "ETag": '"e"'}, wanted)


def said(looked: Looked) -> list[tuple[str, str, float]]:
    return [(finding.part, finding.label, finding.confidence) for finding in looked.findings]


def test_exactly_the_version_of_the_event_is_looked_at(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stub(offline_aws.rekognition).add_response("detect_moderation_labels", recorded(NOTHING), request(Version="v1"))
    looked = look(offline_aws)
    assert looked.findings == ()
    assert [view.part for view in looked.shown] == ["body"]


def test_an_object_without_a_version_is_named_without_one(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stub(offline_aws.rekognition).add_response("detect_moderation_labels", recorded(NOTHING), request())
    assert look(offline_aws, replace(ITEM, version_id=None)).findings == ()


def test_a_label_carries_its_whole_path_and_content_types_stand_beside_it(recorded: Recorded) -> None:
    findings = read_moderation_labels(recorded("rekognition.DetectModerationLabels.three-levels"))
    assert [(finding.label, finding.confidence) for finding in findings] == [
        ("moderation/Explicit/Explicit Nudity/Exposed Female Nipple", 97.45),
        ("moderation/Explicit/Explicit Nudity", 98.2),
        ("moderation/Explicit", 98.2),
        ("moderation/Violence/Weapons", 41.03),
        ("moderation/Violence", 41.03),
        ("moderation/Gambling", 33.5),
        ("content-type/Illustrated", 88.1),
    ]
    assert {(finding.detector, finding.detector_version) for finding in findings} == {("rekognition-image", "7.0")}


def test_a_label_without_its_parent_in_the_answer_still_names_it(recorded: Recorded) -> None:
    (finding,) = read_moderation_labels(recorded("rekognition.DetectModerationLabels.orphan"))
    assert finding.label == "moderation/Death and Emaciation/Corpses"


def test_labels_that_are_each_others_parent_do_not_hang_the_worker(recorded: Recorded) -> None:
    findings = read_moderation_labels(recorded("rekognition.DetectModerationLabels.circle"))
    assert [finding.label for finding in findings] == ["moderation/B/A", "moderation/A/B"]


def test_what_is_too_large_for_a_reference_is_converted_at_once(offline_aws: Aws, stub: Stub) -> None:
    give(stub(offline_aws.s3), b"large")
    stub(offline_aws.rekognition).add_response("detect_moderation_labels", answer("Gambling"), bytes_of("body"))
    converter = Darkroom("body")
    looked = look(offline_aws, replace(ITEM, size=MAX_IMAGE_BYTES + 1), converter=converter)
    assert said(looked) == [("body", "moderation/Gambling", 90.0)]
    assert converter.asked == [(b"large", False)]


def test_the_largest_image_goes_by_reference(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stub(offline_aws.rekognition).add_response("detect_moderation_labels", recorded(NOTHING))
    assert look(offline_aws, replace(ITEM, size=MAX_IMAGE_BYTES)).findings == ()


def test_what_is_too_large_to_be_read_is_unreadable_without_being_read(offline_aws: Aws, stub: Stub) -> None:
    stub(offline_aws.s3)
    stub(offline_aws.rekognition)
    with pytest.raises(Unreadable) as caught:
        look(offline_aws, replace(ITEM, size=50_000_001), kind=Kind.PICTURE, converter=Darkroom("body"))
    assert caught.value.reason == "image-size"


@pytest.mark.parametrize("code", ["InvalidImageFormatException", "ImageTooLargeException", "InvalidParameterException"])
def test_what_rekognition_refuses_by_reference_is_converted(offline_aws: Aws, stub: Stub, code: str) -> None:
    give(stub(offline_aws.s3), b"odd")
    rekognition = stub(offline_aws.rekognition)
    rekognition.add_client_error("detect_moderation_labels", code)
    rekognition.add_response("detect_moderation_labels", answer("Gambling"), bytes_of("body"))
    assert said(look(offline_aws, converter=Darkroom("body"))) == [("body", "moderation/Gambling", 90.0)]


def test_what_cannot_be_converted_either_is_unreadable_and_says_why(offline_aws: Aws, stub: Stub) -> None:
    give(stub(offline_aws.s3), b"odd")
    stub(offline_aws.rekognition).add_client_error("detect_moderation_labels", "InvalidImageFormatException")
    with pytest.raises(Unreadable) as caught:
        look(offline_aws, converter=Darkroom(fails=Unreadable(reason="image-time")))
    assert caught.value.reason == "image-time"


def test_every_view_of_a_picture_is_looked_at_and_named(offline_aws: Aws, stub: Stub) -> None:
    give(stub(offline_aws.s3), b"moving")
    rekognition = stub(offline_aws.rekognition)
    rekognition.add_response("detect_moderation_labels", answer(), bytes_of("frame:0"))
    rekognition.add_response("detect_moderation_labels", answer("Gambling"), bytes_of("frame:7"))
    looked = look(offline_aws, kind=Kind.PICTURE, converter=Darkroom("frame:0", "frame:7"))
    assert said(looked) == [("frame:7", "moderation/Gambling", 90.0)]
    assert [view.part for view in looked.shown] == ["frame:0", "frame:7"]


def test_a_view_that_is_refused_is_a_finding_beside_what_the_others_show(offline_aws: Aws, stub: Stub) -> None:
    rekognition = stub(offline_aws.rekognition)
    rekognition.add_response("detect_moderation_labels", answer("Gambling"))
    rekognition.add_client_error("detect_moderation_labels", "InvalidImageFormatException")
    looked = look_at_views(offline_aws, [view("frame:0"), view("frame:7")], floor=30.0)
    assert said(looked) == [("frame:0", "moderation/Gambling", 90.0), ("frame:7", "unreadable/image-format", 100.0)]
    assert [view.part for view in looked.shown] == ["frame:0"]


def test_a_picture_whose_every_view_is_refused_is_never_clean(offline_aws: Aws, stub: Stub) -> None:
    rekognition = stub(offline_aws.rekognition)
    for _ in range(2):
        rekognition.add_client_error("detect_moderation_labels", "InvalidParameterException")
    looked = look_at_views(offline_aws, [view("frame:0"), view("frame:7")], floor=30.0)
    assert {label for _, label, _ in said(looked)} == {"unreadable/image-refused"}
    assert looked.shown == ()


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([answer(Illustrated=99.0), answer(Illustrated=80.0, Animated=70.0)], {"content-type/Illustrated": 80.0}),
        ([answer(Illustrated=99.0), answer()], {}),
        ([answer(Illustrated=99.0)], {"content-type/Illustrated": 99.0}),
    ],
)
def test_one_drawn_frame_does_not_speak_for_the_rest(
    offline_aws: Aws, stub: Stub, answers: list[dict[str, Any]], expected: dict[str, float]
) -> None:
    rekognition = stub(offline_aws.rekognition)
    for each in answers:
        rekognition.add_response("detect_moderation_labels", each)
    looked = look_at_views(offline_aws, [view(f"frame:{n}") for n in range(len(answers))], floor=30.0)
    assert {label: confidence for _, label, confidence in said(looked)} == expected
    assert {part for part, _, _ in said(looked)} <= {"body"}


class TestWhatAReferenceDoesNotShow:
    """A PNG may be animated or see-through: Rekognition sees one opaque frame of it, its viewers more."""

    def test_it_is_looked_at_too(self, offline_aws: Aws, stub: Stub) -> None:
        give(stub(offline_aws.s3), b"clear")
        rekognition = stub(offline_aws.rekognition)
        rekognition.add_response("detect_moderation_labels", answer(Illustrated=90.0), request(Version="v1"))
        rekognition.add_response("detect_moderation_labels", answer("Gambling"), bytes_of("frame:0 on black"))
        converter = Darkroom("frame:0 on black")
        looked = look(offline_aws, head=CLEAR, converter=converter)
        assert said(looked) == [("frame:0 on black", "moderation/Gambling", 90.0)]
        assert converter.asked == [(b"clear", True)]
        assert len(looked.shown) == 2

    def test_where_there_is_nothing_more_one_call_is_all(self, offline_aws: Aws, stub: Stub) -> None:
        give(stub(offline_aws.s3), b"opaque")
        stub(offline_aws.rekognition).add_response("detect_moderation_labels", answer("Gambling", Illustrated=90.0))
        looked = look(offline_aws, head=CLEAR, converter=Darkroom())
        assert [label for _, label, _ in said(looked)] == ["moderation/Gambling", "content-type/Illustrated"]

    def test_that_it_cannot_be_told_is_a_finding_beside_what_is_known(self, offline_aws: Aws, stub: Stub) -> None:
        give(stub(offline_aws.s3), b"broken")
        stub(offline_aws.rekognition).add_response("detect_moderation_labels", answer("Gambling"))
        looked = look(offline_aws, head=CLEAR, converter=Darkroom(fails=Unreadable(reason="image-bomb")))
        assert [label for _, label, _ in said(looked)] == ["moderation/Gambling", "unreadable/image-bomb"]


@pytest.mark.parametrize(("code", "expected"), [("404", Gone), ("403", Denied)])
def test_an_object_that_rekognition_cannot_get_is_asked_for_at_s3(
    offline_aws: Aws, stub: Stub, code: str, expected: type[Exception]
) -> None:
    stub(offline_aws.rekognition).add_client_error("detect_moderation_labels", "InvalidS3ObjectException")
    stub(offline_aws.s3).add_client_error("head_object", code)
    with pytest.raises(expected):
        look(offline_aws)


def test_an_object_that_only_rekognition_cannot_get_is_unreadable(offline_aws: Aws, stub: Stub) -> None:
    stub(offline_aws.rekognition).add_client_error("detect_moderation_labels", "InvalidS3ObjectException")
    stub(offline_aws.s3).add_response(
        "head_object", {}, {"Bucket": ITEM.bucket, "Key": ITEM.key, "VersionId": ITEM.version_id}
    )
    with pytest.raises(Unreadable) as caught:
        look(offline_aws)
    assert caught.value.reason == "s3-object"
