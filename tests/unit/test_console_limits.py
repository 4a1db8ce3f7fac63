"""Limits: so many in so many seconds, of each person by themselves."""

from __future__ import annotations

from worker.console import limits
from worker.console.limits import Limits, Rate

SIX = Rate("six", 6, 60.0)


def test_a_bucket_is_emptied_at_once_and_fills_again_at_the_rate() -> None:
    now = [100.0]
    buckets = Limits(clock=lambda: now[0])
    assert [buckets.take(SIX, "ana") for _ in range(7)] == [0] * 6 + [10.0]
    now[0] += 7.5
    assert buckets.take(SIX, "ana") == 2.5
    now[0] += 2.5
    assert [buckets.take(SIX, "ana"), buckets.take(SIX, "ana")] == [0, 10.0]
    now[0] += 3600
    assert [buckets.take(SIX, "ana") for _ in range(7)] == [0] * 6 + [10.0]


def test_one_person_uses_up_nothing_of_another_nor_of_another_rate() -> None:
    buckets = Limits(clock=lambda: 0.0)
    for _ in range(6):
        buckets.take(SIX, "ana")
    assert buckets.take(SIX, "ben") == 0
    assert buckets.take(Rate("other", 6, 60.0), "ana") == 0
    assert buckets.take(SIX, "ana") > 0


def test_what_is_forgotten_is_full_and_nobody_gains_by_it() -> None:
    now = [0.0]
    buckets = Limits(clock=lambda: now[0])
    for number in range(limits._KEPT):
        buckets.take(SIX, str(number))
    now[0] = 20.0
    for _ in range(8):
        buckets.take(SIX, "ana")
    assert buckets.take(SIX, "ana") > 0
    assert len(buckets._left) < 10
