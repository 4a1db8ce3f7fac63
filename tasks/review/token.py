"""The token of an appeal's link: which decision it is about, signed, so that nobody can make up another (pure)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from tasks.review.case import Side

#: What is signed begins so: a signature of the same secret for something else is none of these.
_PURPOSE = b"modfleet appeal 1\0"
#: How long after the end of the window a link still shows what came of an appeal.
SHOWN = timedelta(days=31)
#: Characters: a key of 1,024 bytes and all else, with room.
MOST_CHARACTERS = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a link lets its holder see and do: this decision about this version, and no other."""

    location: str
    version: str
    decision: str
    side: Side
    #: UTC; after that nothing can be asked any more.
    until: datetime


def sign(link: Link, secret: str) -> str:
    """The token: its payload is readable, and names nothing that its holder has not uploaded."""
    said = [link.location, link.version, link.decision, link.side.value, int(link.until.timestamp())]
    payload = _text(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode())
    return f"{payload}.{_text(_mac(payload, secret))}"


def read_token(token: str, secret: str, *, now: datetime) -> Link | None:
    """The link of a token; None where it is none of ours, is changed, or was long ago: which, nobody is told."""
    payload, _, mac = token.partition(".")
    if len(token) > MOST_CHARACTERS or not token.isascii():
        return None
    if not hmac.compare_digest(_text(_mac(payload, secret)).encode(), mac.encode()):
        return None
    try:
        location, version, decision, side, seconds = json.loads(_bytes(payload))
        link = Link(
            location=location,
            version=version,
            decision=decision,
            side=Side(side),
            until=datetime.fromtimestamp(seconds, tz=now.tzinfo),
        )
    except (ValueError, TypeError, binascii.Error):  # signed by an older or a newer modfleet
        return None
    return link if now <= link.until + SHOWN else None


def _mac(payload: str, secret: str) -> bytes:
    return hmac.new(secret.encode(), _PURPOSE + payload.encode(), hashlib.sha256).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
