"""A real worker that is told to end: in time, whatever runs, with nothing lost and the truth in its exit code."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fleet import Fleet, Put, running_fleet, until

from deploy.local.children import Child
from tasks.record.standing import Status

#: Milliseconds that each look at a picture takes: far longer than these workers may take to end.
STUCK_MS = 8_000
AT_ONCE = 2
#: Seconds for a worker to start, work and end on a busy machine.
PATIENCE = 30.0

Start = Callable[..., Child]


@pytest.fixture(scope="module")
def stuck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet whose detectors take very long."""
    with running_fleet(tmp_path_factory.mktemp("stuck"), latency_ms=STUCK_MS) as fleet:
        yield fleet


@pytest.fixture
def start(stuck: Fleet) -> Iterator[Start]:
    """Start a worker with settings of its own; it ends with the test, and so do its messages."""
    before = len(stuck.workers)
    yield lambda *flags, **settings: stuck.start_worker("--concurrency", str(AT_ONCE), *flags, **settings)
    print(stuck.logs())  # noqa: T201  # shown where it fails
    for child in stuck.workers[before:]:
        os.kill(child.pid, signal.SIGKILL) if child.ended() is None else None
        child.end()
    stuck.aws.sqs.purge_queue(QueueUrl=stuck.settings.queue_url("uploads"))


def pictures(fleet: Fleet, media: SimpleNamespace, unique: str, count: int) -> list[Put]:
    return [
        fleet.put(f"feed/{unique}/{number}.png", media.picture("PNG", card={"labels": {}, "note": f"{unique}{number}"}))
        for number in range(count)
    ]


def counts(fleet: Fleet) -> tuple[int, int]:
    """(visible, hidden) messages of the uploads lane."""
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = fleet.settings.queue_url("uploads")
    told = fleet.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(told[names[0]]), int(told[names[1]])


def logged(worker: Child, event: str) -> bool:
    """Whether a worker has logged an event."""
    return f'"event": "{event}"' in worker.log.read_text(errors="replace")


def at_work(fleet: Fleet, worker: Child, count: int) -> None:
    """Wait until all messages are in the worker's hands, and some of them in their detector."""

    asked = [0.0]

    def looking() -> int:
        # Asked without a pause, a worker on a busy machine would do nothing but answer.
        if time.monotonic() - asked[-1] > 1:
            os.kill(worker.pid, signal.SIGUSR1)
            asked.append(time.monotonic())
        # Each time it says where its threads are, the current one is named once.
        shown = worker.log.read_text(errors="replace").split("Current thread")
        return max(part.count("in look_at_image") for part in shown)

    until(lambda: counts(fleet) == (0, count), what="all are received", within=PATIENCE)
    until(lambda: looking() >= min(count, AT_ONCE), what="they are worked on", within=PATIENCE)


def ended(worker: Child, *, within: float) -> int:
    until(lambda: worker.ended() is not None, what="it has ended", within=within)
    code = worker.ended()
    assert code is not None
    return code


def test_out_of_time_it_gives_back_even_what_runs_and_says_so(
    stuck: Fleet, start: Start, media: SimpleNamespace, unique: str
) -> None:
    puts = pictures(stuck, media, unique, 6)
    worker = start(MODFLEET_DRAIN_SECONDS="2")
    at_work(stuck, worker, len(puts))
    told_at = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    until(lambda: counts(stuck)[0] == len(puts) - AT_ONCE, what="what waits is visible", within=2)
    assert ended(worker, within=8) == 3
    assert 2 <= time.monotonic() - told_at < 8
    assert counts(stuck) == (len(puts), 0)
    assert stuck.depth(stuck.settings.dead_letter_url("uploads")) == 0


