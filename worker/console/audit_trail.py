"""The audit trail: what the log says of an item, a case or some hours; proved on request, and handed out."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response, StreamingResponse

from tasks.desk import Desk
from tasks.record.about import about
from tasks.record.spending import SPENT
from tasks.record.standing import Standing
from worker.console.door import permits
from worker.console.limits import Rate, spend
from worker.console.log_range import DAY, Proof, hours_of, in_chunks, part_of, prove
from worker.console.pages import growing_page, page
from worker.console.refusal import Refused
from worker.console.roles import Permission
from worker.console.search import find
from worker.console.sessions import Visitor
from worker.console.trail import MACHINE, told
from worker.console.viewed import note_view
from worker.log_rows import COLUMNS, csv_lines, entries_between, flat, json_lines

router = APIRouter()

#: By who is signed in: both read as much as there is.
VERIFY, EXPORT = Rate("verify", 30, 3600.0), Rate("export", 10, 3600.0)

Auditing = Annotated[Visitor, Depends(permits(Permission.AUDIT))]
Entry = dict[str, Any]


class Format(StrEnum):
    """How entries are handed out."""

    JSONL = "jsonl"
    CSV = "csv"


@router.get("/audit")
def show(  # noqa: PLR0913  # a form's fields
    request: Request,
    visitor: Auditing,
    *,
    of: str = "",
    version: str = "",
    since: str = "",
    until: str = "",
    who: str = "",
    after: str = "",
) -> Response:
    """Entries about an item, found by its row, or those of some hours: about an item or by somebody, a part at a time.

    That somebody looked is an entry, too.
    """
    desk: Desk = request.app.state.console.desk
    of, who = of.strip(), who.strip()
    standing = _item(desk, of, version)
    hours = hours_of(since, until, now=desk.now())
    read = {"hours": hours.name} if since or not standing else {}
    note_view(desk, "view audit", visitor, item=standing.item if standing else None, **read)
    said: dict[str, Any] = {"of": of, "who": who, "hours": hours, "standing": standing, "by_time": bool(since)}
    if standing and not since:
        found = about(desk.aws, desk.settings.audit_bucket, standing)
        said |= {"rows": told(found.entries), "lacking": found.lacking, "read": found.read, "after": ""}
    else:
        part = part_of(desk, hours, wanted=_wanted(standing, who), after=after)
        rows = sorted(told(part.entries), key=lambda row: row.at)
        said |= {"rows": rows, "lacking": [], "read": part.read, "after": part.after}
    return page(request, "audit.html", visitor=visitor, **said)


@router.post("/audit/verify")
def verify_hours(
    request: Request, visitor: Auditing, since: Annotated[str, Form()] = "", until: Annotated[str, Form()] = ""
) -> Response:
    """Prove some hours of the log whole, at most a day: a page that grows by a line for each."""
    desk: Desk = request.app.state.console.desk
    hours = hours_of(since, until, now=desk.now(), most=DAY)
    spend(request, VERIFY, visitor.name)
    note_view(desk, "verify audit", visitor, hours=hours.name)
    proof = Proof()
    proved = prove(desk, hours, proof)
    return growing_page(request, "verified.html", visitor=visitor, hours=hours, proof=proof, proved=proved)


@router.post("/audit/export")
def export(
    request: Request,
    visitor: Auditing,
    form: Annotated[Format, Form(alias="as")],
    since: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
) -> Response:
    """Every entry of some hours, as a stream without an end of its own; one that breaks off is not whole.

    Asked for by a form and not by a link: no other site's page can have it read for somebody.
    """
    desk: Desk = request.app.state.console.desk
    hours = hours_of(since, until, now=desk.now())
    spend(request, EXPORT, visitor.name)
    note_view(desk, "export audit", visitor, hours=hours.name, form=form.value)
    rows = entries_between(desk, hours.since, hours.until)
    lines = csv_lines(COLUMNS, map(flat, rows)) if form is Format.CSV else json_lines(rows)
    named = {"Content-Disposition": f'attachment; filename="audit-{hours.name}.{form}"'}
    kind = "text/csv" if form is Format.CSV else "application/x-ndjson"
    return StreamingResponse(in_chunks(lines), media_type=kind, headers=named)


def _item(desk: Desk, of: str, version: str) -> Standing | None:
    """What is recorded of the item that a form names; None where it names none. Raises Refused."""
    if not of:
        return None
    found = find(desk, of, version)
    if found.standing is None:
        raise Refused(
            404,
            "Not on record",
            "No item and no case is on record by this name. What was on record once, the log still holds by time.",
        )
    return found.standing


def _wanted(standing: Standing | None, who: str) -> Callable[[Entry], bool]:
    """Entries about an item, and by somebody, where these are named; of what was spent, none."""
    item = standing.item if standing else None
    named = {"bucket": item.bucket, "key": item.key, "version": item.version} if item else None

    def wanted(entry: Entry) -> bool:
        here = (named is None or entry.get("item") == named) and entry.get("event") != SPENT
        return here and who.lower() in str(entry.get("actor", MACHINE)).lower()

    return wanted
