"""The pulse tells a dead poller from an idle one, from a busy one and from one that is paused."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state

from worker.attend import Watch
from worker.health import Health
from worker.lifecycle import Lifecycle
from worker.pulse import Pulse


@dataclass
class Line:
    polled_at: float = 0.0
    paused: bool = False
    full: bool = False
    name: str = "uploads"
    inflight: list[str] = field(default_factory=list)

    @property
    def window(self) -> Any:
        return SimpleNamespace(full=self.full)

    @property
    def lane(self) -> Any:
        return SimpleNamespace(name=self.name)


class Ward:
    """Lines, their pulse, and a clock that only `passes` moves; the event loop turns all the time unless told not."""

    def __init__(self, *lines: Line) -> None:
        self.now = 1000.0
        self.lines = list(lines)
        for line in lines:
            line.polled_at = self.now
        self.pulse = Pulse(lambda: self.lines, clock=lambda: self.now)
        self.pulse.sample()

    def passes(self, seconds: int, *, turning: bool = True) -> None:
        for _ in range(seconds):
            self.now += 1
            if turning:
                self.pulse.turn()
            self.pulse.sample()


def test_a_line_that_polls_is_well_however_idle_it_is() -> None:
    ward = Ward(Line())
    for _ in range(10):
        ward.passes(20)
        ward.lines[0].polled_at = ward.now
    ward.passes(20)
    assert ward.pulse.silent(60) == []


def test_a_line_that_does_not_is_silent_and_named() -> None:
    ward = Ward(Line(name="uploads"), Line(name="video"))
    for _ in range(4):
        ward.passes(20)
        ward.lines[0].polled_at = ward.now
    assert ward.pulse.silent(60) == ["video"]


@pytest.mark.parametrize(
    "resting", [{"paused": True}, {"full": True, "inflight": ["m"]}], ids=["paused", "window full"]
)
def test_a_line_with_no_reason_to_poll_is_well_and_has_its_time_afterwards(resting: dict[str, Any]) -> None:
    ward = Ward(Line(**resting))
    ward.passes(500)
    assert ward.pulse.silent(60) == []
    ward.lines[0].paused, ward.lines[0].full = False, False
    ward.passes(60)
    assert ward.pulse.silent(60) == []
    ward.passes(1)
    assert ward.pulse.silent(60) == ["uploads"]


def test_a_window_that_only_receivers_have_taken_is_no_excuse() -> None:
    ward = Ward(Line(full=True))
    ward.passes(61)
    assert ward.pulse.silent(60) == ["uploads"]


def test_an_event_loop_that_hangs_is_silent() -> None:
    ward = Ward(Line())
    ward.passes(61, turning=False)
    ward.lines[0].polled_at = ward.now
    ward.pulse.sample()
    assert ward.pulse.silent(60) == ["event loop"]


def test_a_worker_that_never_begins_is_silent() -> None:
    ward = Ward()
    ward.passes(61)
    assert ward.pulse.silent(60) == ["lanes"]


def test_busy_is_whoever_has_a_message_in_hand() -> None:
    ward = Ward(Line(), Line(name="video", inflight=["m"]))
    assert ward.pulse.busy
    ward.lines[1].inflight.clear()
    ward.passes(1)
    assert not ward.pulse.busy


class Exits:
    def __init__(self) -> None:
        self.codes: list[int] = []

    def __call__(self, code: int) -> None:
        self.codes.append(code)


class Lines:
    started = ()

    def close(self) -> None:
        """Nothing is left."""


@pytest.fixture
def exits() -> Exits:
    return Exits()


def watch_of(ward: Ward, exits: Exits, *, protection: Any = None) -> tuple[Watch, Lifecycle, Health]:
    lifecycle = Lifecycle(Lines(), drain_seconds=1, exit_now=exits)
    health = Health(ward.pulse, lifecycle)
    watch = Watch(ward.pulse, lifecycle, health=health, watchdog_seconds=120, protection=protection)
    return watch, lifecycle, health


def test_the_watchdog_ends_a_worker_whose_line_is_silent_and_no_other(exits: Exits) -> None:
    ward = Ward(Line(name="uploads"), Line(name="video"))
    watch, _, _ = watch_of(ward, exits)
    ward.passes(120)
    ward.lines[0].polled_at = ward.now
    watch.tick()
    assert exits.codes == []
    ward.passes(1)
    watch.tick()
    assert exits.codes == [4]


def test_a_thread_that_died_makes_the_worker_drain_within_its_limit(exits: Exits) -> None:
    watch, lifecycle, _ = watch_of(Ward(Line()), exits)
    state.should_stop = 4
    try:
        watch.tick()
    finally:
        state.should_stop = None
    assert lifecycle._asked.get_nowait() == "the worker is broken"


def test_health_says_live_until_something_is_silent_and_ready_only_while_it_works(exits: Exits) -> None:
    ward = Ward(Line())
    _, lifecycle, health = watch_of(ward, exits)
    assert health.live()[0]
    assert health.ready() == (False, {"ready": False, "why": ["starting"]})
    lifecycle.working.set()
    assert health.ready()[0]
    ward.passes(61)
    assert (health.live()[0], health.live()[1]["silent"]) == (False, ["uploads"])
    assert health.ready()[1]["why"] == ["not live"]
    lifecycle._draining.set()
    assert health.live()[0]
    assert health.ready()[1]["why"] == ["draining"]


def test_scale_in_protection_hears_each_second_whether_there_is_work(exits: Exits) -> None:
    heard: list[bool] = []
    ward = Ward(Line(inflight=["m"]))
    watch, _, _ = watch_of(ward, exits, protection=SimpleNamespace(see=lambda *, busy: heard.append(busy)))
    watch.tick()
    ward.lines[0].inflight.clear()
    watch.tick()
    assert heard == [True, False]
