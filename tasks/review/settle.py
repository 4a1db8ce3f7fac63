"""Close the case of an item that a person has decided elsewhere, by a command: nobody need look at it any more."""

from __future__ import annotations

from contextlib import suppress

from tasks.aws.faults import Moved
from tasks.desk import Desk
from tasks.record.standing import Standing
from tasks.review.case import CLOSED, CaseStatus
from tasks.review.rows import Change, change_case
from tasks.review.severity import moment


def settle(desk: Desk, standing: Standing, *, by: str, why: str) -> None:
    """Close the item's case as what the item has come to, if it is open; a second call changes nothing. Raises Fault.

    A case that somebody has claimed is left to them: whatever they rule then, they are told how the item stands.
    """
    closed = closing(moment(desk.now()), by=by, result=standing.status.value, why=why)
    with suppress(Moved):
        change_case(desk, standing.item.id, closed, only_if={"status": CaseStatus.OPEN.value})


def closing(now: str, *, by: str, result: str, why: str = "") -> Change:
    """What closes a case, at a moment as `moment` writes it."""
    put = {"status": CaseStatus.CLOSED.value, "result": result, "closed_at": now, "rank": now}
    note = {"at": now, "event": "closed", "by": by, "result": result, **({"why": why} if why else {})}
    return Change(put=put | {"queue": f"{CLOSED}{now[:13]}"}, drop=("place",), note=note)
