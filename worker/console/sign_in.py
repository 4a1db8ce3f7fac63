"""Signing in on a laptop: by the token that `modfleet console` prints, as whoever one says to be."""

from __future__ import annotations

import hmac
import re
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from worker.console.door import from_here
from worker.console.entrance import Entrance, inside, let_in
from worker.console.limits import SIGN_IN, spend
from worker.console.pages import page
from worker.console.person import Person
from worker.console.refusal import Refused
from worker.console.roles import Role

#: A name is what audit entries say, and is read by people.
_NAME = re.compile(r"[\w.@+-]{1,64}")


def local_entrance(local_token: str) -> Entrance:
    """Lets in whoever has the token, in any role: for trying out the console with two people."""
    if not local_token:
        raise ValueError("a token of nothing would let anybody in")
    router = APIRouter()

    @router.get("/sign-in")
    def show(request: Request, token: str = "", to: str = "/") -> Response:
        """The form; a link from the terminal brings the token along."""
        return _form(request, token=token, to=to)

    @router.post("/sign-in")
    def sign_in(
        request: Request,
        token: Annotated[str, Form()],
        name: Annotated[str, Form()],
        role: Annotated[Role, Form()],
        to: Annotated[str, Form()] = "/",
    ) -> Response:
        """Sign in with the local token."""
        spend(request, SIGN_IN)
        if not from_here(request):
            raise Refused(403, "Not done", "The sign-in did not come from this page.")
        wrong = ""
        if not hmac.compare_digest(token.encode(), local_token.encode()):
            wrong = "That is not the token that `modfleet console` has printed."
        elif not _NAME.fullmatch(name):
            wrong = "A name has letters, digits and . @ + - _, at most 64 of them."
        if wrong:
            return _form(request, token=token, to=to, wrong=wrong)
        return let_in(request, RedirectResponse(inside(to), status_code=303), Person(name, role))

    return Entrance(router)


def _form(request: Request, *, token: str, to: str, wrong: str = "") -> Response:
    said = {"token": token, "to": inside(to), "roles": list(Role), "wrong": wrong}
    return page(request, "sign_in.html", visitor=None, status=422 if wrong else 200, **said)
