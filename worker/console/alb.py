"""Signing in at the load balancer in front: an Application Load Balancer tells each request who somebody is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import jwt
import structlog
import urllib3
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from config.console import ConsoleSettings
from worker.console.entrance import Entrance, inside, let_in
from worker.console.limits import SIGN_IN, spend
from worker.console.pages import page
from worker.console.person import Person, person_of
from worker.console.refusal import Refused
from worker.console.sessions import Visitor

log = structlog.get_logger("modfleet.console")

#: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
HEADER = "x-amzn-oidc-data"
#: What keeps somebody signed in at the load balancer, in up to four pieces.
COOKIES = tuple(f"AWSELBAuthSessionCookie-{piece}" for piece in range(4))
#: Before it goes into a URL: a token is anybody's word until its key has proven it.
_KID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ALGORITHM = "ES256"
#: Keys are replaced now and then; more than these were asked for by somebody who guesses.
_KEYS, _KEY_BYTES, _KEY_SECONDS = 16, 4096, 3.0

_UNPROVEN = "The load balancer in front of this console did not say who you are, or not in a way that can be believed."
_NO_KEY = "The load balancer's public key cannot be read now, so nobody can be let in. Try again."


class Untrusted(Exception):
    """A token that is not the load balancer's word; the text says why, for the log."""


@dataclass(slots=True)
class AlbTokens:
    """Reads what the load balancer says of somebody."""

    settings: ConsoleSettings
    now: Callable[[], datetime]
    #: The PEM at a URL. Raises urllib3's HTTPError.
    fetch: Callable[[str], str]
    _keys: dict[str, str] = field(default_factory=dict)

    def claims(self, token: str) -> Mapping[str, Any]:
        """What a token says, once its signature, its signer and its time are right.

        Raises Untrusted, and Refused where the key cannot be read. The load balancer pads its base64, against
        RFC 7515: PyJWT reads that.
        """
        header = _header(token)
        self._compare(header)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(header["kid"]),
                algorithms=[_ALGORITHM],
                # Issuer, audience and time are in the header, and compared there.
                options={"verify_exp": False, "verify_aud": False, "verify_iss": False, "verify_iat": False},
            )
        except (jwt.InvalidTokenError, jwt.InvalidKeyError) as why:
            raise Untrusted(type(why).__name__) from None
        return claims

    def _compare(self, header: Mapping[str, Any]) -> None:
        settings, expires = self.settings, header.get("exp")
        wanted = {
            "alg": _ALGORITHM,
            "signer": settings.alb_arn,
            "iss": settings.oidc_issuer,
            "client": settings.oidc_client_id,
        }
        for name, value in wanted.items():
            if header.get(name) != value:
                raise Untrusted(f"{name} is another")
        if not _KID.fullmatch(str(header.get("kid"))):
            raise Untrusted("kid is no key's name")
        if not isinstance(expires, int | float) or expires <= self.now().timestamp():
            raise Untrusted("expired")

    def _key(self, kid: str) -> str:
        if kid not in self._keys:
            try:
                pem = self.fetch(f"{self.settings.keys_url}/{kid}")
            except urllib3.exceptions.HTTPError as why:
                log.warning("no_alb_key", why=type(why).__name__)
                raise Refused(503, "Not now", _NO_KEY) from None
            if len(self._keys) >= _KEYS:
                self._keys.clear()
            self._keys[kid] = pem
        return self._keys[kid]


def alb_entrance(
    settings: ConsoleSettings, now: Callable[[], datetime], *, fetch: Callable[[str], str] | None = None
) -> Entrance:
    """Lets in whom the load balancer signed in, for as long as it says so with each request.

    `fetch` reads a public key, a PEM, from a URL.
    """
    tokens = AlbTokens(settings, now, fetch or _fetch)

    def person(request: Request) -> Person:
        try:
            return person_of(tokens.claims(request.headers.get(HEADER, "")), settings)
        except Untrusted as why:
            log.warning("sign_in_refused", way="alb", why=str(why))
            raise Refused(403, "Not signed in", _UNPROVEN) from None

    def vouches(request: Request, visitor: Visitor) -> bool:
        try:
            return person(request).name == visitor.name
        except Refused as why:
            if why.status == 403:
                return False
            raise

    router = APIRouter()

    @router.get("/sign-in")
    def sign_in(request: Request, to: str = "/", out: bool = False) -> Response:
        """Nothing to fill in: the load balancer has asked already; once signed out, a way back in."""
        if out:
            return page(request, "sign_in_elsewhere.html", visitor=None, to="/sign-in", out=True)
        spend(request, SIGN_IN)
        someone = person(request)
        return let_in(request, RedirectResponse(inside(to), status_code=303), someone)

    return Entrance(router, vouches=vouches, cookies=COOKIES, signed_out="/sign-in?out=true")


def _header(token: str) -> Mapping[str, Any]:
    try:
        return jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as why:
        raise Untrusted(type(why).__name__) from None


def _fetch(url: str) -> str:
    answer = urllib3.request("GET", url, timeout=_KEY_SECONDS, redirect=False, retries=1, preload_content=False)
    try:
        if answer.status != 200:
            raise urllib3.exceptions.ResponseError(f"status {answer.status}")
        return answer.read(_KEY_BYTES).decode("ascii", "replace")
    finally:
        answer.release_conn()
