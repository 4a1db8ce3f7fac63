"""A line on a queue in memory, and everything that hears of it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from memory_queue import LANE, PATIENCE, Clock, Inbox, MemoryQueue

from config.lanes import Lane
from tasks.aws.session import Aws
from worker.line import Line


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
