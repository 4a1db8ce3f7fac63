"""Signing in at an OpenID Connect provider: code flow with PKCE, state and nonce, all kept on the server."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import structlog
from anyio import from_thread
from authlib.deprecate import AuthlibDeprecationWarning
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from joserfc.errors import JoseError

from config.console import ConsoleSettings
from worker.console.door import is_https
from worker.console.entrance import Entrance, give_secret, inside, let_in
from worker.console.limits import SIGN_IN, spend
from worker.console.pages import page
from worker.console.pending import WITHIN, Pending
from worker.console.person import person_of
from worker.console.refusal import Refused

with warnings.catch_warnings():
    # It would rather have httpx2, which nothing else here needs.
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.integrations.starlette_client import OAuth, OAuthError

log = structlog.get_logger("modfleet.console")

T = TypeVar("T")

BACK = "/sign-in/back"
COOKIE, LOCAL_COOKIE = "__Host-modfleet-sign-in", "modfleet-sign-in"
#: What a provider may sign its tokens with: with a key of which it keeps half. Never `none`, never a shared secret.
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
#: Seconds for the provider to answer, and by which its clock may differ from ours.
_TIMEOUT, _LEEWAY = 10.0, 60
#: Seconds after which a key that the provider has taken back is believed no more.
_FRESH = 3600

_AGAIN = "The sign-in took too long, was begun in another browser, or was used already. Sign in again."
_NOT_IN = (
    "Your identity provider did not let you in, or what it said could not be believed. Try again, or ask who runs "
    "this console."
)
_SILENT = "Your identity provider does not answer as it should. Try again in a moment."


@dataclass(slots=True)
class Provider:
    """The identity provider, by Authlib's client. Its methods run the client's coroutines from a handler's thread."""

    settings: ConsoleSettings
    _client: Any = field(init=False)

    def __post_init__(self) -> None:
        """No call is made."""
        settings, secret = self.settings, self.settings.oidc_client_secret
        assert settings.oidc_issuer is not None
        self._client = OAuth().register(
            "provider",
            client_id=settings.oidc_client_id,
            client_secret=secret.get_secret_value() if secret else None,
            server_metadata_url=f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": settings.oidc_scopes,
                "code_challenge_method": "S256",
                "timeout": _TIMEOUT,
                # Authlib has a new client for each request, and each would read all certificates there are: 50 ms.
                "verify": httpx.create_ssl_context(),
                **({} if secret else {"token_endpoint_auth_method": "none"}),
            },
        )

    def begin(self, request: Request) -> Response:
        """The way to the provider. Authlib leaves state, nonce and PKCE's verifier in the request's session."""
        self._run(self._metadata)
        response: Response = self._run(lambda: self._client.authorize_redirect(request, f"{self.settings.url}{BACK}"))
        return response

    def finish(self, request: Request) -> Mapping[str, Any]:
        """What the provider says of whoever came back. Raises Refused where that cannot be believed."""
        return self._run(lambda: self._claims(request))

    def _run(self, asked: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            return from_thread.run(asked)
        except httpx.HTTPError as why:
            log.warning("provider_silent", why=type(why).__name__)
            raise Refused(503, "Not now", _SILENT) from None
        except (OAuthError, JoseError, ValueError, RuntimeError) as why:
            log.warning("sign_in_refused", way="oidc", why=type(why).__name__)
            raise Refused(403, "Not signed in", _NOT_IN) from None

    async def _metadata(self) -> Mapping[str, Any]:
        """What the provider publishes of itself, once, and held against what we were told of it."""
        if time.time() - self._client.server_metadata.get("_loaded_at", 0) > _FRESH:
            self._client.server_metadata.clear()
        metadata: dict[str, Any] = await self._client.load_server_metadata()
        if metadata.get("issuer") != self.settings.oidc_issuer:
            raise ValueError("the metadata names another issuer")
        # Authlib believes any algorithm that the provider names; `none` has been among those.
        named = set(metadata.get("id_token_signing_alg_values_supported") or ())
        metadata["id_token_signing_alg_values_supported"] = sorted(named & ALGORITHMS) or ["RS256"]
        return metadata

    async def _claims(self, request: Request) -> Mapping[str, Any]:
        metadata, settings = await self._metadata(), self.settings
        # Without `aud` here Authlib takes a token for somebody else whose `azp` we are.
        options = {
            "iss": {"essential": True, "value": settings.oidc_issuer},
            "aud": {"essential": True, "value": settings.oidc_client_id},
            "sub": {"essential": True},
        }
        token = await self._client.authorize_access_token(request, claims_options=options, leeway=_LEEWAY)
        claims = token.get("userinfo")
        if not claims:
            raise ValueError("no ID token")
        wanted = {settings.oidc_groups_claim, settings.oidc_name_claim}
        if wanted <= set(claims) or "userinfo_endpoint" not in metadata:
            return dict(claims)
        more = await self._client.userinfo(token=token)
        # https://openid.net/specs/openid-connect-core-1_0.html#UserInfoResponse
        if more.get("sub") != claims["sub"]:
            raise ValueError("user information of somebody else")
        return {**more, **claims}


def oidc_entrance(settings: ConsoleSettings, pending: Pending) -> Entrance:
    """Lets in whom the provider knows, if one of their groups has a role."""
    provider = Provider(settings)
    router = APIRouter()

    @router.get("/sign-in")
    def show(request: Request, to: str = "/", out: bool = False) -> Response:
        """A button, and no way on by itself: whoever has just signed out would be in again."""
        return page(request, "sign_in_elsewhere.html", visitor=None, to=f"/sign-in/start?to={inside(to)}", out=out)

    @router.get("/sign-in/start")
    def start(request: Request, to: str = "/") -> Response:
        """Off to the provider, with a cookie by which this browser is known when it comes back."""
        spend(request, SIGN_IN)
        session: dict[str, Any] = {}
        request.scope["session"] = session
        response = provider.begin(request)
        secret = pending.put({"session": session, "to": inside(to)})
        give_secret(request, response, _cookie_of(request), secret, within=WITHIN)
        return response

    @router.get(BACK)
    def back(request: Request) -> Response:
        """Back from the provider."""
        spend(request, SIGN_IN)
        begun = pending.take(request.cookies.get(_cookie_of(request), ""))
        if begun is None:
            raise Refused(403, "Not signed in", _AGAIN)
        request.scope["session"] = begun["session"]
        someone = person_of(provider.finish(request), settings)
        response = let_in(request, RedirectResponse(begun["to"], status_code=303), someone)
        response.delete_cookie(_cookie_of(request), path="/", secure=is_https(request), httponly=True, samesite="lax")
        return response

    return Entrance(router, signed_out="/sign-in?out=true")


def _cookie_of(request: Request) -> str:
    return COOKIE if is_https(request) else LOCAL_COOKIE
