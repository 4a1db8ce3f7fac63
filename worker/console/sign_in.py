"""Signing in and out; on a laptop, by the token that `modfleet console` prints."""

from __future__ import annotations

import hmac
import re
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from worker.console.door import cookie_of, from_here, signed_in, token_of
from worker.console.pages import page
from worker.console.refusal import Refused
from worker.console.roles import Role
from worker.console.sessions import ABSOLUTE, Visitor

router = APIRouter()

#: A name is what audit entries say, and is read by people.
_NAME = re.compile(r"[\w.@+-]{1,64}")


@router.get("/sign-in")
def show(request: Request, token: str = "", to: str = "/") -> Response:
    """The form; a link from the terminal brings the token along."""
    return page(request, "sign_in.html", visitor=None, token=token, to=_inside(to), roles=list(Role), wrong="")


@router.post("/sign-in")
def sign_in(
    request: Request,
    token: Annotated[str, Form()],
    name: Annotated[str, Form()],
    role: Annotated[Role, Form()],
    to: Annotated[str, Form()] = "/",
) -> Response:
    """Sign in with the local token as whoever one says to be: for trying out the console with two people."""
    console = request.app.state.console
    if not from_here(request):
        raise Refused(403, "Not done", "The sign-in did not come from this page.")
    wrong = ""
    if console.local_token is None or not hmac.compare_digest(token.encode(), console.local_token.encode()):
        wrong = "That is not the token that `modfleet console` has printed."
    elif not _NAME.fullmatch(name):
        wrong = "A name has letters, digits and . @ + - _, at most 64 of them."
    if wrong:
        said = {"token": token, "to": _inside(to), "roles": list(Role), "wrong": wrong}
        return page(request, "sign_in.html", visitor=None, status=422, **said)
    return let_in(request, console.sessions.begin(name, role), to=_inside(to))


def let_in(request: Request, visitor: Visitor, *, to: str) -> Response:
    """Give the browser its new session, whatever it had before."""
    response = RedirectResponse(to, status_code=303)
    response.set_cookie(
        cookie_of(request),
        visitor.secret,
        max_age=int(ABSOLUTE.total_seconds()),
        secure=request.url.scheme == "https",
        httponly=True,
        # Strict would break the way back from an identity provider.
        samesite="lax",
        path="/",
    )
    return response


@router.post("/sign-out")
def sign_out(
    request: Request,
    visitor: Annotated[Visitor, Depends(signed_in)],
    token: Annotated[str, Depends(token_of)],
) -> Response:
    """End the session here and in the table."""
    if not (from_here(request) and visitor.has_sent(token)):
        raise Refused(403, "Not done", "The request did not come from a page of this console.")
    request.app.state.console.sessions.end(visitor.secret)
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(cookie_of(request), path="/")
    return response


def _inside(to: str) -> str:
    """A path of this site: a link must not lead elsewhere once somebody is signed in."""
    return to if re.fullmatch(r"/(?![/\\])[\w/.~%-]*", to) else "/"
