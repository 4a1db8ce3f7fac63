"""Insight: what the machine found, which rules that broke in words, what happened so far, and who uploaded it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.act.plan import Action
from tasks.act.strike import accounts_of
from tasks.decide.explain import Explained, explain
from tasks.decide.policy import Policy
from tasks.decide.policy_file import PolicyError
from tasks.decide.rule import MOST, Rule, Tier
from tasks.decide.rule_path import paths_of
from tasks.desk import Desk
from tasks.record.policies import UnknownPolicy
from tasks.record.standing import Standing
from tasks.review.case import Case, CaseStatus
from tasks.review.of_account import cases_of_account
from worker.account import summary
from worker.console.wording import minutes, plain_label
from worker.in_force import policies_of

#: What each tier is called.
TIERS = {Tier.ALLOW: "allow", Tier.REDACT: "mask", Tier.HOLD: "hold", Tier.REJECT: "remove"}
#: What a finding came to, in words.
WEIGHTS = {
    "counts": "decided",
    "outdone": "something stricter decided",
    "lifted": "another finding speaks in its place",
    "below": "below every limit",
    "part": "counts only beside others",
    "free": "no rule is about it",
}
#: Of the findings, the worst are shown.
MOST_FINDINGS = 100
#: Cases of an uploader that are named beside the one at hand.
CASES = 10
#: Lines of a case's history that anybody may read while it is not decided: others would steer the next reviewer.
_OPEN_LINES = ("escalated", "disputed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One finding against the limits that it was judged by; all are 0-100."""

    label: str
    detector: str
    score: float
    #: Tier and the confidence from which it is reached, the mildest first.
    limits: tuple[tuple[str, float], ...]
    weight: str
    times: int
    where: str
    #: The same in a sentence.
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that happened."""

    #: ISO 8601, UTC.
    at: str
    event: str
    #: Who did it; empty of what the machine did.
    by: str = ""
    why: str = ""
    #: Of a dispute: what two people ruled, without their names.
    rulings: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the machine found in an item."""

    bars: tuple[Bar, ...]
    #: Findings that are not among the bars.
    more: int
    policy_version: str
    #: Whether the limits are those of the policy that decided; else those of the one in force.
    of_then: bool
    #: Detector -> version.
    detectors: Mapping[str, str]
    #: The rules, as the uploader is told of them.
    rules: tuple[str, ...]
    #: What people made of the item before, once one may know.
    earlier: tuple[Line, ...]


def seen_in(desk: Desk, standing: Standing) -> Seen:
    """The findings as bars, the worst first, by the policy that decided: a read where another is in force by now."""
    policy = _policy_of(desk, standing)
    surface = policy.surface_of(standing.item)
    _, explained = explain(standing.findings, policy, surface)
    return Seen(
        bars=tuple(map(_bar, explained[:MOST_FINDINGS])),
        more=max(len(explained) - MOST_FINDINGS, 0),
        policy_version=policy.version,
        of_then=policy.version == standing.policy_version,
        detectors=standing.detectors,
        rules=rules_in_words(desk, standing),
        earlier=tuple(_line(line) for line in standing.history if "by" in line and line.get("at")),
    )


def rules_in_words(desk: Desk, standing: Standing) -> tuple[str, ...]:
    """What the uploader is told of the rules that it may have broken."""
    paths = paths_of((*standing.braked, *standing.rules), standing.findings)
    return desk.policy.notices.reasons(paths, surface=standing.surface)


def history_of(case: Case, standing: Standing | None, *, reader: str) -> list[Line]:
    """What happened, in order. Before the case is closed, nothing that others made of it but why it was handed up."""
    over = case.status is CaseStatus.CLOSED
    told = [*_of_machine(standing), Line(at=case.opened_at, event="case opened")]
    told += [
        _line(line)
        for line in case.history
        if line.get("at") and (over or line.get("by") == reader or line["event"] in _OPEN_LINES)
    ]
    return sorted((line for line in told if line.at), key=lambda line: line.at)


def told_of_uploader(desk: Desk, case: Case) -> Mapping[str, Any]:
    """The strikes and the standing of whoever uploaded it, and their latest other cases: two reads."""
    others = (one for one in cases_of_account(desk, case.uploader, most=CASES) if one.case_id != case.case_id)
    return summary(desk, accounts_of(desk).find(case.uploader)) | {"cases": list(others)}


def _of_machine(standing: Standing | None) -> Iterator[Line]:
    """What was done before anybody had a say in it."""
    if standing is None:
        return
    yield Line(at=standing.item.event_time.isoformat(), event="uploaded")
    for line in standing.history:
        if "by" not in line and line.get("at"):
            yield _line(line)
    for action, receipt in standing.receipts.items():
        if receipt.get("at") and action != Action.OPEN_CASE:
            yield Line(at=str(receipt["at"]), event=_words(action))


def _line(line: Mapping[str, Any]) -> Line:
    ruled = f": {line['ruling']}" if "ruling" in line else ""
    return Line(
        at=str(line["at"]),
        event=_words(str(line["event"])) + ruled,
        by=str(line.get("by", "")),
        why=str(line.get("why", "")),
        rulings=tuple(line.get("rulings", ())),
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _bar(one: Explained) -> Bar:
    finding = one.finding
    limits = tuple(sorted(_limits((*one.reached, *one.missed)), key=lambda limit: limit[1]))
    places = [] if finding.part == "body" else [finding.part]
    if finding.time_ms:
        places.append(f"{minutes(finding.time_ms[0])} to {minutes(finding.time_ms[1])}")
    if finding.span:
        places.append(f"characters {finding.span[0]:,} to {finding.span[1]:,}")
    return Bar(
        label=plain_label(finding.label) + (f" ({finding.rule})" if finding.rule else ""),
        detector=f"{finding.detector} {finding.detector_version}".strip(),
        score=min(max(finding.confidence, 0.0), float(MOST)),
        limits=limits,
        weight=WEIGHTS[one.weight],
        times=one.times,
        where=", ".join(places),
        said=_sentence(finding.confidence, limits),
    )


def _limits(rules: tuple[Rule, ...]) -> Iterator[tuple[str, float]]:
    for rule in dict.fromkeys(rules):
        if rule.threshold is not None:
            yield TIERS[rule.tier], rule.threshold


def _sentence(score: float, limits: tuple[tuple[str, float], ...]) -> str:
    """`74.0, above hold 60, below remove 80`."""
    said = [f"{score:.1f}"]
    said += [f"{'above' if score >= limit else 'below'} {tier} {limit:g}" for tier, limit in limits]
    return ", ".join(said)


def _policy_of(desk: Desk, standing: Standing) -> Policy:
    """The policy that decided, or the one in force where that cannot be read any more."""
    version = standing.policy_version
    if version == desk.policy.version:
        return desk.policy
    try:
        return policies_of(desk).read(version)
    except (UnknownPolicy, PolicyError):
        return desk.policy
