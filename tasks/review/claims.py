"""Claims: a case is one reviewer's for a while, and nobody else's."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import chain
from typing import NoReturn

from tasks.aws.faults import Moved
from tasks.desk import Desk
from tasks.review.case import BY_QUEUE, CLAIMED, Case, CaseStatus, Reviewer, place_of, waiting_in
from tasks.review.cases import in_order
from tasks.review.rows import Change, Listing, cases_of, change_case, find_case
from tasks.review.severity import moment

#: How long a claim lasts unless it is renewed.
LEASE_SECONDS = 600.0
#: Skips by different people after which a case goes to senior reviewers.
SKIPS = 3
#: Expired claims that are put back at once, before somebody is offered a case.
PUT_BACK = 25
#: Claims that are looked through for somebody's own.
CLAIMS = 1_000
#: Why somebody is refused an appeal.
BARRED = "you have ruled on it before: somebody else has to look at it now"
#: What a claim leaves behind in no other state.
_CLAIM = ("claimed_by", "claim_id", "claimed_at", "lease_until")


class NotYours(Exception):
    """The case is somebody else's by now, or nobody's; the text says whose."""


def claim_next(desk: Desk, reviewer: Reviewer, *, seconds: float = LEASE_SECONDS) -> Case | None:
    """Claim the case that this reviewer should look at next; None where none is for them.

    Escalated cases come first for who is senior. What others claim at the same moment is passed over, and expired
    claims are put back before. Bounded: at most `tasks.review.cases.LOOKED_AT` cases of each queue are looked at.
    """
    put_back_expired(desk)
    passed: list[Case] = []
    misses = 0
    for case in _offered(desk, reviewer):
        # Where many claim at once, they should not all run after the same case.
        if misses and secrets.randbelow(misses + 1):
            passed.append(case)
        elif got := _claim(desk, case, reviewer, seconds):
            return got
        else:
            misses += 1
    found = (_claim(desk, case, reviewer, seconds) for case in passed)
    return next((got for got in found if got), None)


def claim(desk: Desk, case_id: str, reviewer: Reviewer, *, seconds: float = LEASE_SECONDS) -> Case:
    """Claim one case, or claim one's own again. Raises NotYours where it is not to be had; Fault."""
    case = find_case(desk, case_id)
    if case and _is_held_by(case, reviewer.name):
        return renew(desk, case_id, by=reviewer.name, seconds=seconds)
    if case and case.status is CaseStatus.CLAIMED and case.lease_until <= moment(desk.now()):
        case = _put_back(desk, case)
    if case is None or case.status is not CaseStatus.OPEN:
        raise NotYours(whose(case))
    if reviewer.name in case.barred:
        raise NotYours(BARRED)
    if not reviewer.may_see(case):
        raise NotYours("it is not among the cases that you may see")
    if not reviewer.may_rule(case):
        raise NotYours("you have ruled on it, and it takes somebody else now")
    return _claim(desk, case, reviewer, seconds) or _refuse(desk, case_id)


def renew(desk: Desk, case_id: str, *, by: str, seconds: float = LEASE_SECONDS) -> Case:
    """Hold a claim for longer, from now on; also one that is over, if nobody else has taken it. Raises NotYours."""
    until = moment(desk.now() + timedelta(seconds=seconds))
    return _as_holder(desk, case_id, Change(put={"lease_until": until, "rank": until}), by=by)


def release(desk: Desk, case_id: str, *, by: str, why: str = "") -> Case:
    """Give a case back to its queue; the same reviewer may be offered it again. Raises NotYours."""
    case = _mine(desk, case_id, by)
    return _as_holder(desk, case_id, waiting_again(desk, case, "released", by=by, why=why), by=by)


def skip(desk: Desk, case_id: str, *, by: str, why: str) -> Case:
    """Give a case back and never be offered it again. The third skip escalates it. Raises NotYours."""
    case = _mine(desk, case_id, by)
    escalated = case.escalated or len(case.skipped_by | {by}) >= SKIPS
    return _as_holder(desk, case_id, waiting_again(desk, case, "skipped", by=by, why=why, escalated=escalated), by=by)


def escalate(desk: Desk, case_id: str, *, by: str, why: str) -> Case:
    """Hand a case to the senior reviewers. Raises NotYours."""
    case = _mine(desk, case_id, by)
    return _as_holder(desk, case_id, waiting_again(desk, case, "escalated", by=by, why=why, escalated=True), by=by)


