"""Rekognition's notice that a job has ended, as the topic hands it on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.intake.message import NotAMessage, Nothing, VideoEnded, read_message

#: https://docs.aws.amazon.com/rekognition/latest/dg/video-notification-payload.html
NOTICE: dict[str, Any] = {
    "JobId": "6de014b02121a4bf00e31856a18719e22",
    "Status": "SUCCEEDED",
    "API": "StartContentModeration",
    "JobTag": "tag",
    "Timestamp": 1502230160926,
    "Video": {"S3ObjectName": "feed/a.mp4", "S3Bucket": "uploads"},
}


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "ERROR", "of next year"])
def test_a_notice_names_its_job_and_how_it_ended_is_not_believed(status: str) -> None:
    assert read_message(json.dumps(NOTICE | {"Status": status})) == VideoEnded(NOTICE["JobId"])


def test_a_notice_wrapped_by_sns_is_the_same() -> None:
    wrapped = {"Type": "Notification", "Message": json.dumps(NOTICE)}
    assert read_message(json.dumps(wrapped)) == VideoEnded(NOTICE["JobId"])


def test_the_end_of_another_kind_of_job_asks_for_nothing() -> None:
    assert isinstance(read_message(json.dumps(NOTICE | {"API": "StartLabelDetection"})), Nothing)


@pytest.mark.parametrize("job_id", ["", None, 7, ["a"], "a" * 65])
def test_a_notice_without_a_jobs_id_is_no_message(job_id: object) -> None:
    with pytest.raises(NotAMessage, match="without a job's id"):
        read_message(json.dumps(NOTICE | {"JobId": job_id}))
