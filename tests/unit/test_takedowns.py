"""How long takedowns took: exact shares, from the rows of those that the machine made."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.aws.session import Aws
from tasks.item import Item
from tasks.record.standing import Standing, Status, to_row
from tasks.record.state import State
from tasks.record.takedowns import Page, Times, takedowns_since
from worker.takedowns import by_surface, summary

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def times_of(*ms: int) -> Times:
    times = Times()
    for one in ms:
        times.add(one)
    return times


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=300), st.floats(0, 1))
def test_a_share_is_the_smallest_time_that_so_many_did_not_exceed(ms: list[int], share: float) -> None:
    expected = sorted(ms)[max(0, math.ceil(share * len(ms)) - 1)]
    assert times_of(*ms).quantile(share) == expected


def test_nothing_has_no_shares_and_what_is_added_later_counts() -> None:
    assert (Times().quantile(0.5), Times().within(9)) == (None, None)
    times = times_of(9, 1, 5)
    assert times.quantile(1.0) == 9
    times.add(100)
    assert (times.quantile(0.5), times.quantile(1.0), times.within(9)) == (5, 100, 0.75)


def test_surfaces_are_told_one_by_one_and_together() -> None:
    pages = [Page(9, [("feed", 10), ("avatars", 30)]), Page(9, []), Page(9, [("feed", 20)])]
    told = by_surface(pages)
    assert {name: one.count for name, one in told.items()} == {"all": 3, "feed": 2, "avatars": 1}
    assert list(told) == ["all", "feed", "avatars"]
    assert summary(told["all"], promise=0.02) == {
        "count": 3,
        "p50_ms": 20,
        "p95_ms": 30,
        "p99_ms": 30,
        "max_ms": 30,
        "within_promise": pytest.approx(2 / 3),
    }
    assert list(by_surface([Page(1, [("feed", 1)])])) == ["feed"]


def standing(name: str, ms: int | None, *, surface: str = "feed", decided_at: datetime = NOON) -> Standing:
    return Standing(
        item=Item(bucket="b", key=f"feed/{name}", version_id="v", etag="e", size=1, sequencer="", event_time=NOON),
        status=Status.HELD,
        surface=surface,
        tier=2,
        decided_at=decided_at,
        time_to_takedown_ms=ms,
    )


def test_only_what_the_machine_took_down_since_then_is_counted(moto_aws: Aws, items_table: str) -> None:
    held = standing("ruled", None)
    rows = [standing("a", 10), standing("b", 20, surface="avatars"), standing("allowed", None), held]
    rows.append(standing("before", 30, decided_at=NOON - timedelta(seconds=1)))
    for one in rows:
        moto_aws.dynamodb.put_item(TableName=items_table, Item=to_row(one))
    state = State(moto_aws, items_table)
    entry = {"event": "overruled", "at": NOON.isoformat()}
    state.reopen(held.item, ended=Status.HELD, plan=("hide",), entry=entry, verdict=(3, ("labels/Explicit",)))
    state.finish(held.item, status=Status.REJECTED, time_to_takedown_ms=86_400_000, at=NOON)
    ruled = state.find(held.item)
    assert ruled == replace(
        held,
        status=Status.REJECTED,
        tier=3,
        rules=("labels/Explicit",),
        plan=("hide",),
        history=ruled.history if ruled else (),
        time_to_takedown_ms=86_400_000,
    )

    def read(**more: str) -> set[tuple[str, int]]:
        return {one for page in takedowns_since(moto_aws, items_table, NOON, **more) for one in page.times}

    assert read() == {("feed", 10), ("avatars", 20)}
    assert read(surface="avatars") == {("avatars", 20)}
