"""The stand-in's video jobs: a life of their own, capped, idempotent, paged."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image
from skimage import data

Put = Callable[[bytes], dict[str, Any]]
Finish = Callable[..., dict[str, Any]]

LONG = {"labels": [{"label": "Weapons", "confidence": 97.5, "start_ms": 1000, "end_ms": 3000}]}


@pytest.fixture
def put(clients: SimpleNamespace, bucket: str, unique: str) -> Put:
    """Upload a video; gives Rekognition's Video parameter."""

    def upload(content: bytes) -> dict[str, Any]:
        clients.s3.put_object(Bucket=bucket, Key=unique, Body=content)
        return {"S3Object": {"Bucket": bucket, "Name": unique}}

    return upload


@pytest.fixture
def finish(clients: SimpleNamespace) -> Finish:
    """Ask for a job until it is no longer running."""
    return partial(_finished, clients.rekognition)


@pytest.fixture(scope="module")
def photo() -> bytes:
    """A photo that nobody minds, as a PNG."""
    out = io.BytesIO()
    Image.fromarray(data.astronaut()).save(out, "PNG")  # type: ignore[no-untyped-call]
    return out.getvalue()


@pytest.fixture(scope="module")
def short_video(make_video: Callable[..., bytes], photo: bytes) -> bytes:
    """A second of it."""
    return make_video([photo])


def _finished(rekognition: Any, job_id: str, **more: Any) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answer: dict[str, Any] = rekognition.get_content_moderation(JobId=job_id, **more)
        if answer["JobStatus"] != "IN_PROGRESS":
            return answer
    raise AssertionError("the job never ended")


