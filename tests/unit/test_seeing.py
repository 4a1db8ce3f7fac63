"""Seeing a run: one trace, one line for each item, numbers that add up, and never any content."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from celery.exceptions import Reject
from structlog.testing import LogCapture

from config.prices import Prices
from tasks.fail_open import fails_open
from tasks.item import Item
from tasks.ledger import add_run, current_ledger, note_end, open_ledger
from tasks.outcome import Done, Outcome, Parked, Retry, Skipped
from tasks.record.standing import Standing, Status
from worker.delivery import Delivery, headers_of
from worker.families import (
    BRAKED,
    DECISION_MS,
    FAIL_OPEN,
    ITEM_CALLS,
    ITEMS,
    MESSAGES,
    QUEUE_AGE_MS,
    RUN_MS,
    TAKEDOWN_MS,
    USED,
)
from worker.metrics import Registry
from worker.seeing import Seeing, trace_in, trace_of

UPLOADED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOW = UPLOADED + timedelta(seconds=9)
PRICES = Prices(UPLOADED.date(), "us-east-1", {"s3.GetObject": 0.25, "pii-unit": 0.5})
ITEM = Item(bucket="b", key="ann@example.com", version_id="v", etag="e", size=1, sequencer="", event_time=UPLOADED)
STANDING = Standing(
    item=ITEM,
    status=Status.REJECTED,
    surface="feed",
    tier=3,
    rules=("labels/Violence>=90",),
    decided_at=UPLOADED + timedelta(seconds=2),
    time_to_takedown_ms=2500,
)
DELIVERY = Delivery(
    lane="uploads",
    message_id="m-1",
    receipt="r",
    attempt=1,
    body="ann@example.com",
    sent_ms=round(UPLOADED.timestamp() * 1000) + 1000,
)


@pytest.fixture
def seeing() -> Seeing:
    times = iter(range(100))
    return Seeing(Registry(), PRICES, lambda: NOW, clock=lambda: float(next(times)))


@pytest.fixture
def lines() -> Any:
    """Every log line, with what is bound to it as the worker's own logs have it."""
    captured, before = LogCapture(), structlog.get_config()["processors"]
    processors = structlog.get_config()["processors"]
    processors[:], kept = [add_run, captured], list(before)
    yield captured.entries
    processors[:] = kept


def run(
    seeing: Seeing, outcome: Outcome, *standings: Standing, delivery: Delivery = DELIVERY, left: bool = False
) -> None:
    """One run as `worker.delivery` does it, in which each item took one GetObject and two units."""
    with seeing.run(delivery) as running:
        for standing in standings:
            with open_ledger() as ledger:
                ledger.calls += 1
                ledger.use("s3.GetObject")
                ledger.use("pii-unit", 2)
                note_end(standing, fails_open=fails_open(standing))
        seeing.concluded(running, outcome)
        if left:
            raise Reject("not now", requeue=True)


def test_an_item_has_one_line_with_everything_an_engineer_asks_for(seeing: Seeing, lines: list[dict[str, Any]]) -> None:
    run(seeing, Done("rejected"), STANDING)
    (line,) = lines
    assert line == {
        "event": "item",
        "log_level": "info",
        "id": ITEM.id[:16],
        "status": "rejected",
        "tier": 3,
        "rules": ["labels/Violence>=90"],
        "surface": "feed",
        "kind": "unknown",
        "outcome": "done",
        "decision_ms": 2000,
        "takedown_ms": 2500,
        "aws_calls": 1,
        "usd": 1.25,
        "lane": "uploads",
        "attempt": 1,
        "message_id": "m-1",
        "trace": trace_of("m-1", sent_ms=DELIVERY.sent_ms),
        "queue_age_ms": 8000,
    }


def test_two_items_of_one_message_have_a_line_each_and_their_own_numbers(
    seeing: Seeing, lines: list[dict[str, Any]]
) -> None:
    other = replace(STANDING, item=replace(ITEM, version_id="w"))
    run(seeing, Done("rejected"), STANDING, other)
    assert [(line["id"], line["aws_calls"], line["usd"]) for line in lines] == [
        (STANDING.item.id[:16], 1, 1.25),
        (other.item.id[:16], 1, 1.25),
    ]


def test_a_message_that_ends_no_item_has_one_line(seeing: Seeing, lines: list[dict[str, Any]]) -> None:
    run(seeing, Done("the video's job is running"))
    assert [(line["event"], line["why"], line["message_id"]) for line in lines] == [
        ("done", "the video's job is running", "m-1")
    ]


def test_lines_of_the_settlement_say_what_the_run_took(seeing: Seeing, lines: list[dict[str, Any]]) -> None:
    log = structlog.get_logger("test")
    with seeing.run(DELIVERY) as running:
        ledger = current_ledger()
        assert ledger is running.ledger
        running.ledger.calls += 4
        running.ledger.use("s3.GetObject", 4)
        seeing.concluded(running, Parked("no event"))
        log.error("parked")
    assert (lines[0]["aws_calls"], lines[0]["usd"], lines[0]["trace"]) == (
        4,
        1.0,
        trace_of("m-1", sent_ms=DELIVERY.sent_ms),
    )
    log.info("afterwards")
    assert lines[1] == {"event": "afterwards", "log_level": "info"}


@pytest.mark.parametrize("outcome", [Retry(5, "not now"), Parked("no event"), Skipped("nothing"), Done("allowed")])
def test_no_line_shows_the_body_or_the_key(seeing: Seeing, lines: list[dict[str, Any]], outcome: Outcome) -> None:
    run(seeing, outcome, STANDING)
    assert lines
    assert "ann@example.com" not in repr(lines)


