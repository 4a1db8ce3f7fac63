"""Rulings: what a person decides about a case, written once, and undone until a worker carries it out.

The case's row is written first and is the truth; the message on the rulings lane only says that it is time. A crash
between both loses nothing: the row stands in the queue of rulings by when it is to be carried out, and `send_late`
sends again what is overdue. Messages that come twice, or after an undo, find nothing to do.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tasks.act.restore import current, is_masked_copy
from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.decide.rule_name import UnknownRule, rule_path
from tasks.desk import Desk
from tasks.detect.kind import Kind as Readable
from tasks.intake.message import RulingGiven, write_ruling
from tasks.ledger import trace_header
from tasks.record.standing import Standing
from tasks.review.asked import kinds_for
from tasks.review.case import BY_QUEUE, RULED, Case, CaseStatus, Kind, Ruling
from tasks.review.claims import LEASE_SECONDS, NotYours, claimed
from tasks.review.rows import Change, Listing, cases_of, change_case, find_case
from tasks.review.second import (
    REMOVALS,
    as_ruler,
    dispute,
    first_entry,
    is_first,
    keep_first,
    take_first_back,
    takes_two,
)
from tasks.review.severity import moment

#: How long a ruling can be undone, unless told otherwise, and at most (SQS delays no message longer).
UNDO_SECONDS, MOST_UNDO_SECONDS = 10.0, 900.0
#: Kinds that say that something is broken, and so which rule.
AGAINST = (Kind.REDACT, Kind.REJECT, Kind.STRIKE)
#: Pieces of one text that can be masked.
MOST_SPANS = 1_000
#: Seconds after which a ruling that nobody has carried out is sent again, and how many are at once.
LATE_SECONDS, SENT_AT_ONCE = 60.0, 100
#: Seconds until it is sent once more.
AGAIN_SECONDS = 600.0
#: What a ruling that is undone takes away.
_RULED = ("ruling", "ruling_id")


class NotARuling(ValueError):
    """The ruling cannot be given; the text says why."""


class TooLate(Exception):
    """The ruling cannot be undone any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A ruling that was written, and whether its content is still what the case is about."""

    case: Case
    #: Something newer is there by now, or nothing: the ruling will end as `superseded` or `gone`, unless it is a
    #: reject, which still removes the version that was looked at.
    changed: bool
    #: Nothing is carried out yet: somebody else must rule on it first.
    waits: bool = False


def rule(
    desk: Desk,
    case_id: str,
    ruling: Ruling,
    *,
    undo_seconds: float = UNDO_SECONDS,
    confirmed: bool = False,
) -> Given:
    """Rule on a case that the reviewer holds, and have a worker carry it out once it cannot be undone any more.

    Where the policy says so, or the caller does (`confirmed`), a second person must rule the same first. The same
    ruling again, by its id, changes nothing. Raises NotARuling, NotYours; Fault, after which the same call goes on.
    """
    now = desk.now()
    act_at = moment(now + timedelta(seconds=min(max(undo_seconds, 0.0), MOST_UNDO_SECONDS)))
    case = find_case(desk, case_id)
    standing = desk.state.find_version(case.location, case.version) if case else None
    if case is None or standing is None:
        raise NotYours("there is no such case")
    if not _is_same(case, ruling):
        _check_asked(case, standing, ruling)
        checked = _checked(desk, standing, ruling)
        ruling = replace(checked, at=moment(now), act_at=act_at, policy_version=desk.policy.version)
        two = ruling.kind in REMOVALS and confirmed
        case = _write(desk, case, ruling, two=two or takes_two(desk.policy, case, ruling))
    if case.ruling is None:
        return _waiting(desk, case, standing, ruling)
    _send(desk, case)
    return Given(case=case, changed=is_changed(desk, standing))


def undo(desk: Desk, case_id: str, *, by: str, seconds: float = LEASE_SECONDS) -> Case:
    """Take one's ruling back: the case is claimed again. Raises TooLate once a worker has begun; NotYours; Fault."""
    case = find_case(desk, case_id)
    if case is not None and case.ruling is None and case.first is not None and case.first.by == by:
        if taken := take_first_back(desk, case, by=by, seconds=seconds):
            return taken
        raise TooLate("somebody else has begun to look at it")
    if case is None or case.ruling is None:
        raise NotYours("there is no ruling on it")
    if case.ruling.by != by:
        raise NotYours(f"{case.ruling.by} has ruled on it")
    now = desk.now()
    note = {"at": moment(now), "event": "undone", "by": by, "ruling_id": case.ruling.ruling_id}
    try:
        return change_case(
            desk,
            case_id,
            Change(put=claimed(now, by, seconds), drop=_RULED, note=note),
            only_if={"status": CaseStatus.RULED, "ruling_id": case.ruling.ruling_id},
        )
    except Moved:
        raise TooLate("a worker has begun to carry it out; a new decision about the item can reverse it") from None


def send_late(desk: Desk, *, most: int = SENT_AT_ONCE) -> int:
    """Send again the rulings that should have been carried out a while ago; returns how many. Raises Fault.

    Whoever gave one may have died before sending it. One that is merely slow finds itself carried out already.
    """
    overdue = moment(desk.now() - timedelta(seconds=LATE_SECONDS))
    late = cases_of(desk, Listing(index=BY_QUEUE, name=RULED, until=overdue), most=most)
    return sum(_send_again(desk, case) for case in late)


