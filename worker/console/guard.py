"""The guard: what every request and every answer go through, errors and static files among them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import cast
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, RedirectResponse
from starlette.exceptions import HTTPException

from tasks.aws.faults import Fault
from worker.console.door import is_https
from worker.console.headers import ALWAYS, HTTPS_ONLY, new_nonce, policy_for
from worker.console.pages import is_fragment, page
from worker.console.refusal import Refused, SignInFirst

log = structlog.get_logger("modfleet.console")

Next = Callable[[Request], Awaitable[Response]]

#: Whether the console is up: for a load balancer, which asks by address.
HEALTH = "/healthz"
#: What a case's page has in its path; anything else there may be a name, a key or a token, and is not logged.
_LOGGED = ("case_id",)
_TITLES = {404: "Not found", 405: "Not so"}


def guard(site: FastAPI, *, media: tuple[str, ...], hosts: frozenset[str] = frozenset()) -> None:
    """Put the guard around a site.

    `media` are the origins of content. `hosts` are the names by which browsers may come: with any other one they were
    sent by somebody else's DNS; none allows all.
    """
    for kind, handler in (
        (Refused, _refused),
        (SignInFirst, _sign_in_first),
        (Fault, _fault),
        (RequestValidationError, _misread),
        (HTTPException, _absent),
    ):
        site.add_exception_handler(kind, handler)

    def protect(request: Request, response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy_for(request.state.nonce, media=media)
        response.headers.update(ALWAYS)
        if is_https(request):
            response.headers.update(HTTPS_ONLY)
        return response

    @site.middleware("http")
    async def guarded(request: Request, call_next: Next) -> Response:
        began = time.perf_counter()
        request.state.nonce = new_nonce()
        request.state.user = ""
        if hosts and request.url.path != HEALTH and request.url.hostname not in hosts:
            response: Response = PlainTextResponse("no such host\n", status_code=421)
        else:
            response = await call_next(request)
        _note(request, response.status_code, began)
        return protect(request, response)

    def broken(request: Request, why: Exception) -> Response:
        """What nobody has thought of: Starlette logs it, and raises it again to the server."""
        _note(request, 500, None, failed=type(why).__name__)
        text = "Something went wrong here. Nothing is lost; an engineer finds it in the log."
        return protect(request, _said(request, Refused(500, "Not now", text)))

    # Starlette answers these outside all middleware.
    site.add_exception_handler(Exception, broken)

    @site.get(HEALTH)
    def health() -> Response:
        """It answers; of AWS each page says what it needs to."""
        return PlainTextResponse("ok\n")


def _note(request: Request, status: int, began: float | None, **more: str) -> None:
    """One line for each request: neither its query nor what it brought, and of its path the pattern."""
    route, parts = request.scope.get("route"), request.path_params
    pattern = getattr(route, "path", None) or ("/static" if request.url.path.startswith("/static/") else "-")
    ids = {name: parts[name] for name in _LOGGED if name in parts}
    took = {} if began is None else {"ms": round((time.perf_counter() - began) * 1000, 1)}
    say = log.debug if pattern in ("/static", HEALTH) else log.info
    say("request", method=request.method, route=pattern, status=status, user=request.state.user, **ids, **took, **more)


def _said(request: Request, why: Refused) -> Response:
    name = "refused_part.html" if is_fragment(request) else "refused.html"
    response = page(request, name, visitor=None, status=why.status, title=why.title, text=why.text)
    if why.retry_after is not None:
        response.headers["Retry-After"] = str(why.retry_after)
    return response


def _refused(request: Request, why: Exception) -> Response:
    return _said(request, cast(Refused, why))


def _sign_in_first(request: Request, _: Exception) -> Response:
    """A page leads to the sign-in and back; htmx is told to go there, or it would put it into the middle of a page."""
    if is_fragment(request):
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
    back = quote(request.url.path) if request.method == "GET" else "/"
    return RedirectResponse(f"/sign-in?to={back}", status_code=303)


def _fault(request: Request, fault: Exception) -> Response:
    text = (
        f"AWS did not answer as it should ({fault}). Nothing is lost; what you wrote is still on your page. Try again."
    )
    return _said(request, Refused(503, "Not now", text))


def _misread(request: Request, why: Exception) -> Response:
    """A form that is none of ours. What it held is not said again."""
    fields = {str(error["loc"][-1]) for error in cast(RequestValidationError, why).errors() if error["loc"]}
    text = f"The request lacks or misuses: {', '.join(sorted(fields))}. Load the page again."
    return _said(request, Refused(422, "Not understood", text))


def _absent(request: Request, why: Exception) -> Response:
    error = cast(HTTPException, why)
    text = "There is no such page." if error.status_code == 404 else "The request cannot be done in this way."
    response = _said(request, Refused(error.status_code, _TITLES.get(error.status_code, "Not done"), text))
    response.headers.update(error.headers or {})
    return response
