"""Replay: what another policy would have made of items that were decided before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from tasks.decide.decision import Decision, decide
from tasks.decide.policy import Policy
from tasks.decide.rule import Tier
from tasks.detect.finding import Finding

Direction = Literal["stricter", "milder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One item as it was decided."""

    #: `s3://BUCKET/KEY`.
    location: str
    version: str
    key: str
    #: ISO 8601, UTC.
    decided_at: str
    tier: Tier
    #: Names.
    rules: tuple[str, ...]
    policy_version: str
    findings: tuple[Finding, ...]

    @property
    def bucket(self) -> str:
        """Of its location."""
        return self.location.split("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """An item that another policy gives another tier, unless both are the same."""

    past: Past
    surface: str
    old: Tier
    new: Tier
    #: Names of the rules of each side; none for an item that is allowed.
    old_rules: tuple[str, ...]
    new_rules: tuple[str, ...]
    #: The version of the other policy.
    new_policy: str

    @property
    def direction(self) -> Direction:
        """Whether it is judged more strictly than before, or more mildly."""
        return "stricter" if self.new > self.old else "milder"

    @property
    def causes(self) -> tuple[str, ...]:
        """Labels whose rules have it so: those that reach the stricter tier of both."""
        rules = self.new_rules if self.new > self.old else self.old_rules
        return tuple(sorted({cause(rule) for rule in rules}))


@dataclass(slots=True)
class Tally:
    """What a replay has come to so far."""

    decided: int = 0
    old: Counter[Tier] = field(default_factory=Counter)
    new: Counter[Tier] = field(default_factory=Counter)
    #: Items by (label, old tier, new tier); one that flips for two labels counts for both.
    by_label: Counter[tuple[str, Tier, Tier]] = field(default_factory=Counter)
    flips: int = 0
    #: Held for want of the classifier's word, which nobody asked for then; it could lift them.
    unasked: int = 0

    def count(self, flip: Flip) -> bool:
        """Count an item; whether it flips."""
        self.decided += 1
        self.old[flip.old] += 1
        self.new[flip.new] += 1
        if flip.old is flip.new:
            return False
        self.flips += 1
        self.by_label.update((label, flip.old, flip.new) for label in flip.causes)
        return True

    def change(self, tier: Tier) -> int:
        """How many more items have this tier than before; of HOLD the review load, of REJECT the takedowns."""
        return self.new[tier] - self.old[tier]

    @property
    def flip_rate(self) -> float:
        """The share of items that flip, 0-1."""
        return self.flips / self.decided if self.decided else 0.0


def replay(pasts: Iterable[Past], policy: Policy, tally: Tally, *, against: Policy | None = None) -> Iterator[Flip]:
    """Decide each item again, on the findings of then, and give those that flip, counting all into the tally.

    The old side is what was decided and recorded then or, where `against` is given, what that policy makes of it.
    """
    for past in pasts:
        surface = policy.surface_of(past)
        decision = decide(past.findings, policy, surface)
        old, old_rules = past.tier, past.rules
        if against is not None:
            before = decide(past.findings, against, against.surface_of(past))
            old, old_rules = before.tier, _names(before)
        tally.unasked += _unasked(decision, policy)
        flip = Flip(
            past=past,
            surface=surface.name,
            old=old,
            new=decision.tier,
            old_rules=old_rules,
            new_rules=_names(decision),
            new_policy=policy.version,
        )
        if tally.count(flip):
            yield flip


def cause(rule: str) -> str:
    """What a rule is about, from its name: `Violence/Weapons` from `labels/Violence/Weapons>=90`."""
    return rule.removeprefix("labels/").partition(">=")[0]


def _names(decision: Decision) -> tuple[str, ...]:
    return tuple(rule.name for rule in decision.rules)


def _unasked(decision: Decision, policy: Policy) -> bool:
    if decision.tier is not Tier.HOLD or any(seen.label.startswith("classifier/") for seen in decision.findings):
        return False
    by_label = {rule.label for rule in decision.rules}
    return all(policy.gray(seen) for seen in decision.findings if seen.label in by_label)
