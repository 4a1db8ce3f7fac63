"""Spending: each run's own, once, on the next object of the audit log; and what an item took stands on its row."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from config.prices import Prices
from tasks.aws.faults import Fault, Throttled, Transient
from tasks.item import Item
from tasks.ledger import note_decided, note_item, note_used, open_ledger
from tasks.record.spending import Spending
from tasks.record.standing import Standing, Status

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LOOK, STORE = "rekognition.DetectModerationLabels", "s3.GetObject"
PRICES = Prices(
    date(2026, 1, 1),
    "us-east-1",
    {LOOK: 0.001, STORE: 0.0000004, "video-minute": 0.1},
    {LOOK: "rekognition-image", "video-minute": "rekognition-video"},
)
ITEM = Item(bucket="b", key="k", version_id="v", etag="e", size=1, sequencer="", event_time=NOW)


@pytest.fixture
def spending() -> Spending:
    return Spending(PRICES, lambda: NOW)


def call(spending: Spending, name: str, fault: Fault | None = None) -> None:
    spending.before(name)
    spending.after(name, seconds=0.1, fault=fault)


def test_a_runs_entry_says_what_was_used_up_for_which_item(spending: Spending) -> None:
    with open_ledger("trace"):
        note_item(ITEM, surface="feed")
        note_used(LOOK)
        note_used(STORE)
        spending.settle()
    (entry,) = spending.take()
    assert entry.pop("entry_id")
    assert entry == {
        "event": "spent",
        "at": NOW.isoformat(),
        "item": {"bucket": "b", "key": "k", "version": "v"},
        "surface": "feed",
        "trace": "trace",
        "units": {LOOK: 1.0},
        "usd": 0.001,
    }


def test_what_is_settled_twice_is_told_once(spending: Spending) -> None:
    with open_ledger():
        note_item(ITEM, surface="feed")
        note_used(LOOK)
        spending.settle()
        spending.settle()
        note_used(LOOK, 2)
        spending.settle()
    assert [entry["units"] for entry in spending.take()] == [{LOOK: 1.0}, {LOOK: 2.0}]
    assert spending.take() == []


@pytest.mark.parametrize("decided", [True, False])
def test_minutes_of_a_job_are_those_of_the_run_that_records_the_decision(spending: Spending, decided: bool) -> None:
    with open_ledger():
        note_item(ITEM, surface="feed")
        note_used("video-minute", 0.5)
        spending.settle()
        if decided:
            note_decided()
        spending.settle()
    assert [entry["units"] for entry in spending.take()] == ([{"video-minute": 0.5}] if decided else [])


def test_without_an_item_or_a_run_nothing_is_told(spending: Spending) -> None:
    spending.settle()
    with open_ledger():
        note_used(LOOK)
        spending.settle()
    assert not spending.waiting
    assert spending.take() == []


def test_requests_are_one_entry_that_waits_for_company(spending: Spending) -> None:
    for _ in range(3):
        call(spending, STORE)
    call(spending, STORE, Transient())
    call(spending, LOOK)
    assert not spending.waiting
    (entry,) = spending.take()
    assert entry["units"] == {STORE: 3.0}
    assert "item" not in entry
    assert spending.take() == []


def test_a_call_whose_answer_was_lost_is_told_apart_from_one_that_was_refused(spending: Spending) -> None:
    with open_ledger():
        note_item(ITEM, surface="feed")
        call(spending, LOOK, Transient(call=LOOK, code="ReadTimeoutError"))
        call(spending, LOOK, Throttled(call=LOOK, code="ThrottlingException"))
        spending.settle()
    (entry,) = spending.take()
    assert (entry["units"], entry["usd"]) == ({f"lost/{LOOK}": 1.0}, 0)


def test_an_item_is_charged_for_every_run_that_led_to_its_decision(spending: Spending) -> None:
    standing = Standing(item=ITEM, status=Status.PENDING)
    with open_ledger():
        note_used(LOOK)
        standing = spending.charged(standing)
    with open_ledger():
        note_used(LOOK)
        note_used("video-minute", 0.25)
        note_used(STORE)
        standing = spending.charged(standing)
    assert standing.units == {LOOK: 2.0, "video-minute": 0.25}
    assert standing.usd == pytest.approx(0.027)
