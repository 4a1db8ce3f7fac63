"""What a process holds: hidden while it is worked on, given back where it is not, never worked on twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from worker.inflight import MAX_HIDDEN_SECONDS, REMEMBERED, InFlight

VISIBILITY = 60


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inflight(clock: Clock) -> InFlight:
    return InFlight(VISIBILITY, clock=clock)


def message(message_id: str, receipt: str = "") -> dict[str, Any]:
    return {"MessageId": message_id, "ReceiptHandle": receipt or f"{message_id}#1", "Body": ""}


def hold(inflight: InFlight, clock: Clock, *ids: str) -> list[str]:
    """Receive messages now; gives their receipts."""
    taken = inflight.add([message(message_id) for message_id in ids], asked_at=clock.now)
    return [fresh["ReceiptHandle"] for fresh in taken.fresh]


def test_what_arrives_is_fresh_and_may_be_started(inflight: InFlight, clock: Clock) -> None:
    assert hold(inflight, clock, "a", "b") == ["a#1", "b#1"]
    assert len(inflight) == 2
    assert inflight.start("a#1")


def test_what_waits_is_given_back_and_can_no_longer_be_started(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a", "b")
    inflight.start("a#1")
    assert inflight.give_back() == ["b#1"]
    assert not inflight.start("b#1")
    assert len(inflight) == 1


def test_with_what_runs_too_everything_is_given_back(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a", "b")
    inflight.start("a#1")
    assert inflight.give_back(running=True) == ["a#1", "b#1"]
    assert inflight.settle("a#1", done=True) is None


def test_once_given_back_what_arrives_is_refused_until_it_is_accepted_again(inflight: InFlight, clock: Clock) -> None:
    inflight.give_back()
    taken = inflight.add([message("a")], asked_at=clock.now)
    assert (taken.fresh, taken.refused) == ([], [message("a")])
    assert len(inflight) == 0
    inflight.accept()
    assert hold(inflight, clock, "a") == ["a#1"]


@pytest.mark.parametrize("rounds", [200])
def test_a_message_is_either_started_or_given_back_whoever_comes_first(
    rounds: int, inflight: InFlight, clock: Clock
) -> None:
    for number in range(rounds):
        inflight.accept()
        (receipt,) = hold(inflight, clock, str(number))
        barrier, started, given = threading.Barrier(2), [], []
        at_once(
            barrier,
            lambda s=started, r=receipt: s.append(inflight.start(r)),
            lambda g=given: g.extend(inflight.give_back()),
        )
        assert started[0] != (receipt in given)
        inflight.settle(receipt, done=False)


def at_once(barrier: threading.Barrier, *what: Callable[[], object]) -> None:
    """Do things on threads that begin together."""

    def do(one: Callable[[], object]) -> None:
        barrier.wait()
        one()

    threads = [threading.Thread(target=do, args=(one,)) for one in what]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_what_was_done_is_not_done_again(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a")
    assert inflight.settle("a#1", done=True) == "a#1"
    taken = inflight.add([message("a", "a#2")], asked_at=clock.now)
    assert (taken.fresh, taken.repeated) == ([], [message("a", "a#2")])
    assert len(inflight) == 0


def test_what_was_left_is_fresh_again(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a")
    inflight.settle("a#1", done=False)
    assert inflight.add([message("a", "a#2")], asked_at=clock.now).fresh


def test_a_message_is_settled_once(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a")
    assert [inflight.settle("a#1", done=True), inflight.settle("a#1", done=True)] == ["a#1", None]


def test_the_memory_of_what_was_done_is_bounded_and_keeps_the_newest(inflight: InFlight, clock: Clock) -> None:
    for number in range(REMEMBERED + 5):
        inflight.settle(*hold(inflight, clock, str(number)), done=True)
    taken = inflight.add([message(str(n)) for n in (0, 4, 5, REMEMBERED + 4)], asked_at=clock.now)
    assert [m["MessageId"] for m in taken.fresh] == ["0", "4"]
    assert [m["MessageId"] for m in taken.repeated] == ["5", str(REMEMBERED + 4)]


def test_a_second_delivery_of_what_is_held_is_no_second_run_and_brings_the_receipt_to_use(
    inflight: InFlight, clock: Clock
) -> None:
    hold(inflight, clock, "a")
    inflight.start("a#1")
    taken = inflight.add([message("a", "a#2")], asked_at=clock.now)
    assert (taken.fresh, taken.repeated, taken.refused) == ([], [], [])
    assert len(inflight) == 1
    assert inflight.settle("a#1", done=True) == "a#2"


def test_duplicates_in_one_answer_are_one_run(inflight: InFlight, clock: Clock) -> None:
    taken = inflight.add([message("a", "a#1"), message("a", "a#2")], asked_at=clock.now)
    assert taken.fresh == [message("a", "a#1")]
    assert inflight.give_back() == ["a#2"]


def test_what_runs_is_kept_even_while_new_messages_are_refused(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a")
    inflight.start("a#1")
    inflight.give_back()
    assert inflight.add([message("a", "a#2")], asked_at=clock.now).refused == []


def test_a_message_that_is_leaving_is_nobody_elses_to_give_back_or_to_hide(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a")
    inflight.start("a#1")
    assert inflight.leave("a#1") == "a#1"
    clock.now += VISIBILITY
    assert inflight.due() == []
    assert inflight.give_back(running=True) == []


def test_a_message_that_left_and_is_back_before_it_was_settled_is_fresh(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a")
    inflight.leave("a#1")
    assert inflight.add([message("a", "a#2")], asked_at=clock.now).fresh
    assert inflight.settle("a#1", done=False) == "a#1"
    assert inflight.start("a#2")
    assert inflight.settle("a#2", done=True) == "a#2"


def test_a_retry_is_said_with_the_newest_receipt(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a")
    inflight.add([message("a", "a#2")], asked_at=clock.now)
    assert inflight.leave("a#1") == "a#2"


def test_nothing_is_due_in_the_first_third_of_its_time(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a")
    clock.now += VISIBILITY / 3
    assert inflight.due() == []
    clock.now += 0.1
    assert inflight.due() == [("a#1", VISIBILITY)]


def test_what_was_extended_is_not_due_again_at_once_but_after_another_third(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a", "b")
    clock.now += 30
    inflight.extended({"a#1"}, VISIBILITY, at=clock.now)
    assert inflight.due() == [("b#1", VISIBILITY)]
    clock.now += VISIBILITY / 3 + 0.1
    assert [receipt for receipt, _ in inflight.due()] == ["a#1", "b#1"]


def test_the_time_is_counted_from_when_sqs_was_asked(inflight: InFlight, clock: Clock) -> None:
    inflight.add([message("a")], asked_at=clock.now - 20.1)
    assert inflight.due() == [("a#1", VISIBILITY)]


def test_nothing_is_hidden_past_twelve_hours_from_its_delivery(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a")
    received = clock.now
    for hidden_for in range(0, MAX_HIDDEN_SECONDS + 600, 30):
        clock.now = received + hidden_for
        for receipt, seconds in inflight.due():
            assert 0 < seconds <= VISIBILITY
            assert clock.now + seconds <= received + MAX_HIDDEN_SECONDS
            inflight.extended({receipt}, seconds, at=clock.now)
    assert inflight.due() == []


def test_a_second_delivery_begins_another_twelve_hours(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a")
    clock.now += MAX_HIDDEN_SECONDS
    assert inflight.due() == []
    inflight.add([message("a", "a#2")], asked_at=clock.now)
    clock.now += 30
    assert inflight.due() == [("a#2", VISIBILITY)]


def test_what_is_settled_is_not_due(inflight: InFlight, clock: Clock) -> None:
    hold(inflight, clock, "a", "b")
    inflight.settle("a#1", done=True)
    inflight.settle("b#1", done=False)
    clock.now += 50
    assert inflight.due() == []
