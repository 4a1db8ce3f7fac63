"""Carry out a plan: each action in order, each with a receipt, resumed where the last run stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tasks.act.missing import Missing
from tasks.act.notify import notify, notify_back
from tasks.act.parts import missing_manifest, over_parts
from tasks.act.plan import Action, end_of
from tasks.act.purge import purge
from tasks.act.quarantine import quarantine
from tasks.act.redact import redact
from tasks.act.remove import remove
from tasks.act.renditions import hide_renditions, take_renditions, with_renditions
from tasks.act.restore import purge_again, put_back, verify_back
from tasks.act.strike import strike, take_back
from tasks.act.tag import hide, show
from tasks.act.verify import verify
from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.record.standing import Standing, Status
from tasks.review.cases import open_case

Performer = Callable[[Desk, Standing], dict[str, Any]]

PERFORMERS: dict[Action, Performer] = {
    Action.SHOW: with_renditions(show),
    Action.HIDE: hide,
    Action.RENDITIONS: hide_renditions,
    Action.PURGE: purge,
    Action.QUARANTINE: quarantine,
    Action.REDACT: redact,
    Action.REMOVE: remove,
    Action.TAKE_RENDITIONS: take_renditions,
    Action.VERIFY: with_renditions(verify),
    Action.OPEN_CASE: open_case,
    Action.NOTIFY: notify,
    Action.NOTIFY_HELD: notify,
    Action.NOTIFY_BACK: notify_back,
    Action.PUT_BACK: with_renditions(put_back),
    Action.PURGE_AGAIN: purge_again,
    Action.VERIFY_BACK: verify_back,
    Action.STRIKE: strike,
    Action.TAKE_BACK: take_back,
}


#: What is still worth doing once the item itself is not there any more: caches may hold it, and it has renditions.
OF_CACHES = (Action.RENDITIONS, Action.PURGE, Action.TAKE_RENDITIONS, Action.VERIFY)


def perform(desk: Desk, standing: Standing) -> tuple[Standing, Status]:
    """Do what is left of the standing's plan; returns it with all its receipts, and where the item now stands.

    Raises the fault of the action that failed: those before it have their receipts, and the lease is given
    back, so that the next delivery goes on from there.
    """
    try:
        return _perform(desk, standing)
    except Fault:
        desk.state.let_go(standing.item)
        raise


def _perform(desk: Desk, standing: Standing) -> tuple[Standing, Status]:
    status = end_of(standing)
    try:
        for action in standing.to_do:
            standing = do(desk, standing, action)
    except Missing as why:
        status = why.status
        for action in OF_CACHES:
            standing = do(desk, standing, action) if action in standing.to_do else standing
    if standing.receipts.get(Action.REMOVE, {}).get("newer"):
        status = Status.SUPERSEDED
    return standing, missing_manifest(standing) or status


def do(desk: Desk, standing: Standing, action: str) -> Standing:
    """Do one action and record its receipt."""
    performer = PERFORMERS[Action(action)]
    receipt = over_parts(desk, standing, Action(action), performer) if standing.parts else performer(desk, standing)
    now = desk.now()
    receipt |= {"at": now.isoformat()}
    desk.state.add_receipt(standing.item, action, receipt, lease_until=now.timestamp() + desk.lease_seconds)
    return replace(standing, receipts={**standing.receipts, action: receipt})
