"""A standing is one row, and comes back from it as it went in."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.detect.finding import Finding
from tasks.detect.kind import Kind
from tasks.item import Item
from tasks.record.standing import Standing, Status, from_row, to_row

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-30))]))
COUNTS = st.integers(0, 2**40)
PAIRS = st.tuples(COUNTS, COUNTS)
JSON_VALUES = st.none() | st.booleans() | COUNTS | TEXT
FINDINGS = st.builds(
    Finding,
    detector=NAMES,
    detector_version=TEXT,
    label=NAMES,
    confidence=st.floats(0, 100),
    span=st.none() | PAIRS,
    time_ms=st.none() | PAIRS,
    rule=TEXT,
    part=st.sampled_from(["body", "caption"]),
)
STANDINGS = st.builds(
    Standing,
    item=st.builds(
        Item,
        bucket=NAMES,
        key=NAMES,
        version_id=st.none() | NAMES,
        etag=NAMES,
        size=COUNTS,
        sequencer=TEXT,
        event_time=MOMENTS,
    ),
    status=st.sampled_from(Status),
    surface=TEXT,
    kind=st.sampled_from(Kind),
    uploader=TEXT,
    tier=st.none() | st.integers(0, 3),
    rules=st.lists(NAMES, max_size=3).map(tuple),
    policy_version=TEXT,
    braked=st.lists(NAMES, max_size=2).map(tuple),
    detectors=st.dictionaries(NAMES, TEXT, max_size=3),
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    spans=st.lists(st.tuples(COUNTS, COUNTS, NAMES), max_size=3).map(tuple),
    plan=st.lists(NAMES, max_size=4).map(tuple),
    would=st.none() | st.lists(NAMES, max_size=4).map(tuple),
    receipts=st.dictionaries(NAMES, st.dictionaries(NAMES, JSON_VALUES, max_size=3), max_size=3),
    history=st.lists(st.dictionaries(NAMES, JSON_VALUES, max_size=3), max_size=3).map(tuple),
    decided_at=st.none() | MOMENTS,
    time_to_takedown_ms=st.none() | COUNTS,
    job_id=TEXT,
    job_started_at=st.none() | MOMENTS,
    lease_until=st.floats(0, 1e12),
    held_until=TEXT,
    units=st.dictionaries(NAMES, st.floats(0, 1e9), max_size=3),
    usd=st.floats(0, 1e6),
)
PLAIN = Standing(
    item=Item(
        bucket="uploads-example",
        key="feed/a.txt",
        version_id=None,
        etag="e",
        size=0,
        sequencer="",
        event_time=datetime(2026, 1, 1, tzinfo=UTC),
    ),
    status=Status.PENDING,
)


@settings(max_examples=60)
@given(STANDINGS)
def test_a_standing_comes_back_from_its_row_as_it_was(standing: Standing) -> None:
    assert from_row(to_row(standing)) == standing


@settings(max_examples=60)
@given(STANDINGS)
def test_a_row_is_what_dynamodb_takes(standing: Standing) -> None:
    for name, value in to_row(standing).items():
        ((kind, content),) = value.items()
        assert kind in {"S", "N", "M", "L"}, name
        if kind == "N":
            float(content)


@settings(max_examples=30)
@given(STANDINGS)
def test_a_summary_is_json(standing: Standing) -> None:
    shown = json.loads(json.dumps(standing.summary()))
    assert shown["status"] == standing.status.value
    assert shown["tier"] == standing.tier
    assert set(shown["to_do"]) == set(standing.plan) - set(standing.receipts)


def test_an_undecided_item_is_told_from_one_that_is_allowed() -> None:
    assert not PLAIN.decided
    assert "decided_at" not in to_row(PLAIN)
    assert "tier" not in to_row(PLAIN)
    allowed = replace(PLAIN, tier=0, decided_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert from_row(to_row(allowed)).tier == 0
    assert allowed.decided


@pytest.mark.parametrize(
    ("receipts", "to_do"), [((), ("hide", "remove")), (("hide",), ("remove",)), (("remove", "hide"), ())]
)
def test_what_is_left_to_do_keeps_the_plans_order(receipts: tuple[str, ...], to_do: tuple[str, ...]) -> None:
    standing = replace(PLAIN, plan=("hide", "remove"), receipts={action: {} for action in receipts})
    assert standing.to_do == to_do


def test_a_version_is_named_by_its_id_or_else_by_its_etag_and_its_event() -> None:
    assert replace(PLAIN.item, version_id="v1").version == "v1"
    assert PLAIN.item.version == "etag:e@2026-01-01T00:00:00+00:00"
    assert replace(PLAIN.item, sequencer="0A").version == "etag:e@0A"


def test_ids_tell_apart_what_the_parts_of_a_name_could_mix_up() -> None:
    names = [("ab", "c", "d"), ("a", "bc", "d"), ("ab", "cd", ""), ("abc", "d", "d")]
    items = [replace(PLAIN.item, bucket=bucket, key=key, version_id=version) for bucket, key, version in names]
    assert len({item.id for item in items}) == len(items)
    assert all(len(item.id) == 64 for item in items)
