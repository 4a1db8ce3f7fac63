"""Carry a ruling out: the item's actions run like any other decision's, then the audit log is told, then it is closed.

In that order: a crash between any two leaves a case that the next delivery goes on with, and nothing is done twice.
"""

from __future__ import annotations

from datetime import datetime

from tasks.aws.faults import Moved
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.intake.message import RulingGiven
from tasks.outcome import Done, Outcome, Parked, Retry, Skipped
from tasks.overrule import NotHeld, overrule
from tasks.pipeline import DRY_RUN_WAIT
from tasks.record.standing import Standing, Status
from tasks.restore import TAKEN_DOWN, NotRestorable, restore
from tasks.review.answer import answer
from tasks.review.case import Case, CaseStatus, Kind, Ruling
from tasks.review.rows import Change, change_case, find_case
from tasks.review.ruling import is_changed
from tasks.review.second import entry_of
from tasks.review.settle import closing
from tasks.review.severity import moment

#: What a mask says of a span that a person chose.
CHOSEN = "REDACTED"
#: Seconds until an item is looked at again with which somebody else is busy.
WAIT_SECONDS = 5.0
_TIERS = {Kind.ALLOW: Tier.ALLOW, Kind.REDACT: Tier.REDACT, Kind.REJECT: Tier.REJECT, Kind.STRIKE: Tier.REJECT}
_UNDONE = Skipped("the ruling was undone")


def carry_out(desk: Desk, message: RulingGiven) -> Outcome:
    """Carry out the ruling that a message is about, or go on where an earlier run stopped. Raises Fault."""
    case = find_case(desk, message.case_id)
    if case is None:
        return Parked("a ruling on a case that does not exist")
    if case.ruling is None or case.ruling.ruling_id != message.ruling_id:
        return _UNDONE
    if case.status is CaseStatus.CLOSED:
        return Skipped("the ruling was carried out")
    if desk.settings.dry_run:
        return Retry(DRY_RUN_WAIT, "a ruling touches nothing in a dry run", counts=False)
    left = (datetime.fromisoformat(case.ruling.act_at) - desk.now()).total_seconds()
    if left > 0:
        return Retry(max(1.0, left), "the ruling can still be undone", counts=False)
    return _act(desk, case, case.ruling) if _begin(desk, case, case.ruling) else _UNDONE


def _begin(desk: Desk, case: Case, ruling: Ruling) -> bool:
    """From here on nobody can undo it. False where somebody just has."""
    if case.status is CaseStatus.ACTING:
        return True
    begun = Change(put={"status": CaseStatus.ACTING.value})
    try:
        change_case(desk, case.case_id, begun, only_if={"status": CaseStatus.RULED, "ruling_id": ruling.ruling_id})
    except Moved:
        now = find_case(desk, case.case_id)
        return now is not None and now.status is CaseStatus.ACTING and now.ruling == ruling
    return True


def _act(desk: Desk, case: Case, ruling: Ruling) -> Outcome:
    standing = desk.state.find_version(case.location, case.version)
    if standing is None:
        return Parked("a ruling on an item that is not on record")
    why, came_to = "", _changed(desk, standing, ruling)
    if not came_to:
        try:
            outcome = _do(desk, case, standing, ruling)
        except (NotHeld, NotRestorable) as reason:
            if getattr(reason, "waits", False):
                return Retry(WAIT_SECONDS, str(reason), counts=False)
            why = str(reason)
        else:
            if isinstance(outcome, Retry | Parked):
                return outcome
        ended = desk.state.find(standing.item)
        came_to = ended.status.value if ended else Status.GONE.value
    _close(desk, case, standing, ruling, result=came_to, why=why)
    return Done(came_to)


def _changed(desk: Desk, standing: Standing, ruling: Ruling) -> str:
    """What it comes to where the content is not there any more, so that there is nothing to show or to mask.

    A reject goes on: the version that was looked at may still be there, beneath the newer one.
    """
    unbegun = standing.status is Status.HELD and ruling.kind in (Kind.ALLOW, Kind.REDACT)
    return Status.SUPERSEDED.value if unbegun and is_changed(desk, standing) else ""


def _do(desk: Desk, case: Case, standing: Standing, ruling: Ruling) -> Outcome:
    """Raises NotHeld, NotRestorable where the item has come to something else meanwhile."""
    by, why = ruling.by, ruling.why
    if ruling.kind in (Kind.HOLD, Kind.UPHOLD) or (ruling.kind is Kind.ALLOW and _is_seen(standing)):
        return Done(standing.status.value)
    if ruling.kind is Kind.RESTORE or (ruling.kind is Kind.ALLOW and _is_taken_down(standing)):
        return restore(desk, standing, by=by, why=why)
    verdict = (_TIERS[ruling.kind], (ruling.rule,) if ruling.rule else ())
    spans = tuple((begin, end, CHOSEN) for begin, end in sorted(ruling.spans))
    strikes, seen = ruling.kind is Kind.STRIKE, case.appeal and standing.status is Status.ALLOWED
    of = Status.ALLOWED if seen else Status.HELD
    return overrule(desk, standing, verdict, by=by, why=why, spans=spans, strikes=strikes, of=of)


def _is_seen(standing: Standing) -> bool:
    """Whether the machine has allowed it, and nobody else has had a say."""
    return standing.status is Status.ALLOWED and standing.overruled is None


def _is_taken_down(standing: Standing) -> bool:
    return standing.status in TAKEN_DOWN or "put_back" in standing.plan


def _close(desk: Desk, case: Case, standing: Standing, ruling: Ruling, *, result: str, why: str) -> None:
    """Tell the audit log, then close the case; a second time tells the same and changes nothing."""
    entry = entry_of(
        case,
        standing,
        ruling,
        event="ruling",
        decided_under=case.policy_version,
        result=result,
        **({"asked": str(case.appeal.ask), "side": str(case.appeal.side)} if case.appeal else {}),
        **({"first_by": ruling.first_by} if ruling.first_by else {}),
        **({"not_done": why} if why else {}),
    )
    desk.audit.append([entry])
    answer(desk, case, standing, result=result)
    try:
        closed = closing(moment(desk.now()), by="machine", result=result, why=why)
        change_case(desk, case.case_id, closed, only_if={"status": CaseStatus.ACTING, "ruling_id": ruling.ruling_id})
    except Moved:
        return