def test_a_second_signal_hastens_it(stuck: Fleet, start: Start, media: SimpleNamespace, unique: str) -> None:
    puts = pictures(stuck, media, unique, 3)
    worker = start()
    at_work(stuck, worker, len(puts))
    os.kill(worker.pid, signal.SIGINT)
    until(lambda: logged(worker, "draining"), what="it drains", within=PATIENCE)
    os.kill(worker.pid, signal.SIGTERM)
    assert ended(worker, within=8) == 3
    assert counts(stuck) == (len(puts), 0)


def test_what_one_worker_gave_back_another_finishes(
    stuck: Fleet, start: Start, media: SimpleNamespace, unique: str
) -> None:
    (put,) = pictures(stuck, media, unique, 1)
    worker = start(MODFLEET_DRAIN_SECONDS="1")
    at_work(stuck, worker, 1)
    os.kill(worker.pid, signal.SIGTERM)
    assert ended(worker, within=8) == 3
    assert counts(stuck) == (1, 0)
    start()
    assert stuck.ended(put, within=STUCK_MS / 1000 + PATIENCE).status is Status.ALLOWED


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        *(pytest.param(number, marks=pytest.mark.long) for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)),
    ],
)
def test_an_idle_worker_ends_well_at_any_signal_and_its_health_told_the_truth(
    stuck: Fleet, start: Start, number: signal.Signals, tmp_path: Path
) -> None:
    port, file = free_port(), tmp_path / "live"
    worker = start(MODFLEET_HEALTH_PORT=str(port), MODFLEET_HEALTH_FILE=str(file))
    until(lambda: ask(port, "/ready") == (200, {"ready": True, "why": []}), what="it is ready", within=PATIENCE)
    status, said = ask(port, "/live")
    assert (status, said["silent"]) == (200, [])
    assert set(said["seconds_silent"]) == {"event loop", "uploads", "rescan", "video", "rulings"}
    assert time.time() - file.stat().st_mtime < 10
    os.kill(worker.pid, number)
    assert ended(worker, within=8) == 0


def test_a_worker_that_lacks_something_names_all_of_it_and_does_not_start(stuck: Fleet, start: Start) -> None:
    worker = start(
        MODFLEET_VIDEO_QUEUE_URL=f"{stuck.settings.queue_url('video')}-none",
        MODFLEET_ITEMS_TABLE="no-such-table",
        MODFLEET_QUARANTINE_BUCKET="no-such-bucket",
        MODFLEET_NOTICES_TOPIC_ARN=f"{stuck.settings.notices_topic_arn}-none",
    )
    assert ended(worker, within=PATIENCE) == 2
    log = worker.log.read_text()
    assert "modfleet: the worker does not start, for it lacks:" in log
    missing = {line.strip().partition(":")[0] for line in log.splitlines() if line.startswith("  ")}
    # Which policy is in force stands in the table that is not there.
    assert missing == {"queue video", "table no-such-table", "policy", "bucket no-such-bucket", "notices topic"}


def test_a_worker_shows_where_its_threads_are_and_nothing_that_they_hold(stuck: Fleet, start: Start) -> None:
    worker = start(MODFLEET_HEALTH_PORT=(port := str(free_port())))
    until(lambda: ask(int(port), "/ready")[0] == 200, what="it is ready", within=PATIENCE)
    os.kill(worker.pid, signal.SIGUSR1)
    until(lambda: "most recent call first" in worker.log.read_text(), what="the stacks", within=PATIENCE)
    assert "LOCAL VARIABLES" not in worker.log.read_text()
    assert worker.ended() is None


def test_it_starts_all_the_same_when_told_not_to_look(stuck: Fleet, start: Start) -> None:
    worker = start("--no-checks", MODFLEET_CASES_TABLE="no-such-table", MODFLEET_HEALTH_PORT=(port := str(free_port())))
    until(lambda: ask(int(port), "/ready")[0] == 200, what="it is ready", within=PATIENCE)
    assert worker.ended() is None


def free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def ask(port: int, path: str) -> tuple[int, Any]:
    """(status, what is said), (0, None) while nobody listens."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except OSError:
            return 0, None
