"""Search: from an item's URI or a case's number to its page; and the page of an item, without its content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from tasks.desk import Desk
from tasks.record.standing import Standing
from tasks.review.case import Case
from tasks.review.rows import find_case
from worker.console.door import permits
from worker.console.limits import Rate, spend
from worker.console.pages import page
from worker.console.refusal import Refused
from worker.console.roles import Permission
from worker.console.sessions import Visitor
from worker.console.viewed import note_view

router = APIRouter()

#: By who is signed in.
SEARCH = Rate("search", 30)
#: Bytes of the longest name that an item can have, and some more.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
LONGEST = 1_200

#: What was decided earlier is what this permission is about.
Knowing = Annotated[Visitor, Depends(permits(Permission.UPLOADERS))]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search names."""

    case: Case | None = None
    standing: Standing | None = None


@router.get("/search")
def search(request: Request, visitor: Knowing, q: str = "") -> Response:
    """The form, or the way to what it names."""
    if not (q := q.strip()):
        return page(request, "search.html", visitor=visitor, q="", nothing=False)
    spend(request, SEARCH, visitor.name)
    found = find(request.app.state.console.desk, q)
    if found.case and visitor.may(Permission.REVIEW):
        return RedirectResponse(f"/cases/{found.case.case_id}", status_code=303)
    if found.standing:
        return RedirectResponse(item_url(found.standing), status_code=303)
    return page(request, "search.html", visitor=visitor, status=404, q=q, nothing=True)


@router.get("/items")
def show(request: Request, visitor: Knowing, uri: str, version: str = "") -> Response:
    """Where an item stands, as `modfleet item show` says it."""
    desk: Desk = request.app.state.console.desk
    standing = find(desk, uri, version).standing if uri.startswith("s3://") else None
    if standing is None:
        raise Refused(404, "Not on record", "No item is on record by this name; an upload that just came may follow.")
    note_view(desk, "view item", visitor, item=standing.item)
    case = find_case(desk, standing.item.id) if visitor.may(Permission.REVIEW) else None
    return page(
        request,
        "item.html",
        visitor=visitor,
        standing=standing,
        case=case,
        uploader_url=uploader_url,
        rule_url=rule_url,
    )


def find(desk: Desk, said: str, version: str = "") -> Found:
    """The item of an `s3://BUCKET/KEY`, by default the version that was decided last, or the case of a number.

    At most three reads. Raises Fault.
    """
    if len(said.encode(errors="replace")) > LONGEST:
        return Found()
    if not said.startswith("s3://"):
        case = find_case(desk, said)
        return Found(case, desk.state.find_version(case.location, case.version)) if case else Found()
    bucket, _, key = said.removeprefix("s3://").partition("/")
    if not bucket or not key:
        return Found()
    standing = desk.state.find_version(said, version) if version else desk.state.latest(said)
    return Found(find_case(desk, standing.item.id) if standing else None, standing)


def item_url(standing: Standing) -> str:
    """The page of one version of an item."""
    return f"/items?{urlencode({'uri': standing.item.location, 'version': standing.item.version})}"


def uploader_url(uploader: str) -> str:
    """The page of an uploader, whatever they call themselves."""
    return f"/uploaders/{quote(uploader, safe='')}"


def rule_url(rule: str) -> str:
    """Where the policy in force speaks of a rule."""
    return f"/policy?{urlencode({'rule': rule})}#marked"
