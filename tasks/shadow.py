"""The shadow policy in a run: decided beside the live one on what was found anyway, recorded, never acted on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.decide.decision import Decision
from tasks.decide.rule import Tier
from tasks.decide.shadow import shadow_of
from tasks.desk import Desk
from tasks.record.standing import Standing


def shadow_beside(desk: Desk, standing: Standing, decision: Decision) -> Mapping[str, Any]:
    """What goes on record of the shadow policy's decision; nothing where there is none, or where it is in force."""
    shadow = desk.shadow
    if shadow is None or shadow.version == decision.policy_version:
        return {}
    # What the brake has held, the policy had decided to take down.
    tier = Tier.REJECT if standing.braked else decision.tier
    rules = standing.braked or tuple(rule.name for rule in decision.rules)
    return shadow_of(decision.findings, shadow, shadow.surface_of(standing.item), tier=int(tier), rules=rules)
