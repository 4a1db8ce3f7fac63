"""A case: what is known of it, and nothing of its content until somebody asks for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from tasks.aws.faults import Moved
from tasks.desk import Desk
from tasks.record.standing import Standing
from tasks.review.case import Case, CaseStatus
from tasks.review.rows import Change, change_case, find_case
from tasks.review.severity import moment
from worker.console.alike import alike
from worker.console.door import permits
from worker.console.insight import history_of, seen_in, told_of_uploader
from worker.console.pages import is_fragment, page
from worker.console.panel import panel_of
from worker.console.refusal import Refused
from worker.console.roles import Permission
from worker.console.sessions import Visitor
from worker.console.viewed import note_view
from worker.console.wording import groups_of

router = APIRouter()

#: In a case's history: a reviewer has asked to see what the machine found.
FINDINGS_SEEN = "findings_seen"

Reviewing = Annotated[Visitor, Depends(permits(Permission.REVIEW))]
Knowing = Annotated[Visitor, Depends(permits(Permission.UPLOADERS))]


@router.get("/cases/{case_id}")
def show(request: Request, case_id: str, visitor: Reviewing) -> Response:
    """The page of a case: three reads and an audit entry, whatever the case is about."""
    desk: Desk = request.app.state.console.desk
    case, standing = open_to(desk, case_id, visitor)
    write_view(desk, "view case", visitor, case, standing)
    return case_page(request, case, standing, visitor=visitor)


@router.post("/cases/{case_id}/findings")
def show_findings(request: Request, case_id: str, visitor: Reviewing, armed: Annotated[str, Form()] = "") -> Response:
    """What the machine found, for whoever has `armed` a decision or wants to know before; the case remembers which."""
    desk: Desk = request.app.state.console.desk
    case, standing = open_to(desk, case_id, visitor)
    _note_findings_seen(desk, case, visitor, armed=bool(armed))
    write_view(desk, "view findings", visitor, case, standing, armed=bool(armed))
    seen = seen_in(desk, standing) if standing else None
    like = alike(desk, case, standing, reviewer=visitor.reviewer)
    return part_of_page(request, "findings.html", visitor=visitor, title="Findings", case=case, seen=seen, like=like)


@router.post("/cases/{case_id}/uploader")
def show_uploader(request: Request, case_id: str, visitor: Knowing) -> Response:
    """What is known of whoever uploaded it."""
    desk: Desk = request.app.state.console.desk
    case, standing = open_to(desk, case_id, visitor)
    write_view(desk, "view uploader", visitor, case, standing)
    told = told_of_uploader(desk, case) if case.uploader else None
    said = {"case": case, "standing": standing, "told": told}
    return part_of_page(request, "uploader_part.html", visitor=visitor, title="Uploader", **said)


def open_to(desk: Desk, case_id: str, visitor: Visitor) -> tuple[Case, Standing | None]:
    """A case that the visitor may see, and what is recorded of its item: two reads. Raises Refused; Fault."""
    case = find_case(desk, case_id)
    if case is None:
        raise Refused(404, "No such case", "There is no case of this number.")
    # Whoever holds it was offered it; a lease keeps what somebody is looking at from being taken away by a change.
    if not (visitor.reviewer.may_see(case) or holds(case, visitor)):
        raise Refused(403, "Not among your cases", "This case is for other reviewers.")
    return case, desk.state.find_version(case.location, case.version)


def holds(case: Case, visitor: Visitor) -> bool:
    """Whether the visitor has claimed it, and may rule."""
    return case.status is CaseStatus.CLAIMED and case.claimed_by == visitor.name


def write_view(desk: Desk, what: str, visitor: Visitor, case: Case, standing: Standing | None, **facts: Any) -> None:
    """Tell the audit log that somebody has seen something; returns when it is there. Raises Fault."""
    about = {"case": case.case_id, "holds": holds(case, visitor)}
    note_view(desk, what, visitor, item=standing.item if standing else None, **about, **facts)


def case_page(
    request: Request, case: Case, standing: Standing | None, *, visitor: Visitor, status: int = 200, **said: Any
) -> Response:
    """The page of a case, without a call."""
    desk: Desk = request.app.state.console.desk
    known: dict[str, Any] = {
        "case": case,
        "standing": standing,
        "reviewer_holds": holds(case, visitor),
        "policy": desk.policy,
        "things": things_of(case, standing),
        "moments": marks_of(case.moments),
        "history": history_of(case, standing, reader=visitor.name),
    }
    said.setdefault("panel", panel_of(desk, case, standing, visitor=visitor))
    return page(request, "case.html", visitor=visitor, status=status, **known, **said)


def part_of_page(request: Request, name: str, *, visitor: Visitor, title: str, **said: Any) -> Response:
    """A part of the case's page; without htmx a page of its own."""
    if is_fragment(request):
        return page(request, name, visitor=visitor, **said)
    return page(request, "alone.html", visitor=visitor, inside=name, title=title, **said)


def things_of(case: Case, standing: Standing | None) -> list[Mapping[str, Any]]:
    """What there is to reveal: the item and, of a post, each of its parts."""
    if standing is None:
        return [{"part": 0, "kind": case.kind, "key": case.location.split("/", 3)[-1], "size": 0}]
    return [
        {"part": number, "kind": "" if number else standing.kind.value, "key": item.key, "size": item.size}
        for number, item in enumerate(standing.everything)
    ]


def marks_of(moments: tuple[Mapping[str, Any], ...]) -> list[Mapping[str, Any]]:
    """Where in a video something was flagged, in its order, and the broad group of it: neither label nor score."""
    known = [one for one in moments if {"begin_ms", "end_ms", "labels"} <= one.keys()]
    in_order = sorted(known, key=lambda one: int(one["begin_ms"]))
    return [
        {"begin": int(one["begin_ms"]), "end": int(one["end_ms"]), "groups": groups_of(one["labels"])}
        for one in in_order
    ]


def _note_findings_seen(desk: Desk, case: Case, visitor: Visitor, *, armed: bool) -> None:
    """Once for each reviewer who may rule: it tells whether the findings could have led them."""
    if not holds(case, visitor) or _has_seen(case, visitor):
        return
    note = {"at": moment(desk.now()), "event": FINDINGS_SEEN, "by": visitor.name, "armed": armed}
    only_if = {"status": CaseStatus.CLAIMED.value, "claimed_by": visitor.name}
    try:
        change_case(desk, case.case_id, Change(note=note), only_if=only_if)
    except Moved:
        return  # their claim is over: whoever rules now has not seen them


def _has_seen(case: Case, visitor: Visitor) -> bool:
    return any(line["event"] == FINDINGS_SEEN and line["by"] == visitor.name for line in case.history)
