"""After a ruling: what was ruled, and how long it can be undone; shown on whatever page comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import Request

from tasks.review.case import CaseStatus, Kind, Ruling
from tasks.review.rows import find_case
from worker.console.sessions import Visitor

_SAYS = {
    Kind.ALLOW: "Allowed",
    Kind.REDACT: "To be masked",
    Kind.HOLD: "Left as it is",
    Kind.REJECT: "To be removed",
    Kind.STRIKE: "To be removed, with a strike",
    Kind.RESTORE: "To be restored",
    Kind.UPHOLD: "The decision stands",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JustRuled:
    """What `undo.html` shows."""

    case_id: str
    says: str
    #: Seconds in which it can be undone.
    left: float
    #: Somebody else must rule on it, too.
    waits: bool
    #: What is there now is not what was ruled on.
    changed: bool


def just_ruled(request: Request, visitor: Visitor | None) -> JustRuled | None:
    """The visitor's ruling that led them to this page (`?after=CASE`): one read, where there was one. Raises Fault."""
    after = request.query_params.get("after", "")
    if visitor is None or not after:
        return None
    desk = request.app.state.console.desk
    case = find_case(desk, after)
    if case is None or (ruling := case.ruling or case.first) is None or ruling.by != visitor.name:
        return None
    waits = case.ruling is None
    undoable = case.status is (CaseStatus.OPEN if waits else CaseStatus.RULED)
    return JustRuled(
        case_id=case.case_id,
        says=_SAYS[ruling.kind],
        left=_left(ruling, desk.now()) if undoable else 0.0,
        waits=waits,
        changed="changed" in request.query_params,
    )


def _left(ruling: Ruling, now: datetime) -> float:
    return max(0.0, round((datetime.fromisoformat(ruling.act_at) - now).total_seconds(), 1))
