"""The queue: what waits, and the next case for whoever is free."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from tasks.review.cases import in_order
from tasks.review.claims import claims_of
from worker.console.door import permits
from worker.console.pages import page
from worker.console.roles import Permission
from worker.console.rulings import next_case
from worker.console.sessions import Visitor

router = APIRouter()

#: Rows of the queue that are shown; nobody works from further down.
ROWS = 50

Reviewing = Annotated[Visitor, Depends(permits(Permission.REVIEW))]
#: Everybody may see it: where a sign-in leads whoever does not review.
Watching = Annotated[Visitor, Depends(permits(Permission.DASHBOARD))]


@router.get("/")
def show(request: Request, visitor: Watching) -> Response:
    """What waits, in its order, and how much there is of it; for whoever does not review, the dashboard."""
    if not visitor.may(Permission.REVIEW):
        return RedirectResponse("/dashboard", status_code=303)
    desk, reviewer = request.app.state.console.desk, visitor.reviewer
    offered = (case for case in in_order(desk, surfaces=reviewer.surfaces, escalated=False) if reviewer.wants(case))
    senior = in_order(desk, surfaces=reviewer.surfaces, escalated=True) if reviewer.senior else iter(())
    return page(
        request,
        "queue.html",
        visitor=visitor,
        cases=list(islice(offered, ROWS)),
        escalated=list(islice(senior, ROWS)),
        loads=[load for load in request.app.state.console.board.loads() if load.waiting],
        mine=claims_of(desk, visitor.name),
    )


@router.post("/next")
def take_next(request: Request, visitor: Reviewing) -> Response:
    """Claim the next case, or go on with the one that is theirs already."""
    case = next_case(request, visitor)
    return RedirectResponse(f"/cases/{case.case_id}" if case else "/", status_code=303)
