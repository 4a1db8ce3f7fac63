"""The ledger: each item's is its own, a message's is the sum, and outside a run nothing is kept."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from tasks.detect.finding import Finding
from tasks.detect.kind import Kind, unreadable
from tasks.fail_open import NEEDED, fails_open
from tasks.item import Item
from tasks.ledger import (
    Ledger,
    current_ledger,
    looked,
    note_end,
    note_looked,
    note_used,
    open_ledger,
    trace,
    trace_header,
    traced,
)
from tasks.record.standing import Standing, Status

ITEM = Item(
    bucket="b", key="k", version_id="v", etag="e", size=1, sequencer="", event_time=datetime(2026, 1, 1, tzinfo=UTC)
)


def test_outside_a_run_nothing_is_kept_and_nothing_fails() -> None:
    note_used("image")
    note_looked("guardrail", "1")
    note_end(Standing(item=ITEM, status=Status.GONE), fails_open=False)
    assert (current_ledger(), looked(), trace(), traced(), trace_header()) == (None, {}, "", {}, {})


def test_an_items_ledger_is_its_own_and_ends_in_the_messages() -> None:
    with open_ledger("t") as message:
        for amount in (1.0, 2.0):
            with open_ledger() as item:
                item.calls += 1
                note_used("image", amount)
                note_looked("guardrail", "1")
                note_end(Standing(item=ITEM, status=Status.ALLOWED), fails_open=False)
                assert (item.trace, item.used, looked()) == ("t", {"image": amount}, {"guardrail": "1"})
    assert message.calls == 2
    assert message.used == {"image": 3.0}
    assert [(ended.calls, ended.used) for ended in message.ended] == [(1, {"image": 1.0}), (1, {"image": 2.0})]


def test_what_an_item_took_before_it_failed_is_the_messages_too() -> None:
    with open_ledger() as message:
        with suppress(LookupError), open_ledger():
            note_used("image")
            raise LookupError
        assert current_ledger() is message
    assert message.used == {"image": 1.0}


def test_whoever_cannot_wait_hears_everything_once() -> None:
    heard: list[tuple[str, float]] = []
    with open_ledger(), open_ledger(hears=lambda unit, amount: heard.append((unit, amount))):
        note_used("image")
        with open_ledger():
            note_used("text", 2.0)
    assert heard == [("image", 1.0), ("text", 2.0)]


def test_many_threads_of_one_item_lose_nothing() -> None:
    with open_ledger() as ledger:
        threads = [threading.Thread(target=lambda: [ledger.use("image") for _ in range(5000)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ledger.used == {"image": 20_000.0}


def test_a_message_that_this_run_sends_carries_its_trace() -> None:
    with open_ledger("1-6b023259-68c568ec9845cee4679c626a"):
        (attribute,) = trace_header()["MessageSystemAttributes"].values()
    assert attribute["StringValue"] == "Root=1-6b023259-68c568ec9845cee4679c626a"


def test_two_threads_have_two_ledgers() -> None:
    seen: list[Ledger | None] = []
    with open_ledger():
        thread = threading.Thread(target=lambda: seen.append(current_ledger()))
        thread.start()
        thread.join()
    assert seen == [None]


BLIND = (unreadable("image-format"),)
SEEN = (Finding(detector="guardrail", detector_version="1", label="guardrail/HATE", confidence=30.0),)


@pytest.mark.parametrize("kind", [Kind.IMAGE, Kind.VIDEO, Kind.TEXT])
def test_what_was_allowed_after_its_detector_looked_is_well(kind: Kind) -> None:
    allowed = Standing(item=ITEM, status=Status.ALLOWED, kind=kind, detectors={NEEDED[kind]: "1"}, findings=SEEN)
    assert not fails_open(allowed)


@pytest.mark.parametrize("kind", Kind)
def test_what_was_allowed_although_nobody_looked_counts(kind: Kind) -> None:
    assert fails_open(Standing(item=ITEM, status=Status.ALLOWED, kind=kind, detectors={"comprehend-pii": "1"}))


def test_what_was_allowed_although_a_part_was_unreadable_counts() -> None:
    detectors = {NEEDED[Kind.IMAGE]: "7"}
    assert fails_open(
        Standing(item=ITEM, status=Status.ALLOWED, kind=Kind.IMAGE, detectors=detectors, findings=SEEN + BLIND)
    )


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.ALLOWED])
def test_what_was_not_allowed_never_counts(status: Status) -> None:
    assert not fails_open(Standing(item=ITEM, status=status, kind=Kind.IMAGE, findings=BLIND))
