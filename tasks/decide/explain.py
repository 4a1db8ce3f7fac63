"""Explain: why findings come to a tier, and which confidences would have come to another."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import nextafter
from typing import Literal

from tasks.decide.decision import Decision, decide, each_once, reached
from tasks.decide.policy import Policy, Surface
from tasks.decide.rule import MOST, Rule, Tier
from tasks.detect.finding import Finding

#: `counts`: it reached the tier of the item. `outdone`: it reached a milder one. `lifted`: another finding relaxes it.
#: `below`: it reached nothing, and more confidence would. `part`: it would beside others. `free`: no rule is about it.
_Kin = tuple[str, str, str]
Weight = Literal["counts", "outdone", "lifted", "below", "part", "free"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What one finding came to."""

    #: The surest of its label, part and detector.
    finding: Finding
    #: How many there were of them.
    times: int
    weight: Weight
    #: The strictest that it reached in this item, by itself or beside others; of what is lifted, what it reaches alone.
    reached: tuple[Rule, ...]
    #: What it reaches alone, where that is stricter: its context eases it.
    alone: tuple[Rule, ...] = ()
    #: What a surer one would reach, the next first.
    missed: tuple[Rule, ...]
    #: What it would reach beside others that were not seen; told where it reached nothing else.
    beside: tuple[Rule, ...] = ()
    #: Labels of the findings that lift it.
    lifted_by: tuple[str, ...] = ()


def explain(findings: Iterable[Finding], policy: Policy, surface: Surface) -> tuple[Decision, tuple[Explained, ...]]:
    """The decision on the findings, and what each of them has to do with it, the worst first.

    It asks the engine and knows none of its rules: what is told here is what was decided.
    """
    seen = tuple(findings)
    times = Counter(_kin(finding) for finding in seen)
    surest = {_kin(finding): finding for finding in sorted(seen, key=lambda finding: finding.confidence)}
    here: dict[_Kin, list[Rule]] = defaultdict(list)
    for rule, one in reached(seen, policy, surface):
        here[_kin(one)].append(_by_itself(rule, one, policy))
    case = _Case(policy, surface, seen, here, decide(seen, policy, surface))
    explained = [case.explained(one, times=times[_kin(one)]) for one in surest.values()]
    return case.decision, tuple(sorted(explained, key=_worst_first))


def steps(finding: Finding, policy: Policy, surface: Surface) -> tuple[Rule, ...]:
    """Every rule that a finding like this one reaches alone, at whatever confidence, the strictest first.

    A combination that it meets alone is among them, with the threshold of the condition that is about it.
    """
    return tuple(_steps(finding, policy, surface))


def _steps(finding: Finding, policy: Policy, surface: Surface) -> Iterator[Rule]:
    one = replace(finding, confidence=float(MOST))
    while rules := decide([one], policy, surface).rules:
        # Of several, the one that asks for most: any other would hide the steps below it.
        rule = max((_by_itself(rule, one, policy) for rule in rules), key=lambda rule: rule.threshold or 0.0)
        yield rule
        below = nextafter(rule.threshold, 0.0) if rule.threshold else one.confidence
        if below >= one.confidence:
            return
        one = replace(one, confidence=below)


def _by_itself(rule: Rule, finding: Finding, policy: Policy) -> Rule:
    """A rule as one finding reaches it: a combination's takes the threshold of the condition that the finding meets.

    There is one: no policy file may name two labels in a combination that are met by one finding.
    """
    combined = (one for one in policy.rules.combinations if f"rules/{one.name}" == rule.name)
    conditions = (condition for one in combined for condition in one.conditions)
    return replace(rule, threshold=next((one.threshold for one in conditions if one.met_by(finding)), rule.threshold))


@dataclass(frozen=True, slots=True)
class _Case:
    """What was seen, and what it came to."""

    policy: Policy
    surface: Surface
    seen: tuple[Finding, ...]
    #: What was reached here, by itself or beside others.
    here: Mapping[_Kin, list[Rule]]
    decision: Decision

    def explained(self, finding: Finding, *, times: int) -> Explained:
        """What one finding has to do with it."""
        alone, here = self.decide(finding).rules, _strictest(self.here.get(_kin(finding), []))
        tier = max((rule.tier for rule in (*alone, *here)), default=Tier.ALLOW)
        missed = tuple(
            rule
            for rule in reversed(steps(finding, self.policy, self.surface))
            if rule.tier > tier and rule.threshold is not None and rule.threshold > finding.confidence
        )
        if here:
            stricter = tuple(rule for rule in alone if rule.tier > here[0].tier)
            weight: Weight = "counts" if here[0].tier is self.decision.tier else "outdone"
            return Explained(finding=finding, times=times, weight=weight, reached=here, alone=stricter, missed=missed)
        if alone:
            lifted_by = self.lifting(finding, alone)
            return Explained(
                finding=finding, times=times, weight="lifted", reached=alone, missed=missed, lifted_by=lifted_by
            )
        beside = () if missed else tuple(self.beside(finding))
        weight = "below" if missed else "part" if beside else "free"
        return Explained(finding=finding, times=times, weight=weight, reached=(), missed=missed, beside=beside)

    def beside(self, finding: Finding) -> Iterator[Rule]:
        """The combinations that it would lead to if all the rest of them was seen, too."""
        sure = replace(finding, confidence=float(MOST))
        for combination in self.policy.rules.combinations:
            others = (replace(sure, label=one.label) for one in combination.conditions)
            for rule, one in reached((sure, *others), self.policy, self.surface):
                if one == sure and rule.name == f"rules/{combination.name}":
                    yield _by_itself(rule, sure, self.policy)

    def decide(self, *findings: Finding) -> Decision:
        """What these alone would come to."""
        return decide(findings, self.policy, self.surface)

    def lifting(self, finding: Finding, alone: tuple[Rule, ...]) -> tuple[str, ...]:
        """Findings beside which this one is no reason any more, though nothing stricter took its place."""
        reasons = {rule.name for rule in alone}
        # What stands at its time in a film may excuse it; what does not, only in that it is there.
        others = {_kin(one): one for one in sorted(self.seen, key=lambda one: one.time_ms == finding.time_ms)}
        pairs = ((other, self.decide(finding, other)) for other in others.values())
        lifts = (
            o.label for o, both in pairs if both.tier <= alone[0].tier and not reasons & {r.name for r in both.rules}
        )
        return tuple(sorted(set(lifts)))


def _strictest(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    once = each_once(rules)
    tier = max((rule.tier for rule in once), default=Tier.ALLOW)
    return tuple(rule for rule in once if rule.tier is tier)


def _kin(finding: Finding) -> _Kin:
    return finding.label, finding.part, finding.detector


def _worst_first(one: Explained) -> tuple[int, float, str]:
    tier = max((rule.tier for rule in one.reached), default=Tier.ALLOW)
    return -(tier if one.weight != "lifted" else 0), -one.finding.confidence, one.finding.label
