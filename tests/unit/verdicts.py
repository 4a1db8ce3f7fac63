"""What a policy makes of findings, in the short words of the tests of `tasks.decide`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks.decide.decision import Decision, decide
from tasks.decide.policy import Policy
from tasks.decide.rule import Tier
from tasks.detect.finding import Finding


def seen(label: str, confidence: float = 99.0, **more: Any) -> Finding:
    """A finding; `detector` and all the rest by their names."""
    return Finding(detector=more.pop("detector", "d"), detector_version="1", label=label, confidence=confidence, **more)


@dataclass(frozen=True)
class Verdicts:
    """By one policy."""

    policy: Policy

    def decided(self, *findings: Finding, key: str = "post.txt") -> Decision:
        """The whole decision about an item under a key."""
        return decide(findings, self.policy, self.policy.surface_for(key))

    def outcome(self, *findings: Finding, key: str = "post.txt") -> tuple[Tier, tuple[str, ...]]:
        """Its tier and the names of its rules."""
        decision = self.decided(*findings, key=key)
        return decision.tier, tuple(rule.name for rule in decision.rules)
