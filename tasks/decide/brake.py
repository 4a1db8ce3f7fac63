"""Brake: what is not taken down by itself any more once too much was (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tasks.decide.decision import Decision
from tasks.decide.rendition import OF_REJECTED
from tasks.decide.rule import Rule, Tier

#: The quota of all surfaces together; every other one is a surface's, by its name.
OVERALL = "overall"
#: How the rule of a hold begins that is one only because of the brake.
BRAKE = "brake/"
#: Rules that take down what people have confirmed, or what goes with something that was counted.
_FREE = ("known/", "part/", OF_REJECTED)


def is_braked(decision: Decision) -> bool:
    """Whether a decision is a takedown that counts against the quotas, and waits for a person above them.

    What people have confirmed as violating is taken down whatever the machine did elsewhere, and so is what a rule of
    top priority found: a false one is brought back, a missed one is not. A post goes with its part, and a rendition
    with its original, which have been counted.
    """
    free = any(rule.name.startswith(_FREE) for rule in decision.rules)
    return decision.tier is Tier.REJECT and decision.priority != "top" and not free


def held_by_brake(decision: Decision, scope: str) -> Decision:
    """The hold that becomes of a takedown above the quota of `scope`."""
    surest = max(decision.rules, key=lambda rule: rule.confidence)
    rule = Rule(f"{BRAKE}{scope}", Tier.HOLD, surest.label, surest.confidence, None)
    return replace(decision, tier=Tier.HOLD, rules=(rule,))


def scope_in(rules: Iterable[str]) -> str | None:
    """Which quota was full, from the names of a decision's rules; None where it was not the brake."""
    return next((name.removeprefix(BRAKE) for name in rules if name.startswith(BRAKE)), None)
