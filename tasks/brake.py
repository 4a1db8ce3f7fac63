"""The brake: what would be taken down above the policy's quotas is held instead, and none of it is lost."""

from __future__ import annotations

from dataclasses import replace

from tasks.decide.brake import held_by_brake, is_braked
from tasks.decide.decision import Decision
from tasks.desk import Desk
from tasks.detect.reuse import Beside
from tasks.record.brake import Takedowns
from tasks.record.braked import BrakedItems
from tasks.record.standing import Standing


def brake(desk: Desk, standing: Standing, decision: Decision) -> tuple[Standing, Decision]:
    """Count a takedown by the machine, before it is recorded; above a quota it becomes a hold.

    The standing then knows the rules of the takedown that it is not (`braked`). Nothing else costs a call: neither
    other decisions, nor a policy without quotas, nor a dry run, which takes nothing down.
    """
    if not is_braked(decision) or not desk.policy.brake or desk.settings.dry_run:
        return standing, decision
    full = Takedowns(desk.aws, desk.settings.items_table).count(
        standing.item.id, surface=standing.surface, quotas=desk.policy.brake, at=desk.now()
    )
    if full is None:
        return standing, decision
    return replace(standing, braked=tuple(rule.name for rule in decision.rules)), held_by_brake(decision, full)


def note_braked(desk: Desk, standing: Standing) -> Beside:
    """What the transaction of a decision is to write beside it: nothing, unless the brake has made it a hold."""
    return (BrakedItems(desk.aws, desk.settings.items_table).put(standing),) if standing.braked else ()
