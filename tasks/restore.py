"""Bring back what was taken down: a person's word becomes actions, which run like any other decision's."""

from __future__ import annotations

from tasks.act.edge import around
from tasks.act.plan import Action, plan_restore
from tasks.act.restore import current, is_masked_copy, original
from tasks.aws.faults import Gone, Moved
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.detect.reuse import names_of
from tasks.outcome import Outcome, Retry
from tasks.overrule import NotHeld, Verdict, overrule
from tasks.pipeline import resume
from tasks.post import key_of
from tasks.record.known import DETECTOR as KNOWN
from tasks.record.standing import Standing, Status
from tasks.review.settle import settle

#: What can be brought back.
TAKEN_DOWN = (Status.REJECTED, Status.REDACTED)
#: What a held item comes to.
FINE: Verdict = (Tier.ALLOW, ())
#: In a post's findings: a part was taken down by itself.
PART_REJECTED = "part/rejected"


class NotRestorable(Exception):
    """It cannot be brought back; the text says why."""


def restore(desk: Desk, standing: Standing, *, by: str, why: str) -> Outcome:
    """Bring an item back, a post with all its parts, or go on where an earlier run stopped. What is held is let go.

    What was found in its bytes is forgotten: the same upload is looked at anew. Raises NotRestorable; Fault, to go on
    later.
    """
    if desk.settings.dry_run:
        raise NotRestorable("this is a dry run (MODFLEET_DRY_RUN), which touches nothing")
    if _is_begun(standing):
        return resume(desk, standing)
    if standing.status is Status.HELD or is_let_go(standing):
        return _let_go(desk, standing, by=by, why=why)
    parts = [one for one in parts_by_themselves(desk, standing) if one.status is Status.REJECTED or _is_going_on(one)]
    for one in (standing, *parts):
        _check(desk, one, of=standing)
    # Each of them was taken down by itself, and so it comes back: before the post, which is nothing without them.
    for part in parts:
        outcome = restore(desk, part, by=by, why=why)
        if isinstance(outcome, Retry):
            return outcome
    _forget(desk, standing)
    return resume(desk, _begin(desk, standing, by=by, why=why))


def why_not(desk: Desk, standing: Standing) -> str:
    """Why something that was taken down cannot be brought back; empty where it can. Raises Fault."""
    try:
        _check_one(desk, standing)
    except NotRestorable as reason:
        return str(reason)
    return ""


def lists_against(desk: Desk, standing: Standing) -> tuple[str, ...]:
    """The lists of known content that took it down: whoever uploads the same again is judged by them again."""
    known = [label.split("/") for label in standing.rules if label.startswith(f"{KNOWN}/")]
    return tuple(name for _, name, *_ in known if desk.policy.known.get(name) is not Tier.ALLOW)


def is_let_go(standing: Standing) -> bool:
    """Whether it was held, and a person has said that it may stay."""
    return standing.overruled is not None and (standing.tier, standing.rules) == FINE


def parts_by_themselves(desk: Desk, post: Standing) -> list[Standing]:
    """The parts of a post that were taken down by themselves, whatever has become of them since."""
    names = dict.fromkeys(finding.part for finding in post.findings if finding.label == PART_REJECTED)
    found = [desk.state.decided_last(f"s3://{post.item.bucket}/{key_of(name)}") for name in names]
    return [one for one in found if one]


def _let_go(desk: Desk, standing: Standing, *, by: str, why: str) -> Outcome:
    """Show what was held, and close its case. A claimed one is ruled on by whoever has it."""
    try:
        outcome = overrule(desk, standing, FINE, by=by, why=why)
    except NotHeld as reason:
        raise NotRestorable(str(reason)) from None
    ended = desk.state.find(standing.item)
    if ended and ended.status is not Status.PENDING:
        settle(desk, ended, by=by, why=why)
    return outcome


def _forget(desk: Desk, standing: Standing) -> None:
    """Drop what was found in these bytes, or the next upload of them would be taken down by it without a look."""
    if desk.seen:
        for name in names_of(standing.item, standing.sha256):
            desk.seen.rows.drop(name)


def _is_going_on(standing: Standing) -> bool:
    return standing.status is Status.PENDING and Action.PUT_BACK in standing.plan


def _is_begun(standing: Standing) -> bool:
    return _is_going_on(standing) or standing.status is Status.RESTORED


def _check(desk: Desk, standing: Standing, *, of: Standing) -> None:
    """Before anything is written down: what can never be done is not begun."""
    try:
        if not _is_begun(standing):
            _check_one(desk, standing)
    except NotRestorable as reason:
        if standing is of:
            raise
        raise NotRestorable(f"its part {standing.item.key} cannot: {reason}") from None


def _check_one(desk: Desk, standing: Standing) -> None:
    if standing.dry_run:
        raise NotRestorable("it was judged in a dry run, and nothing was touched")
    if standing.status not in TAKEN_DOWN:
        raise NotRestorable(
            f"it is {standing.status}; only what is {', '.join(TAKEN_DOWN)} or {Status.HELD} can be brought back"
        )
    there = current(desk, standing.item)
    if there and not is_masked_copy(standing, there):
        raise NotRestorable("something newer is there, and stays")
    try:
        original(desk, standing)
    except Gone:
        raise NotRestorable("its original is no longer in quarantine") from None


def _begin(desk: Desk, standing: Standing, *, by: str, why: str) -> Standing:
    item, where = standing.item, around(desk, standing)
    steps = plan_restore(
        has_cdn=where["has_cdn"],
        has_public_url=where["has_public_url"],
        struck=Action.STRIKE in standing.plan,
    )
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
