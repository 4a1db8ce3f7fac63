"""What a rescan came to: its flips by rule, surface and direction, its failures, and how it went over time (pure).

Added up message by message, so that a run over a billion objects takes no more room than one over a hundred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tasks.decide.rule import Tier
from tasks.rescan.run import Run
from tasks.rescan.tally import Flipped, Tally, tally_of

#: Columns of the plot over time, at most.
COLUMNS = 48
_TIERS = {tier.name.lower(): tier for tier in Tier}


class Direction(StrEnum):
    """Which way an item flipped."""

    STRICTER = "stricter"
    MILDER = "milder"


@dataclass(slots=True)
class Report:
    """A run as it stands, and what its messages tell; add those one by one."""

    run: Run
    by_rule: Counter[tuple[str, Direction]] = field(default_factory=Counter)
    by_surface: Counter[tuple[str, Direction]] = field(default_factory=Counter)
    #: (direction, what was done about it) -> how many.
    handled: Counter[tuple[Direction, str]] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    _by_minute: Counter[datetime] = field(default_factory=Counter)

    @property
    def tally(self) -> Tally:
        """What workers have counted, of the whole run."""
        return tally_of(self.run.tally)

    @property
    def skipped(self) -> dict[str, int]:
        """Reason -> how many were left as they were, by whoever enqueued or worked; the most first."""
        both = Counter(self.run.skipped) + Counter(self.tally.skipped)
        return dict(both.most_common())

    def add(self, tally: Tally, *, done_at: datetime) -> None:
        """What came of one message."""
        self._by_minute[done_at.replace(second=0, microsecond=0)] += tally.items
        self.failures.update(kind_of(failure.why) for failure in tally.failures)
        for flip in tally.flipped:
            direction = direction_of(flip)
            self.handled[direction, flip.handled] += 1
            self.by_surface[flip.surface, direction] += 1
            self.by_rule.update((rule, direction) for rule in causes_of(flip))

    def over_time(self) -> list[tuple[datetime, int]]:
        """Objects worked since each of at most COLUMNS moments, as far apart one as the other."""
        if not self._by_minute:
            return []
        first, last = min(self._by_minute), max(self._by_minute)
        step = -(-(int((last - first).total_seconds()) // 60 + 1) // COLUMNS)
        columns = [0] * ((int((last - first).total_seconds()) // 60) // step + 1)
        for minute, items in self._by_minute.items():
            columns[int((minute - first).total_seconds()) // 60 // step] += items
        return [(first + timedelta(minutes=step * index), items) for index, items in enumerate(columns)]

    def seconds(self, now: datetime) -> float:
        """How long it took, or has taken so far."""
        return ((self.run.ended_at or now) - self.run.created_at).total_seconds()

    def summary(self, now: datetime) -> dict[str, Any]:
        """For `--json`."""
        tally, run = self.tally, self.run
        return {
            "run": run.summary(),
            "items": tally.items + sum(run.skipped.values()),
            "outcomes": [{"old": old, "new": new, "items": n} for (old, new), n in ranked(tally.outcomes)],
            "skipped": self.skipped,
            "flips": tally.flip_count,
            "tiers": [{"old": old, "new": new, "items": n} for (old, new), n in ranked(tally.flips)],
            "by_rule": _named(self.by_rule, "rule"),
            "by_surface": _named(self.by_surface, "surface"),
            "handled": _named(self.handled, "direction", second="handled"),
            "redecided": tally.redecided,
            "detected": tally.detected,
            "ai_calls": tally.ai_calls,
            "usd": run.usd,
            "planned": dict(run.plan),
            "seconds": self.seconds(now),
            "failures": dict(self.failures.most_common()),
        }


def direction_of(flip: Flipped) -> Direction:
    """Which way it went."""
    return Direction.STRICTER if _TIERS[flip.new] > _TIERS[flip.old] else Direction.MILDER


def causes_of(flip: Flipped) -> tuple[str, ...]:
    """The rules that made it stricter, or that no longer hold it."""
    stricter = direction_of(flip) is Direction.STRICTER
    return (flip.new_rules if stricter else flip.old_rules) or ("(none)",)


def kind_of(why: str) -> str:
    """What failures are counted by: of a fault, the call and the code without its own words."""
    words = why.split()
    return " ".join(words[:2]) if words and "." in words[0] else why


def ranked(counts: Mapping[Any, int]) -> list[tuple[Any, int]]:
    """The most first, then by name."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _named(counts: Mapping[tuple[Any, Any], int], first: str, *, second: str = "direction") -> list[dict[str, Any]]:
    return [{first: str(one), second: str(other), "items": n} for (one, other), n in ranked(counts)]
