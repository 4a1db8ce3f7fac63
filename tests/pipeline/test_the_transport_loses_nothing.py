"""Messages on a real queue, real workers that are slow, stopped and killed, and an SQS that fails: nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from fleet import POLL, Fleet, Put, assert_chains_hold, running_fleet, said, until

from deploy.local.children import Child
from tasks.moderation import handle
from tasks.outcome import Skipped
from tasks.record.standing import Status
from worker.lines import Lines
from worker.vital import BROKEN

#: Seconds that a message stays hidden here.
VISIBILITY = "2"
#: Milliseconds that each look at a picture takes: longer than that.
SLOW_MS = 2600
#: Seconds within which everything is over.
PATIENCE = 40.0
AT_ONCE = 2


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet whose detectors take longer than a message stays hidden, without a worker at first."""
    with running_fleet(tmp_path_factory.mktemp("slow"), latency_ms=SLOW_MS) as fleet:
        yield fleet


@pytest.fixture
def worker(slow: Fleet) -> Iterator[Callable[..., Any]]:
    """Start a worker; it ends with the test."""
    before = len(slow.workers)
    yield lambda *flags: slow.start_worker(*flags, MODFLEET_VISIBILITY_SECONDS=VISIBILITY)
    print(slow.logs())  # noqa: T201  # shown where it fails
    for child in slow.workers[before:]:
        child.end()
    slow.aws.sqs.purge_queue(QueueUrl=slow.settings.queue_url("uploads"))


def pictures(fleet: Fleet, media: SimpleNamespace, unique: str, count: int) -> list[Put]:
    return [
        fleet.put(f"feed/{unique}/{number}.png", media.picture("PNG", card={"labels": {}, "note": f"{unique}{number}"}))
        for number in range(count)
    ]


def seen(fleet: Fleet, what: str = "") -> int:
    """How many uploads messages SQS calls visible, or `NotVisible`."""
    name = f"ApproximateNumberOfMessages{what}"
    asked: Any = {"QueueUrl": fleet.settings.queue_url("uploads"), "AttributeNames": [name]}
    return int(fleet.aws.sqs.get_queue_attributes(**asked)["Attributes"][name])


def decided(fleet: Fleet, puts: list[Put]) -> list[Put]:
    return [put for put in puts if (found := fleet.standing(put)) and found.status is not Status.PENDING]


def decisions(fleet: Fleet, puts: list[Put]) -> list[int]:
    """Per upload, how many lines of the audit log say that it was decided: each run would write its own."""
    lines = fleet.audit_lines()
    assert_chains_hold(lines)
    about = Counter(line["item"]["version"] for line in lines if line["event"] == "decided")
    return [about[put.version] for put in puts]


def watching(look: Callable[[], int], *, until_: Callable[[], object]) -> set[int]:
    """Everything that was seen until something was so."""
    found, deadline = {look()}, time.monotonic() + PATIENCE
    while not until_():
        assert time.monotonic() < deadline
        found.add(look())
        time.sleep(POLL)
    return found


# ---- real workers ----


def test_a_task_that_takes_longer_than_the_visibility_is_never_visible_meanwhile_and_runs_once(
    slow: Fleet, worker: Callable[..., Any], media: SimpleNamespace, unique: str
) -> None:
    puts = pictures(slow, media, unique, 1)
    worker("--concurrency", str(AT_ONCE))
    until(lambda: seen(slow, "NotVisible") == 1, what="it is being worked on")
    visible = watching(lambda: seen(slow), until_=lambda: decided(slow, puts))
    assert visible == {0}
    assert decisions(slow, puts) == [1]
    until(lambda: not slow.depth(slow.settings.queue_url("uploads")), what="an empty queue")


def test_at_sigterm_what_waits_is_visible_within_two_seconds_and_what_runs_is_finished(
    slow: Fleet, worker: Callable[..., Any], media: SimpleNamespace, unique: str
) -> None:
    puts = pictures(slow, media, unique, 14)
    process = worker("--concurrency", str(AT_ONCE))
    url = slow.settings.queue_url("uploads")
    until(lambda: slow.depth(url) <= len(puts) - AT_ONCE, what="the first are deleted, and others begun")
    os.kill(process.pid, signal.SIGTERM)
    until(lambda: seen(slow) >= len(puts) - 2 * AT_ONCE, what="what waited is visible", within=2)
    until(lambda: process.ended() is not None, what="it has ended", within=10)
    assert process.ended() == 0
    done = decided(slow, puts)
    # Those that ran at the signal ended after it.
    assert len(done) > AT_ONCE
    assert slow.depth(url) == len(puts) - len(done)
    assert set(decisions(slow, done)) == {1}


