"""Batched calls: what fails is tried again, what cannot be done is told, and no fault is raised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError
from memory_queue import MemoryQueue, error
from structlog.testing import capture_logs

from tasks.aws.session import Aws
from worker.batches import MAX_ROUNDS, Batches


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def waits() -> list[float]:
    """Seconds that were waited, between rounds and between tries."""
    return []


@pytest.fixture
def batches(queue: MemoryQueue, offline_aws: Aws, waits: list[float]) -> Batches:
    store = replace(offline_aws.store, sleep=waits.append)
    return Batches(replace(offline_aws, sqs=cast("Any", queue), store=store), "url")


@pytest.fixture
def real(moto_aws: Aws) -> Batches:
    """On an SQS that checks what it is asked."""
    return Batches(moto_aws, moto_aws.sqs.create_queue(QueueName="uploads")["QueueUrl"])


def received(real: Batches, count: int) -> list[str]:
    """Receipts of that many messages."""
    for number in range(count):
        real.aws.sqs.send_message(QueueUrl=real.url, MessageBody=str(number))
    found: list[str] = []
    while len(found) < count:
        answer = real.aws.sqs.receive_message(QueueUrl=real.url, MaxNumberOfMessages=10)
        found += [message["ReceiptHandle"] for message in answer["Messages"]]
    return found


def left(real: Batches) -> tuple[int, int]:
    """Messages that are visible, and hidden."""
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = real.aws.sqs.get_queue_attributes(QueueUrl=real.url, AttributeNames=names)["Attributes"]
    return int(told[names[0]]), int(told[names[1]])


@pytest.mark.parametrize("count", [1, 10, 11, 25])
def test_sqs_takes_any_number_of_deletes(count: int, real: Batches) -> None:
    assert real.delete(received(real, count)) == []
    assert left(real) == (0, 0)


@pytest.mark.parametrize("count", [1, 10, 11, 25])
def test_sqs_takes_any_number_of_changes_of_visibility(count: int, real: Batches) -> None:
    receipts = received(real, count)
    assert left(real) == (0, count)
    assert real.hide(receipts, seconds=0) == []
    assert left(real) == (count, 0)


def test_a_receipt_that_is_none_is_told_and_the_others_are_done(real: Batches) -> None:
    good = received(real, 11)
    with capture_logs() as logs:
        assert real.hide([*good[:5], "no receipt", *good[5:]], seconds=0) == ["no receipt"]
    assert left(real) == (11, 0)
    assert [(line["event"], line["entries"]) for line in logs] == [("batch_incomplete", 1)]


def test_nothing_asks_for_nothing(real: Batches) -> None:
    assert (real.delete([]), real.hide([], seconds=0)) == ([], [])


@pytest.mark.parametrize("asked", [Batches.delete, lambda batches, receipts: batches.hide(receipts, seconds=5)])
def test_a_queue_that_does_not_exist_raises_nothing_and_nothing_was_done(
    asked: Callable[[Batches, list[str]], list[str]], moto_aws: Aws
) -> None:
    gone = Batches(moto_aws, "https://sqs.us-east-1.amazonaws.com/123456789012/gone")
    with capture_logs() as logs:
        assert asked(gone, ["a", "b"]) == ["a", "b"]
    assert [line["event"] for line in logs] == ["batch_failed"]


def test_entries_that_failed_are_tried_again_alone(batches: Batches, queue: MemoryQueue, waits: list[float]) -> None:
    queue.refusing = {"b": False, "c": False}
    assert batches.delete(["a#1", "b#1", "c#1", "d#1"]) == []
    assert queue.deletes == [["a#1", "d#1"], ["b#1", "c#1"]]
    assert len(waits) == 1


def test_an_entry_that_is_the_senders_fault_is_given_up_at_once(batches: Batches, queue: MemoryQueue) -> None:
    queue.refusing = {"b": True}
    assert batches.delete(["a#1", "b#1", "c#1"]) == ["b#1"]
    assert queue.deletes == [["a#1", "c#1"]]


def test_an_entry_that_always_fails_is_tried_three_times(batches: Batches, queue: MemoryQueue) -> None:
    class Stubborn(dict[str, bool]):
        def pop(self, key: str, *_: Any) -> bool | None:
            return False if key == "b" else None

    queue.refusing = Stubborn()
    assert batches.delete(["a#1", "b#1"]) == ["b#1"]
    assert queue.deletes == [["a#1"], *[[]] * (MAX_ROUNDS - 1)]


def test_a_round_that_fails_whole_does_not_lose_who_was_given_up_before(batches: Batches, queue: MemoryQueue) -> None:
    queue.refusing = {"b": True, "c": False}
    queue.failing["delete_message_batch"].extend([None, error("AccessDenied")])
    assert batches.delete(["a#1", "b#1", "c#1"]) == ["b#1", "c#1"]


@pytest.mark.parametrize(
    "failure", [error("InternalError"), error("OverLimit"), EndpointConnectionError(endpoint_url="")]
)
def test_a_call_that_may_pass_is_made_again(
    failure: BaseException, batches: Batches, queue: MemoryQueue, waits: list[float]
) -> None:
    queue.failing["delete_message_batch"].append(failure)
    assert batches.delete(["a#1"]) == []
    assert queue.deleted == ["a#1"]
    assert len(waits) == 1


def test_one_batch_that_fails_keeps_no_other_from_being_done(batches: Batches, queue: MemoryQueue) -> None:
    receipts = [f"m{number}#1" for number in range(25)]
    queue.failing["delete_message_batch"].extend([None, error("AccessDenied")])
    assert batches.delete(receipts) == receipts[10:20]
    assert queue.deleted == receipts[:10] + receipts[20:]


def test_logs_show_no_receipt(batches: Batches, queue: MemoryQueue) -> None:
    queue.refusing = {"secret": True}
    queue.failing["delete_message_batch"].extend([None, error("AccessDenied")])
    with capture_logs() as logs:
        batches.delete(["secret#1"])
        batches.delete(["secret#2"])
    assert [line["event"] for line in logs] == ["batch_incomplete", "batch_failed"]
    assert "secret" not in repr(logs)
