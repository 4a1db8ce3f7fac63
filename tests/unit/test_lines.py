"""The lines of a process: kept hidden by one thread, closed together, and safe to start again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from celery.worker import state
from kombu import Connection
from kombu.asynchronous import Hub
from memory_queue import PATIENCE, MemoryQueue

from config.lanes import LANES
from config.settings import Settings
from tasks.aws.session import Aws
from worker.lines import Lines, shares
from worker.vital import BROKEN, Vital, end_worker


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def died() -> list[str]:
    return []


@pytest.fixture
def lines(queue: MemoryQueue, settings: Settings, offline_aws: Aws, died: list[str]) -> Iterator[Lines]:
    """Lines on one queue, whose messages stay hidden for two seconds."""
    short = settings.model_copy(update={"visibility_seconds": 2})
    lines = Lines(short, replace(offline_aws, sqs=cast("Any", queue), polling=cast("Any", queue)), died=died.append)
    yield lines
    queue.shut()
    lines.close()
    for thread in threading.enumerate():
        if thread.name.startswith(("receive-", "acker-", "keeper")):
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_every_lane_has_a_line_with_the_lanes_own_visibility(settings: Settings, offline_aws: Aws) -> None:
    lines = Lines(settings, offline_aws)
    assert {name: lines[name].lane for name in LANES} == LANES


def test_a_setting_says_otherwise_for_all_lanes(lines: Lines) -> None:
    assert {lines[name].lane.visibility for name in LANES} == {2}


def test_concurrency_can_differ_from_the_table(settings: Settings, offline_aws: Aws) -> None:
    lines = Lines(settings, offline_aws, concurrency={"uploads": 500})
    assert lines["uploads"].window.size == 1000
    assert lines["video"].window.size < 100


def test_what_is_held_is_kept_hidden_by_itself(lines: Lines, queue: MemoryQueue) -> None:
    queue.send("a")
    lines.start("uploads", lambda *_: None)
    queue.until(lambda: queue.changes, "hidden for longer")
    assert queue.changes[0] == ("a", 2)


def test_a_line_that_is_started_again_is_counted_once(lines: Lines) -> None:
    lines.start("uploads", lambda *_: None)
    lines["uploads"].stop()
    lines.start("uploads", lambda *_: None)
    assert lines.started == (lines["uploads"],)


def test_closing_gives_back_what_waits_and_deletes_what_is_done(lines: Lines, queue: MemoryQueue) -> None:
    got: dict[str, str] = {}
    queue.send("done", "waits")

    def deliver(_: str, messages: list[dict[str, Any]]) -> None:
        got.update({message["MessageId"]: message["ReceiptHandle"] for message in messages})
        queue.heard()

    lines.start("uploads", deliver)
    queue.until(lambda: len(got) == 2)
    lines["uploads"].inflight.start(got["done"])
    lines["uploads"].done(got["done"])
    queue.shut()
    lines.close()
    assert queue.deleted == [got["done"]]
    assert ("waits", 0) in queue.changes


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_keeper_that_dies_is_told_of(lines: Lines, queue: MemoryQueue, died: list[str]) -> None:
    queue.failing["change_message_visibility_batch"].append(ZeroDivisionError("a bug"))
    queue.send("a")
    lines.start("uploads", lambda *_: None)
    lines._keeper.join(PATIENCE)
    assert died == ["keeper"]


# ---- threads that must not die unheard ----


def test_a_thread_that_ends_as_it_should_tells_nobody(died: list[str]) -> None:
    thread = Vital(lambda: None, name="well", died=died.append)
    thread.start()
    thread.join(PATIENCE)
    assert died == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("end", [ZeroDivisionError, SystemExit, MemoryError])
def test_a_thread_that_any_exception_ends_is_told_of(end: type[BaseException], died: list[str]) -> None:
    def target() -> None:
        raise end

    thread = Vital(target, name="ill", died=died.append)
    thread.start()
    thread.join(PATIENCE)
    assert died == ["ill"]


def test_by_default_the_worker_drains_and_ends_with_a_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "should_stop", None)
    end_worker("keeper")
    with pytest.raises(SystemExit) as caught:
        state.maybe_shutdown()
    assert caught.value.code == BROKEN


# ---- Celery's consumer, which opens another connection when it believes to have lost one ----


class Consumer:
    """One connection as Celery's consumer has it: a hub, a channel, and the messages that came."""

    def __init__(self, lines: Lines, queue: MemoryQueue) -> None:
        options = {"lines": lines}
        transport = "worker.transport:Transport"
        self.connection = Connection("sqs://localhost", transport=transport, transport_options=options)
        self.hub, self.messages, self._queue = Hub(), [], queue
        self.channel = self.connection.channel()
        self.connection.transport.register_with_event_loop(self.connection, self.hub)
        self.consume("1")

    def consume(self, tag: str) -> None:
        self.channel.basic_consume("uploads", no_ack=False, callback=self.messages.append, consumer_tag=tag)

    def run(self, count: int) -> None:
        """Run the loop until so many messages have come."""
        loop = self.hub.create_loop()
        while len(self.messages) < count:
            next(loop)

    def close(self) -> None:
        self.connection.close()
        self.hub.close()


