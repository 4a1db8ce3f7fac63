"""Review: how soon a person must have looked at a case, by what it is about (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tasks.decide.rule_path import above, path_of, paths_of, said_of
from tasks.detect.finding import Finding

#: From the first to the last that people look at. `top` is what a rule with `priority: top` found (child safety), and
#: what a policy calls so: nothing ever comes before it.
SEVERITIES = ("top", "critical", "high", "normal", "low")
#: What stands in a severity's place where somebody asks for another look at a decision.
APPEAL = "appeal"
#: Everything that waits for people, in the order in which they should take it.
WAITING = ("top", "critical", "high", APPEAL, "normal", "low")
#: Hours within which somebody must have ruled, where the policy says nothing else.
USUAL_HOURS: Mapping[str, float] = MappingProxyType(
    {"top": 1, "critical": 1, "high": 4, "normal": 24, "low": 72, APPEAL: 72}
)
#: What a case is that no entry names.
USUAL = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRules:
    """The `review` section of a policy, as far as it says something."""

    #: Severity, or `appeal`, -> hours.
    hours: Mapping[str, float] = field(default_factory=dict)
    #: Path of rules (`moderation/Explicit`, `guardrail/HATE`, `brake`), or `default`, -> severity.
    severities: Mapping[str, str] = field(default_factory=dict)
    #: Severities of which a second person confirms each takedown, known violations aside.
    second: tuple[str, ...] = field(default=(), metadata={"silent": True})

    def within_hours(self, severity: str) -> float:
        """How soon somebody must have ruled on a case of this severity, or on an appeal."""
        return self.hours.get(severity, USUAL_HOURS[severity])

    def severity_of(self, rules: Iterable[str], findings: Iterable[Finding] = ()) -> str:
        """The severest of what these rules (`labels/Violence/Weapons>=90`) come to; findings tell the classifier's."""
        found = [said_of(path, self.severities) or USUAL for path in paths_of(rules, findings) or ("",)]
        return min(found, key=SEVERITIES.index)


def covers_rule(path: str, rule: str) -> bool:
    """Whether a path is a rule's own, or above it."""
    return path_of(path) in above(path_of(rule))
