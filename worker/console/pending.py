"""Sign-ins that are under way at an identity provider: what they must come back with, as rows of the items table."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tasks.aws.calls import call
from tasks.aws.rows import number, string
from tasks.aws.session import Aws

#: In which somebody has to have signed in at the provider.
WITHIN = timedelta(minutes=10)
#: Under which the table has the one row of each.
_VERSION = "console-sign-in"


@dataclass(frozen=True, slots=True)
class Pending:
    """Rows `signing-in#HASH`: the browser has the secret, the table the rest. Methods raise Fault."""

    aws: Aws
    table: str
    now: Callable[[], datetime]

    def put(self, said: Mapping[str, Any]) -> str:
        """Keep what a sign-in began with. Returns the secret by which the browser gets it back, once."""
        secret, ends = secrets.token_urlsafe(32), self.now() + WITHIN
        row = _key(secret) | {"said": string(json.dumps(said)), "expires": number(int(ends.timestamp()))}
        call(self.aws.store, self.aws.dynamodb.put_item, TableName=self.table, Item=row)
        return secret

    def take(self, secret: str) -> dict[str, Any] | None:
        """What was put, or None where nothing was, or somebody had it before, or it is too late."""
        if not secret:
            return None
        asked = {"TableName": self.table, "Key": _key(secret), "ReturnValues": "ALL_OLD"}
        row = call(self.aws.store, self.aws.dynamodb.delete_item, **asked).get("Attributes")
        if not row or int(row["expires"]["N"]) <= self.now().timestamp():
            return None
        said: dict[str, Any] = json.loads(row["said"]["S"])
        return said


def _key(secret: str) -> dict[str, Any]:
    return {
        "location": string(f"signing-in#{hashlib.sha256(secret.encode()).hexdigest()}"),
        "version": string(_VERSION),
    }
