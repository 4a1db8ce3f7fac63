"""An estimate's interval holds what is true as often as it says, and what was seen is there for sure."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.rescan.estimate import Estimate, Stratum, exactly, how_many, mean, total


def strata() -> st.SearchStrategy[list[Stratum]]:
    def stratum(size: int) -> st.SearchStrategy[Stratum]:
        asked = st.integers(1, size)
        return asked.flatmap(lambda of: st.integers(0, of).map(lambda hits: Stratum(size, of, hits)))

    return st.lists(st.integers(1, 10_000).flatmap(stratum), min_size=1, max_size=8)


@given(strata())
def test_the_expected_number_is_between_both_ends_and_these_are_possible(each: list[Stratum]) -> None:
    found = how_many(each)
    assert sum(one.hits for one in each) <= found.low * (1 + 1e-9)
    assert found.low <= found.expected * (1 + 1e-9)
    assert found.expected <= found.high * (1 + 1e-9)
    assert found.high <= sum(one.size - (one.asked - one.hits) for one in each) * (1 + 1e-9)


def test_where_all_were_asked_nothing_is_estimated() -> None:
    assert how_many([Stratum(10, 10, 3), Stratum(5, 5, 5), Stratum(0, 0, 0)]) == exactly(8)
    assert how_many([]) == Estimate()


def test_a_sample_that_found_none_does_not_say_that_there_are_none() -> None:
    found = how_many([Stratum(100_000, 1_000, 0)])
    assert (found.low, found.expected) == (0, 0)
    # Wilson's upper end for 0 of 1,000 is z^2 / (n + z^2).
    assert found.high == pytest.approx(100_000 * 3.8415 / 1_003.8415, rel=1e-3)


def test_parts_that_differ_are_known_better_than_a_plain_sample_would_know_them() -> None:
    plain = how_many([Stratum(20_000, 200, 100)])
    apart = how_many([Stratum(10_000, 100, 98), Stratum(10_000, 100, 2)])
    assert apart.expected == plain.expected == 10_000
    assert apart.high - apart.low < (plain.high - plain.low) / 2


def test_95_of_100_samples_hold_the_truth() -> None:
    chance, sizes, shares = random.Random(7), (40_000, 9_000, 1_000), (0.02, 0.3, 0.9)
    true = sum(size * share for size, share in zip(sizes, shares, strict=True))
    held = 0
    for _ in range(400):
        each = [
            Stratum(size, asked, sum(chance.random() < share for _ in range(asked)))
            for size, share, asked in zip(sizes, shares, (160, 36, 10), strict=True)
        ]
        found = how_many(each)
        held += found.low <= true <= found.high
    assert held >= 372


def test_estimates_add_and_multiply_end_by_end() -> None:
    one, two = Estimate(low=1, expected=2, high=4), Estimate(low=0, expected=1, high=10)
    assert one + two == Estimate(low=1, expected=3, high=14)
    assert one * two == Estimate(low=0, expected=2, high=40)
    assert one * 3 == Estimate(low=3, expected=6, high=12)
    assert total([one, two]).at_most(3) == Estimate(low=1, expected=3, high=3)
    assert mean(4, 8, 16) == exactly(2)
    assert mean(2, 4, 10).high == pytest.approx(2 + 1.96)