@pytest.mark.parametrize(
    ("outcome", "left", "name"),
    [
        (Done("allowed"), False, "done"),
        (Skipped("a test event"), False, "skipped"),
        (Parked("no event"), False, "parked"),
        (Parked("but the dead-letter queue is gone"), True, "retry"),
        (Retry(5, "not now"), True, "retry"),
        (Retry(5, "the last time"), False, "parked"),
        (Retry(5, "down: a copy takes its place", counts=False), False, "retry"),
    ],
)
def test_a_message_counts_by_how_it_ended(seeing: Seeing, outcome: Outcome, left: bool, name: str) -> None:
    if left:
        with pytest.raises(Reject):
            run(seeing, outcome, left=True)
    else:
        run(seeing, outcome)
    now = seeing.registry.snapshot()
    assert now.total(MESSAGES, lane="uploads", outcome=name) == now.total(MESSAGES) == 1


def test_what_nobody_expected_counts_as_a_retry(seeing: Seeing) -> None:
    with pytest.raises(ZeroDivisionError), seeing.run(DELIVERY):
        _ = 1 / 0
    assert seeing.registry.snapshot().total(MESSAGES, outcome="retry") == 1


def test_an_item_is_counted_and_timed(seeing: Seeing) -> None:
    run(seeing, Done("rejected"), STANDING)
    now = seeing.registry.snapshot()
    assert now.total(ITEMS, status="rejected", tier="3", surface="feed", kind="unknown") == 1
    assert now.total(USED, unit="pii-unit") == 2
    # The meter counts calls, whoever makes them.
    assert now.total(USED, unit="s3.GetObject") == 0
    got = {family: now.spread(family).sum for family in (DECISION_MS, TAKEDOWN_MS, QUEUE_AGE_MS, RUN_MS, ITEM_CALLS)}
    assert got == {DECISION_MS: 2000, TAKEDOWN_MS: 2500, QUEUE_AGE_MS: 8000, RUN_MS: 1000, ITEM_CALLS: 1}


@pytest.mark.parametrize("delivery", [replace(DELIVERY, attempt=2), replace(DELIVERY, sent_ms=0)])
def test_only_a_first_delivery_says_how_old_the_queue_is(seeing: Seeing, delivery: Delivery) -> None:
    run(seeing, Done("rejected"), delivery=delivery)
    assert seeing.registry.snapshot().spread(QUEUE_AGE_MS).count == 0


def test_that_nothing_was_allowed_unseen_is_told_from_the_start(seeing: Seeing) -> None:
    assert seeing.registry.snapshot().counts[FAIL_OPEN, ()] == 0


def test_an_item_allowed_unseen_counts_and_is_told_loudly(seeing: Seeing, lines: list[dict[str, Any]]) -> None:
    run(seeing, Done("allowed"), replace(STANDING, status=Status.ALLOWED))
    assert seeing.registry.snapshot().total(FAIL_OPEN) == 1
    assert [(line["event"], line["log_level"]) for line in lines] == [("fails_open", "critical"), ("item", "info")]


def test_every_delivery_of_a_message_has_the_same_trace_and_no_other_message_has_it() -> None:
    trace = trace_of("m-1", sent_ms=1_795_305_750_123)
    assert trace == trace_of("m-1", sent_ms=1_795_305_750_999)
    assert trace != trace_of("m-2", sent_ms=1_795_305_750_123)
    assert trace_in(f"Root={trace};Parent=53995c3f42cd8ad8;Sampled=1") == trace


@pytest.mark.parametrize("header", ["", "Root=1-2-3", "Root=1-6b023259-68c568ec9845cee4679c626g", "Sampled=1", "\x00"])
def test_a_header_that_is_none_names_no_trace(header: str) -> None:
    assert trace_in(header) == ""


def test_a_message_that_brings_a_trace_keeps_it(seeing: Seeing, lines: list[dict[str, Any]]) -> None:
    brought = "1-6b023259-68c568ec9845cee4679c626a"
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "17", "AWSTraceHeader": f"Root={brought};Sampled=0"}
    headers = headers_of({"MessageId": "m", "ReceiptHandle": "r", "Attributes": attributes}, lane="uploads")
    assert (headers["sent_ms"], headers["trace"]) == (17, brought)
    run(seeing, Done("rejected"), STANDING, delivery=replace(DELIVERY, trace=headers["trace"]))
    assert lines[0]["trace"] == brought


def test_what_the_brake_holds_is_counted_by_its_quota_and_what_people_end_is_no_time_to_takedown(
    seeing: Seeing,
) -> None:
    held = replace(STANDING, status=Status.HELD, tier=2, rules=("brake/feed",), braked=STANDING.rules)
    word = {"event": "overruled", "tier": 3, "rules": list(STANDING.rules), "by": "kim", "why": "w", "at": "t"}
    confirmed = replace(held, status=Status.REJECTED, tier=3, rules=STANDING.rules, history=(word,))
    run(seeing, Done("done"), held, confirmed, replace(held, rules=("brake/overall",), time_to_takedown_ms=None))
    now = seeing.registry.snapshot()
    assert (now.total(BRAKED), now.total(BRAKED, scope="feed"), now.total(BRAKED, scope="overall")) == (2, 1, 1)
    assert now.spread(TAKEDOWN_MS).count == 1
