"""What a load balancer says of somebody: believed where it said so itself, just now, of this console."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
import urllib3
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from config.console import ConsoleSettings
from worker.console.alb import AlbTokens, Untrusted
from worker.console.refusal import Refused

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/console/50dc6c495c0c9188"
KID = "01234567-89ab-cdef-0123-456789abcdef"
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
HEADER = {
    "alg": "ES256",
    "kid": KID,
    "signer": ARN,
    "iss": "https://idp.example",
    "client": "modfleet",
    "exp": NOW.timestamp() + 120,
}
CLAIMS = {"sub": "00u1", "email": "ana@example.com", "groups": ["ts"]}
PEM = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def settings() -> ConsoleSettings:
    return ConsoleSettings(
        sign_in="alb",
        url="https://review.example",
        roles={"ts": "reviewer"},
        oidc_issuer="https://idp.example",
        oidc_client_id="modfleet",
        alb_arn=ARN,
    )


def tokens(fetch: Callable[[str], str] = lambda _: PEM.decode()) -> AlbTokens:
    return AlbTokens(settings(), lambda: NOW, fetch)


def written(header: dict[str, Any], *, key: ec.EllipticCurvePrivateKey = KEY, claims: object = CLAIMS) -> str:
    """As a load balancer writes it: with the padding that RFC 7515 forbids, on all three parts."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).decode()

    signed = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{part(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def test_a_token_is_read_with_its_padding() -> None:
    token = written(HEADER)
    assert token.endswith("==")
    assert tokens().claims(token) == CLAIMS


def test_a_token_is_read_without_padding() -> None:
    assert tokens().claims(jwt.encode(CLAIMS, KEY, algorithm="ES256", headers=HEADER)) == CLAIMS


@pytest.mark.parametrize(
    "wrong",
    [
        {"signer": ARN.replace("console", "another")},
        {"signer": None},
        {"iss": "https://idp.example/"},
        {"client": "another"},
        {"exp": NOW.timestamp()},
        {"exp": None},
        {"exp": str(NOW.timestamp() + 120)},
        {"kid": "../../evil"},
        {"kid": KID.upper()},
        {"kid": f"{KID}\n"},
        {"kid": None},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES384"},
    ],
    ids=str,
)
def test_a_token_with_one_thing_wrong_is_not_believed_and_no_key_asked_for(wrong: dict[str, Any]) -> None:
    asked: list[str] = []

    def fetch(url: str) -> str:
        asked.append(url)
        return PEM.decode()

    with pytest.raises(Untrusted):
        tokens(fetch).claims(written(HEADER | wrong))
    assert asked == []


def test_a_token_of_another_key_or_of_none_is_not_believed() -> None:
    part = base64.urlsafe_b64encode(json.dumps(HEADER | {"alg": "none"}).encode()).decode()
    signed = written(HEADER)
    other = written(HEADER, claims=CLAIMS | {"email": "eve@example.com"}).split(".")[1]
    spliced = ".".join((signed.split(".")[0], other, signed.split(".")[2]))
    secret = jwt.encode(
        CLAIMS, "a shared secret that is long enough", algorithm="HS256", headers=HEADER | {"alg": "HS256"}
    )
    for token in (
        written(HEADER, key=OTHER),
        f"{part}.{signed.split('.')[1]}.",
        spliced,
        signed.rpartition(".")[0] + ".",
        secret,
        "",
        "a.b.c",
        "...",
    ):
        with pytest.raises(Untrusted):
            tokens().claims(token)


def test_a_key_is_asked_for_once_and_not_kept_where_it_could_not_be_read() -> None:
    asked: list[str] = []

    def fetch(url: str) -> str:
        asked.append(url)
        if len(asked) == 1:
            raise urllib3.exceptions.ResponseError("status 503")
        return PEM.decode()

    reader = tokens(fetch)
    with pytest.raises(Refused) as caught:
        reader.claims(written(HEADER))
    assert caught.value.status == 503
    assert reader.claims(written(HEADER)) == reader.claims(written(HEADER)) == CLAIMS
    assert asked == [f"https://public-keys.auth.elb.eu-west-1.amazonaws.com/{KID}"] * 2