def is_changed(desk: Desk, standing: Standing) -> bool:
    """Whether what is under the item's key is not what was looked at, nor what modfleet made of it. Raises Fault."""
    if "remove" in standing.receipts and "put_back" not in standing.receipts:
        return False
    there = current(desk, standing.item)
    if there is None:
        return True
    if is_masked_copy(standing, there):
        return False
    item, back = standing.item, standing.receipts.get("put_back", {})
    versions = (item.version_id, back.get("version_id"))
    if item.version_id:
        return there.get("VersionId") not in versions
    return bool(there["ETag"].strip('"') != item.etag)


def named_rule(desk: Desk, name: str) -> str:
    """A rule by its full name, from what somebody calls it (`Weapons`'s is `moderation/Weapons`). Raises NotARuling."""
    try:
        return rule_path(name, rules=[one.name for one in desk.policy.rules.combinations])
    except UnknownRule as unknown:
        raise NotARuling(str(unknown)) from None


def _is_same(case: Case, ruling: Ruling) -> bool:
    given = (one.ruling_id for one in (case.ruling, case.first) if one is not None)
    return ruling.ruling_id in given


def _check_asked(case: Case, standing: Standing, ruling: Ruling) -> None:
    """Raises NotARuling where it is no answer to what the case asks."""
    fitting = kinds_for(case, standing)
    if ruling.kind not in fitting:
        raise NotARuling(f"to {ruling.kind} is no answer here; there are {', '.join(fitting)}")


def _checked(desk: Desk, standing: Standing, ruling: Ruling) -> Ruling:
    """The ruling with its rule's full name. Raises NotARuling."""
    if not ruling.why.strip():
        raise NotARuling("a ruling needs a reason")
    if (ruling.kind in AGAINST) != bool(ruling.rule):
        raise NotARuling(f"to {ruling.kind} {'takes a rule' if ruling.kind in AGAINST else 'breaks no rule'}")
    if (ruling.kind is Kind.REDACT) != bool(ruling.spans):
        raise NotARuling("to redact is to mask spans, and nothing else has any")
    if ruling.kind is Kind.REDACT and (standing.kind is not Readable.TEXT or standing.parts):
        raise NotARuling(f"only a text can be redacted; this is a {'post' if standing.parts else standing.kind}")
    if len(ruling.spans) > MOST_SPANS or any(not 0 <= begin < end for begin, end in ruling.spans):
        raise NotARuling(f"spans are [begin, end) in code points, at most {MOST_SPANS:,}")
    return replace(ruling, rule=named_rule(desk, ruling.rule)) if ruling.rule else ruling


def _waiting(desk: Desk, case: Case, standing: Standing, ruling: Ruling) -> Given:
    """A ruling that somebody else must confirm, or has contradicted: written down, and nothing done."""
    desk.audit.append([first_entry(case, standing, case.first or ruling)])
    return Given(case=case, changed=is_changed(desk, standing), waits=True)


def _write(desk: Desk, case: Case, ruling: Ruling, *, two: bool) -> Case:
    if two and is_first(case):
        return keep_first(desk, case, ruling)
    if case.first is not None:
        if case.first.kind is not ruling.kind:
            return dispute(desk, case, ruling)
        ruling = replace(ruling, first_by=case.first.by)
    put = {
        "status": CaseStatus.RULED.value,
        "ruling": json.dumps(ruling.fields(), ensure_ascii=False),
        "ruling_id": ruling.ruling_id,
        "queue": RULED,
        "rank": ruling.act_at,
    }
    note = {"at": ruling.at, "event": "ruled", "by": ruling.by, "ruling": ruling.kind.value, "why": ruling.why}
    return as_ruler(desk, case, Change(put=put, note=note), by=ruling.by)


def _send_again(desk: Desk, case: Case) -> bool:
    """Unless it is carried out by now, or was sent again a moment ago: what always fails is not sent for ever."""
    assert case.ruling is not None  # what stands in this queue was ruled on
    later = Change(put={"rank": moment(desk.now() + timedelta(seconds=AGAIN_SECONDS))})
    try:
        change_case(desk, case.case_id, later, only_if={"queue": RULED, "ruling_id": case.ruling.ruling_id})
    except Moved:
        return False
    _send(desk, case)
    return True


def _send(desk: Desk, case: Case) -> None:
    """Delayed until it cannot be undone any more."""
    assert case.ruling is not None  # it was just written, or found written
    left = (datetime.fromisoformat(case.ruling.act_at) - desk.now()).total_seconds()
    call(
        desk.aws.store,
        desk.aws.sqs.send_message,
        QueueUrl=desk.settings.queue_url("rulings"),
        MessageBody=write_ruling(RulingGiven(case_id=case.case_id, ruling_id=case.ruling.ruling_id)),
        DelaySeconds=min(math.ceil(max(left, 0.0)), int(MOST_UNDO_SECONDS)),
        **trace_header(),
    )
