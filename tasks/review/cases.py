"""Cases: what a person must look at, and how much of it waits."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Gone, Moved
from tasks.decide.moments import worst_moments
from tasks.decide.review import WAITING
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.intake.submission import from_header
from tasks.item import Item
from tasks.record.standing import Standing
from tasks.review.case import BY_PLACE, BY_QUEUE, Case, CaseStatus, place_of, waiting_in
from tasks.review.of_account import account_of
from tasks.review.rows import PAGE, Change, Listing, Page, cases_of, change_case, count_of, find_case, page_of
from tasks.review.severity import due_at, moment, severity_of, turn

__all__ = ["Load", "find_case", "in_order", "merge_case", "open_case", "waiting", "workload"]

#: Object metadata: how many see it (views, or views in an hour: as the application likes), and its language.
REACH, LANGUAGE = ("reach", "views"), "language"
#: A reach above this is somebody's mistake.
MOST_REACH = 10**12
#: Findings that a list tells of a case; the item's own row has them all.
FINDINGS = 20
#: Counted no further than this: then there are `more`.
COUNTED = 1_000
#: Cases of one queue that are looked at before somebody is told that there are none for them.
LOOKED_AT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What waits in one queue."""

    severity: str
    escalated: bool
    #: Counted up to COUNTED, as `overdue` is.
    waiting: int
    overdue: int
    #: ISO 8601 of the one that is due first; empty where none waits.
    due_first: str
    #: When that one was opened.
    opened_at: str

    @property
    def more(self) -> bool:
        """Whether more wait than were counted."""
        return self.waiting >= COUNTED

    def overdue_seconds(self, now: datetime) -> float:
        """By how much the one that is due first is overdue; 0 where none is."""
        late = (now - datetime.fromisoformat(self.due_first)).total_seconds() if self.due_first else 0.0
        return max(0.0, round(late, 3))


