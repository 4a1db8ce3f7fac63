"""The second reviewer: a grave takedown is carried out once two people have ruled the same, neither knowing it.

Whoever rules first has their ruling kept on the case's row, which goes back to its queue for anybody but them. Who
rules the same then has it carried out; who rules otherwise sends it to the senior reviewers, and whoever of them rules
third decides. That nobody confirms their own ruling is a condition of the claim and of the ruling in DynamoDB.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from tasks.aws.faults import Moved
from tasks.decide.policy import Policy
from tasks.decide.review import covers_rule
from tasks.desk import Desk
from tasks.record.entries import command_entry
from tasks.record.standing import Standing
from tasks.review.case import Case, CaseStatus, Kind, Ruling
from tasks.review.claims import BARRED, NotYours, claimed, not_before, waiting_again, whose
from tasks.review.rows import Change, change_case, find_case

#: What takes something down for good.
REMOVALS = (Kind.REJECT, Kind.STRIKE)
#: People have confirmed this content before.
KNOWN = "known"
#: What the row has of a first ruling while nobody has confirmed it.
_FIRST = ("first", "first_id")


def takes_two(policy: Policy, case: Case, ruling: Ruling) -> bool:
    """Whether the policy wants a second person to confirm this takedown."""
    known = any(covers_rule(KNOWN, rule) for rule in case.rules)
    return ruling.kind in REMOVALS and case.severity in policy.review.second and not known


def is_first(case: Case) -> bool:
    """Whether nobody has ruled on it yet who counts: what is disputed takes no third confirmation."""
    return case.first is None and not case.second_by


def keep_first(desk: Desk, case: Case, ruling: Ruling) -> Case:
    """Keep the ruling, and give the case back for somebody else. Raises NotYours; Fault."""
    change = waiting_again(desk, case, "released", by=ruling.by)
    kept = {
        "first": json.dumps(ruling.fields(), ensure_ascii=False),
        "first_id": ruling.ruling_id,
        "first_by": ruling.by,
    }
    return as_ruler(desk, case, replace(change, put={**change.put, **kept}), by=ruling.by)


def dispute(desk: Desk, case: Case, ruling: Ruling) -> Case:
    """Hand a case on which two people disagree to a senior reviewer, who sees both rulings and no name."""
    assert case.first is not None  # it is what this ruling disagrees with
    change = waiting_again(desk, case, "disputed", by="", escalated=True)
    rulings = [{"kind": one.kind.value, "rule": one.rule, "why": one.why} for one in (case.first, ruling)]
    said = replace(
        change,
        put={**change.put, "second_by": ruling.by},
        drop=(*change.drop, *_FIRST),
        note={**(change.note or {}), "rulings": rulings},
    )
    return as_ruler(desk, case, said, by=ruling.by)


def take_first_back(desk: Desk, case: Case, *, by: str, seconds: float) -> Case | None:
    """The case as claimed by them again; None once somebody else has begun to look at it. Raises Fault."""
    assert case.first is not None  # asked for by whoever gave it
    now = desk.now()
    change = Change(put=claimed(now, by, seconds), drop=(*_FIRST, "first_by", "place"))
    try:
        return change_case(
            desk, case.case_id, change, only_if={"status": CaseStatus.OPEN, "first_id": case.first.ruling_id}
        )
    except Moved:
        return None


def as_ruler(desk: Desk, case: Case, change: Change, *, by: str) -> Case:
    """Change a case under the very claim that it was read under, of somebody who has not ruled on it before.

    Raises NotYours; Fault.
    """
    if case.status is not CaseStatus.CLAIMED or case.claimed_by != by:
        raise NotYours(whose(case))
    mine = {"status": CaseStatus.CLAIMED.value, "claimed_by": by, "claim_id": case.claim_id}
    try:
        return change_case(desk, case.case_id, replace(change, unbarred=by), only_if=mine, unless=not_before(by))
    except Moved:
        found = find_case(desk, case.case_id)
        raise NotYours(BARRED if found and by in found.barred else whose(found)) from None


def first_entry(case: Case, standing: Standing, ruling: Ruling) -> dict[str, Any]:
    """What the audit log says of a ruling that is not carried out, or not yet."""
    result = "disputed" if case.second_by else "waits for a second reviewer"
    return entry_of(case, standing, ruling, event="first-ruling", result=result)


def entry_of(case: Case, standing: Standing, ruling: Ruling, **said: Any) -> dict[str, Any]:
    """What the audit log says of a ruling; what it came to is `said`, with the event's name."""
    return command_entry(
        command="review rule",
        by=ruling.by,
        at=datetime.fromisoformat(ruling.at),
        why=ruling.why,
        item=standing.item,
        policy_version=ruling.policy_version,
        case_id=case.case_id,
        ruling=ruling.kind.value,
        ruling_id=ruling.ruling_id,
        rule=ruling.rule,
        **said,
    )
