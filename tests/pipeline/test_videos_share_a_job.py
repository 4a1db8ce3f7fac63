"""Rekognition tells when a job has ended, and the same video twice is looked at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from fleet import Fleet, Put, running_fleet, until
from interrupted import watched

from tasks.desk import Desk
from tasks.intake.message import VideoCheck, write_video_check
from tasks.moderation import handle
from tasks.outcome import Done, Outcome, Retry, Skipped
from tasks.record.standing import Standing, Status

RUNNING = Done("the video's job is running")
WEAPON = {"labels": {"Weapons": 97.5}}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet without a worker, with room for many jobs of a second each."""
    with running_fleet(tmp_path_factory.mktemp("shared"), job_seconds=1.0) as fleet:
        yield fleet


@pytest.fixture
def starts() -> list[str]:
    """The JobTag of every job that Rekognition was asked for."""
    return []


@pytest.fixture
def desk(fleet: Fleet, starts: list[str]) -> Desk:
    def around(name: str, go: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if name == "start_content_moderation":
            starts.append(name)
        return go()

    return watched(fleet.desk, around)


@pytest.fixture
def told(fleet: Fleet, desk: Desk) -> Desk:
    """The desk of a fleet whose topic Rekognition tells when a job has ended."""
    outputs = fleet.cloud.outputs
    arns = {"video_topic_arn": outputs["VideoTopicArn"], "video_role_arn": outputs["VideoRoleArn"]}
    return replace(desk, settings=desk.settings.model_copy(update=arns))


@pytest.fixture
def upload(fleet: Fleet, media: SimpleNamespace, unique: str) -> Callable[..., Put]:
    """Upload a video to a name; the same `note` makes the same bytes."""

    def put(name: str, *, note: str = "", body: bytes = b"", sha256: bool = True) -> Put:
        body = body or media.video([media.picture()], seconds_each=0.2, card=WEAPON | {"note": unique + note})
        checksum = {"ChecksumAlgorithm": "SHA256"} if sha256 else {}
        bucket, key = fleet.settings.uploads_bucket, f"feed/{unique}/{name}.mp4"
        answer = fleet.aws.s3.put_object(Bucket=bucket, Key=key, Body=body, **checksum)  # type: ignore[arg-type]
        return Put(bucket, key, answer["VersionId"], answer["ETag"].strip('"'), body)

    return put


def stands(fleet: Fleet, put: Put) -> Standing:
    standing = fleet.standing(put)
    assert standing is not None
    return standing


def begin(fleet: Fleet, desk: Desk, *puts: Put) -> list[Outcome]:
    return [handle(desk, fleet.event_of(put), attempt=1) for put in puts]


def work(fleet: Fleet, desk: Desk, *puts: Put) -> list[str]:
    """Do the video lane's messages as they come due, until these uploads have ended; gives their bodies."""
    bodies: list[str] = []

    def ended() -> bool:
        for body in fleet.drain(fleet.settings.queue_url("video")):
            bodies.append(body)
            handle(desk, body, attempt=1)
        return all(stands(fleet, put).status is not Status.PENDING for put in puts)

    until(ended, what="the end of all videos")
    return bodies


def test_a_notice_concludes_a_video_long_before_its_next_check(
    fleet: Fleet, told: Desk, upload: Callable[..., Put]
) -> None:
    put = upload("a", sha256=False)
    assert begin(fleet, told, put) == [RUNNING]
    (notice,) = work(fleet, told, put)
    assert json.loads(notice)["JobId"] == stands(fleet, put).job_id
    assert stands(fleet, put).status is Status.REJECTED


def test_a_notice_wrapped_by_sns_is_read_too(fleet: Fleet, told: Desk, upload: Callable[..., Put]) -> None:
    put = upload("a")
    assert begin(fleet, told, put) == [RUNNING]
    (notice,) = until(lambda: list(fleet.drain(fleet.settings.queue_url("video"))), what="the notice")
    wrapped = json.dumps({"Type": "Notification", "Message": notice})
    assert handle(told, wrapped, attempt=1) == Done("rejected")


def test_a_notice_of_a_job_that_is_not_ours_or_has_not_ended_decides_nothing(
    fleet: Fleet, told: Desk, upload: Callable[..., Put]
) -> None:
    put = upload("a")
    assert begin(fleet, told, put) == [RUNNING]
    forged = {"JobId": stands(fleet, put).job_id, "API": "StartContentModeration", "Status": "SUCCEEDED"}
    assert handle(told, json.dumps(forged), attempt=1) == RUNNING
    assert stands(fleet, put).status is Status.PENDING
    assert handle(told, json.dumps(forged | {"JobId": "a" * 32}), attempt=1) == Skipped("no video waits for this job")
    work(fleet, told, put)


@pytest.mark.parametrize("channel", ["asked", "told"])
def test_the_same_video_under_another_name_joins_the_running_job(
    channel: str, fleet: Fleet, desk: Desk, told: Desk, upload: Callable[..., Put], starts: list[str]
) -> None:
    desk = told if channel == "told" else desk
    first, second = upload("a"), upload("b")
    assert begin(fleet, desk, first, second) == [RUNNING] * 2
    assert len(starts) == 1
    work(fleet, desk, first, second)
    assert [stands(fleet, put).status for put in (first, second)] == [Status.REJECTED] * 2
    assert len({stands(fleet, put).job_id for put in (first, second)}) == 1
    assert len(starts) == 1


def test_other_bytes_have_a_job_of_their_own(
    fleet: Fleet, desk: Desk, upload: Callable[..., Put], starts: list[str]
) -> None:
    puts = [upload("a"), upload("b", note="other")]
    assert begin(fleet, desk, *puts) == [RUNNING] * 2
    assert len(starts) == 2
    work(fleet, desk, *puts)


def test_bytes_that_nobody_vouches_for_join_no_job_and_wait_for_what_it_finds(
    fleet: Fleet, desk: Desk, upload: Callable[..., Put], starts: list[str]
) -> None:
    first, second = upload("a", sha256=False), upload("b", sha256=False)
    running, waiting = begin(fleet, desk, first, second)
    assert running == RUNNING
    assert isinstance(waiting, Retry)
    assert not waiting.counts
    work(fleet, desk, first)
    assert begin(fleet, desk, second) == [Done("rejected")]
    assert len(starts) == 1


def test_a_joined_job_that_fails_is_followed_by_one_of_ones_own(
    fleet: Fleet, desk: Desk, upload: Callable[..., Put], starts: list[str]
) -> None:
    body = upload("whole").body[:600]
    first, second = upload("a", body=body), upload("b", body=body)
    assert begin(fleet, desk, first, second) == [RUNNING] * 2
    assert len(starts) == 1
    work(fleet, desk, first, second)
    assert [stands(fleet, put).rules for put in (first, second)] == [("unreadable/video-codec",)] * 2
    assert len(starts) == 2


def test_a_check_that_names_another_videos_job_is_not_decided_by_it(
    fleet: Fleet, desk: Desk, media: SimpleNamespace, upload: Callable[..., Put]
) -> None:
    clean = upload("clean", body=media.video([media.picture()], seconds_each=0.2))
    bad = upload("bad", note="bad")
    assert begin(fleet, desk, clean, bad) == [RUNNING] * 2
    work(fleet, desk, clean)
    forged = VideoCheck(item=stands(fleet, bad).item, job_id=stands(fleet, clean).job_id, check=1)
    handle(desk, write_video_check(forged), attempt=1)
    work(fleet, desk, bad)
    assert [stands(fleet, put).status for put in (clean, bad)] == [Status.ALLOWED, Status.REJECTED]


def test_a_job_that_rekognition_has_forgotten_holds_the_video(
    fleet: Fleet, desk: Desk, upload: Callable[..., Put]
) -> None:
    put = upload("a")
    assert begin(fleet, desk, put) == [RUNNING]
    forgotten = VideoCheck(item=stands(fleet, put).item, job_id="f" * 32, check=1)
    assert handle(desk, write_video_check(forgotten), attempt=1) == Done("held")
    assert stands(fleet, put).rules == ("unreadable/video-expired",)
