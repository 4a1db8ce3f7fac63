"""The life cycle: what waits is given back at once, what runs has its time, and no worker waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from celery.worker import state

from worker.lifecycle import DRAINED, UNFINISHED, Lifecycle
from worker.vital import BROKEN

#: Seconds that a test waits for another thread, at most.
PATIENCE = 10.0


class Line:
    """A line that notes what is asked of it."""

    def __init__(self, running: int = 0) -> None:
        self.inflight = ["message"] * running
        self.said: list[str] = []
        self.stopped = threading.Event()

    def stop(self) -> None:
        self.said.append("stop")
        self.stopped.set()

    def abandon(self) -> None:
        self.said.append("abandon")


class Lines:
    def __init__(self, *lines: Line, stuck: threading.Event | None = None) -> None:
        self.started = lines
        self.closed = False
        self._stuck = stuck

    def close(self) -> None:
        if self._stuck is not None:
            self._stuck.wait(PATIENCE)
        self.closed = True


class Exit:
    """Instead of os._exit: notes the code and lets the test go on."""

    def __init__(self) -> None:
        self.code: int | None = None
        self._called = threading.Event()

    def __call__(self, code: int) -> None:
        self.code = code
        self._called.set()

    def within(self, seconds: float) -> int | None:
        self._called.wait(seconds)
        return self.code


@pytest.fixture(autouse=True)
def celery_runs() -> Iterator[None]:
    """Celery's own flag is global: as it is before any test, and afterwards."""
    state.should_stop = None
    yield
    state.should_stop = None


@pytest.fixture
def exit_now() -> Exit:
    return Exit()


@pytest.fixture
def begin(exit_now: Exit) -> Iterator[Callable[..., Lifecycle]]:
    """Begin the life of a worker with these lines; it is over when the test is."""
    begun: list[Lifecycle] = []

    def start(lines: Lines, *, drain_seconds: float = PATIENCE, last_seconds: float = PATIENCE) -> Lifecycle:
        begun.append(Lifecycle(lines, drain_seconds=drain_seconds, last_seconds=last_seconds, exit_now=exit_now))
        begun[-1]._drainer.start()
        return begun[-1]

    yield start
    for lifecycle in begun:
        lifecycle.end()
        lifecycle._drainer.join(PATIENCE)


def test_draining_stops_every_line_at_once_and_tells_celery(exit_now: Exit, begin: Callable[..., Lifecycle]) -> None:
    lines = Lines(Line(1), Line())
    lifecycle = begin(lines)
    lifecycle.drain("a notice")
    assert all(line.stopped.wait(PATIENCE) for line in lines.started)
    assert lifecycle.draining
    assert (state.should_stop, exit_now.code) == (DRAINED, None)


def test_what_still_runs_at_the_limit_is_given_back_and_the_process_ends(
    exit_now: Exit, begin: Callable[..., Lifecycle]
) -> None:
    lines = Lines(Line(2))
    begin(lines, drain_seconds=0.05).drain("a notice")
    assert exit_now.within(PATIENCE) == UNFINISHED
    assert (lines.started[0].said[-1], lines.closed) == ("abandon", True)


def test_a_second_signal_cuts_the_time_short_but_a_signal_after_a_notice_does_not(
    exit_now: Exit, begin: Callable[..., Lifecycle]
) -> None:
    lines = Lines(Line(1))
    lifecycle = begin(lines)
    lifecycle.drain("a notice")
    lifecycle._on_signal("SIGTERM")
    assert lines.started[0].stopped.wait(PATIENCE)
    assert exit_now.within(0.1) is None
    lifecycle._on_signal("SIGTERM")
    assert exit_now.within(PATIENCE) == UNFINISHED


def test_a_queue_that_does_not_answer_holds_up_no_end(exit_now: Exit, begin: Callable[..., Lifecycle]) -> None:
    stuck = threading.Event()
    begin(Lines(Line(1), stuck=stuck), drain_seconds=0.01, last_seconds=0.05).drain("a notice")
    assert exit_now.within(PATIENCE) == UNFINISHED
    stuck.set()


def test_out_of_time_with_nothing_in_hand_it_has_drained(exit_now: Exit, begin: Callable[..., Lifecycle]) -> None:
    begin(Lines(Line()), drain_seconds=0.05).drain("a notice")
    assert exit_now.within(PATIENCE) == DRAINED


def test_a_worker_that_has_ended_by_itself_is_not_ended_again(exit_now: Exit, begin: Callable[..., Lifecycle]) -> None:
    lifecycle = begin(Lines(Line()), drain_seconds=0.05)
    lifecycle.drain("a notice")
    lifecycle.end()
    lifecycle._drainer.join(PATIENCE)
    assert exit_now.code is None


def test_last_words_are_said_well_or_badly(exit_now: Exit, begin: Callable[..., Lifecycle]) -> None:
    said: list[str] = []
    lifecycle = Lifecycle(Lines(), drain_seconds=1, exit_now=exit_now)
    lifecycle.last_words.append(lambda: said.append("farewell"))
    lifecycle.end()
    lifecycle.leave(BROKEN, "a test")
    assert (said, exit_now.code) == (["farewell", "farewell"], BROKEN)


def test_a_drain_does_not_hide_that_the_worker_is_broken(exit_now: Exit, begin: Callable[..., Lifecycle]) -> None:
    state.should_stop = BROKEN
    begin(Lines()).drain("a thread died")
    assert state.should_stop == BROKEN
