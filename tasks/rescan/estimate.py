"""A number that is not known for sure: what it probably is, and between which two it is 95 times of 100 (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tasks.review.interval import wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """None of the three is below 0, and they are in order."""

    low: float = 0.0
    expected: float = 0.0
    high: float = 0.0

    def __add__(self, other: Estimate) -> Estimate:
        """Both together. That both are at the same end of what they may be is less likely than each: it is wide."""
        return Estimate(low=self.low + other.low, expected=self.expected + other.expected, high=self.high + other.high)

    def __mul__(self, other: Estimate | float) -> Estimate:
        """So many times something that is known no better."""
        by = other if isinstance(other, Estimate) else exactly(other)
        return Estimate(low=self.low * by.low, expected=self.expected * by.expected, high=self.high * by.high)

    def at_most(self, most: float) -> Estimate:
        """The same, where it can be no more than that."""
        return Estimate(low=min(self.low, most), expected=min(self.expected, most), high=min(self.high, most))

    def summary(self) -> dict[str, float]:
        """For `--json`."""
        return {"low": self.low, "expected": self.expected, "high": self.high}


def exactly(number: float) -> Estimate:
    """What is known."""
    return Estimate(low=number, expected=number, high=number)


NOTHING = Estimate()


def total(estimates: Iterable[Estimate]) -> Estimate:
    """All of them together."""
    return sum(estimates, NOTHING)


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of a whole: how many are in it, how many of them were asked, and how many of those answered yes."""

    size: int
    asked: int
    hits: int


def how_many(strata: Iterable[Stratum]) -> Estimate:
    """How many of the whole would answer yes, by a sample from each part.

    Each part counts by its size. The interval is Wilson's for the share of the whole, with as many asked as a plain
    sample would have needed to be as sure (the stratified variance, finite population corrected); where every answer
    was the same, as many as were asked.
    """
    each = [one for one in strata if one.size]
    of = sum(one.size for one in each)
    if not of:
        return NOTHING
    expected = sum(one.size * one.hits / one.asked for one in each)
    if all(one.asked == one.size for one in each):
        return exactly(expected)
    share, variance = expected / of, sum((one.size / of) ** 2 * _variance(one) for one in each)
    asked = share * (1 - share) / variance if variance > 0 else float(sum(one.asked for one in each))
    low, high = wilson(share * asked, asked)
    found, missed = sum(one.hits for one in each), sum(one.asked - one.hits for one in each)
    # What was seen is there.
    return Estimate(low=max(low * of, found), expected=expected, high=min(high * of, of - missed))


def mean(count: int, sum_: float, squares: float) -> Estimate:
    """The mean of what so many were seen to have, by their sum and the sum of their squares; normal interval."""
    middle = sum_ / count
    spread = math.sqrt(max(0.0, squares / count - middle**2) / max(1, count - 1))
    return Estimate(low=max(0.0, middle - 1.96 * spread), expected=middle, high=middle + 1.96 * spread)


def _variance(one: Stratum) -> float:
    """Of a part's share."""
    share = one.hits / one.asked
    return (1 - one.asked / one.size) * share * (1 - share) / max(1, one.asked - 1)
