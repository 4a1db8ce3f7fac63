"""The bench counts what happened: messages, deletes, calls, and the time between."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from deploy.local.aws import client
from tests.bench.cast import Server, message_of, played, served
from tests.bench.chart import draw
from tests.bench.fake_queue import Message, Queue
from tests.bench.program import PROGRAM, Spread
from tests.bench.report import brief, cell, write_report
from tests.bench.trial import percentile
from tests.bench.usage import Usage

ROOT = Path(__file__).parents[2]


def taken(queue: Queue, most: int, *, now: float) -> list[Message]:
    """What one ReceiveMessage gets."""
    got: list[Message] = []
    queue.receive(most, got.extend, now=now)
    return got


def test_a_message_is_hidden_shown_again_by_its_time_and_deleted_once() -> None:
    queue = Queue(visibility=60)
    queue.send(["a", "b"], now=0)
    first = taken(queue, 10, now=1)
    assert [message.body for message in first] == ["a", "b"]
    assert taken(queue, 10, now=60) == []
    queue.delete(first[0].receipt, now=60)
    queue.delete("0:1", now=60)
    assert (queue.deleted, queue.repeated, queue.left, queue.latencies) == (1, 1, 1, [60])
    assert [message.body for message in taken(queue, 10, now=61)] == ["b"]
    assert queue.redelivered == 1


def test_who_waits_for_a_message_gets_it_when_it_is_sent() -> None:
    queue, got = Queue(visibility=60), list[Message]()
    assert not queue.receive(10, got.extend, now=0)
    queue.send(["late"], now=5)
    assert [message.body for message in got] == ["late"]


def test_a_message_hidden_for_longer_does_not_come_back_by_its_first_time() -> None:
    queue = Queue(visibility=60)
    queue.send(["a"], now=0)
    (message,) = taken(queue, 1, now=0)
    queue.hide(message.receipt, 100, now=0)
    assert taken(queue, 1, now=99) == []
    assert taken(queue, 1, now=100) == [message]


@pytest.fixture
def server(tmp_path: Path) -> Any:
    """A fake AWS without latency."""
    with served(tmp_path, latency=0.0) as running:
        yield running


def test_the_server_counts_every_call_and_every_message(server: Server) -> None:
    server.ask("/-/fill", {"queue": "uploads", "template": "number @N@", "count": 25})
    sqs = client("sqs", server.endpoint)
    url, bodies = server.queue_url("uploads"), []
    for _ in range(3):
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        bodies += [message["Body"] for message in messages]
        entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
        assert len(sqs.delete_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == len(messages)
    stats = server.ask("/-/stats")
    assert bodies == [f"number {number:09d}" for number in range(25)]
    assert stats["calls"] == {"sqs.ReceiveMessage": 3, "sqs.DeleteMessageBatch": 3}
    queue = stats["queues"]["uploads"]
    assert [queue[name] for name in ("sent", "deleted", "left", "repeated", "redelivered")] == [25, 25, 0, 0, 0]
    assert len(queue["latencies"]) == 25
    assert queue["batches"] == {"5": 1, "10": 2}


def test_the_loop_by_hand_does_each_image_with_the_calls_that_are_claimed_for_it(
    server: Server, tmp_path: Path
) -> None:
    server.ask("/-/fill", {**message_of("lean", "pipeline"), "count": 30})
    decided: list[float] = []
    with played("lean", server, tmp_path, workload="pipeline", threads=4) as child:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            stats = server.ask("/-/stats")
            decided += stats["decided"]
            if not stats["queues"]["uploads"]["left"]:
                break
        assert Usage.of(child.pid).rss > 10
    calls, queue = stats["calls"], stats["queues"]["uploads"]
    assert (queue["deleted"], queue["redelivered"], len(decided)) == (30, 0, 30)
    each = ("s3.GetObject", "rekognition.DetectModerationLabels", "dynamodb.TransactWriteItems")
    assert [calls[name] for name in each] == [30, 30, 30]
    assert calls["sqs.DeleteMessageBatch"] == calls["s3.PutObject"] <= 6
    assert calls["dynamodb.BatchExecuteStatement"] == 3


def test_percentiles_and_spreads_are_of_what_was_measured() -> None:
    assert [percentile(range(1, 101), percent) for percent in (50, 99, 100)] == [50, 99, 100]
    assert Spread.of([{"rate": 3.0}, {"rate": 1.0}, {"rate": 2.0}], "rate") == Spread(2.0, 1.0, 3.0)
    assert cell(Spread(1234.4, 1200, 1250), 0) == "1,234 <sub>1,200-1,250</sub>"


def test_the_report_and_the_picture_show_every_contender() -> None:
    names = ("rate", "calls", "sqs_calls", "cpu", "busy", "peak", "server_busy", "p50", "p99")
    acts = {act.name: {who: [dict.fromkeys(names, 2.0)] * 3 for who in act.contenders} for act in PROGRAM}
    machine = {"cores": 2, "python": "3", "celery": "5", "kombu": "5", "boto3": "1"}
    page, picture = write_report({"acts": acts, "machine": machine}), draw(acts)
    assert page.count("| **modfleet** |") == len(PROGRAM)
    assert picture.count("modfleet") == 5


def test_the_readme_shows_what_was_measured_last() -> None:
    results = json.loads((ROOT / "deploy/bench.json").read_text("utf-8"))["acts"]
    assert brief(results) in (ROOT / "README.md").read_text("utf-8")
