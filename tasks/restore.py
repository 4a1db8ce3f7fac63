"""Bring back what was taken down: a person's word becomes actions, which run like any other decision's."""

from __future__ import annotations

from tasks.act.plan import Action, plan_restore
from tasks.act.restore import current, is_masked_copy, original
from tasks.aws.faults import Gone, Moved
from tasks.desk import Desk
from tasks.outcome import Outcome
from tasks.pipeline import resume
from tasks.record.standing import Standing, Status

#: What can be brought back.
TAKEN_DOWN = (Status.REJECTED, Status.REDACTED)


class NotRestorable(Exception):
    """It cannot be brought back; the text says why."""


def restore(desk: Desk, standing: Standing, *, by: str, why: str) -> Outcome:
    """Bring an item back, or go on where an earlier run stopped. Raises NotRestorable; Fault, to go on later."""
    if desk.settings.dry_run:
        raise NotRestorable("this is a dry run (MODFLEET_DRY_RUN), which touches nothing")
    if not _is_begun(standing):
        _check(desk, standing)
        standing = _begin(desk, standing, by=by, why=why)
    return resume(desk, standing)


def _is_begun(standing: Standing) -> bool:
    return standing.status in (Status.PENDING, Status.RESTORED) and Action.PUT_BACK in standing.plan


def _check(desk: Desk, standing: Standing) -> None:
    """Before anything is written down: what can never be done is not begun."""
    if standing.dry_run:
        raise NotRestorable("it was judged in a dry run, and nothing was touched")
    if standing.status not in TAKEN_DOWN:
        raise NotRestorable(f"it is {standing.status}; only what is {' or '.join(TAKEN_DOWN)} can be brought back")
    if standing.parts:
        raise NotRestorable("it is a post, which cannot be brought back as a whole yet")
    there = current(desk, standing.item)
    if there and not is_masked_copy(standing, there):
        raise NotRestorable("something newer is there, and stays")
    try:
        original(desk, standing)
    except Gone:
        raise NotRestorable("its original is no longer in quarantine") from None


def _begin(desk: Desk, standing: Standing, *, by: str, why: str) -> Standing:
    settings, item = desk.settings, standing.item
    steps = plan_restore(has_cdn=settings.distribution_id is not None, has_public_url=settings.public_url is not None)
    entry = {"at": desk.now().isoformat(), "event": "restoring", "by": by, "why": why}
    try:
        desk.state.reopen(item, ended=standing.status, plan=(*standing.plan, *steps), entry=entry)
    except Moved:
        # Somebody else has begun it, or our own try did arrive and only its answer was lost.
        begun = desk.state.find(item)
        if begun and _is_begun(begun):
            return begun
        raise
    begun = desk.state.find(item)
    assert begun is not None  # the conditional update just touched it
    return begun
