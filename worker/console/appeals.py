"""Appeals that wait: a reviewer sees those of others' decisions, and takes the one that is due first."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from tasks.decide.review import APPEAL
from tasks.desk import Desk
from tasks.review.appeal import CHOICES
from tasks.review.case import Case
from tasks.review.cases import waiting
from tasks.review.claims import NotYours, claim
from tasks.review.rows import BadCursor
from worker.console.door import permits
from worker.console.pages import page
from worker.console.refusal import Refused
from worker.console.roles import Permission
from worker.console.sessions import Visitor

router = APIRouter()

#: Appeals of one page.
ROWS = 50

Reviewing = Annotated[Visitor, Depends(permits(Permission.REVIEW))]


@router.get("/appeals")
def show(request: Request, visitor: Reviewing, cursor: str = "") -> Response:
    """What waits, in the order in which it is due; without anybody's words."""
    desk: Desk = request.app.state.console.desk
    try:
        found = waiting(desk, APPEAL, limit=ROWS, cursor=cursor)
    except BadCursor:
        raise Refused(404, "No such page", "The list has changed. Begin at its first page.") from None
    return page(
        request,
        "appeals.html",
        visitor=visitor,
        appeals=[case for case in found.cases if case.appeal],
        cursor=found.cursor,
        choices=CHOICES,
        moment=desk.now().isoformat(timespec="milliseconds"),
    )


@router.post("/appeals/next")
def take_next(request: Request, visitor: Reviewing) -> Response:
    """Claim the first that the visitor may rule on; what others take at the same moment is passed over."""
    desk: Desk = request.app.state.console.desk
    offered = (case for case in waiting(desk, APPEAL, limit=ROWS).cases if visitor.reviewer.wants(case))
    got = next((case for case in offered if _claimed(desk, case, visitor)), None)
    return RedirectResponse(f"/cases/{got.case_id}" if got else "/appeals", status_code=303)


def _claimed(desk: Desk, case: Case, visitor: Visitor) -> bool:
    try:
        claim(desk, case.case_id, visitor.reviewer)
    except NotYours:
        return False
    return True
