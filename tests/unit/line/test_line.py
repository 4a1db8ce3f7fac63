"""A line: nothing received is lost or worked on twice, and what is held stays hidden."""

from __future__ import annotations

from collections.abc import Callable

from memory_queue import LANE, PATIENCE, Clock, Inbox, MemoryQueue, arrived, error, idle

from tasks.aws.session import LONG_POLL_SECONDS
from worker.batches import MAX_BATCH
from worker.line import Line


def test_messages_are_delivered_with_their_receipts(line: Line, queue: MemoryQueue, inbox: Inbox) -> None:
    line.start(inbox)
    arrived(queue, inbox, "a", "b", "c")
    assert sorted(inbox.runs) == ["a", "b", "c"]
    assert set(inbox.receipts.values()) == set(queue.hidden)


def test_sqs_is_told_how_long_to_hide_so_that_the_books_are_right(line: Line, queue: MemoryQueue, inbox: Inbox) -> None:
    line.start(inbox)
    queue.until(lambda: queue.asked)
    assert queue.asked[0]["VisibilityTimeout"] == LANE.visibility
    assert queue.asked[0]["WaitTimeSeconds"] == LONG_POLL_SECONDS


def test_only_one_receiver_asks_while_nothing_comes(
    make: Callable[..., Line], queue: MemoryQueue, inbox: Inbox
) -> None:
    make(concurrency=64).start(inbox)
    idle(queue, asked=1)
    arrived(queue, inbox, "a")
    idle(queue, asked=2)
    assert len(queue.asked) == 2


def test_all_receivers_ask_while_full_batches_come(make: Callable[..., Line], queue: MemoryQueue, inbox: Inbox) -> None:
    line = make(concurrency=64)
    queue.send(*(str(number) for number in range(10)))
    line.start(inbox)
    queue.until(lambda: queue.polls == 3, "three long polls")


def test_the_process_holds_no_more_than_the_window_and_asks_for_full_batches(
    make: Callable[..., Line], queue: MemoryQueue, inbox: Inbox
) -> None:
    line = make(concurrency=4)
    queue.send(*(str(number) for number in range(100)))
    line.start(inbox)
    full = line.window.size // MAX_BATCH * MAX_BATCH
    queue.until(lambda: len(inbox.runs) == full, "all batches that there is room for")
    for number in range(MAX_BATCH):
        assert len(line.inflight) <= line.window.size
        line.inflight.start(inbox.receipts[str(number)])
        line.done(inbox.receipts[str(number)])
    queue.until(lambda: len(inbox.runs) == full + MAX_BATCH, "one more batch")
    assert {asked["MaxNumberOfMessages"] for asked in queue.asked} == {MAX_BATCH}


def test_what_is_done_is_deleted_and_its_slot_is_free(line: Line, queue: MemoryQueue, inbox: Inbox) -> None:
    line.start(inbox)
    arrived(queue, inbox, "a")
    line.inflight.start(inbox.receipts["a"])
    line.done(inbox.receipts["a"])
    queue.until(lambda: queue.deleted == [inbox.receipts["a"]])
    assert len(line.inflight) == 0


def test_no_slot_is_lost_or_won_whatever_becomes_of_messages(line: Line, queue: MemoryQueue, inbox: Inbox) -> None:
    line.start(inbox)
    arrived(queue, inbox, "done", "left", "again", "waiting")
    for name in ("done", "left", "again"):
        line.inflight.start(inbox.receipts[name])
    for _ in range(2):
        line.done(inbox.receipts["done"])
        line.left(inbox.receipts["left"])
    asked = len(queue.asked)
    queue.show("again")
    idle(queue, asked=asked + 1)
    line.done(inbox.receipts["again"])
    line.stop()
    line.left(inbox.receipts["waiting"])
    queue.shut()
    line.close()
    for thread in line._receivers:
        thread.join(PATIENCE)
    assert line.window.free == line.window.size


def test_a_delete_that_failed_is_made_again_when_the_message_comes_back_and_nothing_is_repeated(
    line: Line, queue: MemoryQueue, inbox: Inbox
) -> None:
    line.start(inbox)
    arrived(queue, inbox, "a")
    queue.failing["delete_message_batch"].append(error("AccessDenied"))
    line.inflight.start(inbox.receipts["a"])
    line.done(inbox.receipts["a"])
    queue.until(lambda: not queue.failing["delete_message_batch"])
    assert queue.deleted == []
    queue.show("a")
    queue.until(lambda: len(queue.deleted) == 1)
    assert queue.hidden == {}
    assert inbox.runs == ["a"]


def test_a_partial_failure_of_a_delete_repeats_nothing(line: Line, queue: MemoryQueue, inbox: Inbox) -> None:
    line.start(inbox)
    arrived(queue, inbox, "a", "b")
    queue.refusing = {"a": True}
    for receipt in inbox.receipts.values():
        line.done(receipt)
    queue.until(lambda: len(queue.deleted) == 1)
    queue.show("a")
    queue.until(lambda: len(queue.deleted) == 2)
    assert sorted(inbox.runs) == ["a", "b"]


def test_a_message_delivered_twice_at_once_runs_once_and_is_deleted_by_its_newest_receipt(
    line: Line, queue: MemoryQueue, inbox: Inbox
) -> None:
    line.start(inbox)
    arrived(queue, inbox, "a")
    line.inflight.start(inbox.receipts["a"])
    idle(queue, asked=2)
    queue.show("a")
    idle(queue, asked=3)
    line.done(inbox.receipts["a"])
    queue.until(lambda: queue.deleted)
    assert inbox.runs == ["a"]
    assert queue.deleted != [inbox.receipts["a"]]
    assert queue.hidden == {}


def test_what_is_held_is_hidden_for_longer_whether_it_runs_or_waits(
    line: Line, queue: MemoryQueue, inbox: Inbox, clock: Clock
) -> None:
    line.start(inbox)
    arrived(queue, inbox, "runs", "waits")
    line.inflight.start(inbox.receipts["runs"])
    clock.now += 30
    line.keep_hidden()
    assert sorted(queue.changes) == [("runs", 60), ("waits", 60)]


def test_a_batch_that_partly_fails_is_made_up_for_at_the_next_beat(
    line: Line, queue: MemoryQueue, inbox: Inbox, clock: Clock
) -> None:
    line.start(inbox)
    arrived(queue, inbox, "a", "b", "c")
    queue.refusing = {"b": True}
    clock.now += 30
    line.keep_hidden()
    assert sorted(queue.changes) == [("a", 60), ("c", 60)]
    assert line.inflight.due() == [(inbox.receipts["b"], 60)]


def test_when_hiding_fails_whole_it_is_asked_again_at_the_next_beat(
    line: Line, queue: MemoryQueue, inbox: Inbox, clock: Clock
) -> None:
    line.start(inbox)
    arrived(queue, inbox, "a")
    queue.failing["change_message_visibility_batch"].append(error("AccessDenied"))
    clock.now += 30
    line.keep_hidden()
    assert queue.changes == []
    line.keep_hidden()
    assert queue.changes == [("a", 60)]


def test_what_was_delivered_again_is_hidden_by_its_newest_receipt(
    line: Line, queue: MemoryQueue, inbox: Inbox, clock: Clock
) -> None:
    line.start(inbox)
    arrived(queue, inbox, "a")
    line.inflight.start(inbox.receipts["a"])
    idle(queue, asked=2)
    queue.show("a")
    idle(queue, asked=3)
    clock.now += 30
    line.keep_hidden()
    assert queue.changes == [("a", 60)]
