"""Metrics: what is counted is counted exactly, what is spread is within four percent, and memory has an end."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.metrics import FIRST, LAST, ZERO, Family, Labels, Registry, Spread, bucket_of, value_of

SEEN = Family(name="seen", help="Seen", labels=("where", "what"))
TOOK = Family(name="took", help="Took", labels=("where",), unit="Milliseconds")
POSITIVE = st.floats(min_value=1e-6, max_value=1e9)


def spread_of(values: list[float]) -> Spread:
    registry = Registry()
    for value in values:
        registry.observe(TOOK, value, ("a",))
    return registry.snapshot().spread(TOOK)


@given(st.lists(POSITIVE, min_size=1, max_size=200), st.floats(min_value=0, max_value=1))
def test_a_quantile_is_within_four_percent_of_the_value_it_stands_for(values: list[float], share: float) -> None:
    exact = sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]
    assert spread_of(values).quantile(share) == pytest.approx(exact, rel=0.04)


@given(st.lists(POSITIVE, max_size=50), st.lists(POSITIVE, max_size=50))
def test_two_spreads_together_are_the_spread_of_all_values(some: list[float], others: list[float]) -> None:
    together = spread_of(some).plus(spread_of(others))
    assert together.buckets == spread_of(some + others).buckets
    assert together.sum == pytest.approx(sum(some + others))
    assert together.minus(spread_of(others)).buckets == spread_of(some).buckets


def test_without_values_there_is_no_quantile() -> None:
    assert Spread().quantile(0.5) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_value_takes_memory_beyond_the_last_bucket(value: float) -> None:
    assert ZERO <= bucket_of(value) <= LAST
    assert ZERO == FIRST - 1


def test_nothing_is_nothing_and_not_a_little() -> None:
    assert value_of(bucket_of(0.0)) == value_of(bucket_of(-3.0)) == 0.0
    assert value_of(bucket_of(0.001)) > 0


def test_threads_that_count_at_once_lose_nothing() -> None:
    registry = Registry()

    def count() -> None:
        for _ in range(2000):
            registry.add(SEEN, ("here", "it"))
            registry.observe(TOOK, 5.0, ("here",))

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert registry.snapshot().total(SEEN) == 16_000
    assert registry.snapshot().spread(TOOK).count == 16_000


def test_a_total_adds_up_the_series_that_have_the_labels() -> None:
    registry = Registry()
    for labels, amount in {("a", "x"): 1.0, ("a", "y"): 2.0, ("b", "x"): 4.0}.items():
        registry.add(SEEN, labels, amount)
    now = registry.snapshot()
    assert (now.total(SEEN), now.total(SEEN, where="a"), now.total(SEEN, what="x"), now.total(TOOK)) == (7, 3, 5, 0)


def test_what_came_since_leaves_out_what_was_there() -> None:
    registry = Registry()
    registry.add(SEEN, ("a", "x"))
    registry.observe(TOOK, 10.0, ("a",))
    earlier = registry.snapshot()
    registry.add(SEEN, ("a", "x"), 2.0)
    registry.add(SEEN, ("b", "x"))
    registry.observe(TOOK, 1000.0, ("a",))
    since = registry.snapshot().since(earlier)
    assert since.counts == {(SEEN, ("a", "x")): 2.0, (SEEN, ("b", "x")): 1.0}
    assert since.spread(TOOK).quantile(0.0) == pytest.approx(1000, rel=0.04)
    assert since.spread(TOOK).sum == 1000.0


def test_a_snapshot_does_not_change_any_more() -> None:
    registry = Registry()
    registry.observe(TOOK, 10.0, ("a",))
    snapshot = registry.snapshot()
    registry.observe(TOOK, 10.0, ("a",))
    assert snapshot.spread(TOOK).count == 1


class Heard:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Labels, float]] = []

    def counted(self, family: Family, labels: Labels, amount: float) -> None:
        self.said.append((family.name, labels, amount))

    def observed(self, family: Family, labels: Labels, value: float) -> None:
        self.said.append((family.name, labels, value))

    def close(self) -> None:
        self.said.append(("closed", (), 0.0))


def test_a_listener_hears_each_observation_as_it_was() -> None:
    heard = Heard()
    registry = Registry([heard])
    registry.add(SEEN, ("a", "x"), 2.0)
    registry.observe(TOOK, 123.456, ("a",))
    assert heard.said == [("seen", ("a", "x"), 2.0), ("took", ("a",), 123.456)]
