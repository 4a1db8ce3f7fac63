"""Tally: what became of the subjects of a chunk, or of a whole run (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

#: Failures that one tally lists; all are counted.
MOST_FAILURES = 20
#: Rules that each side of a flip names.
MOST_RULES = 8
#: How a count is named that has two sides: `allowed>held`. The side of what was never decided is empty.
TO = ">"

#: What was done about a flip: acted on; held for a person in its stead; or only counted.
Handled = Literal["done", "held", "left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flipped:
    """An item to which the run's policy gives another tier than it had. Tiers by name: allow, redact, hold, reject."""

    #: `s3://BUCKET/KEY`.
    location: str
    version: str
    surface: str
    old: str
    new: str
    #: Names, at most MOST_RULES of each side; none for what is allowed.
    old_rules: tuple[str, ...] = ()
    new_rules: tuple[str, ...] = ()
    handled: Handled = "done"

    def fields(self) -> list[Any]:
        """As JSON has it, compactly."""
        rules = [list(self.old_rules[:MOST_RULES]), list(self.new_rules[:MOST_RULES])]
        return [self.location, self.version, self.surface, self.old, self.new, *rules, self.handled]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A subject that could not be worked, and why, in the words of a fault: ids and codes, never content."""

    location: str
    version: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts; `flipped` and `failures` are of one chunk, and of a run only where somebody merges all its chunks."""

    #: (status before, empty for what had none; status after) -> how many. Skipped ones are not among them.
    outcomes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    #: Reason -> how many were left as they were: decided, ruled, gone, superseded, needs detection, over the budget,
    #: cancelled, failed...
    skipped: Mapping[str, int] = field(default_factory=dict)
    #: (tier before, tier now) -> how many.
    flips: Mapping[tuple[str, str], int] = field(default_factory=dict)
    #: Decided on stored findings alone.
    redecided: int = 0
    #: Looked at by a detector, be it that the memory of the same bytes served.
    detected: int = 0
    ai_calls: int = 0
    #: Millionths of a dollar, of detectors.
    usd_micros: int = 0
    flipped: tuple[Flipped, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def items(self) -> int:
        """Subjects that came to an end, whichever."""
        return sum(self.outcomes.values()) + sum(self.skipped.values())

    @property
    def flip_count(self) -> int:
        """Subjects that have another tier than before."""
        return sum(self.flips.values())

    @property
    def usd(self) -> float:
        """Dollars."""
        return self.usd_micros / 1e6

    def counts(self) -> dict[str, int]:
        """All counts, flat, by names that a row's attributes may have; `tally_of` reads them."""
        pairs = {f"outcome/{old}{TO}{new}": n for (old, new), n in self.outcomes.items()}
        pairs |= {f"flip/{old}{TO}{new}": n for (old, new), n in self.flips.items()}
        pairs |= {f"skipped/{reason}": n for reason, n in self.skipped.items()}
        return {name: n for name, n in (pairs | {name: getattr(self, name) for name in _PLAIN}).items() if n}

    def told(self) -> dict[str, Any]:
        """The whole tally as JSON has it; `tally_told` reads it."""
        said: dict[str, Any] = {"counts": self.counts(), "flipped": [one.fields() for one in self.flipped]}
        return said | {"failures": [[one.location, one.version, one.why] for one in self.failures]}


_PLAIN = ("redecided", "detected", "ai_calls", "usd_micros")


def tally_of(counts: Mapping[str, int]) -> Tally:
    """The tally whose `counts` these are; other names are none of it."""
    found: dict[str, dict[Any, int]] = {"outcome": {}, "flip": {}, "skipped": {}}
    for name, n in counts.items():
        kind, slash, rest = name.partition("/")
        if slash and kind in found:
            old, arrow, new = rest.partition(TO)
            found[kind][(old, new) if arrow and kind != "skipped" else rest] = n
    plain: dict[str, Any] = {name: counts.get(name, 0) for name in _PLAIN}
    return Tally(outcomes=found["outcome"], flips=found["flip"], skipped=found["skipped"], **plain)


def tally_told(said: Mapping[str, Any]) -> Tally:
    """The tally that `told` tells; an empty one of nothing."""
    if not said:
        return Tally()
    counted = tally_of(said["counts"])
    flipped = tuple(_flipped(one) for one in said["flipped"])
    failures = tuple(Failure(location=where, version=version, why=why) for where, version, why in said["failures"])
    return merge([counted, Tally(flipped=flipped, failures=failures)])


def merge(tallies: Iterable[Tally]) -> Tally:
    """One tally of several."""
    pairs: dict[str, Counter[Any]] = {name: Counter() for name in ("outcomes", "skipped", "flips")}
    plain, flipped, failures = Counter[str](), list[Flipped](), list[Failure]()
    for tally in tallies:
        for name, counter in pairs.items():
            counter.update(getattr(tally, name))
        plain.update({name: getattr(tally, name) for name in _PLAIN})
        flipped += tally.flipped
        failures += tally.failures
    counts: dict[str, Any] = {name: dict(counter) for name, counter in pairs.items()} | dict(plain)
    return Tally(
        **counts,
        flipped=tuple(flipped),
        failures=tuple(failures[:MOST_FAILURES]),
    )


def _flipped(said: list[Any]) -> Flipped:
    location, version, surface, old, new, old_rules, new_rules, handled = said
    return Flipped(
        location=location,
        version=version,
        surface=surface,
        old=old,
        new=new,
        old_rules=tuple(old_rules),
        new_rules=tuple(new_rules),
        handled=handled,
    )
