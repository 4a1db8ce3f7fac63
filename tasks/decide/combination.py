"""Combination: a rule about what was seen together, and the exception that a label has in its context."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tasks.decide.echo import moderation_path
from tasks.decide.rule import Rule, Tier, possible
from tasks.detect.finding import Finding

Priority = Literal["normal", "top"]
Findings = tuple[Finding, ...]

#: What may excuse something: how a picture was made, and what people have confirmed. Nothing that is itself a
#: violation may ever make a decision more lenient.
CONTEXT = ("content-type", "known")


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """That a label, or one below it, was seen with at least this confidence (0-100)."""

    label: str
    threshold: float

    def met_by(self, finding: Finding) -> bool:
        """Whether this finding is enough."""
        sure = possible(finding.confidence) and finding.confidence >= self.threshold
        return sure and covers(self.label, _path(finding))


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """Conditions, of which at least so many must be met."""

    least: int
    of: tuple[Condition, ...]

    def among(self, findings: Findings) -> Findings:
        """The findings that meet it; none where they are not enough."""
        met = [(condition, finding) for condition in self.of for finding in findings if condition.met_by(finding)]
        enough = len({condition for condition, _ in met}) >= self.least
        return tuple(finding for _, finding in met) if enough else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """A rule that holds where each of its groups is met, in whatever parts of the item."""

    name: str
    #: In order; at least one.
    when: tuple[Group, ...]
    #: What excuses the findings that stand in the same place.
    unless: tuple[Condition, ...] = ()
    #: HOLD or REJECT.
    then: Tier
    priority: Priority

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Those of all groups."""
        return tuple(condition for group in self.when for condition in group.of)

    def reached(self, findings: Findings) -> Iterator[tuple[Rule, Finding]]:
        """The rule, with each finding that led to it; nothing where it does not hold."""
        counted = tuple(one for one in findings if not _excused(one, self.unless, findings))
        met = [group.among(counted) for group in self.when]
        if all(met):
            for finding in {finding for found in met for finding in found}:
                yield Rule(f"rules/{self.name}", self.then, finding.label, finding.confidence, None), finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """What a label leads to at most, where its context stands in the same place."""

    name: str
    #: Paths of moderation labels, in order; what is below them is covered too.
    relax: tuple[str, ...]
    #: Context only; one of them is enough.
    when: tuple[Condition, ...]
    #: ALLOW or HOLD.
    then: Tier

    def eases(self, rule: Rule, finding: Finding, findings: Findings) -> bool:
        """Whether it makes this finding's rule more lenient. It names labels, so what is unknown stays as it is."""
        named = rule.tier > self.then and any(covers(label, finding.label) for label in self.relax)
        is_known = moderation_path(finding) is not None and possible(finding.confidence)
        return named and is_known and _excused(finding, self.when, findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All that a policy says about findings together. Both in the order of their names."""

    combinations: tuple[Combination, ...] = ()
    exemptions: tuple[Exemption, ...] = ()

    def reached(self, findings: Findings) -> Iterator[tuple[Rule, Finding]]:
        """Every combination that holds."""
        for combination in self.combinations:
            yield from combination.reached(findings)

    def eased(self, rule: Rule, finding: Finding, findings: Findings) -> Rule | None:
        """The rule that one finding reached, as its context leaves it; None where that lets it pass."""
        easing = [one for one in self.exemptions if one.eases(rule, finding, findings)]
        if not easing:
            return rule
        most = min(easing, key=lambda one: one.then)
        if most.then is Tier.ALLOW:
            return None
        return Rule(f"rules/{most.name}", most.then, rule.label, rule.confidence, rule.threshold)

    def priority_of(self, rules: tuple[Rule, ...]) -> Priority:
        """`top` where one of these rules says so."""
        top = {f"rules/{one.name}" for one in self.combinations if one.priority == "top"}
        return "top" if any(rule.name in top for rule in rules) else "normal"


def covers(label: str, other: str) -> bool:
    """Whether a label path is another one, or above it."""
    return other == label or other.startswith(f"{label}/")


def _path(finding: Finding) -> str:
    """A finding's label; a verdict of the classifier's goes on with its rule: `classifier/reject/minor-safety`."""
    is_verdict = finding.rule and finding.label.startswith("classifier/")
    return f"{finding.label}/{finding.rule}" if is_verdict else finding.label


def _excused(finding: Finding, by: tuple[Condition, ...], findings: Findings) -> bool:
    return any(_beside(one, finding) and condition.met_by(one) for condition in by for one in findings)


def _beside(context: Finding, finding: Finding) -> bool:
    """Whether a context speaks for a finding: a drawn thumbnail, or one drawn scene, excuses no film.

    What people have confirmed, they have confirmed of all of that part.
    """
    if context.part != finding.part:
        return False
    return context.time_ms == finding.time_ms or context.label.startswith("known/")
