"""What is obvious in a video's thumbnail or first frames is down before any job ends, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from fleet import Fleet, Put, running_fleet, until
from interrupted import watched

from tasks.desk import Desk
from tasks.detect.picture import Converter
from tasks.moderation import handle
from tasks.outcome import Done
from tasks.record.standing import Standing, Status

RUNNING = Done("the video's job is running")
DOWN = Done("rejected")
STARTS, LOOKS = "start_content_moderation", "detect_moderation_labels"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet without a worker, whose video jobs take a second."""
    with running_fleet(tmp_path_factory.mktemp("first"), job_seconds=1.0) as fleet:
        yield fleet


@pytest.fixture
def calls() -> list[str]:
    """Every AWS call by name."""
    return []


@pytest.fixture
def looking(fleet: Fleet, calls: list[str]) -> Callable[[str], Desk]:
    """The fleet's desk under a policy whose every surface takes this first look."""

    def around(name: str, go: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        calls.append(name)
        return go()

    def desk(first_look: str) -> Desk:
        surfaces = tuple(replace(surface, first_look=first_look) for surface in fleet.desk.policy.surfaces)  # type: ignore[arg-type]
        return watched(replace(fleet.desk, policy=replace(fleet.desk.policy, surfaces=surfaces)), around)

    return desk


@pytest.fixture
def clip(media: SimpleNamespace, unique: str) -> Callable[..., bytes]:
    """Three seconds, flagged from second `flagged` on, or never; no two tests make the same."""

    def make(*, flagged: int | None = None, card: dict[str, object] | None = None) -> bytes:
        pictures = [
            media.flagged if flagged is not None and second >= flagged else media.photo() for second in range(3)
        ]
        body = bytes(media.video(pictures, card=card))
        return body + (8 + len(unique)).to_bytes(4, "big") + b"skip" + unique.encode()

    return make


def stands(fleet: Fleet, put: Put) -> Standing:
    standing = fleet.standing(put)
    assert standing is not None
    return standing


def work(fleet: Fleet, desk: Desk, put: Put) -> None:
    def ended() -> bool:
        for body in fleet.drain(fleet.settings.queue_url("video")):
            handle(desk, body, attempt=1)
        return stands(fleet, put).status is not Status.PENDING

    until(ended, what="the end of the video")


def test_what_the_first_frame_shows_is_down_in_one_run_without_a_job(
    fleet: Fleet, looking: Callable[[str], Desk], calls: list[str], clip: Callable[..., bytes], unique: str
) -> None:
    put = fleet.put(f"feed/{unique}.mp4", clip(flagged=0))
    assert handle(looking("frames"), fleet.event_of(put), attempt=1) == DOWN
    assert (calls.count(STARTS), calls.count(LOOKS)) == (0, 1)
    assert (fleet.current(put), fleet.quarantined(put)) == (None, [put.body])
    assert {(finding.part, finding.time_ms) for finding in stands(fleet, put).findings} == {("frame:0", (0, 0))}


def test_what_a_later_frame_shows_is_down_too(
    fleet: Fleet, looking: Callable[[str], Desk], calls: list[str], clip: Callable[..., bytes], unique: str
) -> None:
    put = fleet.put(f"feed/{unique}.mp4", clip(flagged=2))
    assert handle(looking("frames"), fleet.event_of(put), attempt=1) == DOWN
    assert (calls.count(STARTS), calls.count(LOOKS)) == (0, 3)
    assert {finding.part for finding in stands(fleet, put).findings} == {"frame:2"}


def test_a_clean_opening_clears_nothing(
    fleet: Fleet, looking: Callable[[str], Desk], calls: list[str], clip: Callable[..., bytes], unique: str
) -> None:
    put = fleet.put(f"feed/{unique}.mp4", clip(card={"labels": {"Weapons": 97.5}}))
    desk = looking("frames")
    assert handle(desk, fleet.event_of(put), attempt=1) == RUNNING
    assert (calls.count(STARTS), calls.count(LOOKS)) == (1, 3)
    work(fleet, desk, put)
    assert stands(fleet, put).rules == ("labels/Violence/Weapons>=90",)


def test_a_first_look_that_fails_is_no_verdict(
    fleet: Fleet, looking: Callable[[str], Desk], calls: list[str], clip: Callable[..., bytes], unique: str
) -> None:
    desk = replace(looking("frames"), projector=Converter(command=("false",)))
    put = fleet.put(f"feed/{unique}.mp4", clip())
    assert handle(desk, fleet.event_of(put), attempt=1) == RUNNING
    work(fleet, desk, put)
    assert stands(fleet, put).status is Status.ALLOWED
    assert calls.count(LOOKS) == 0


def test_the_thumbnail_speaks_for_its_video(
    fleet: Fleet,
    looking: Callable[[str], Desk],
    calls: list[str],
    clip: Callable[..., bytes],
    media: SimpleNamespace,
    unique: str,
) -> None:
    fleet.put(f"feed/{unique}.png", media.picture(card={"labels": {"Weapons": 97.5}}))
    put = fleet.put(f"feed/{unique}.mp4", clip(), thumbnail=f"feed/{unique}.png")
    assert handle(looking("thumbnail"), fleet.event_of(put), attempt=1) == DOWN
    assert calls.count(STARTS) == 0
    assert {finding.part for finding in stands(fleet, put).findings} == {"thumbnail"}


@pytest.mark.parametrize("thumbnail", ["innocent", "missing", "text", "none"])
def test_a_thumbnail_that_says_nothing_leaves_the_video_to_its_job(
    thumbnail: str,
    fleet: Fleet,
    looking: Callable[[str], Desk],
    clip: Callable[..., bytes],
    media: SimpleNamespace,
    unique: str,
) -> None:
    fleet.put(f"feed/{unique}/innocent", media.picture())
    fleet.put(f"feed/{unique}/text", b"hello")
    metadata = {} if thumbnail == "none" else {"thumbnail": f"feed/{unique}/{thumbnail}"}
    put = fleet.put(f"feed/{unique}.mp4", clip(card={"labels": {"Weapons": 97.5}}), **metadata)
    desk = looking("thumbnail")
    assert handle(desk, fleet.event_of(put), attempt=1) == RUNNING
    work(fleet, desk, put)
    assert stands(fleet, put).status is Status.REJECTED


def test_the_same_bytes_are_rejected_again_by_their_first_frames_but_not_by_anothers_thumbnail(
    fleet: Fleet,
    looking: Callable[[str], Desk],
    calls: list[str],
    clip: Callable[..., bytes],
    media: SimpleNamespace,
    unique: str,
) -> None:
    fleet.put(f"feed/{unique}.png", media.picture(card={"labels": {"Weapons": 97.5}}))
    body = clip()
    framed = fleet.put(f"feed/{unique}/framed.mp4", body, thumbnail=f"feed/{unique}.png")
    plain = fleet.put(f"feed/{unique}/plain.mp4", body)
    desk = looking("thumbnail")
    assert handle(desk, fleet.event_of(framed), attempt=1) == DOWN
    assert handle(desk, fleet.event_of(plain), attempt=1) == RUNNING
    bad = [fleet.put(f"feed/{unique}/{n}.mp4", clip(flagged=0)) for n in range(2)]
    assert [handle(looking("frames"), fleet.event_of(put), attempt=1) for put in bad] == [DOWN] * 2
    assert calls.count(LOOKS) == 2
    work(fleet, desk, plain)
    assert stands(fleet, plain).status is Status.ALLOWED
