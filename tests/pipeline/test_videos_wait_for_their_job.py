"""Videos wait for their job on the video lane: nothing is held up, lost, decided twice or let through."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fleet import Fleet, Put, said, until
from interrupted import Crash, at_call, crash, later, watched

from tasks.intake.message import VideoCheck, write_video_check
from tasks.moderation import handle
from tasks.outcome import Done, Outcome, Skipped
from tasks.record.standing import Standing, Status

RUNNING = Done("the video's job is running")
WEAPON = {"labels": {"Weapons": 97.5}}


@pytest.fixture
def video(media: SimpleNamespace, unique: str) -> Callable[..., bytes]:
    """A fifth of a second of grey; `video(card)` with a test card. No two tests have the same bytes."""

    def make(card: object = None) -> bytes:
        body = bytes(media.video([media.picture()], seconds_each=0.2, card=card))
        return body + (8 + len(unique)).to_bytes(4, "big") + b"skip" + unique.encode()

    return make


@pytest.fixture
def work(unserved: Fleet) -> Callable[..., list[Outcome]]:
    """Do the video lane's messages, as they come due, until these uploads have ended; gives their checks' outcomes."""

    def pump(*puts: Put) -> list[Outcome]:
        outcomes: list[Outcome] = []

        def ended() -> bool:
            for body in unserved.drain(unserved.settings.queue_url("video")):
                outcome = handle(unserved.desk, body, attempt=1)
                outcomes.extend([outcome] if any(put.key in body for put in puts) else [])
            return all(_stands(unserved, put).status is not Status.PENDING for put in puts)

        until(ended, what="the end of all videos")
        return outcomes

    return pump


def _stands(fleet: Fleet, put: Put) -> Standing:
    standing = fleet.standing(put)
    assert standing is not None
    return standing


def _running_forever(name: str, go: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return {"JobStatus": "IN_PROGRESS"} if name == "get_content_moderation" else go()


def test_a_video_is_pending_until_its_job_has_ended_and_then_taken_down(
    unserved: Fleet, video: Callable[..., bytes], work: Callable[..., list[Outcome]], unique: str
) -> None:
    put = unserved.put(f"feed/{unique}.mp4", video(WEAPON))
    assert handle(unserved.desk, unserved.event_of(put), attempt=1) == RUNNING
    assert _stands(unserved, put).status is Status.PENDING
    work(put)
    assert _stands(unserved, put).rules == ("labels/Violence/Weapons>=90",)
    assert (unserved.current(put), unserved.quarantined(put)) == (None, [put.body])


def test_a_job_that_fails_holds_the_video(
    unserved: Fleet, video: Callable[..., bytes], work: Callable[..., list[Outcome]], unique: str
) -> None:
    put = unserved.put(f"feed/{unique}.mp4", video()[:600])
    assert handle(unserved.desk, unserved.event_of(put), attempt=1) == RUNNING
    work(put)
    assert (_stands(unserved, put).status, _stands(unserved, put).rules) == (Status.HELD, ("unreadable/video-codec",))
    assert unserved.case(put)


@pytest.mark.parametrize("surface", ["feed/", "avatars/"])
def test_a_job_without_an_answer_by_the_deadline_holds_the_video(
    surface: str, unserved: Fleet, video: Callable[..., bytes], unique: str
) -> None:
    put = unserved.put(f"{surface}{unique}.mp4", video())
    endless = watched(unserved.desk, _running_forever)
    assert handle(endless, unserved.event_of(put), attempt=1) == RUNNING
    standing = _stands(unserved, put)
    check = write_video_check(VideoCheck(item=standing.item, job_id=standing.job_id, check=1))
    assert handle(endless, check, attempt=1) == RUNNING
    assert handle(later(endless, hours=7), check, attempt=1) == Done("held")
    assert _stands(unserved, put).rules == ("unreadable/video-deadline",)
    assert unserved.public(put.key)[0] == (403 if surface == "avatars/" else 200)


def test_a_video_without_a_free_slot_waits_and_is_decided_later(
    unserved: Fleet, video: Callable[..., bytes], work: Callable[..., list[Outcome]], unique: str
) -> None:
    first, second = (unserved.put(f"feed/{unique}/{n}.mp4", video(WEAPON | {"note": str(n)})) for n in range(2))
    events = [unserved.event_of(put) for put in (first, second)]
    assert [handle(unserved.desk, event, attempt=1) for event in events] == [RUNNING] * 2
    # There is one slot, which a test before this may still have.
    assert not all(_stands(unserved, put).job_id for put in (first, second))
    work(first, second)
    assert [_stands(unserved, put).status for put in (first, second)] == [Status.REJECTED] * 2


def test_an_upload_event_that_comes_twice_during_the_job_decides_once(
    unserved: Fleet, video: Callable[..., bytes], work: Callable[..., list[Outcome]], unique: str
) -> None:
    put = unserved.put(f"feed/{unique}.mp4", video(WEAPON))
    event = unserved.event_of(put)
    assert [handle(unserved.desk, event, attempt=attempt) for attempt in (1, 1, 2)] == [RUNNING] * 3
    outcomes = work(put)
    assert outcomes.count(Done("rejected")) == 1
    late = write_video_check(VideoCheck(item=_stands(unserved, put).item, job_id="", check=1))
    assert handle(unserved.desk, late, attempt=1) == Skipped("already rejected")
    assert len(unserved.notices(put)) == 1
    assert len(said(unserved.audit_lines(), put, "decided")) == 1


def test_a_run_that_dies_after_starting_the_job_is_finished_by_the_next_delivery(
    unserved: Fleet, video: Callable[..., bytes], work: Callable[..., list[Outcome]], unique: str
) -> None:
    put = unserved.put(f"feed/{unique}.mp4", video(WEAPON))
    event = unserved.event_of(put)
    for call in ("start_content_moderation", "transact_write_items"):
        with pytest.raises(Crash):
            handle(watched(unserved.desk, at_call(call, crash, after=True)), event, attempt=1)
    assert handle(unserved.desk, event, attempt=2) == RUNNING
    work(put)
    assert _stands(unserved, put).status is Status.REJECTED
    assert len(unserved.notices(put)) == 1


def test_a_newer_upload_during_the_job_is_left_alone(
    unserved: Fleet, video: Callable[..., bytes], work: Callable[..., list[Outcome]], unique: str
) -> None:
    older = unserved.put(f"feed/{unique}.mp4", video(WEAPON))
    assert handle(unserved.desk, unserved.event_of(older), attempt=1) == RUNNING
    newer = unserved.put(f"feed/{unique}.mp4", b"newer, and innocent")
    work(older)
    assert _stands(unserved, older).status is Status.SUPERSEDED
    assert (unserved.current(newer), unserved.tags(newer)) == (newer.body, {})


def test_a_video_that_its_owner_deletes_during_the_job_is_gone(
    unserved: Fleet, video: Callable[..., bytes], work: Callable[..., list[Outcome]], unique: str
) -> None:
    put = unserved.put(f"feed/{unique}.mp4", video(WEAPON))
    assert handle(unserved.desk, unserved.event_of(put), attempt=1) == RUNNING
    unserved.aws.s3.delete_object(Bucket=put.bucket, Key=put.key, VersionId=put.version)
    work(put)
    assert _stands(unserved, put).status is Status.GONE
    assert unserved.notices(put) == []


def test_the_case_of_a_video_says_where_to_look_first(
    unserved: Fleet, video: Callable[..., bytes], work: Callable[..., list[Outcome]], unique: str
) -> None:
    labels = [
        {"label": "Weapons", "confidence": 60.0, "start_ms": 0, "end_ms": 500},
        {"label": "Weapons", "confidence": 75.0, "start_ms": 9000, "end_ms": 9500},
    ]
    put = unserved.put(f"feed/{unique}.mp4", video({"labels": labels}))
    assert handle(unserved.desk, unserved.event_of(put), attempt=1) == RUNNING
    work(put)
    case = unserved.case(put)
    assert case
    moments = json.loads(case["moments"])
    assert [(moment["begin_ms"], moment["end_ms"], moment["tier"]) for moment in moments] == [
        (9000, 9500, 2),
        (0, 500, 2),
    ]