def _code(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_a_job_takes_its_time_and_then_has_a_verdict(
    clients: SimpleNamespace, put: Put, finish: Finish, short_video: bytes
) -> None:
    job_id = clients.rekognition.start_content_moderation(Video=put(short_video), JobTag="a-tag")["JobId"]
    running = clients.rekognition.get_content_moderation(JobId=job_id)
    assert (running["JobStatus"], running["ModerationLabels"]) == ("IN_PROGRESS", [])
    done = finish(job_id)
    assert (done["JobStatus"], done["ModerationLabels"], done["JobTag"]) == ("SUCCEEDED", [], "a-tag")
    assert done["ModerationModelVersion"] == "7.0"
    assert done["VideoMetadata"]["Codec"] == "h264"
    assert 900 <= done["VideoMetadata"]["DurationMillis"] <= 1200


def test_the_eyes_say_when_a_video_turns_explicit(
    clients: SimpleNamespace,
    put: Put,
    finish: Finish,
    make_video: Callable[..., bytes],
    photo: bytes,
    flagged_image: bytes,
) -> None:
    video = put(make_video([photo, flagged_image, photo], seconds_each=2))
    job_id = clients.rekognition.start_content_moderation(Video=video, MinConfidence=60)["JobId"]
    (segment,) = finish(job_id, AggregateBy="SEGMENTS")["ModerationLabels"]
    assert segment["ModerationLabel"]["Name"] == "Explicit"
    assert segment["ModerationLabel"]["Confidence"] > 80
    assert (segment["StartTimestampMillis"], segment["EndTimestampMillis"]) == (2000, 4000)
    assert segment["DurationMillis"] == 2000


def test_a_card_gives_labels_with_times(
    clients: SimpleNamespace, put: Put, finish: Finish, make_video: Callable[..., bytes], photo: bytes
) -> None:
    video = put(make_video([photo], seconds_each=4, card=LONG))
    job_id = clients.rekognition.start_content_moderation(Video=video)["JobId"]
    segments = finish(job_id, AggregateBy="SEGMENTS")["ModerationLabels"]
    assert [(s["ModerationLabel"]["Name"], s["StartTimestampMillis"], s["EndTimestampMillis"]) for s in segments] == [
        ("Violence", 1000, 3000),
        ("Weapons", 1000, 3000),
    ]
    moments = finish(job_id)["ModerationLabels"]
    assert [m["Timestamp"] for m in moments if m["ModerationLabel"]["Name"] == "Weapons"] == [1000, 1500, 2000, 2500]
    assert "StartTimestampMillis" not in moments[0]
    by_name = finish(job_id, SortBy="NAME")["ModerationLabels"]
    assert [m["ModerationLabel"]["Name"] for m in by_name] == ["Violence"] * 4 + ["Weapons"] * 4


def test_a_card_in_the_map_form_covers_the_first_second(
    clients: SimpleNamespace, put: Put, finish: Finish, make_video: Callable[..., bytes], photo: bytes
) -> None:
    video = put(make_video([photo], card={"labels": {"Alcohol": 80}}))
    job_id = clients.rekognition.start_content_moderation(Video=video)["JobId"]
    (segment,) = finish(job_id, AggregateBy="SEGMENTS")["ModerationLabels"]
    assert (segment["StartTimestampMillis"], segment["EndTimestampMillis"]) == (0, 1000)


def test_pages_together_are_the_whole(
    clients: SimpleNamespace, put: Put, finish: Finish, make_video: Callable[..., bytes], photo: bytes
) -> None:
    job_id = clients.rekognition.start_content_moderation(Video=put(make_video([photo], card=LONG)))["JobId"]
    whole = finish(job_id)["ModerationLabels"]
    pages: list[list[dict[str, Any]]] = []
    more: dict[str, str] = {}
    while True:
        page = clients.rekognition.get_content_moderation(JobId=job_id, MaxResults=3, **more)
        pages.append(page["ModerationLabels"])
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    assert [len(page) for page in pages] == [3, 3, 2]
    assert [label for page in pages for label in page] == whole


def test_a_page_token_of_nowhere_is_refused(
    clients: SimpleNamespace, put: Put, finish: Finish, short_video: bytes
) -> None:
    job_id = clients.rekognition.start_content_moderation(Video=put(short_video))["JobId"]
    finish(job_id)
    with pytest.raises(ClientError) as refused:
        clients.rekognition.get_content_moderation(JobId=job_id, NextToken="nonsense")
    assert _code(refused) == "InvalidPaginationTokenException"


def test_a_token_starts_one_job_and_is_bound_to_its_request(
    clients: SimpleNamespace, put: Put, unique: str, short_video: bytes
) -> None:
    request = {"Video": put(short_video), "ClientRequestToken": unique}
    first = clients.rekognition.start_content_moderation(**request)["JobId"]
    assert clients.rekognition.start_content_moderation(**request)["JobId"] == first
    with pytest.raises(ClientError) as refused:
        clients.rekognition.start_content_moderation(**request, MinConfidence=30)
    assert _code(refused) == "IdempotentParameterMismatchException"


@pytest.fixture(params=["empty", "text", "cut", "mpeg4", "mkv"])
def unwatchable(
    request: pytest.FixtureRequest, make_video: Callable[..., bytes], photo: bytes, short_video: bytes
) -> bytes:
    """What is no H.264 in an MP4 or MOV."""
    contents: dict[str, Callable[[], bytes]] = {
        "empty": lambda: b"",
        "text": lambda: b"no video at all",
        "cut": lambda: short_video[:200],
        "mpeg4": lambda: make_video([photo], codec="mpeg4"),
        "mkv": lambda: make_video([photo], form="matroska"),
    }
    return contents[request.param]()


def test_what_cannot_be_watched_makes_a_job_that_fails_with_a_reason(
    unwatchable: bytes, clients: SimpleNamespace, put: Put, finish: Finish
) -> None:
    done = finish(clients.rekognition.start_content_moderation(Video=put(unwatchable))["JobId"])
    assert done["JobStatus"] == "FAILED"
    assert done["StatusMessage"]
    assert done["ModerationLabels"] == []


def test_a_missing_object_and_an_unknown_job_are_refused(clients: SimpleNamespace, bucket: str, unique: str) -> None:
    with pytest.raises(ClientError) as refused:
        clients.rekognition.start_content_moderation(Video={"S3Object": {"Bucket": bucket, "Name": unique}})
    assert _code(refused) == "InvalidS3ObjectException"
    with pytest.raises(ClientError) as refused:
        clients.rekognition.get_content_moderation(JobId=unique)
    assert _code(refused) == "ResourceNotFoundException"


def test_a_fault_card_refuses_the_start_as_often_as_it_says(
    clients: SimpleNamespace, put: Put, make_video: Callable[..., bytes], photo: bytes
) -> None:
    video = put(make_video([photo], card={"fault": "LimitExceededException", "times": 1}))
    with pytest.raises(ClientError) as refused:
        clients.rekognition.start_content_moderation(Video=video)
    assert _code(refused) == "LimitExceededException"
    assert clients.rekognition.start_content_moderation(Video=video)["JobId"]


def test_jobs_over_the_cap_are_refused_until_one_ends(
    stand_in: Callable[..., SimpleNamespace], put: Put, short_video: bytes
) -> None:
    rekognition, video = stand_in(jobs=2, job_seconds=2).rekognition, put(short_video)
    first = rekognition.start_content_moderation(Video=video)["JobId"]
    rekognition.start_content_moderation(Video=video)
    with pytest.raises(ClientError) as refused:
        rekognition.start_content_moderation(Video=video)
    assert _code(refused) == "LimitExceededException"
    _finished(rekognition, first)
    assert rekognition.start_content_moderation(Video=video)["JobId"]
