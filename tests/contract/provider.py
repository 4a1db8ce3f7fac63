"""A small OpenID Connect provider over HTTP: code flow with PKCE, RS256, and whatever a test makes wrong with it."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "modfleet-console", "a-secret-of-the-client"


@dataclass
class Provider:
    """Signs in whoever comes, as `person`; `claims` of its tokens and how they are signed can be made wrong."""

    url: str
    key: rsa.RSAPrivateKey
    person: dict[str, Any] = field(default_factory=dict)
    #: Over what is right; None takes a claim away.
    claims: dict[str, Any] = field(default_factory=dict)
    #: Key and algorithm of the next token, where they are not the right ones.
    signs: tuple[Any, str] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    user_info: dict[str, Any] = field(default_factory=dict)
    #: What `/authorize` was asked, by the code that it gave.
    asked: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Do everything right again."""
        self.signs, self.metadata, self.user_info = None, {}, {}
        now = int(time.time())
        self.person = {"sub": "00u1", "email": "ana@example.com", "email_verified": True, "groups": ["ts", "all"]}
        self.claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300}

    def answer(self, path: str, said: dict[str, str], authorization: str) -> tuple[int, dict[str, Any] | str]:
        """Status and JSON, or the place that a redirect leads to."""
        if path == "/.well-known/openid-configuration":
            return 200, self._described()
        if path == "/jwks":
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
            return 200, {"keys": [key | {"kid": "k1", "use": "sig", "alg": "RS256"}]}
        if path == "/authorize":
            code = secrets.token_urlsafe(8)
            self.asked[code] = said
            return 302, f"{said['redirect_uri']}?{urlencode({'code': code, 'state': said['state']})}"
        if path == "/token":
            return self._token(said, authorization)
        return 200, {"sub": self.person["sub"], **self.user_info}

    def _described(self) -> dict[str, Any]:
        ends = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            **{f"{name}_endpoint": f"{self.url}/{path}" for name, path in ends.items()},
            # As some providers do: whoever believes it lets anybody in.
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            **self.metadata,
        }

    def _token(self, said: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.asked.pop(said.get("code", ""), None)
        proof = hashlib.sha256(said.get("code_verifier", "").encode()).digest()
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if (
            asked is None
            or asked["code_challenge"] != base64.urlsafe_b64encode(proof).decode().rstrip("=")
            or asked["redirect_uri"] != said["redirect_uri"]
            or authorization != f"Basic {basic}"
        ):
            return 400, {"error": "invalid_grant"}
        claims = self.person | {"nonce": asked["nonce"]} | self.claims
        key, algorithm = self.signs or (self.key, "RS256")
        token = jwt.encode(
            {name: value for name, value in claims.items() if value is not None},
            key,
            algorithm=algorithm,
            headers={"kid": "k1"},
        )
        return 200, {"access_token": "at", "token_type": "Bearer", "expires_in": 300, "id_token": token}


@contextmanager
def running_provider(key: rsa.RSAPrivateKey) -> Iterator[Provider]:
    """On a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _answer(self, query: str) -> None:
            said = {name: values[0] for name, values in parse_qs(query).items()}
            status, body = provider.answer(urlsplit(self.path).path, said, self.headers.get("Authorization", ""))
            self.send_response(status)
            if isinstance(body, str):
                self.send_header("Location", body)
            written = b"" if isinstance(body, str) else json.dumps(body).encode()
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        def log_message(self, *said: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider = Provider(f"http://127.0.0.1:{server.server_port}", key)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield provider
        server.shutdown()
        thread.join()
