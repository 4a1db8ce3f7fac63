"""The reporter: a row that the fleet can read, EMF once a minute, and quiet when DynamoDB does not listen."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.prices import Prices
from tasks.aws.session import Aws
from worker.families import CALL_MS, CALLS, FAIL_OPEN, ITEMS, MESSAGES, QUEUE_AGE_MS, TAKEDOWN_MS, USED
from worker.heartbeat import KEPT_SECONDS, LOCATION, Heartbeat, from_json, publish, read_beats, to_json
from worker.metrics import Registry
from worker.reporter import BEATS_BACK, BEATS_PER_EMF, Reporter

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PRICES = Prices(START.date(), "us-east-1", {"image": 0.5})


@dataclass
class Told:
    """A reporter on a clock that stands still until it is moved, and what it wrote."""

    reporter: Reporter
    registry: Registry
    written: list[str]
    now: list[float] = field(default_factory=lambda: [0.0])

    def tick(self, *, after: float = 5.0) -> None:
        self.now[0] += after
        self.reporter.tick()


def line_of(lane: str) -> Any:
    return SimpleNamespace(
        lane=SimpleNamespace(name=lane), inflight=[1, 2, 3], window=SimpleNamespace(size=36), paused=lane == "video"
    )


@pytest.fixture
def told(moto_aws: Aws, items_table: str) -> Told:
    registry, written, now = Registry(), list[str](), [0.0]
    reporter = Reporter(
        aws=moto_aws,
        table=items_table,
        worker="host/1",
        registry=registry,
        prices=PRICES,
        lines=lambda: [line_of("uploads"), line_of("video")],
        breakers=lambda: {"s3": "closed", "rekognition": "open"},
        now=lambda: START + timedelta(seconds=now[0]),
        write=written.append,
        clock=lambda: now[0],
        cpu=lambda: now[0] / 4,
    )
    return Told(reporter, registry, written, now)


def work(registry: Registry) -> None:
    registry.add(ITEMS, ("rejected", "3", "feed", "image"))
    registry.add(MESSAGES, ("uploads", "done"))
    registry.add(CALLS, ("s3", "GetObject"), 3)
    registry.observe(CALL_MS, 10.0, ("s3", "GetObject"))
    registry.observe(TAKEDOWN_MS, 2500.0, ("feed",))
    registry.observe(QUEUE_AGE_MS, 900.0, ("uploads",))
    registry.add(USED, ("image",), 4)


def test_the_fleet_reads_what_a_worker_told(told: Told) -> None:
    work(told.registry)
    told.registry.add(FAIL_OPEN)
    told.tick()
    (beat,) = read_beats(told.reporter.aws, told.reporter.table)
    assert (beat.worker, beat.at, beat.started_at) == ("host/1", START.timestamp() + 5, START.timestamp())
    assert (beat.seconds, beat.cpu, beat.usd, beat.fail_open, beat.items) == (5.0, 0.25, 2.0, 1, {"rejected": 1})
    assert (beat.lanes["uploads"].in_flight, beat.lanes["uploads"].window, beat.lanes["video"].paused) == (3, 36, True)
    assert beat.lanes["uploads"].outcomes == {"done": 1}
    assert beat.lanes["uploads"].age.count == beat.takedown.count == 1
    assert (beat.calls["s3"].calls, beat.calls["s3"].ms.sum) == (3, 10.0)
    assert beat.breakers["rekognition"] == "open"
    assert beat.memory > 2**20


def test_a_heartbeat_looks_back_a_minute_and_not_to_the_beginning(told: Told) -> None:
    work(told.registry)
    for _ in range(BEATS_BACK + 1):
        told.tick()
    beat = told.reporter.beat()
    assert (beat.seconds, beat.items, beat.usd, beat.takedown.count) == (60.0, {}, 0.0, 0)


def test_what_is_told_reads_as_it_was(told: Told) -> None:
    work(told.registry)
    told.tick()
    beat = told.reporter.beat()
    assert from_json(to_json(beat)) == beat


def test_a_row_is_small_and_dynamodb_may_delete_it_later(told: Told) -> None:
    for operation in range(40):
        for ms in range(1, 2000, 7):
            told.registry.observe(CALL_MS, float(ms), (f"service-{operation % 8}", f"Operation{operation}"))
            told.registry.add(CALLS, (f"service-{operation % 8}", f"Operation{operation}"))
    told.tick()
    (row,) = rows(told)
    assert len(row["beat"]["B"]) < 2048
    assert int(row["expires"]["N"]) == round(START.timestamp()) + 5 + KEPT_SECONDS


def test_a_worker_that_ends_takes_its_row_away_and_tells_the_rest(told: Told) -> None:
    work(told.registry)
    told.tick()
    told.reporter.close()
    assert rows(told) == []
    assert sum(json.loads(line).get("items", 0) for line in told.written) == 1


def test_workers_beyond_one_page_are_read_too(told: Told) -> None:
    for worker in ("a", "b", "c"):
        publish(
            told.reporter.aws,
            told.reporter.table,
            Heartbeat(worker=worker, at=1.0, started_at=0.0, seconds=1.0),
        )
    pages: list[Any] = []
    events, asked = told.reporter.aws.dynamodb.meta.events, "provide-client-params.dynamodb.Query"
    events.register(asked, lambda params, **_: pages.append(params.setdefault("Limit", 2)), unique_id="pages")
    try:
        assert [beat.worker for beat in read_beats(told.reporter.aws, told.reporter.table)] == ["a", "b", "c"]
    finally:
        events.unregister(asked, unique_id="pages")
    assert len(pages) == 2


def test_emf_is_written_once_a_minute_and_counts_nothing_twice(told: Told) -> None:
    for _ in range(BEATS_PER_EMF - 1):
        work(told.registry)
        told.tick()
    assert told.written == []
    told.tick()
    first = list(told.written)
    assert sum(json.loads(line).get("items", 0) for line in first) == BEATS_PER_EMF - 1
    told.reporter.close()
    assert sum(json.loads(line).get("items", 0) for line in told.written) == BEATS_PER_EMF - 1


def test_that_nothing_was_allowed_unseen_is_told_every_minute_and_other_zeros_are_not(told: Told) -> None:
    told.registry.add(FAIL_OPEN, (), 0.0)
    work(told.registry)
    told.reporter.emit()
    told.written.clear()
    told.reporter.emit()
    said: dict[str, Any] = {}
    for line in told.written:
        said |= json.loads(line)
    assert said["fail_open_total"] == 0
    assert "items" not in said
    assert said["usd"] == 0


def test_levels_are_told_as_they_are(told: Told) -> None:
    told.reporter.emit()
    lines = [json.loads(line) for line in told.written]
    assert {line["lane"]: line["in_flight"] for line in lines if "in_flight" in line} == {"uploads": 3, "video": 3}
    open_now = {line["dependency"]: line["breaker_open"] for line in lines if "breaker_open" in line}
    assert open_now == {"s3": 0, "rekognition": 1}


def test_without_a_place_to_write_nothing_is_written(told: Told) -> None:
    told.reporter.write = None
    told.reporter.emit()
    assert told.written == []


def test_while_dynamodb_does_not_listen_one_line_says_so(told: Told) -> None:
    table = told.reporter.table
    told.reporter.table = "no-such-table"
    with capture_logs() as logs:
        told.tick()
        told.tick()
        told.reporter.table = table
        told.tick()
        told.reporter.table = "no-such-table"
        told.tick()
    assert [line["event"] for line in logs] == ["heartbeat_not_told"] * 2
    told.reporter.close()


def test_a_heartbeat_is_not_tried_again(told: Told) -> None:
    assert told.reporter.aws.store.attempts == 1


def test_the_thread_ends_when_it_is_told_to(told: Told) -> None:
    told.reporter.start()
    assert "reporter" in {thread.name for thread in threading.enumerate()}
    told.reporter.close()
    assert "reporter" not in {thread.name for thread in threading.enumerate()}


def rows(told: Told) -> list[Any]:
    asked: Callable[..., Any] = told.reporter.aws.dynamodb.query
    found = asked(
        TableName=told.reporter.table,
        KeyConditionExpression="#l = :l",
        ExpressionAttributeNames={"#l": "location"},
        ExpressionAttributeValues={":l": {"S": LOCATION}},
    )
    return list(found["Items"])
