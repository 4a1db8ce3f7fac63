"""Sessions: who is signed in, as rows of the items table under a secret that only their browser has."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tasks.aws.calls import call
from tasks.aws.rows import number, row_at, string
from tasks.aws.session import Aws
from tasks.review.case import Reviewer
from worker.console.roles import PERMITS, Permission, Role

#: Without a request for so long, or since so long ago, somebody has to sign in again.
IDLE, ABSOLUTE = timedelta(minutes=30), timedelta(hours=12)
#: A request that comes sooner than this after the one before it is not written down.
NOTED_EVERY = timedelta(minutes=5)
#: Under which the table has every session's one row.
_VERSION = "console-session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who is signed in."""

    name: str
    role: Role
    #: When they signed in, and when they were heard of last. UTC.
    since: datetime
    seen: datetime
    #: What their browser keeps in its cookie.
    secret: str

    def may(self, permission: Permission) -> bool:
        """Whether their role has a permission."""
        return permission in PERMITS[self.role]

    @property
    def reviewer(self) -> Reviewer:
        """Who they are to the cases."""
        return Reviewer(name=self.name, senior=self.may(Permission.SENIOR))

    @property
    def csrf(self) -> str:
        """What each form of theirs carries: nobody else can know it, and it dies with the session."""
        return hmac.new(self.secret.encode(), b"csrf", hashlib.sha256).hexdigest()

    def has_sent(self, token: str) -> bool:
        """Whether a form carries their token."""
        return hmac.compare_digest(self.csrf.encode(), token.encode())


@dataclass(frozen=True, slots=True)
class Sessions:
    """Rows `session#HASH`: the table does not know the secret. Methods raise Fault."""

    aws: Aws
    table: str
    now: Callable[[], datetime]

    def begin(self, name: str, role: Role) -> Visitor:
        """Sign somebody in."""
        now = self.now()
        visitor = Visitor(name=name, role=role, since=now, seen=now, secret=secrets.token_urlsafe(32))
        self._put(visitor)
        return visitor

    def find(self, secret: str) -> Visitor | None:
        """Who has this secret; None where nobody has it, or not any more."""
        row = row_at(self.aws, self.table, _key(secret)) if secret else None
        if row is None:
            return None
        visitor, now = _visitor(row, secret), self.now()
        if now - visitor.seen > IDLE or now - visitor.since > ABSOLUTE:
            return None
        if now - visitor.seen > NOTED_EVERY:
            visitor = Visitor(name=visitor.name, role=visitor.role, since=visitor.since, seen=now, secret=secret)
            self._put(visitor)
        return visitor

    def end(self, secret: str) -> None:
        """Sign somebody out."""
        call(self.aws.store, self.aws.dynamodb.delete_item, TableName=self.table, Key=_key(secret))

    def _put(self, visitor: Visitor) -> None:
        row = _key(visitor.secret) | {
            "name": string(visitor.name),
            "role": string(visitor.role.value),
            "since": string(visitor.since.isoformat()),
            "seen": string(visitor.seen.isoformat()),
            # DynamoDB deletes it some time after; until then `find` knows better.
            "expires": number(int((visitor.since + ABSOLUTE).timestamp())),
        }
        call(self.aws.store, self.aws.dynamodb.put_item, TableName=self.table, Item=row)


def _key(secret: str) -> dict[str, Any]:
    return {
        "location": string(f"session#{hashlib.sha256(secret.encode()).hexdigest()}"),
        "version": string(_VERSION),
    }


def _visitor(row: Mapping[str, Any], secret: str) -> Visitor:
    return Visitor(
        name=row["name"]["S"],
        role=Role(row["role"]["S"]),
        since=datetime.fromisoformat(row["since"]["S"]),
        seen=datetime.fromisoformat(row["seen"]["S"]),
        secret=secret,
    )