def test_after_sigkill_with_a_full_window_everything_is_delivered_again_and_decided_once(
    slow: Fleet, worker: Callable[..., Any], media: SimpleNamespace, unique: str
) -> None:
    puts = pictures(slow, media, unique, 14)
    worker("--concurrency", str(AT_ONCE))
    until(lambda: decided(slow, puts), what="the first decision")
    slow.kill_worker()
    assert len(decided(slow, puts)) < len(puts)
    worker()
    for put in puts:
        assert slow.ended(put, within=PATIENCE).status is Status.ALLOWED
    until(lambda: not slow.depth(slow.settings.queue_url("uploads")), what="an empty queue")
    lines = slow.audit_lines()
    assert [len(said(lines, put, "decided")) for put in puts] == [1] * len(puts)
    assert slow.depth(slow.settings.dead_letter_url("uploads")) == 0


#: A worker with a bug in its receiver.
BUGGY = """
import sys
from worker import cli, line
line.Line._hand_over = lambda *_, **__: 1 / 0
sys.argv = ["modfleet", "worker", "--lanes", "uploads"]
cli.main()
"""


def test_a_worker_whose_receiver_dies_gives_its_messages_back_and_ends_with_a_code_of_its_own(
    slow: Fleet, media: SimpleNamespace, unique: str
) -> None:
    environment = slow.cloud.child_environment() | {"MODFLEET_VISIBILITY_SECONDS": VISIBILITY}
    log = slow.cloud.home / "buggy.log"
    child = Child([sys.executable, "-c", BUGGY], log=log, environment=environment, announces=False)
    (put,) = pictures(slow, media, unique, 1)
    until(lambda: child.ended() is not None, what="it has ended", within=30)
    child.end()
    assert child.ended() == BROKEN
    assert '"thread_died"' in log.read_text("utf-8")
    assert unique in slow.event_of(put)
    slow.aws.sqs.purge_queue(QueueUrl=slow.settings.queue_url("uploads"))


def test_garbage_among_good_ones_holds_up_none_of_them(served: Fleet, unique: str) -> None:
    url, dead = served.settings.queue_url("uploads"), served.settings.dead_letter_url("uploads")
    puts = []
    for number in range(6):
        served.aws.sqs.send_message(QueueUrl=url, MessageBody=f"garbage {unique} {number}")
        puts.append(served.put(f"feed/{unique}/{number}", f"zorblat {unique} {number}".encode()))
    assert [served.ended(put).status for put in puts] == [Status.REJECTED] * 6
    found: set[str] = set()

    def all_parked() -> bool:
        found.update(body for body in served.drain(dead) if unique in body)
        return len(found) == 6

    until(all_parked, what="all garbage parked")
    until(lambda: not served.depth(url), what="an empty queue")


def test_an_event_that_comes_four_times_at_once_is_one_decision_and_one_takedown(
    unserved: Fleet, served: Fleet, media: SimpleNamespace, unique: str
) -> None:
    with served.unannounced():
        put = served.put(f"feed/{unique}.png", media.picture("PNG", card={"labels": {"Weapons": 99.0}, "note": unique}))
    stored = {"key": put.key, "versionId": put.version, "eTag": put.etag, "size": 1, "sequencer": "0055AED6DCD90281E5"}
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": "2026-01-01T00:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": put.bucket}, "object": stored},
    }
    url = served.settings.queue_url("uploads")
    entries: Any = [{"Id": str(n), "MessageBody": json.dumps({"Records": [record]})} for n in range(4)]
    served.aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert served.ended(put).status is Status.REJECTED
    # The other three wait for the lease of the one that acts, or are through by now.
    served.aws.sqs.purge_queue(QueueUrl=url)
    lines = served.audit_lines()
    assert len(said(lines, put, "decided")) == 1
    assert served.quarantined(put) == [put.body]
    assert len({notice["notice_id"] for notice in served.notices(put)}) == 1


# ---- an SQS that fails, under lines in this process ----


