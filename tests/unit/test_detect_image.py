"""Images: which bytes are looked at, and what the answer says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from tasks.aws.faults import Denied, Gone, Unreadable
from tasks.aws.session import Aws
from tasks.detect.image import MAX_IMAGE_BYTES, look_at_image, read_moderation_labels
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
NOTHING = "rekognition.DetectModerationLabels.nothing"


def request(**changes: Any) -> dict[str, Any]:
    """What Rekognition should be asked about ITEM."""
    return {"Image": {"S3Object": {"Bucket": ITEM.bucket, "Name": ITEM.key, **changes}}, "MinConfidence": 30.0}


def test_exactly_the_version_of_the_event_is_looked_at(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stub(offline_aws.rekognition).add_response("detect_moderation_labels", recorded(NOTHING), request(Version="v1"))
    assert look_at_image(offline_aws, ITEM, floor=30.0) == ()


def test_an_object_without_a_version_is_named_without_one(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stub(offline_aws.rekognition).add_response("detect_moderation_labels", recorded(NOTHING), request())
    assert look_at_image(offline_aws, replace(ITEM, version_id=None), floor=30.0) == ()


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


def test_an_image_that_is_too_large_is_not_asked_about(offline_aws: Aws, stub: Stub) -> None:
    stub(offline_aws.rekognition)
    with pytest.raises(Unreadable) as caught:
        look_at_image(offline_aws, replace(ITEM, size=MAX_IMAGE_BYTES + 1), floor=30.0)
    assert caught.value.reason == "image-size"


def test_the_largest_image_is_asked_about(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stub(offline_aws.rekognition).add_response("detect_moderation_labels", recorded(NOTHING))
    assert look_at_image(offline_aws, replace(ITEM, size=MAX_IMAGE_BYTES), floor=30.0) == ()


def test_bytes_that_are_no_image_are_unreadable(offline_aws: Aws, stub: Stub) -> None:
    stub(offline_aws.s3)
    stub(offline_aws.rekognition).add_client_error("detect_moderation_labels", "InvalidImageFormatException")
    with pytest.raises(Unreadable) as caught:
        look_at_image(offline_aws, ITEM, floor=30.0)
    assert caught.value.reason == "image-format"


@pytest.mark.parametrize(("code", "expected"), [("404", Gone), ("403", Denied)])
def test_an_object_that_rekognition_cannot_get_is_asked_for_at_s3(
    offline_aws: Aws, stub: Stub, code: str, expected: type[Exception]
) -> None:
    stub(offline_aws.rekognition).add_client_error("detect_moderation_labels", "InvalidS3ObjectException")
    stub(offline_aws.s3).add_client_error("head_object", code)
    with pytest.raises(expected):
        look_at_image(offline_aws, ITEM, floor=30.0)


def test_an_object_that_only_rekognition_cannot_get_is_unreadable(offline_aws: Aws, stub: Stub) -> None:
    stub(offline_aws.rekognition).add_client_error("detect_moderation_labels", "InvalidS3ObjectException")
    stub(offline_aws.s3).add_response(
        "head_object", {}, {"Bucket": ITEM.bucket, "Key": ITEM.key, "VersionId": ITEM.version_id}
    )
    with pytest.raises(Unreadable) as caught:
        look_at_image(offline_aws, ITEM, floor=30.0)
    assert caught.value.reason == "s3-object"