def test_messages_reach_the_loop(lines: Lines, queue: MemoryQueue) -> None:
    consumer = Consumer(lines, queue)
    queue.send(*(str(number) for number in range(15)))
    consumer.run(15)
    assert sorted(m.headers["id"] for m in consumer.messages) == sorted(str(n) for n in range(15))
    consumer.close()


def test_a_new_connection_takes_over_what_waited_and_what_ran_is_still_acknowledged(
    lines: Lines, queue: MemoryQueue
) -> None:
    first = Consumer(lines, queue)
    queue.send("runs", "waits")
    first.run(2)
    old = {message.headers["id"]: message for message in first.messages}
    line = lines["uploads"]
    assert line.inflight.start(old["runs"].delivery_tag)
    first.close()

    second = Consumer(lines, queue)
    second.run(1)
    (again,) = second.messages
    assert again.headers["id"] == "waits"
    assert not line.inflight.start(old["waits"].delivery_tag)
    old["waits"].reject(requeue=True)
    old["runs"].ack()
    assert line.inflight.start(again.delivery_tag)
    again.ack()
    queue.until(lambda: not queue.hidden, "both are deleted")
    assert len(queue.deleted) == 2
    second.close()


def test_a_lane_that_is_cancelled_and_consumed_again_on_one_channel_goes_on(lines: Lines, queue: MemoryQueue) -> None:
    consumer = Consumer(lines, queue)
    queue.send("a")
    consumer.run(1)
    consumer.channel.basic_cancel("1")
    assert ("a", 0) in queue.changes
    consumer.consume("2")
    consumer.run(2)
    assert [message.headers["id"] for message in consumer.messages] == ["a", "a"]
    consumer.close()


def test_ten_reconnects_lose_nothing_and_leave_no_thread_behind(lines: Lines, queue: MemoryQueue) -> None:
    wanted = [str(number) for number in range(10)]
    queue.send(*wanted)
    threads = 0
    for number in range(10):
        consumer = Consumer(lines, queue)
        consumer.run(1)
        (message, *_) = consumer.messages
        assert lines["uploads"].inflight.start(message.delivery_tag)
        message.ack()
        consumer.close()
        threads = threads or threading.active_count()
        assert threading.active_count() == threads, number
    queue.until(lambda: len(queue.deleted) == 10, "each is deleted")
    assert {receipt.partition("#")[0] for receipt in queue.deleted} == set(wanted)


def test_a_full_pipe_loses_no_message(lines: Lines, queue: MemoryQueue) -> None:
    consumer = Consumer(lines, queue)
    transport = consumer.connection.transport
    for _ in range(70_000):
        transport.deliver("uploads", [])
    queue.send("a")
    consumer.run(1)
    assert consumer.messages[0].headers["id"] == "a"
    consumer.close()


def test_what_a_receiver_delivers_to_a_closed_connection_is_dropped_as_it_was_given_back(
    lines: Lines, queue: MemoryQueue
) -> None:
    consumer = Consumer(lines, queue)
    transport = consumer.connection.transport
    consumer.close()
    transport.deliver("uploads", [{"MessageId": "a", "ReceiptHandle": "a#1", "Body": ""}])
    assert consumer.messages == []
    transport.close_connection(transport)


def test_tasks_at_once_are_divided_as_the_lane_table_divides_its_own() -> None:
    assert shares(["uploads", "video", "rulings"], 48) == {"uploads": 32, "video": 8, "rulings": 8}
    assert shares(["uploads", "video"], 1) == {"uploads": 1, "video": 1}
