"""Metrics: counters, spreads and levels of one process, cheap to feed from any thread and bounded in memory."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

#: Neighbouring buckets differ by this factor, so a value read from one is at most 4 % off.
GROWTH = 1.08
_LOG_GROWTH = math.log(GROWTH)
#: Buckets from 1e-9 to 1e12; below is ZERO, above is the last. That is all the memory a spread can take.
FIRST, LAST = math.floor(math.log(1e-9) / _LOG_GROWTH), math.ceil(math.log(1e12) / _LOG_GROWTH)
ZERO = FIRST - 1

Labels = tuple[str, ...]


# Compared by identity, which makes it a quick key.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """One metric: its name, what tells its series apart, and how CloudWatch is to see it."""

    name: str
    help: str
    labels: Labels = ()
    #: A CloudWatch unit.
    unit: str = "Count"
    #: Sets of labels that CloudWatch adds up by. Each combination of values is a metric that AWS bills.
    dimensions: tuple[Labels, ...] = ((),)


Series = tuple[Family, Labels]


@dataclass(frozen=True, slots=True)
class Spread:
    """How values were distributed: bucket -> how many fell into it."""

    buckets: Mapping[int, int] = field(default_factory=dict)
    sum: float = 0.0

    @property
    def count(self) -> int:
        """How many values."""
        return sum(self.buckets.values())

    def quantile(self, share: float) -> float | None:
        """The value that this share (0-1) of all does not exceed, to within 4 %; None without values."""
        left = max(1, math.ceil(share * self.count))
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                return value_of(bucket)
        return None

    def plus(self, other: Spread) -> Spread:
        """Both together."""
        both = dict(self.buckets)
        for bucket, count in other.buckets.items():
            both[bucket] = both.get(bucket, 0) + count
        return Spread(both, self.sum + other.sum)

    def minus(self, earlier: Spread) -> Spread:
        """What came since an earlier spread of the same series."""
        left = {bucket: count - earlier.buckets.get(bucket, 0) for bucket, count in self.buckets.items()}
        return Spread({bucket: count for bucket, count in left.items() if count}, self.sum - earlier.sum)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All series at one moment, or between two."""

    counts: Mapping[Series, float] = field(default_factory=dict)
    spreads: Mapping[Series, Spread] = field(default_factory=dict)
    levels: Mapping[Series, float] = field(default_factory=dict)

    def since(self, earlier: Snapshot) -> Snapshot:
        """What came since; levels are as they are now."""
        counts = {series: value - earlier.counts.get(series, 0.0) for series, value in self.counts.items()}
        nothing = Spread()
        spreads = {series: now.minus(earlier.spreads.get(series, nothing)) for series, now in self.spreads.items()}
        return Snapshot(counts, spreads, self.levels)

    def total(self, family: Family, **labels: str) -> float:
        """A counter added up over all series that have these labels."""
        return sum(value for series, value in self.counts.items() if _has(series, family, labels))

    def spread(self, family: Family, **labels: str) -> Spread:
        """A spread added up over all series that have these labels."""
        found = Spread()
        for series, spread in self.spreads.items():
            found = found.plus(spread) if _has(series, family, labels) else found
        return found


class Listener(Protocol):
    """Told every observation as it is made, on the observing thread."""

    def counted(self, family: Family, labels: Labels, amount: float) -> None:
        """A counter has grown."""

    def observed(self, family: Family, labels: Labels, value: float) -> None:
        """A value has been seen."""

    def close(self) -> None:
        """No more will come."""


class Registry:
    """The metrics of this process. Every method is safe to call from any thread."""

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        """`listeners` hear every observation."""
        self._lock = threading.Lock()
        self._counts: dict[Series, float] = {}
        self._spreads: dict[Series, tuple[dict[int, int], list[float]]] = {}
        self._levels: dict[Series, float] = {}
        self.listeners: list[Listener] = list(listeners)

    def add(self, family: Family, labels: Labels = (), amount: float = 1.0) -> None:
        """Let a counter grow."""
        series = (family, labels)
        with self._lock:
            self._counts[series] = self._counts.get(series, 0.0) + amount
        for listener in self.listeners:
            listener.counted(family, labels, amount)

    def observe(self, family: Family, value: float, labels: Labels = ()) -> None:
        """Add a value to a spread."""
        series, bucket = (family, labels), bucket_of(value)
        with self._lock:
            if series not in self._spreads:
                self._spreads[series] = ({}, [0.0])
            buckets, total = self._spreads[series]
            buckets[bucket] = buckets.get(bucket, 0) + 1
            total[0] += value
        for listener in self.listeners:
            listener.observed(family, labels, value)

    def level(self, family: Family, value: float, labels: Labels = ()) -> None:
        """Set a level."""
        with self._lock:
            self._levels[family, labels] = value

    def forget(self, families: Iterable[Family]) -> None:
        """Tell no level of these any more, until one is set again."""
        gone = set(families)
        with self._lock:
            self._levels = {series: level for series, level in self._levels.items() if series[0] not in gone}

    def snapshot(self) -> Snapshot:
        """All series as they are now."""
        with self._lock:
            spreads = {series: Spread(dict(each), total[0]) for series, (each, total) in self._spreads.items()}
            return Snapshot(dict(self._counts), spreads, dict(self._levels))


def bucket_of(value: float) -> int:
    """The bucket of a value; nothing, negatives included, is ZERO."""
    if value < 1e-9:
        return ZERO
    return min(math.floor(math.log(value) / _LOG_GROWTH), LAST)


def value_of(bucket: int) -> float:
    """The value that stands for a bucket."""
    return 0.0 if bucket <= ZERO else GROWTH ** (bucket + 0.5)


def _has(series: Series, family: Family, labels: Mapping[str, str]) -> bool:
    known, values = series
    if known is not family:
        return False
    named = dict(zip(known.labels, values, strict=True))
    return all(named[label] == value for label, value in labels.items())
