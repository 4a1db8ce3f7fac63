"""The brake: what would be taken down above the policy's quotas is held instead, and none of it is lost."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from tasks.aws.faults import Moved
from tasks.decide.brake import BRAKE, OVERALL, held_by_brake, is_braked
from tasks.decide.decision import Decision
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.detect.reuse import Beside
from tasks.record.brake import Takedowns
from tasks.record.braked import BrakedItems
from tasks.record.standing import Standing, Status
from tasks.rescan.run import Run
from tasks.review.case import CLOSED, CaseStatus
from tasks.review.rows import Change, change_case, find_case
from tasks.review.severity import moment


def brake(desk: Desk, standing: Standing, decision: Decision) -> tuple[Standing, Decision]:
    """Count a takedown by the machine, before it is recorded; above a quota it becomes a hold.

    The standing then knows the rules of the takedown that it is not (`braked`). Nothing else costs a call: neither
    other decisions, nor a policy without quotas, nor a dry run, which takes nothing down.
    """
    if desk.rescan:
        return _brake_rescan(desk, desk.rescan, standing, decision)
    if not is_braked(decision) or not desk.policy.brake or desk.settings.dry_run:
        return standing, decision
    full = Takedowns(desk.aws, desk.settings.items_table).count(
        standing.item.id, surface=standing.surface, quotas=desk.policy.brake, at=desk.now()
    )
    if full is None:
        return standing, decision
    return replace(standing, braked=tuple(rule.name for rule in decision.rules)), held_by_brake(decision, full)


def _brake_rescan(desk: Desk, run: Run, standing: Standing, decision: Decision) -> tuple[Standing, Decision]:
    """What a rescan would take down waits for a person, unless it is to act; and then above its own quota.

    What is down already is counted nowhere.
    """
    if decision.tier is not Tier.REJECT or standing.status is Status.REJECTED or desk.settings.dry_run:
        return standing, decision
    scope = f"rescan/{run.id}"
    if run.act and (run.quota is None or not is_braked(decision)):
        return standing, decision
    if run.act and run.quota is not None:
        takedowns = Takedowns(desk.aws, desk.settings.items_table, location=f"{BRAKE}{scope}")
        quotas = {OVERALL: run.quota}
        if takedowns.count(standing.item.id, surface=standing.surface, quotas=quotas, at=desk.now()) is None:
            return standing, decision
    return replace(standing, braked=tuple(rule.name for rule in decision.rules)), held_by_brake(decision, scope)


def note_braked(desk: Desk, standing: Standing) -> Beside:
    """What the transaction of a decision is to write beside it: nothing, unless the brake has made it a hold."""
    return (BrakedItems(desk.aws, desk.settings.items_table).put(standing),) if standing.braked else ()


def note_settled(desk: Desk, standing: Standing) -> None:
    """Forget what the brake held, once it has come to another end by whomever, and close its case. Safe to repeat."""
    if not standing.braked or standing.status in (Status.HELD, Status.PENDING):
        return
    _close_case(desk, standing)
    BrakedItems(desk.aws, desk.settings.items_table).remove(standing)


def _close_case(desk: Desk, standing: Standing) -> None:
    """Close the case, unless somebody has ruled on it: that ends by itself."""
    case = find_case(desk, standing.item.id)
    if case is None or case.status not in (CaseStatus.OPEN, CaseStatus.CLAIMED):
        return
    now, result, said = moment(desk.now()), standing.status.value, standing.overruled or {}
    closed = {"status": CaseStatus.CLOSED.value, "result": result, "closed_at": now, "queue": f"{CLOSED}{now[:13]}"}
    note = {"at": now, "event": "closed", "by": said.get("by", "machine"), "result": result}
    # Moved: somebody has claimed it, or ruled on it, meanwhile, and will be told how the item stands.
    with suppress(Moved):
        change = Change(put=closed | {"rank": now}, drop=("place",), note=note)
        change_case(desk, case.case_id, change, only_if={"status": case.status})
