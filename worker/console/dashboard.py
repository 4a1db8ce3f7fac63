"""The dashboard: how much waits against what is due, how rulings go, and what the machine may do by itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from tasks.decide.review import SEVERITIES
from tasks.review.cases import Load
from worker.console.door import permits
from worker.console.pages import page
from worker.console.roles import Permission
from worker.console.sessions import Visitor
from worker.console.wording import lasting

router = APIRouter()

#: Rules that are shown; the others were overturned less often.
RULES = 20


@router.get("/dashboard")
def show(request: Request, visitor: Annotated[Visitor, Depends(permits(Permission.DASHBOARD))]) -> Response:
    """Figures that are at most a few seconds old, those of the whole day a minute: open pages cost no calls."""
    console = request.app.state.console
    now, day = console.board.now(), console.board.day()
    rules = console.desk.policy.review
    return page(
        request,
        "dashboard.html",
        visitor=visitor,
        board=now,
        day=day,
        rules=day.rules[:RULES],
        policy=console.desk.policy.version,
        used={load: used(load, now.at) for load in now.loads if load.waiting},
        hours={load.severity: rules.within_hours(load.severity) for load in now.loads},
        severity_names=SEVERITIES,
        lasting=lasting,
        moment=datetime.fromisoformat,
    )


def used(load: Load, now: datetime) -> float:
    """How much of its time the case that is due first has used up: 1 is all of it, above that it is overdue."""
    opened, due = datetime.fromisoformat(load.opened_at), datetime.fromisoformat(load.due_first)
    given = (due - opened).total_seconds()
    return (now - opened).total_seconds() / given if given > 0 else 1.0
