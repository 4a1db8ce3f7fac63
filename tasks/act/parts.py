"""One action over a post: its manifest and every part, each with a receipt, resumed where the last run stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from tasks.act.missing import Missing
from tasks.act.plan import STATUS_OF, Action
from tasks.at_once import at_once
from tasks.decide.decision import Tier
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.standing import Standing, Status

#: What is done to each of them. The others are done once for all, or are about the manifest's own text.
TO_EACH = (Action.SHOW, Action.HIDE, Action.QUARANTINE, Action.REMOVE, Action.VERIFY)
#: In a receipt: what became of what was not there any more.
MISSING = "missing"

Performer = Callable[[Desk, Standing], dict[str, Any]]


def over_parts(desk: Desk, standing: Standing, action: Action, perform: Performer) -> dict[str, Any]:
    """Do one action to the manifest and to every part; returns the manifest's receipt, with the parts' by key.

    One that is not there any more keeps the action from none of the others. Raises the first fault, once all ended.
    """
    if action not in TO_EACH or standing.tier == Tier.REDACT:
        return perform(desk, standing)

    one = partial(_do_to_one, desk, standing, action=action, perform=perform)
    manifest, *parts = at_once(desk, one, range(len(standing.everything)))
    return manifest | {"parts": {part.key: receipt for part, receipt in zip(standing.parts, parts, strict=True)}}


def missing_manifest(standing: Standing) -> Status | None:
    """Where a post stands whose manifest was not there any more when something should be done to it."""
    missing = next((receipt[MISSING] for receipt in standing.receipts.values() if MISSING in receipt), None)
    return Status(missing) if missing else None


def _do_to_one(desk: Desk, standing: Standing, number: int, *, action: Action, perform: Performer) -> dict[str, Any]:
    """Number 0 is the manifest."""
    name = f"{action}/{number}"
    if name in standing.progress:
        return dict(standing.progress[name])
    item = standing.everything[number]
    try:
        left = _left_alone(desk, standing, item, action) if number else {}
        receipt = left or perform(desk, replace(standing, item=item, parts=()))
    except Missing as why:
        receipt = {MISSING: why.status.value}
    now = desk.now()
    receipt |= {"at": now.isoformat()}
    desk.state.add_progress(standing.item, name, receipt, lease_until=now.timestamp() + desk.lease_seconds)
    return receipt


def _left_alone(desk: Desk, standing: Standing, part: Item, action: Action) -> dict[str, Any]:
    """A receipt where a part must stay as it is: another post was held with it. What is hidden is noted on the part."""
    post = standing.item.location
    if action is Action.HIDE:
        desk.state.add_to_post(part, post=post, status=STATUS_OF[Tier(standing.tier or 0)])
    elif action is Action.SHOW:
        known = desk.state.find(part)
        if known and known.post not in ("", post):
            return {"left": f"hidden with {known.post}"}
    return {}
