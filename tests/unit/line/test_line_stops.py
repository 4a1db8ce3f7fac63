"""A line that is stopped, paused and started again loses nothing and repeats nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from memory_queue import Clock, Inbox, MemoryQueue, arrived, idle

from worker.line import WHILE_PAUSED, Line


def test_stopping_shows_what_waits_at_once_and_what_runs_goes_on(line: Line, queue: MemoryQueue, inbox: Inbox) -> None:
    line.start(inbox)
    arrived(queue, inbox, "runs", "waits")
    assert line.inflight.start(inbox.receipts["runs"])
    queue.shut()
    line.stop()
    assert queue.changes == [("waits", 0)]
    assert not line.inflight.start(inbox.receipts["waits"])
    line.done(inbox.receipts["runs"])
    queue.until(lambda: queue.deleted == [inbox.receipts["runs"]])


def test_what_a_long_poll_brings_after_the_stop_is_shown_again(line: Line, queue: MemoryQueue, inbox: Inbox) -> None:
    line.start(inbox)
    idle(queue, asked=1)
    line.stop()
    queue.send("late")
    queue.until(lambda: queue.changes == [("late", 0)])
    assert queue.visible == ["late"]
    assert inbox.runs == []
    assert len(queue.asked) == 1


def test_a_stopped_line_keeps_what_runs_hidden(line: Line, queue: MemoryQueue, inbox: Inbox, clock: Clock) -> None:
    line.start(inbox)
    arrived(queue, inbox, "a")
    line.inflight.start(inbox.receipts["a"])
    line.stop()
    clock.now += 30
    line.keep_hidden()
    assert queue.changes == [("a", 60)]


def test_what_is_given_back_while_it_is_being_hidden_anew_is_shown_all_the_same(
    line: Line, queue: MemoryQueue, inbox: Inbox, clock: Clock
) -> None:
    line.start(inbox)
    arrived(queue, inbox, "runs", "waits")
    line.inflight.start(inbox.receipts["runs"])
    queue.shut()
    clock.now += 30
    queue.crossing = line.inflight.give_back
    line.keep_hidden()
    assert sorted(queue.changes[:2]) == [("runs", 60), ("waits", 60)]
    assert queue.changes[2:] == [("waits", WHILE_PAUSED)]


def test_a_pause_gives_back_and_asks_for_nothing_until_it_ends(line: Line, queue: MemoryQueue, inbox: Inbox) -> None:
    line.start(inbox)
    arrived(queue, inbox, "runs", "waits")
    line.inflight.start(inbox.receipts["runs"])
    idle(queue, asked=2)
    line.pause()
    assert line.paused
    assert queue.changes == [("waits", WHILE_PAUSED)]
    queue.send("late")
    queue.until(lambda: queue.changes[1:] == [("late", WHILE_PAUSED)])
    assert sorted(inbox.runs) == ["runs", "waits"]
    asked = len(queue.asked)
    line.resume()
    idle(queue, asked=asked + 1)
    assert not line.paused
    arrived(queue, inbox, "later")


def test_resuming_does_not_start_a_stopped_line(line: Line, queue: MemoryQueue, inbox: Inbox) -> None:
    line.start(inbox)
    idle(queue, asked=1)
    line.pause()
    line.stop()
    line.resume()
    queue.send("late")
    queue.until(lambda: queue.changes == [("late", 0)])
    assert inbox.runs == []


def test_starting_a_paused_line_again_leaves_it_paused(line: Line, queue: MemoryQueue, inbox: Inbox) -> None:
    line.start(inbox)
    idle(queue, asked=1)
    line.pause()
    line.stop()
    line.start(inbox)
    queue.send("late")
    queue.until(lambda: queue.changes == [("late", WHILE_PAUSED)])
    line.resume()
    arrived(queue, inbox, "later")


def test_a_line_that_is_started_again_delivers_to_the_new_loop_with_the_same_threads(
    line: Line, queue: MemoryQueue, inbox: Inbox
) -> None:
    line.start(inbox)
    arrived(queue, inbox, "a")
    threads = set(threading.enumerate())
    line.stop()
    second = Inbox(queue)
    line.start(second)
    queue.until(lambda: second.runs == ["a"], "what was given back comes again")
    assert set(threading.enumerate()) == threads
    line.inflight.start(second.receipts["a"])
    line.done(second.receipts["a"])
    queue.until(lambda: queue.hidden == {})
    assert inbox.runs == ["a"]


def test_starting_twice_without_a_stop_is_harmless(line: Line, queue: MemoryQueue, inbox: Inbox) -> None:
    line.start(inbox)
    line.start(inbox)
    arrived(queue, inbox, "a")
    assert inbox.runs == ["a"]


def test_before_its_end_a_process_gives_back_even_what_runs(line: Line, queue: MemoryQueue, inbox: Inbox) -> None:
    line.start(inbox)
    arrived(queue, inbox, "runs", "waits")
    line.inflight.start(inbox.receipts["runs"])
    queue.shut()
    line.abandon()
    assert sorted(queue.changes) == [("runs", 0), ("waits", 0)]
    assert line.window.free >= 2


@pytest.mark.parametrize("times", [30])
def test_a_message_that_meets_a_stop_is_either_delivered_and_given_back_or_given_back(
    times: int, make: Callable[..., Line], queue: MemoryQueue, inbox: Inbox
) -> None:
    line = make()
    for number in range(times):
        line.start(inbox)
        queue.until(lambda: queue.polls == 1)
        sender = threading.Thread(target=queue.send, args=(str(number),))
        sender.start()
        line.stop()
        sender.join()
        queue.until(lambda: queue.polls == 0 and queue.visible and not queue.hidden, "it is visible again")
        assert queue.take() == [str(number)]
        assert len(line.inflight) == 0
