"""Claims and lookups: how many calls they cost, who waits for whom, and that nobody waits for the dead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from tasks.aws.faults import Fault, Open, Transient
from tasks.detect.kind import Kind
from tasks.item import Item
from tasks.record.memory import Memory, values_of
from tasks.record.seen import Recall, Seen
from tasks.record.seen_rows import Row, SeenRows

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ITEM = Item(bucket="b", key="feed/1", version_id="v1", etag="e", size=10, sequencer="01", event_time=NOW)
MEMORY = Memory(name="a", kind=Kind.IMAGE, chain="c", findings=(), detectors={}, source=ITEM, looked_at=1.0)
KNOWN: Row = {name.removeprefix(":"): value for name, value in values_of(MEMORY).items()}


class Rows:
    """The rows of `SeenRows` in memory; notes each call with the names that it is about."""

    lease_seconds = 60.0

    def __init__(self, **rows: Row) -> None:
        self.rows: dict[str, Row] = dict(rows)
        self.calls: list[tuple[str, ...]] = []
        self.passed = 0.0
        self.before: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)

    def insert(self, claims: Sequence[tuple[str, str]]) -> dict[tuple[str, str], bool]:
        self._note("insert", [name for name, _ in claims])
        new = {claim: claim[0] not in self.rows for claim in claims}
        self.rows |= {name: self._claim(holder) for (name, holder), is_new in new.items() if is_new}
        return new

    def read(self, names: Sequence[str]) -> dict[str, Row]:
        self._note("read", names)
        return {name: self.rows[name] for name in names if name in self.rows}

    def take(self, name: str, *, holder: str) -> bool:
        self._note("take", [name])
        self.rows[name] |= self._claim(holder)
        return True

    def let_go(self, name: str, *, holder: str) -> None:
        self._note("let_go", [name])
        assert self.rows[name].pop("asker") == {"S": holder}
        del self.rows[name]["asked_until"]

    def _note(self, call: str, names: Sequence[str]) -> None:
        self.calls.append((call, *names))
        self.before()

    def _claim(self, holder: str) -> Row:
        return {"asker": {"S": holder}, "asked_until": {"N": str(self.now().timestamp() + self.lease_seconds)}}


def seen_by(rows: Rows, *, patience: float = 20.0) -> Seen:
    return Seen(cast("SeenRows", rows), patience=patience)


def test_what_was_claimed_ahead_costs_its_run_no_call() -> None:
    rows = Rows()
    seen = seen_by(rows)
    seen.claim_ahead({"a": "1", "b": "2", "c": "3"})
    assert [seen.recall(name, holder=holder) for name, holder in zip("abc", "123", strict=True)] == [
        Recall(mine=True)
    ] * 3
    assert rows.calls == [("insert", "a", "b", "c")]


def test_what_is_known_is_read_with_the_claims_of_the_others() -> None:
    rows = Rows(a=KNOWN)
    seen = seen_by(rows)
    seen.claim_ahead({"a": "1", "b": "2"})
    assert seen.recall("a", holder="1") == Recall(memory=MEMORY)
    assert seen.recall("b", holder="2") == Recall(mine=True)
    assert rows.calls == [("insert", "a", "b"), ("read", "a")]


def test_where_most_is_known_one_call_reads_and_where_most_is_new_one_call_claims() -> None:
    rows = Rows(a=KNOWN, b=KNOWN)
    seen = seen_by(rows)
    for claims in ({"a": "1", "b": "2"}, {"a": "3", "b": "4"}, {"c": "5", "d": "6"}, {"e": "7", "f": "8"}):
        seen.claim_ahead(claims)
    assert rows.calls == [
        ("insert", "a", "b"),
        ("read", "a", "b"),
        ("read", "a", "b"),
        ("read", "c", "d"),
        ("insert", "c", "d"),
        ("insert", "e", "f"),
    ]
    assert [seen.recall(name, holder=holder).mine for name, holder in zip("acf", "358", strict=True)] == [
        False,
        True,
        True,
    ]


def test_a_run_whose_claim_is_under_way_waits_for_it() -> None:
    rows, out = Rows(), threading.Event()
    seen = seen_by(rows)
    with ThreadPoolExecutor(2) as pool:
        rows.before = lambda: out.wait(20) and None
        ahead: Future[None] = pool.submit(seen.claim_ahead, {"a": "1"})
        seen.expect(ahead)
        run = pool.submit(seen.recall, "a", holder="1")
        out.set()
        assert run.result(20) == Recall(mine=True)
    assert rows.calls == [("insert", "a")]


def test_a_run_of_the_same_process_waits_and_takes_what_came_of_it() -> None:
    rows = Rows()
    seen = seen_by(rows)
    assert seen.recall("a", holder="1").mine
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(seen.recall, "a", holder="2")
        rows.rows["a"] = KNOWN
        seen.end("1")
        assert other.result(20) == Recall(memory=MEMORY)


def test_who_has_waited_long_enough_is_told_that_it_is_taken() -> None:
    seen = seen_by(Rows(), patience=0.0)
    assert seen.recall("a", holder="1").mine
    assert seen.recall("a", holder="2") == Recall(taken=True)


def test_the_next_delivery_of_the_same_item_goes_on_with_its_claim() -> None:
    rows = Rows()
    assert seen_by(rows).recall("a", holder="1").mine
    elsewhere = seen_by(rows)
    assert elsewhere.recall("a", holder="2") == Recall(taken=True)
    assert elsewhere.recall("a", holder="1") == Recall(mine=True)


def test_nobody_waits_for_a_claim_made_ahead_of_a_run_that_never_began() -> None:
    rows = Rows()
    seen = seen_by(rows)
    seen.claim_ahead({"a": "1"})
    rows.passed = 61.0
    assert seen.recall("a", holder="2") == Recall(mine=True)
    assert rows.calls[-1] == ("take", "a")


def test_a_claim_that_nothing_came_of_is_given_back_once() -> None:
    rows = Rows()
    seen = seen_by(rows)
    seen.recall("a", holder="1")
    seen.let_go("1")
    seen.let_go("1")
    assert rows.calls == [("insert", "a"), ("let_go", "a")]
    assert seen.recall("a", holder="2").mine


@pytest.mark.parametrize("fault", [Transient("down"), Fault("odd")])
def test_where_the_table_fails_nothing_is_known_and_nobody_waits(fault: Fault) -> None:
    rows = Rows(a=KNOWN)
    seen = seen_by(rows, patience=0.0)

    def fail() -> Any:
        raise fault

    rows.before = fail
    assert seen.recall("a", holder="1") == Recall()
    assert seen.recall("a", holder="2") == Recall()
    seen.let_go("1")


def test_while_the_table_is_known_to_be_down_nothing_is_looked_at() -> None:
    rows = Rows()

    def withhold() -> Any:
        raise Open("down")

    rows.before = withhold
    with pytest.raises(Open):
        seen_by(rows).recall("a", holder="1")


def test_what_is_known_content_is_told_whether_it_was_looked_at_or_not() -> None:
    hint: Row = {"known": {"SS": ["d1", "d2"]}}
    rows = Rows(a=KNOWN | hint, b=dict(hint))
    seen = seen_by(rows)
    digests = frozenset(("d1", "d2"))
    assert seen.recall("a", holder="1") == Recall(memory=MEMORY, known=digests)
    assert seen.recall("b", holder="2") == Recall(known=digests, mine=True)
