"""The pages of a decision, for whoever posted it: no account and no script needed, only the link of their notice.

A link that is unknown, wrong or too old gets one and the same answer, and how often one may ask is limited by address.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from tasks.desk import Desk
from tasks.record.standing import Standing
from tasks.review.appeal import CHOICES, MOST_WORDS, NotAppealable, appeal
from tasks.review.token import Link, read_token
from worker.console.door import from_here
from worker.console.limits import Rate, spend
from worker.console.pages import page
from worker.console.told import DONE, EXTENT, day, headline, told_of

router = APIRouter()

#: By address, and by link.
LOOK, SEND = Rate("decision", 20), Rate("appeal", 5, 3600.0)


@router.get("/d/{token}")
def show(request: Request, token: str) -> Response:
    """What was decided, why, and what can be done about it."""
    opened = _open(request, token)
    return _page(request, "told.html", token, *opened) if opened else _gone(request)


@router.get("/d/{token}/appeal")
def show_form(request: Request, token: str) -> Response:
    """The form; where there is nothing to ask any more, how it stands."""
    opened = _open(request, token)
    return _page(request, "told_appeal.html", token, *opened) if opened else _gone(request)


@router.post("/d/{token}/appeal")
def send(
    request: Request,
    token: str,
    choice: Annotated[str, Form()] = "",
    words: Annotated[str, Form()] = "",
) -> Response:
    """Ask for another look; sent twice, it is one appeal."""
    opened = _open(request, token)
    if opened is None:
        return _gone(request)
    spend(request, SEND, hashlib.sha256(token.encode()).hexdigest())
    link, standing = opened
    words = words.replace("\r\n", "\n").strip()
    if wrong := _wrong(request, choice, words):
        said = {"choice": choice, "words": words, "wrong": wrong}
        return _page(request, "told_appeal.html", token, link, standing, status=422, **said)
    try:
        _ask(_desk(request), link, standing, choice=choice, words=words)
    except NotAppealable as why:
        text = "Something is being done about it just now. Try again in a minute." if why.waits else f"{why}."
        said = {"choice": choice, "words": words, "wrong": text[0].upper() + text[1:]}
        return _page(request, "told_appeal.html", token, link, standing, status=409, **said)
    return RedirectResponse(f"/d/{token}/status", status_code=303)


@router.get("/d/{token}/status")
def show_status(request: Request, token: str) -> Response:
    """How far it has come."""
    opened = _open(request, token)
    return _page(request, "told_status.html", token, *opened) if opened else _gone(request)


def _ask(desk: Desk, link: Link, standing: Standing, *, choice: str, words: str) -> None:
    """About the decision that the link is for. Raises NotAppealable; Fault."""
    about, by_then = link.decision, link.until
    appeal(desk, standing, side=link.side, choice=choice, words=words, decision=about, by_then=by_then)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.console.desk
    return desk


def _open(request: Request, token: str) -> tuple[Link, Standing] | None:
    """What a link is about; None for all that is none. Raises Refused; Fault."""
    spend(request, LOOK)
    desk = _desk(request)
    secret = desk.settings.appeal_secret
    link = read_token(token, secret.get_secret_value(), now=desk.now()) if secret else None
    standing = desk.state.find_version(link.location, link.version) if link else None
    return (link, standing) if link and standing else None


def _wrong(request: Request, choice: str, words: str) -> str:
    """What is wrong with a form, in words; empty where nothing is."""
    if not from_here(request):
        return "This did not come from the page itself. Please send it from here."
    if choice not in CHOICES:
        return "Please choose what fits best."
    if len(words) > MOST_WORDS:
        return f"Please use at most {MOST_WORDS:,} characters; these are {len(words):,}."
    return ""


def _page(
    request: Request, name: str, token: str, link: Link, standing: Standing, *, status: int = 200, **said: Any
) -> Response:
    told = told_of(_desk(request), link, standing, token=token)
    names = {"told": told, "headline": headline(told), "choices": CHOICES, "most": MOST_WORDS, "until": day(told.until)}
    filled = {"choice": "", "words": "", "wrong": "", "done": DONE, "extent": EXTENT, **names, **said}
    return _unlisted(page(request, name, visitor=None, status=status, **filled))


def _gone(request: Request) -> Response:
    return _unlisted(page(request, "told_gone.html", visitor=None, status=404))


def _unlisted(response: Response) -> Response:
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response
