"""A fleet that knows how many video jobs it may run asks for no more, and gets its slots back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from fleet import Fleet, Put, until
from interrupted import later, watched

from tasks.aws.slots import LEASE_SECONDS, Slots
from tasks.clock import utc_now
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done
from tasks.record.standing import Standing, Status

RUNNING = Done("the video's job is running")


@dataclass(slots=True)
class Starts:
    """How many jobs Rekognition was asked for, whether it had room or not."""

    asked: int = 0

    def __call__(self, name: str, go: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self.asked += name == "start_content_moderation"
        return go()


@pytest.fixture
def starts() -> Starts:
    return Starts()


@pytest.fixture
def desk(unserved: Fleet, starts: Starts) -> Desk:
    """The fleet's desk with one slot for all, which nobody has."""
    desk = watched(unserved.desk, starts)
    slots = Slots(aws=desk.aws, table=desk.settings.items_table, limit=1, now=utc_now)
    for job in slots.held():
        slots.release(job)
    return replace(desk, slots=slots)


@pytest.fixture
def put(unserved: Fleet, media: SimpleNamespace, unique: str) -> Callable[[int], Put]:
    """Upload a video, told from others by its number."""

    def upload(number: int) -> Put:
        body = media.video(
            [media.picture()], seconds_each=0.2, card={"labels": {"Weapons": 97.5}, "note": f"{unique}{number}"}
        )
        return unserved.put(f"feed/{unique}/{number}.mp4", body)

    return upload


def held(desk: Desk) -> set[str]:
    assert desk.slots is not None
    return set(desk.slots.held())


def stands(fleet: Fleet, put: Put) -> Standing:
    standing = fleet.standing(put)
    assert standing is not None
    return standing


def work(fleet: Fleet, desk: Desk, *puts: Put) -> None:
    """Do the video lane's messages until these uploads have ended."""

    def ended() -> bool:
        for body in fleet.drain(fleet.settings.queue_url("video")):
            handle(desk, body, attempt=1)
        return all(stands(fleet, put).status is not Status.PENDING for put in puts)

    until(ended, what="the end of all videos")


def test_videos_wait_for_the_slot_without_asking_rekognition_and_all_are_decided(
    unserved: Fleet, desk: Desk, starts: Starts, put: Callable[[int], Put]
) -> None:
    puts = [put(number) for number in range(3)]
    assert [handle(desk, unserved.event_of(put), attempt=1) for put in puts] == [RUNNING] * 3
    assert starts.asked == 1
    assert held(desk) == {stands(unserved, puts[0]).item.id}
    work(unserved, desk, *puts)
    assert [stands(unserved, put).status for put in puts] == [Status.REJECTED] * 3
    assert held(desk) == set()


def test_a_second_event_of_a_video_that_is_decided_keeps_no_slot(
    unserved: Fleet, desk: Desk, put: Callable[[int], Put]
) -> None:
    video = put(0)
    event = unserved.event_of(video)
    assert handle(desk, event, attempt=1) == RUNNING
    # The upload may be gone by the time the event comes again, or it may be on its way at that moment.
    assert handle(desk, event, attempt=1) == RUNNING
    work(unserved, desk, video)
    handle(desk, event, attempt=1)
    assert held(desk) == set()


def test_a_video_that_vanishes_gives_its_slot_back(unserved: Fleet, desk: Desk, put: Callable[[int], Put]) -> None:
    first, second = put(0), put(1)
    assert handle(desk, unserved.event_of(first), attempt=1) == RUNNING
    assert handle(desk, unserved.event_of(second), attempt=1) == RUNNING
    unserved.aws.s3.delete_object(Bucket=second.bucket, Key=second.key, VersionId=second.version)
    work(unserved, desk, first, second)
    assert stands(unserved, second).status is Status.GONE
    assert held(desk) == set()


def test_the_slot_of_a_worker_that_died_comes_back(unserved: Fleet, desk: Desk, put: Callable[[int], Put]) -> None:
    assert desk.slots is not None
    assert desk.slots.acquire("a job whose worker died")
    video = put(0)
    event = unserved.event_of(video)
    assert handle(desk, event, attempt=1) == RUNNING
    assert held(desk) == {"a job whose worker died"}
    after = later(desk, seconds=LEASE_SECONDS + 1)
    assert after.slots is not None
    after = replace(after, slots=replace(after.slots, now=after.now))
    work(unserved, after, video)
    assert stands(unserved, video).status is Status.REJECTED
    assert held(desk) == set()
