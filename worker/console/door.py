"""The door: who a request comes from, what they may do, and whether they meant it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.datastructures import FormData

from worker.console.refusal import Refused, SignInFirst
from worker.console.roles import Permission
from worker.console.sessions import Sessions, Visitor

#: Where the session's secret is: `__Host-` binds it to https and to this host, which http on a laptop cannot have.
COOKIE, LOCAL_COOKIE = "__Host-modfleet", "modfleet"
#: Where htmx sends a form's token.
TOKEN_HEADER, TOKEN_FIELD = "x-csrf-token", "csrf"

_FORGED = "The request did not come from a page of this console, or from one that is too old. Load the page again."


def is_https(request: Request) -> bool:
    """Whether the browser came by https; what stands in front of the console may have ended it there."""
    return request.url.scheme == "https" or request.app.state.console.https


def cookie_of(request: Request) -> str:
    """The name of the session's cookie, by how the browser came here."""
    return COOKIE if is_https(request) else LOCAL_COOKIE


async def token_of(request: Request) -> str:
    """The token that a form carries, or htmx sends in its stead."""
    if sent := request.headers.get(TOKEN_HEADER):
        return sent
    form: FormData | None = await request.form() if request.method == "POST" else None
    return str(form.get(TOKEN_FIELD, "")) if form else ""


def from_here(request: Request) -> bool:
    """Whether a browser says that a page of this very host sent the request.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site: all browsers send it since 2023;
    an older one sends Origin with each POST.
    """
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


def signed_in(request: Request) -> Visitor:
    """Who is signed in. Raises SignInFirst."""
    console = request.app.state.console
    sessions: Sessions = console.sessions
    visitor = sessions.find(request.cookies.get(cookie_of(request), ""))
    if visitor is None or not console.entrance.vouches(request, visitor):
        raise SignInFirst
    request.state.user = visitor.name
    return visitor


def permits(permission: Permission) -> Callable[..., Visitor]:
    """A dependency: the visitor, who has this permission and, where something changes, has meant it.

    Every route but those of the sign-in and the uploaders' pages has one: a test walks them.
    """

    def permitted(request: Request, token: Annotated[str, Depends(token_of)]) -> Visitor:
        visitor = signed_in(request)
        if request.method != "GET" and not (from_here(request) and visitor.has_sent(token)):
            raise Refused(403, "Not done", _FORGED)
        if not visitor.may(permission):
            raise Refused(
                403, "Not for your role", f"This needs the permission “{permission}”; you are {visitor.role}."
            )
        return visitor

    permitted.permission = permission  # type: ignore[attr-defined]
    return permitted