def claims_of(desk: Desk, by: str) -> tuple[Case, ...]:
    """The cases that a reviewer holds, the lease that ends first first. Raises Fault."""
    held = cases_of(desk, Listing(index=BY_QUEUE, name=CLAIMED), most=CLAIMS, page=100)
    return tuple(case for case in held if case.claimed_by == by)


def put_back_expired(desk: Desk, *, most: int = PUT_BACK) -> int:
    """Give cases whose lease is over back to their queues; returns how many. Raises Fault."""
    expired = Listing(index=BY_QUEUE, name=CLAIMED, until=moment(desk.now()))
    count = 0
    for case in cases_of(desk, expired, most=most):
        # Renewed meanwhile, or put back by somebody else.
        with suppress(Moved):
            _put_back(desk, case)
            count += 1
    return count


def claimed(now: datetime, by: str, seconds: float) -> dict[str, str]:
    """What a row says of a claim that begins now."""
    until = moment(now + timedelta(seconds=seconds))
    return {
        "status": CaseStatus.CLAIMED.value,
        "claimed_by": by,
        "claim_id": uuid.uuid4().hex,
        "claimed_at": moment(now),
        "lease_until": until,
        "queue": CLAIMED,
        "rank": until,
    }


def not_before(by: str) -> dict[str, str]:
    """What a row must not say where it takes two people: that it was they who ruled before."""
    return {"first_by": by, "second_by": by}


def whose(case: Case | None) -> str:
    """Why a case is not to be had, in words."""
    if case is None:
        return "there is no such case"
    if case.status is CaseStatus.CLAIMED:
        return f"{case.claimed_by} has it until {case.lease_until}"
    if case.status is CaseStatus.OPEN:
        return "nobody has claimed it"
    if case.status is CaseStatus.MERGED:
        return f"it was merged into the case {case.merged_into}"
    return f"it is {case.status}" + (f"; {case.ruling.by} has ruled on it" if case.ruling else "")


def _offered(desk: Desk, reviewer: Reviewer) -> Iterator[Case]:
    """Cases for a reviewer in their order; the queues of the second kind are not asked where the first has one."""
    kinds = (True, False) if reviewer.senior else (False,)
    queues = (in_order(desk, surfaces=reviewer.surfaces, escalated=escalated) for escalated in kinds)
    return (case for case in chain.from_iterable(queues) if reviewer.wants(case))


def _claim(desk: Desk, case: Case, reviewer: Reviewer, seconds: float) -> Case | None:
    now = desk.now()
    note = {"at": moment(now), "event": "claimed", "by": reviewer.name}
    try:
        put = claimed(now, reviewer.name, seconds)
        change = Change(put=put, drop=("place",), note=note, unbarred=reviewer.name)
        return change_case(
            desk, case.case_id, change, only_if={"status": CaseStatus.OPEN}, unless=not_before(reviewer.name)
        )
    except Moved:
        return None


def _put_back(desk: Desk, case: Case) -> Case:
    """Raises Moved where the lease is another one by now."""
    change = waiting_again(desk, case, "expired", by=case.claimed_by)
    return change_case(desk, case.case_id, change, only_if={"claim_id": case.claim_id, "lease_until": case.lease_until})


def waiting_again(
    desk: Desk, case: Case, event: str, *, by: str, why: str = "", escalated: bool | None = None
) -> Change:
    """The case as an open one, where it was before or among the escalated ones."""
    high = case.escalated if escalated is None else escalated
    queue = waiting_in(case.severity, escalated=high)
    put = {"status": CaseStatus.OPEN.value, "queue": queue, "rank": case.due_at, "place": place_of(queue, case.surface)}
    return Change(
        put=put | ({"escalated": "yes"} if high else {}),
        drop=_CLAIM,
        note={"at": moment(desk.now()), "event": event, "by": by, **({"why": why} if why else {})},
        skipper=by if event == "skipped" else "",
    )


def _as_holder(desk: Desk, case_id: str, change: Change, *, by: str) -> Case:
    try:
        return change_case(desk, case_id, change, only_if={"status": CaseStatus.CLAIMED, "claimed_by": by})
    except Moved:
        _refuse(desk, case_id)


def _mine(desk: Desk, case_id: str, by: str) -> Case:
    case = find_case(desk, case_id)
    if case is None or not _is_held_by(case, by):
        raise NotYours(whose(case))
    return case


def _is_held_by(case: Case, by: str) -> bool:
    return case.status is CaseStatus.CLAIMED and case.claimed_by == by


def _refuse(desk: Desk, case_id: str) -> NoReturn:
    raise NotYours(whose(find_case(desk, case_id)))