class InProcess:
    """Works what the lines of a queue deliver, as a worker does but for Celery, and counts each message's runs."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.died, self.runs = fleet, [], Counter[str]()
        settings = fleet.settings.model_copy(update={"visibility_seconds": 2})
        aws = replace(fleet.aws, store=replace(fleet.aws.store, attempts=1))
        self.lines = Lines(settings, aws, died=self.died.append)
        self._pool = ThreadPoolExecutor(8)

    def start(self) -> None:
        self.lines.start("rescan", lambda _, messages: [self._pool.submit(self._work, m) for m in messages])

    def has_run(self, count: int) -> bool:
        return self.runs.total() >= count

    def _work(self, message: dict[str, Any]) -> None:
        line = self.lines["rescan"]
        if not line.inflight.start(message["ReceiptHandle"]):
            line.left(message["ReceiptHandle"])
            return
        self.runs[message["Body"]] += 1
        assert isinstance(handle(self.fleet.desk, message["Body"], attempt=1), Skipped)
        line.done(message["ReceiptHandle"])

    def close(self) -> None:
        self.lines["rescan"].stop()
        self._pool.shutdown()
        self.lines.close()


@pytest.fixture
def in_process(unserved: Fleet) -> Iterator[InProcess]:
    """Lines on the `rescan` lane."""
    working = InProcess(unserved)
    yield working
    working.close()
    assert working.died == []


@contextmanager
def hooked(client: Any, event: str, hook: Callable[..., Any]) -> Iterator[None]:
    client.meta.events.register(event, hook)
    yield
    client.meta.events.unregister(event, hook)


def harmless(fleet: Fleet, unique: str, count: int) -> list[str]:
    """Put messages on the lane that ask for nothing, and leave no others on it; gives their bodies."""
    url = fleet.settings.queue_url("rescan")
    # Rescans of earlier tests may have left some, in flight for minutes to come.
    fleet.aws.sqs.purge_queue(QueueUrl=url)
    bodies = [
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "RequestId": f"{unique}{n}"}) for n in range(count)
    ]
    for body in bodies:
        fleet.aws.sqs.send_message(QueueUrl=url, MessageBody=body)
    return bodies


def all_deleted(fleet: Fleet) -> bool:
    return not fleet.depth(fleet.settings.queue_url("rescan"))


def test_deletes_that_end_in_errors_repeat_no_work(in_process: InProcess, unserved: Fleet, unique: str) -> None:
    bodies = harmless(unserved, unique, 25)
    failed: list[str] = []

    def fail(**_: Any) -> Any:
        if len(failed) < 4:
            failed.append("")
            said = {"Error": {"Code": "InternalError", "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": 500}}
            return AWSResponse("", 500, {}, None), said
        return None

    with hooked(in_process.lines["rescan"].batches.aws.sqs, "before-call.sqs.DeleteMessageBatch", fail):
        in_process.start()
        until(lambda: all_deleted(unserved), what="an empty queue")
    assert len(failed) == 4
    assert in_process.runs == Counter(bodies)


@pytest.mark.parametrize("sender", [True, False])
def test_deletes_that_partly_fail_repeat_no_work(
    sender: bool, in_process: InProcess, unserved: Fleet, unique: str
) -> None:
    bodies = harmless(unserved, unique, 25)
    spared: list[str] = []

    def spare(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        if len(spared) < 12 and len(params["Entries"]) > 1:
            context["spared"] = params["Entries"].pop(0)["Id"]
            spared.append(context["spared"])

    def tell(parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        if "spared" in context:
            failed = {"Id": context["spared"], "SenderFault": sender, "Code": "InternalError"}
            parsed.setdefault("Failed", []).append(failed)

    client: Any = in_process.lines["rescan"].batches.aws.sqs
    with (
        hooked(client, "provide-client-params.sqs.DeleteMessageBatch", spare),
        hooked(client, "after-call.sqs.DeleteMessageBatch", tell),
    ):
        in_process.start()
        until(lambda: all_deleted(unserved), what="an empty queue")
    assert spared
    assert in_process.runs == Counter(bodies)


def test_a_queue_that_is_missing_for_a_while_is_worked_on_once_it_is_there(
    in_process: InProcess, unserved: Fleet, unique: str
) -> None:
    sqs, url = unserved.aws.sqs, unserved.settings.queue_url("rescan")
    attributes: Any = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    sqs.delete_queue(QueueUrl=url)
    polled = in_process.lines["rescan"].polled_at
    in_process.start()
    until(lambda: in_process.lines["rescan"].polled_at > polled, what="it hears that there is no queue")
    assert sqs.create_queue(QueueName=Path(url).name, Attributes=attributes)["QueueUrl"] == url
    bodies = harmless(unserved, unique, 3)
    until(lambda: all_deleted(unserved), what="an empty queue")
    assert in_process.runs == Counter(bodies)


def test_a_stop_and_a_start_in_the_middle_of_the_work_repeat_nothing_and_lose_nothing(
    in_process: InProcess, unserved: Fleet, unique: str
) -> None:
    bodies = harmless(unserved, unique, 60)
    for wanted in (1, 10, 20):
        in_process.start()
        until(partial(in_process.has_run, wanted), what="it has begun")
        in_process.lines["rescan"].stop()
    in_process.start()
    until(lambda: all_deleted(unserved), what="an empty queue")
    assert in_process.runs == Counter(bodies)