def open_case(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Open the item's case; a second call finds it open and changes nothing.

    Of a post it is the only one: the cases of its parts go up in it.
    """
    row = row_of(desk, standing)
    for part in standing.parts:
        merge_case(desk, part, into=standing.item.id)
    try:
        call(
            desk.aws.store,
            desk.aws.dynamodb.put_item,
            TableName=desk.settings.cases_table,
            Item={name: {"S": value} for name, value in row.items()},
            ConditionExpression="attribute_not_exists(case_id)",
        )
    except Moved:
        return {"case_id": standing.item.id, "already": True}
    return {"case_id": standing.item.id}


def waiting(
    desk: Desk, severity: str, *, surface: str = "", escalated: bool = False, limit: int = PAGE, cursor: str = ""
) -> Page:
    """Open cases of one severity, or appeals, what is due first first: one Query. Raises BadCursor; Fault."""
    return page_of(desk, _listing(severity, surface=surface, escalated=escalated), limit=limit, cursor=cursor)


def in_order(
    desk: Desk, *, surfaces: frozenset[str] | None = None, escalated: bool = False, most: int = LOOKED_AT
) -> Iterator[Case]:
    """Open cases as people should take them, at most so many of each severity, read a page at a time as needed.

    The order is that of `tasks.review.severity`. `surfaces` narrows it, at a Query for each of them. Raises Fault.
    """
    now = moment(desk.now())
    queues = [
        cases_of(desk, _listing(severity, surface=surface, escalated=escalated), most=most)
        for severity in WAITING
        for surface in (sorted(surfaces) if surfaces is not None else [""])
    ]
    return heapq.merge(*queues, key=partial(_turn, now=now))


def workload(desk: Desk) -> tuple[Load, ...]:
    """What waits, by queue, the severest first, then what was escalated: three Queries each. Raises Fault."""
    queues = [(severity, escalated) for escalated in (False, True) for severity in WAITING]
    return tuple(_load(desk, severity, escalated=escalated) for severity, escalated in queues)


def _turn(case: Case, *, now: str) -> tuple[int, str]:
    return turn(case.severity, case.due_at, now=now)


def _listing(severity: str, *, surface: str, escalated: bool, until: str = "") -> Listing:
    queue = waiting_in(severity, escalated=escalated)
    if surface:
        return Listing(index=BY_PLACE, name=place_of(queue, surface), until=until)
    return Listing(index=BY_QUEUE, name=queue, until=until)


def _load(desk: Desk, severity: str, *, escalated: bool) -> Load:
    listing = _listing(severity, surface="", escalated=escalated)
    late = _listing(severity, surface="", escalated=escalated, until=moment(desk.now()))
    first = next(iter(page_of(desk, listing, limit=1).cases), None)
    return Load(
        severity=severity,
        escalated=escalated,
        waiting=count_of(desk, listing, most=COUNTED) if first else 0,
        overdue=count_of(desk, late, most=COUNTED) if first else 0,
        due_first=first.due_at if first else "",
        opened_at=first.opened_at if first else "",
    )


def row_of(desk: Desk, standing: Standing) -> dict[str, str]:
    """What the row of an item's own case says while it waits. One call. Raises Fault."""
    item, now, said = standing.item, desk.now(), _said_of(desk, standing.item)
    # Of what the brake has held, also what it was to be taken down for.
    severity = severity_of((*standing.braked, *standing.rules), desk.policy, findings=standing.findings)
    reach = _reach(said)
    due = moment(due_at(now, severity, reach=reach, policy=desk.policy))
    queue = waiting_in(severity, escalated=False)
    return {
        "case_id": item.id,
        "location": item.location,
        "version": item.version,
        "status": CaseStatus.OPEN.value,
        "surface": standing.surface,
        "uploader": standing.uploader,
        **account_of(standing.uploader),
        "kind": standing.kind.value,
        "language": from_header(said.get(LANGUAGE, "")),
        "reach": str(reach),
        "rules": json.dumps(list(standing.rules), ensure_ascii=False),
        "policy_version": standing.policy_version,
        "severity": severity,
        "opened_at": moment(now),
        "due_at": due,
        **({"braked": "yes"} if standing.braked else {}),
        "findings": json.dumps([_told(finding) for finding in _surest(standing.findings)], ensure_ascii=False),
        **_moments(desk, standing),
        **({"parts": json.dumps([part.key for part in standing.parts])} if standing.parts else {}),
        "queue": queue,
        "rank": due,
        "place": place_of(queue, standing.surface),
    }


def merge_case(desk: Desk, part: Item, *, into: str) -> None:
    """Close a part's own case, if it is open; whoever rules on the post rules on the part."""
    merged = Change(put={"status": CaseStatus.MERGED, "merged_into": into}, drop=("queue", "rank", "place"))
    # A part without one, or with one that somebody has ruled on, is left as it is.
    with suppress(Moved):
        change_case(desk, part.id, merged, only_if={"status": CaseStatus.OPEN})


def _said_of(desk: Desk, item: Item) -> Mapping[str, str]:
    """The item's metadata; nothing where it is not there any more."""
    which = {"VersionId": item.version_id} if item.version_id else {}
    try:
        answer = call(desk.aws.store, desk.aws.s3.head_object, Bucket=item.bucket, Key=item.key, **which)
    except Gone:
        return {}
    said: Mapping[str, str] = answer.get("Metadata", {})
    return said


def _reach(said: Mapping[str, str]) -> int:
    """As the application says; what is no number is none."""
    told = next((said[name] for name in REACH if name in said), "0").strip()
    return min(int(told), MOST_REACH) if told.isascii() and told.isdigit() and len(told) < 20 else 0


def _surest(findings: tuple[Finding, ...]) -> list[Finding]:
    return sorted(findings, key=lambda finding: -finding.confidence)[:FINDINGS]


def _told(finding: Finding) -> dict[str, object]:
    return {
        "label": finding.label,
        "confidence": finding.confidence,
        "part": finding.part,
        "detector": finding.detector,
    }


def _moments(desk: Desk, standing: Standing) -> dict[str, str]:
    """Where in a video the reviewer should look first; nothing where there is nothing to see at any time."""
    surface = desk.policy.surface_of(standing.item)
    moments = worst_moments(standing.findings, desk.policy.on(surface))
    return {"moments": json.dumps([moment.summary() for moment in moments])} if moments else {}
