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
from tasks.intake.present import with_metadata
from tasks.intake.upload import REDACTS
from tasks.item import Item
from tasks.record.standing import Standing, Status
from tasks.review.cases import merge_case

#: What is done to each of them. The others are done once for all, or are about the manifest's own text.
TO_EACH = (
    Action.SHOW,
    Action.HIDE,
    Action.RENDITIONS,
    Action.QUARANTINE,
    Action.REMOVE,
    Action.TAKE_RENDITIONS,
    Action.VERIFY,
    Action.PUT_BACK,
    Action.VERIFY_BACK,
)
#: In a post's findings: a part was held. Whoever was to rule on it has nothing left to rule on once the post is gone.
HELD = "part/held"
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


def as_one(standing: Standing, number: int) -> Standing:
    """The manifest (0) or a part of a post as an item by itself, with its own receipt of what was put back."""
    item, receipts = standing.everything[number], dict(standing.receipts)
    if number and Action.PUT_BACK in receipts:
        receipts[Action.PUT_BACK] = receipts[Action.PUT_BACK].get("parts", {}).get(item.key, {})
    return replace(standing, item=item, parts=(), receipts=receipts)


def missing_manifest(standing: Standing) -> Status | None:
    """Where a post stands whose manifest was not there any more when something should be done to it."""
    missing = next((receipt[MISSING] for receipt in standing.receipts.values() if MISSING in receipt), None)
    return Status(missing) if missing else None


def _do_to_one(desk: Desk, standing: Standing, number: int, *, action: Action, perform: Performer) -> dict[str, Any]:
    """Number 0 is the manifest."""
    name = f"{action}/{number}"
    if name in standing.progress:
        return dict(standing.progress[name])
    one = as_one(standing, number)
    try:
        left = _left_alone(desk, standing, one, action) if number else _not_put_back(one, action)
        receipt = left or perform(desk, one)
    except Missing as why:
        receipt = {MISSING: why.status.value}
    now = desk.now()
    receipt |= {"at": now.isoformat()}
    desk.state.add_progress(standing.item, name, receipt, lease_until=now.timestamp() + desk.lease_seconds)
    return receipt


def _left_alone(desk: Desk, standing: Standing, one: Standing, action: Action) -> dict[str, Any]:
    """A receipt where a part must stay as it is: another post was held with it. What is hidden is noted on the part."""
    post, part = standing.item.location, one.item
    if action is Action.PUT_BACK:
        # Before it is there: its event will ask whose doing that was.
        _note(desk, part, post=post, status=Status.RESTORED)
    elif action is Action.HIDE:
        _note(desk, part, post=post, status=STATUS_OF[Tier(standing.tier or 0)])
        if standing.tier == Tier.REJECT and any(finding.label == HELD for finding in standing.findings):
            merge_case(desk, part, into=standing.item.id)
    elif action is Action.SHOW:
        known = desk.state.find(part) or _masked_from(desk, part)
        if known and known.post not in ("", post) and known.post_status != Status.RESTORED:
            return {"left": f"hidden with {known.post}"}
    return _not_put_back(one, action)


def _note(desk: Desk, part: Item, *, post: str, status: Status) -> None:
    """Record what became of a part with its post; of a masked copy, on what it was made from."""
    if not desk.state.add_to_post(part, post=post, status=status) and (original := _masked_from(desk, part)):
        desk.state.add_to_post(original.item, post=post, status=status)


def _masked_from(desk: Desk, part: Item) -> Standing | None:
    there = with_metadata(desk, part.bucket, part.key)
    if there is None or there[0].version_id != part.version_id:
        return None
    return desk.state.masked_from(part, there[1].get(REDACTS, ""))


def _not_put_back(one: Standing, action: Action) -> dict[str, Any]:
    """A receipt where there is nothing to be served again: something newer is there, or no original any more."""
    if action is Action.VERIFY_BACK and "etag" not in one.receipts.get(Action.PUT_BACK, {}):
        return {"left": "it was not put back"}
    return {}
