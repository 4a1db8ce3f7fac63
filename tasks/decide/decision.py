"""Decision: findings and a policy in, one tier and its reasons out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tasks.decide.combination import Priority
from tasks.decide.kinds import PROMPT_ATTACK
from tasks.decide.policy import Policy, Surface
from tasks.decide.rule import Rule, Tier
from tasks.detect.finding import Finding

__all__ = ["Decision", "Rule", "Span", "Tier", "decide"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A piece of the body to mask: code points [begin, end), and the kind of thing (`EMAIL`, `TERM`)."""

    begin: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of an item, and why."""

    tier: Tier
    #: Those that reached the tier, each once, by name; empty only where the item is allowed.
    rules: tuple[Rule, ...]
    policy_version: str
    #: All that was seen, in a fixed order.
    findings: tuple[Finding, ...]
    #: What to mask, in order and without overlap; empty unless the tier is REDACT.
    spans: tuple[Span, ...] = ()
    #: `top` where a rule that reached the tier wants it seen before everything else.
    priority: Priority = "normal"


def decide(findings: Iterable[Finding], policy: Policy, surface: Surface) -> Decision:
    """The strictest rule wins, and the decision names every rule that reached its tier.

    The order of findings never matters.
    """
    seen = tuple(sorted(findings, key=_order))
    every = tuple(reached(seen, policy, surface))
    tier = max((rule.tier for rule, _ in every), default=Tier.ALLOW)
    winning = [(rule, finding) for rule, finding in every if rule.tier is tier]
    rules = each_once(rule for rule, _ in winning)
    return Decision(
        tier=tier,
        rules=rules,
        policy_version=policy.version,
        findings=seen,
        spans=_merged(finding for _, finding in winning) if tier is Tier.REDACT else (),
        priority=policy.rules.priority_of(rules),
    )


def reached(findings: tuple[Finding, ...], policy: Policy, surface: Surface) -> Iterator[tuple[Rule, Finding]]:
    """Every rule that holds, of whatever tier, with each finding that led to it.

    What the classifier has lifted is no reason by itself; together with something else it still counts.
    """
    cleared = _cleared_parts(findings)
    counted = tuple(one for one in findings if surface.pii != "never" or not one.label.startswith("pii/"))
    for rule, finding in policy.on(surface).reached(counted):
        lifted = finding.part in cleared and policy.gray(finding)
        if not lifted or rule.name.startswith("rules/"):
            yield _carried_out(rule, finding), finding


def _cleared_parts(findings: tuple[Finding, ...]) -> set[str]:
    """The parts whose gray findings the classifier lifted: it was asked, said nothing but allow, and was not attacked.

    A reject or hold by the classifier is a rule of its own, so a gray finding beside it adds only its name.
    """
    said: dict[str, set[str]] = {}
    for finding in findings:
        if finding.label.startswith("classifier/") or finding.label == f"guardrail/{PROMPT_ATTACK}":
            said.setdefault(finding.part, set()).add(finding.label)
    return {part for part, labels in said.items() if labels == {"classifier/allow"}}


def _carried_out(rule: Rule, finding: Finding) -> Rule:
    """A redaction that cannot be done must not pass for one: somebody has to look."""
    if rule.tier is not Tier.REDACT or _maskable(finding):
        return rule
    return replace(rule, name=f"{rule.name} cannot be masked", tier=Tier.HOLD)


def _maskable(finding: Finding) -> bool:
    return finding.part == "body" and finding.span is not None and 0 <= finding.span[0] < finding.span[1]


def each_once(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """One rule per name, with the highest confidence that reached it."""
    # Sorted, the most confident of one name comes last and stays.
    return tuple({rule.name: rule for rule in sorted(rules)}.values())


def _merged(findings: Iterable[Finding]) -> tuple[Span, ...]:
    """The union of the findings' spans; where two overlap, the piece goes by the kind that begins first."""
    merged: list[Span] = []
    for span in sorted(Span(*f.span, kind=_kind(f)) for f in findings if f.span):
        if merged and span.begin < merged[-1].end:
            merged[-1] = replace(merged[-1], end=max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def _kind(finding: Finding) -> str:
    """What a mask may say of what it covers: the kind of personal data, and of a banned term no more than that."""
    kind, _, name = finding.label.partition("/")
    return name if kind == "pii" else kind.upper()


def _order(finding: Finding) -> tuple[str, str, str, str, float, tuple[int, ...], tuple[int, ...], str]:
    return (
        finding.label,
        finding.part,
        finding.detector,
        finding.detector_version,
        finding.confidence,
        finding.span or (),
        finding.time_ms or (),
        finding.rule,
    )
