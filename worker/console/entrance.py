"""Entrances: the ways into the console, and what they have in common: a new session, and the end of one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from tasks.record.entries import command_entry
from worker.console.door import cookie_of, from_here, is_https, signed_in, token_of
from worker.console.person import Person
from worker.console.refusal import Refused
from worker.console.sessions import ABSOLUTE, Visitor

log = structlog.get_logger("modfleet.console")


@dataclass(frozen=True, slots=True)
class Entrance:
    """One way in: its pages, of which `/sign-in` is one."""

    router: APIRouter
    #: Whether what stands in front still says who a visitor is; asked with each request of theirs.
    vouches: Callable[[Request, Visitor], bool] = lambda _request, _visitor: True
    #: What a sign-out takes out of the browser beside the session.
    cookies: tuple[str, ...] = ()
    #: Where a sign-out leads.
    signed_out: str = "/sign-in"


def inside(to: str) -> str:
    """A path of this site: a link must not lead elsewhere once somebody is signed in."""
    return to if re.fullmatch(r"/(?![/\\])[\w/.~%-]*", to) else "/"


def let_in(request: Request, response: Response, person: Person) -> Response:
    """Give the browser a new session; the one that it had ends, whoever's it was. An entry in the audit log says so."""
    console = request.app.state.console
    if old := request.cookies.get(cookie_of(request)):
        console.sessions.end(old)
    visitor = console.sessions.begin(person.name, person.role)
    console.desk.audit.append(
        [command_entry(command="console sign-in", by=person.name, at=console.desk.now(), role=person.role.value)]
    )
    log.info("signed_in", user=person.name, role=person.role.value)
    give_secret(request, response, cookie_of(request), visitor.secret, within=ABSOLUTE)
    return response


def give_secret(request: Request, response: Response, name: str, secret: str, *, within: timedelta) -> None:
    """Have the browser keep a secret that no script can read, and that no other site's form brings along."""
    response.set_cookie(
        name,
        secret,
        max_age=int(within.total_seconds()),
        secure=is_https(request),
        httponly=True,
        # Strict would break the way back from an identity provider.
        samesite="lax",
        path="/",
    )


router = APIRouter()


@router.post("/sign-out")
def sign_out(
    request: Request,
    visitor: Annotated[Visitor, Depends(signed_in)],
    token: Annotated[str, Depends(token_of)],
) -> Response:
    """End the session here and in the table."""
    if not (from_here(request) and visitor.has_sent(token)):
        raise Refused(403, "Not done", "The request did not come from a page of this console.")
    console = request.app.state.console
    console.sessions.end(visitor.secret)
    response = RedirectResponse(console.entrance.signed_out, status_code=303)
    response.delete_cookie(cookie_of(request), path="/", secure=is_https(request), httponly=True, samesite="lax")
    for name in console.entrance.cookies:
        response.delete_cookie(name, path="/", secure=True, httponly=True)
    return response
