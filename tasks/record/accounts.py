"""Accounts of uploaders, in the items table: one row each, a log to which many may write at once.

A mark is appended by one atomic update that answers with the whole log: nobody waits for anybody, none is lost, and
everybody knows in which order the marks were written. Who uploads is personal data: the row is found by a digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import number, row_at, string
from tasks.aws.session import Aws
from tasks.decide.accounts import SETTLED, Lift, Mark, Strike, tidied

#: The sort key of an account's row; the digest of its uploader is in the location.
_ROW = "strikes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One uploader's row."""

    uploader: str
    log: tuple[Mark, ...]
    #: Grows with every write.
    revision: int
    #: When DynamoDB deletes the row (epoch seconds); 0 is never.
    expires: int = 0


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts. Methods raise the faults of `tasks.aws.faults`."""

    aws: Aws
    table: str

    def find(self, uploader: str) -> Account:
        """An uploader's account; it is empty where nothing was ever written to it, or all of it is long over."""
        row = row_at(self.aws, self.table, _key(uploader))
        return _account(row) if row else Account(uploader=uploader, log=(), revision=0)

    def add(self, uploader: str, mark: Mark) -> Account:
        """Write a mark to an uploader's log, once; returns the account. Lifting makes none where there is none."""
        try:
            row = self._append(uploader, mark)
        except Moved:
            # It is there already, be it by an earlier run or by our own try whose answer was lost; or nothing is.
            return self.find(uploader)
        return _account(row)

    def tidy(self, account: Account, *, now: datetime) -> None:
        """Drop what cannot matter any more, unless somebody writes meanwhile: then it is for them to do."""
        left = tidied(account.log, now)
        expires = max((int(_settled_at(mark)) for mark in left if isinstance(mark, Strike)), default=0)
        if len(left) == len(account.log) and expires <= account.expires:
            return
        if not left:
            self._write(account, "REMOVE #log, ids ADD revision :one", {})
            return
        values = {
            ":log": {"L": [string(json.dumps(_fields(mark), ensure_ascii=False)) for mark in left]},
            ":ids": {"SS": sorted({mark.id for mark in left})},
            ":expires": number(max(expires, account.expires)),
        }
        self._write(account, "SET #log = :log, ids = :ids, expires = :expires ADD revision :one", values)

    def _append(self, uploader: str, mark: Mark) -> dict[str, Any]:
        expires = ", expires = :expires" if isinstance(mark, Strike) else ""
        values = {
            ":uploader": string(uploader),
            ":none": {"L": []},
            ":mark": {"L": [string(json.dumps(_fields(mark), ensure_ascii=False))]},
            ":ids": {"SS": [mark.id]},
            ":id": string(mark.id),
            ":one": number(1),
            **({":expires": number(int(_settled_at(mark)))} if isinstance(mark, Strike) else {}),
        }
        # What takes strikes back makes no account.
        there = "" if isinstance(mark, Strike) else "attribute_exists(uploader) AND "
        answer = call(
            self.aws.store,
            self.aws.dynamodb.update_item,
            TableName=self.table,
            Key=_key(uploader),
            UpdateExpression=(
                f"SET uploader = :uploader, #log = list_append(if_not_exists(#log, :none), :mark){expires} "
                "ADD ids :ids, revision :one"
            ),
            ConditionExpression=f"{there}(attribute_not_exists(ids) OR NOT contains(ids, :id))",
            ExpressionAttributeNames={"#log": "log"},
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )
        return dict(answer["Attributes"])

    def _write(self, account: Account, expression: str, values: Mapping[str, Any]) -> None:
        with suppress(Moved):
            call(
                self.aws.store,
                self.aws.dynamodb.update_item,
                TableName=self.table,
                Key=_key(account.uploader),
                UpdateExpression=expression,
                ConditionExpression="revision = :revision",
                ExpressionAttributeNames={"#log": "log"},
                ExpressionAttributeValues={**values, ":revision": number(account.revision), ":one": number(1)},
            )


def account_id(uploader: str) -> str:
    """64 hex digits that name an uploader where the name itself must not stand."""
    return hashlib.sha256(uploader.encode()).hexdigest()


def _key(uploader: str) -> dict[str, Any]:
    return {"location": string(f"account#{account_id(uploader)}"), "version": string(_ROW)}


def _settled_at(strike: Strike) -> float:
    return (strike.until + SETTLED).timestamp()


def _account(row: Mapping[str, Any]) -> Account:
    return Account(
        uploader=row["uploader"]["S"],
        log=tuple(_mark(json.loads(line["S"])) for line in row.get("log", {"L": []})["L"]),
        revision=int(row["revision"]["N"]),
        expires=int(row["expires"]["N"]) if "expires" in row else 0,
    )


def _fields(mark: Mark) -> dict[str, Any]:
    """A mark as JSON has it."""
    said: dict[str, Any] = {
        "id": mark.id,
        "location": mark.location,
        "version": mark.version,
        "at": mark.at.isoformat(),
        "thresholds": dict(mark.thresholds),
    }
    if isinstance(mark, Lift):
        return said | {"why": mark.why}
    said |= {"points": mark.points, "until": mark.until.isoformat(), "rules": list(mark.rules)}
    return said | ({"instead_of": list(mark.instead_of)} if mark.instead_of else {})


def _mark(said: dict[str, Any]) -> Mark:
    """The mark that `_fields` made."""
    said["at"] = datetime.fromisoformat(said["at"])
    if "why" in said:
        return Lift(**said)
    said |= {"until": datetime.fromisoformat(said["until"]), "rules": tuple(said["rules"])}
    return Strike(**said | {"instead_of": tuple(said.get("instead_of", ()))})
