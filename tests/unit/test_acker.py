"""Acknowledgements: in groups, off the caller's thread, and none left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import pytest
from memory_queue import MemoryQueue

from tasks.aws.session import Aws
from worker.acker import THREADS, Acker
from worker.batches import MAX_BATCH, Batches


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def died() -> list[str]:
    """Names of threads that died."""
    return []


@pytest.fixture
def acker(queue: MemoryQueue, offline_aws: Aws, died: list[str]) -> Iterator[Acker]:
    yield Acker(Batches(replace(offline_aws, sqs=cast("Any", queue)), "url"), died=died.append)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("acker-")]


def receipts(count: int) -> list[str]:
    return [f"m{number}#1" for number in range(count)]


def add_all(acker: Acker, wanted: list[str]) -> None:
    for receipt in wanted:
        acker.add(receipt)


def test_what_waits_is_deleted_by_the_ten(acker: Acker, queue: MemoryQueue) -> None:
    add_all(acker, receipts(40))
    acker.start()
    queue.until(lambda: len(queue.deleted) == 40)
    assert [len(group) for group in queue.deletes] == [MAX_BATCH] * 4
    acker.close()
    assert sorted(queue.deleted) == sorted(receipts(40))


def test_fewer_than_ten_are_deleted_after_a_moment_without_being_told(acker: Acker, queue: MemoryQueue) -> None:
    acker.start()
    add_all(acker, receipts(3))
    queue.until(lambda: len(queue.deleted) == 3)
    acker.close()


def test_closing_deletes_what_waits(acker: Acker, queue: MemoryQueue) -> None:
    add_all(acker, receipts(27))
    acker.start()
    acker.close()
    assert sorted(queue.deleted) == sorted(receipts(27))


def test_closing_with_nothing_to_do_asks_for_nothing(acker: Acker, queue: MemoryQueue) -> None:
    acker.start()
    acker.close()
    assert queue.deletes == []


def test_each_is_deleted_once_whoever_adds_it(acker: Acker, queue: MemoryQueue) -> None:
    acker.start()
    wanted = receipts(500)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(acker.add, wanted))
    acker.close()
    assert sorted(queue.deleted) == sorted(wanted)


def test_a_slow_delete_holds_up_no_other(offline_aws: Aws) -> None:
    stuck, free, others = threading.Event(), threading.Event(), threading.Event()

    class Slow(MemoryQueue):
        def delete_message_batch(self, **params: Any) -> dict[str, Any]:
            if params["Entries"][0]["ReceiptHandle"] == "slow":
                stuck.set()
                assert free.wait(10)
            else:
                others.set()
            return {}

    acker = Acker(Batches(replace(offline_aws, sqs=cast("Any", Slow())), "url"))
    acker.start()
    acker.add("slow")
    assert stuck.wait(10)
    acker.add("other")
    assert others.wait(10)
    free.set()
    acker.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_told_of_and_closing_deletes_what_it_left(
    acker: Acker, queue: MemoryQueue, died: list[str]
) -> None:
    queue.failing["delete_message_batch"].extend([ZeroDivisionError() for _ in range(THREADS)])
    add_all(acker, receipts(THREADS * MAX_BATCH + 5))
    acker.start()
    queue.until(lambda: not queue.failing["delete_message_batch"])
    acker.close()
    assert sorted(died) == [f"acker-{number}" for number in range(THREADS)]
    assert sorted(queue.deleted) == sorted(receipts(THREADS * MAX_BATCH + 5)[THREADS * MAX_BATCH :])
