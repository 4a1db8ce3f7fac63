"""A line goes on whatever SQS says, without hammering it, and dies of nothing unheard."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace

import pytest
from memory_queue import LANE, PATIENCE, Clock, Inbox, MemoryQueue, arrived, error, idle
from structlog.testing import capture_logs

from tasks.aws.session import Aws
from worker.line import AFTER_FAULTS, Line


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
