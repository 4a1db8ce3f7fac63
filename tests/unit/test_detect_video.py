"""Videos: one job per item, read to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from tasks.aws.faults import Full, Gone, Transient, Unreadable
from tasks.aws.session import Aws
from tasks.detect.video import (
    MAX_VIDEO_BYTES,
    Channel,
    check_video,
    read_content_moderation,
    request_token,
    start_video,
)
from tasks.item import Item
from tasks.ledger import open_ledger

Stub = Callable[[object], Stubber]
Recorded = Callable[[str], dict[str, Any]]
ITEM = Item(
    bucket="uploads-example",
    key="feed/clip.mp4",
    version_id="v1",
    etag="e",
    size=1000,
    sequencer="",
    event_time=datetime(2026, 1, 1, tzinfo=UTC),
)
JOB = "a" * 64
GET = "rekognition.GetContentModeration."
ASK = {"JobId": JOB, "MaxResults": 1000, "SortBy": "TIMESTAMP", "AggregateBy": "SEGMENTS"}


def test_a_job_is_started_under_the_items_own_token(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    wanted = {
        "Video": {"S3Object": {"Bucket": ITEM.bucket, "Name": ITEM.key, "Version": "v1"}},
        "MinConfidence": 30.0,
        "ClientRequestToken": request_token(ITEM, floor=30.0),
        "JobTag": ITEM.id,
    }
    started = recorded("rekognition.StartContentModeration.started")
    stub(offline_aws.rekognition).add_response("start_content_moderation", started, wanted)
    assert start_video(offline_aws, ITEM, floor=30.0) == JOB


def test_no_free_slot_is_told_at_once(offline_aws: Aws, stub: Stub) -> None:
    stub(offline_aws.rekognition).add_client_error("start_content_moderation", "LimitExceededException")
    with pytest.raises(Full):
        start_video(offline_aws, ITEM, floor=30.0)


def test_a_video_that_is_too_large_is_not_asked_about(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    started = recorded("rekognition.StartContentModeration.started")
    stub(offline_aws.rekognition).add_response("start_content_moderation", started)
    assert start_video(offline_aws, replace(ITEM, size=MAX_VIDEO_BYTES), floor=30.0) == JOB
    with pytest.raises(Unreadable) as caught:
        start_video(offline_aws, replace(ITEM, size=MAX_VIDEO_BYTES + 1), floor=30.0)
    assert caught.value.reason == "video-size"


def test_a_video_that_vanished_is_gone(offline_aws: Aws, stub: Stub) -> None:
    stub(offline_aws.rekognition).add_client_error("start_content_moderation", "InvalidS3ObjectException")
    stub(offline_aws.s3).add_client_error("head_object", "404")
    with pytest.raises(Gone):
        start_video(offline_aws, ITEM, floor=30.0)


def test_a_running_job_has_no_answer_yet(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stub(offline_aws.rekognition).add_response("get_content_moderation", recorded(GET + "running"), ASK)
    assert check_video(offline_aws, JOB, item_id=ITEM.id) is None


def test_a_status_that_we_do_not_know_is_no_answer(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    strange = recorded(GET + "clean") | {"JobStatus": "PAUSED"}
    stub(offline_aws.rekognition).add_response("get_content_moderation", strange, ASK)
    assert check_video(offline_aws, JOB, item_id=ITEM.id) is None


def test_every_page_is_read_and_every_segment_keeps_its_time(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stubber = stub(offline_aws.rekognition)
    stubber.add_response("get_content_moderation", recorded(GET + "page-1"), ASK)
    stubber.add_response("get_content_moderation", recorded(GET + "page-2"), ASK | {"NextToken": "page-two"})
    answer = check_video(offline_aws, JOB, item_id=ITEM.id)
    assert answer is not None
    assert answer.duration_ms == 61_500
    assert [(finding.label, finding.confidence, finding.time_ms) for finding in answer.findings] == [
        ("moderation/Violence", 93.9, (0, 1500)),
        ("moderation/Violence/Weapons", 93.9, (0, 1500)),
        ("moderation/Violence/Graphic Violence/Weapon Violence", 55.5, (40_000, 41_000)),
        ("moderation/Violence/Graphic Violence", 55.5, (40_000, 41_000)),
        ("moderation/Violence/Weapons", 60.0, (50_000, 50_500)),
        ("content-type/Illustrated", 64.2, None),
    ]
    assert {(finding.detector, finding.detector_version) for finding in answer.findings} == {
        ("rekognition-video", "7.0")
    }


def test_one_animated_scene_does_not_speak_for_the_whole_video(recorded: Recorded) -> None:
    answer = read_content_moderation([recorded(GET + "page-1"), recorded(GET + "page-2")])
    assert "content-type/Animated" not in {finding.label for finding in answer.findings}


def test_a_label_without_a_segment_stands_at_its_moment(recorded: Recorded) -> None:
    page = recorded(GET + "page-2")
    label = page["ModerationLabels"][0]
    page["ModerationLabels"] = [{"Timestamp": 700, "ModerationLabel": label["ModerationLabel"]}]
    assert [finding.time_ms for finding in read_content_moderation([page]).findings] == [(700, 700)]


def test_a_clean_video_has_no_findings(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stub(offline_aws.rekognition).add_response("get_content_moderation", recorded(GET + "clean"), ASK)
    answer = check_video(offline_aws, JOB, item_id=ITEM.id)
    assert answer is not None
    assert answer.findings == ()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Unsupported codec/format.", "video-codec"),
        ("the video's codec is not H.264", "video-codec"),
        ("Internal error.", "video-job"),
        (None, "video-job"),
    ],
)
def test_a_failed_job_is_unreadable_and_says_why(
    message: str | None, reason: str, offline_aws: Aws, stub: Stub, recorded: Recorded
) -> None:
    answer = recorded(GET + "failed") | {"JobTag": "somebody"}
    answer.pop("StatusMessage")
    stub(offline_aws.rekognition).add_response(
        "get_content_moderation", answer | ({"StatusMessage": message} if message else {}), ASK
    )
    answered = check_video(offline_aws, JOB, item_id=ITEM.id)
    assert answered is not None
    assert ([finding.label for finding in answered.findings], answered.failed) == ([f"unreadable/{reason}"], True)
    assert answered.tag == "somebody"


def test_a_job_that_rekognition_forgot_does_not_say_that_the_video_is_gone(offline_aws: Aws, stub: Stub) -> None:
    stub(offline_aws.rekognition).add_client_error("get_content_moderation", "ResourceNotFoundException")
    answered = check_video(offline_aws, JOB, item_id=ITEM.id)
    assert answered is not None
    assert ([finding.label for finding in answered.findings], answered.failed) == (["unreadable/video-expired"], True)


@pytest.mark.parametrize(("tag", "minutes"), [(ITEM.id, 1.025), ("another item", 0.0)])
def test_a_job_is_paid_for_once_by_whoever_started_it(
    tag: str, minutes: float, offline_aws: Aws, stub: Stub, recorded: Recorded
) -> None:
    page = recorded(GET + "page-1") | {"JobTag": tag}
    page.pop("NextToken")
    stub(offline_aws.rekognition).add_response("get_content_moderation", page, ASK)
    with open_ledger() as ledger:
        check_video(offline_aws, JOB, item_id=ITEM.id)
    assert ledger.used.get("video-minute", 0.0) == pytest.approx(minutes)
    assert ledger.looked == {"rekognition-video": "7.0"}


def test_a_job_that_tells_its_end_is_another_request_with_a_token_of_its_own(
    offline_aws: Aws, stub: Stub, recorded: Recorded
) -> None:
    channel = Channel("arn:aws:sns:us-east-1:123456789012:ended", "arn:aws:iam::123456789012:role/tells")
    wanted = {
        "Video": {"S3Object": {"Bucket": ITEM.bucket, "Name": ITEM.key, "Version": "v1"}},
        "MinConfidence": 30.0,
        "ClientRequestToken": request_token(ITEM, floor=30.0, channel=channel),
        "JobTag": ITEM.id,
        "NotificationChannel": {"SNSTopicArn": channel.topic_arn, "RoleArn": channel.role_arn},
    }
    started = recorded("rekognition.StartContentModeration.started")
    stub(offline_aws.rekognition).add_response("start_content_moderation", started, wanted)
    assert start_video(offline_aws, ITEM, floor=30.0, channel=channel) == JOB
    assert request_token(ITEM, floor=30.0, channel=channel) != request_token(ITEM, floor=30.0)


def test_pages_that_go_in_a_circle_end(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stubber = stub(offline_aws.rekognition)
    for _ in range(2):
        stubber.add_response("get_content_moderation", recorded(GET + "page-1"))
    with pytest.raises(Transient, match="circle"):
        check_video(offline_aws, JOB, item_id=ITEM.id)
