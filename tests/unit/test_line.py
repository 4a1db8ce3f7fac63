"""A line: nothing received is lost or worked on twice, whatever SQS answers and whenever it is stopped."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from memory_queue import PATIENCE, MemoryQueue, error
from structlog.testing import capture_logs

from config.lanes import LANES, Lane
from tasks.aws.session import LONG_POLL_SECONDS, Aws
from worker.batches import MAX_BATCH
from worker.line import AFTER_FAULTS, WHILE_PAUSED, Line

LANE = replace(LANES["uploads"], visibility=60)


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Inbox:
    """The event loop's side: what was delivered, in its order."""

    def __init__(self, queue: MemoryQueue) -> None:
        self.receipts: dict[str, str] = {}
        self.runs: list[str] = []
        self._queue = queue

    def __call__(self, _lane: str, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            self.runs.append(message["MessageId"])
            self.receipts[message["MessageId"]] = message["ReceiptHandle"]
        self._queue.heard()


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def inbox(queue: MemoryQueue) -> Inbox:
    return Inbox(queue)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def died() -> list[str]:
    return []


@pytest.fixture
def waits() -> deque[float]:
    """Seconds that were waited, after a fault or between two tries of a call."""
    return deque(maxlen=1000)


@pytest.fixture
def make(
    queue: MemoryQueue, offline_aws: Aws, died: list[str], waits: deque[float], clock: Clock
) -> Iterator[Callable[..., Line]]:
    """Make a line on the queue; at the end it is closed, and none of its threads is left."""
    made: list[Line] = []

    def line(concurrency: int = 4, lane: Lane = LANE) -> Line:
        store = replace(offline_aws.store, sleep=waits.append)
        aws = replace(offline_aws, sqs=cast("Any", queue), polling=cast("Any", queue), store=store)
        made.append(Line(lane, aws=aws, url="url", concurrency=concurrency, died=died.append, clock=clock))
        return made[-1]

    yield line
    queue.shut()
    for one in made:
        one.close()
    for thread in threading.enumerate():
        if thread.name.startswith(("receive-", "acker-")):
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture
def line(make: Callable[..., Line]) -> Line:
    return make()


def arrived(queue: MemoryQueue, inbox: Inbox, *ids: str) -> None:
    """Send messages and wait until they are delivered."""
    before = len(inbox.runs)
    queue.send(*ids)
    queue.until(lambda: len(inbox.runs) >= before + len(ids), f"{ids} delivered")


def idle(queue: MemoryQueue, *, asked: int, polls: int = 1) -> None:
    """Wait until there were so many calls, of which so many wait for messages."""
    queue.until(lambda: len(queue.asked) >= asked and queue.polls == polls, f"{asked} asked, {polls} waiting")


# ---- receiving ----


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


# ---- settling ----


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


# ---- stopping, pausing, starting again ----


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


# ---- when SQS says no ----


@pytest.mark.parametrize(
    "failure",
    [
        error("AccessDenied"),
        error("ExpiredToken"),
        error("QueueDoesNotExist"),
        error("AWS.SimpleQueueService.NonExistentQueue"),
        error("InvalidParameterValue"),
    ],
    ids=lambda failure: failure.response["Error"]["Code"],
)
def test_a_receive_that_failed_is_tried_again_after_a_wait(
    failure: Exception, line: Line, queue: MemoryQueue, inbox: Inbox, waits: deque[float]
) -> None:
    queue.failing["receive_message"].append(failure)
    with capture_logs() as logs:
        line.start(inbox)
        arrived(queue, inbox, "a")
    assert [entry["event"] for entry in logs] == ["not_received"]
    assert len(waits) == 1


@pytest.mark.parametrize("code", ["OverLimit", "ServiceUnavailable", "InternalError"])
def test_even_after_every_try_of_the_call_has_failed_it_is_asked_again(
    code: str, line: Line, queue: MemoryQueue, inbox: Inbox, offline_aws: Aws, waits: deque[float]
) -> None:
    queue.failing["receive_message"].extend(error(code) for _ in range(offline_aws.store.attempts))
    line.start(inbox)
    arrived(queue, inbox, "a")
    assert len(waits) == offline_aws.store.attempts


def test_the_waits_after_faults_grow_to_a_cap_and_begin_anew_after_an_answer(
    line: Line, queue: MemoryQueue, inbox: Inbox, waits: deque[float]
) -> None:
    queue.failing["receive_message"].extend([error("AccessDenied")] * 8)
    line.start(inbox)
    arrived(queue, inbox, "a")
    assert len(waits) == 8
    assert 0.5 <= waits[0] <= 1
    assert all(AFTER_FAULTS / 2 <= wait <= AFTER_FAULTS for wait in list(waits)[4:])
    queue.failing["receive_message"].append(error("AccessDenied"))
    arrived(queue, inbox, "b")
    arrived(queue, inbox, "c")
    assert waits[8] <= 1


def test_a_queue_that_is_made_again_is_received_from(moto_aws: Aws, died: list[str]) -> None:
    url = moto_aws.sqs.create_queue(QueueName="again")["QueueUrl"]
    heard, failed = threading.Event(), threading.Event()
    aws = replace(moto_aws, store=replace(moto_aws.store, sleep=lambda _: failed.set()))
    line = Line(LANE, aws=aws, url=url, concurrency=1, died=died.append)
    moto_aws.sqs.delete_queue(QueueUrl=url)
    line.start(lambda _lane, _messages: heard.set())
    assert failed.wait(PATIENCE)
    moto_aws.sqs.create_queue(QueueName="again")
    moto_aws.sqs.send_message(QueueUrl=url, MessageBody="body")
    assert heard.wait(PATIENCE)
    line.stop()
    # Its last poll then fails, instead of waiting for twenty seconds.
    moto_aws.sqs.delete_queue(QueueUrl=url)
    line.close()
    assert died == []


def test_a_fault_counts_as_an_answer_for_whoever_watches_the_poller(
    line: Line, queue: MemoryQueue, inbox: Inbox, clock: Clock
) -> None:
    line.polled_at = 0.0
    queue.failing["receive_message"].append(error("AccessDenied"))
    line.start(inbox)
    idle(queue, asked=2)
    assert line.polled_at == clock.now


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_receiver_that_dies_is_told_of_and_holds_no_slot(
    line: Line, queue: MemoryQueue, inbox: Inbox, died: list[str]
) -> None:
    queue.failing["receive_message"].append(ZeroDivisionError("a bug"))
    with capture_logs() as logs:
        line.start(inbox)
        line._receivers[0].join(PATIENCE)
    assert died == ["receive-uploads-0"]
    assert [entry["event"] for entry in logs] == ["thread_died"]
    assert line.window.free == line.window.size


# ---- keeping hidden ----


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
