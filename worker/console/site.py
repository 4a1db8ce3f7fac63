"""The site: the console's pages as one ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment

from tasks.aws.faults import Fault
from tasks.desk import Desk
from worker.console import queue, sign_in
from worker.console.headers import ALWAYS, HTTPS_ONLY, media_origins, new_nonce, policy_for
from worker.console.pages import HERE, environment, is_fragment, page
from worker.console.refusal import Refused, SignInFirst
from worker.console.sessions import Sessions

Next = Callable[[Request], Awaitable[Response]]


@dataclass(slots=True)
class Console:
    """What the pages work with."""

    desk: Desk
    sessions: Sessions
    templates: Environment
    #: Signs anybody in as anybody, on a laptop; None where an identity provider does it.
    local_token: str | None


def create_site(desk: Desk, *, local_token: str | None) -> FastAPI:
    """The application. No call is made."""
    site = FastAPI(title="modfleet", docs_url=None, redoc_url=None, openapi_url=None)
    sessions = Sessions(desk.aws, desk.settings.items_table, desk.now)
    site.state.console = Console(desk, sessions, environment(), local_token)
    site.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    for router in (sign_in.router, queue.router):
        site.include_router(router)
    site.add_exception_handler(Refused, _refused)
    site.add_exception_handler(SignInFirst, _sign_in_first)
    site.add_exception_handler(Fault, _fault)
    media = media_origins(desk)

    @site.middleware("http")
    async def guarded(request: Request, call_next: Next) -> Response:
        request.state.nonce = new_nonce()
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = policy_for(request.state.nonce, media=media)
        response.headers.update(ALWAYS)
        if request.url.scheme == "https":
            response.headers.update(HTTPS_ONLY)
        return response

    return site


def _refused(request: Request, why: Exception) -> Response:
    assert isinstance(why, Refused)
    name = "refused_part.html" if is_fragment(request) else "refused.html"
    return page(request, name, visitor=None, status=why.status, title=why.title, text=why.text)


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
    name = "refused_part.html" if is_fragment(request) else "refused.html"
    return page(request, name, visitor=None, status=503, title="Not now", text=text)
