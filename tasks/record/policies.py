"""Policies in force, in the items table: every policy as it was written, and which of them was in force when.

A policy's document never changes, a change's row never changes, and one pointer row says which change is the last.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import number, row_at, rows_at, string
from tasks.aws.session import Aws
from tasks.decide.policy import Policy
from tasks.decide.policy_file import parse_policy

#: DynamoDB takes rows of up to 400 KB, of which a document's row needs a little for its names.
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_BYTES = 390_000

#: The row that says which change was the last.
_POINTER = {"location": {"S": "policies#"}, "version": {"S": "in-force"}}
_HISTORY, _DOCUMENTS = "policies#history", "policies#documents"


class How(StrEnum):
    """How a policy came into force."""

    #: It is the one that the workers' settings name, and nothing was ever activated.
    FILE = "file"
    ACTIVATE = "activate"
    ROLLBACK = "rollback"


class Meanwhile(Exception):
    """Somebody else has put a policy in force first."""


class UnknownPolicy(Exception):
    """No policy of this version was ever stored."""


class TooLarge(Exception):
    """The policy does not fit into a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A policy came into force."""

    #: Counts from 1.
    number: int
    #: The policy's version.
    version: str
    how: How
    #: UTC.
    at: datetime
    by: str
    reason: str = ""
    #: The version that was in force before; empty for the first.
    replaced: str = ""
    #: The number of the change to which a rollback goes back; 0 where there is none.
    before: int = 0
    #: What the backtest came to: `decided`, `flips`, `flip_rate`, `review_load`, `takedowns`, `since`. May be empty.
    backtest: Mapping[str, Any] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "number": self.number,
            "version": self.version,
            "how": self.how.value,
            "at": self.at.isoformat(),
            "by": self.by,
            "reason": self.reason,
            "replaced": self.replaced or None,
            "backtest": dict(self.backtest) or None,
        }


@dataclass(frozen=True, slots=True)
class Policies:
    """The store. Methods raise the faults of `tasks.aws.faults` and what they say below."""

    aws: Aws
    table: str

    def in_force(self) -> Change | None:
        """The last change (consistent read); None where no worker ever ran and nothing was activated."""
        row = row_at(self.aws, self.table, _POINTER)
        return _change(row) if row else None

    def change(self, which: int) -> Change | None:
        """The change of this number."""
        row = row_at(self.aws, self.table, _history_key(which))
        return _change(row) if row else None

    def history(self, *, since: int = 1) -> Iterator[Change]:
        """Every change there was from the one of a number on, the oldest first."""
        return map(_change, rows_at(self.aws, self.table, _HISTORY, since=f"{since:08d}"))

    def in_force_at(self, moment: datetime) -> Change | None:
        """The change that was the last at a moment; None for a moment before the first."""
        found = None
        for change in self.history():
            if change.at > moment:
                break
            found = change
        return found

    def text(self, version: str) -> str:
        """A policy as it was written. Raises UnknownPolicy."""
        row = row_at(self.aws, self.table, {"location": string(_DOCUMENTS), "version": string(version)})
        if row is None:
            raise UnknownPolicy(f"no policy {version} was ever stored; `modfleet policy history` names those that were")
        return str(row["text"]["S"])

    def read(self, version: str) -> Policy:
        """A stored policy. Raises UnknownPolicy, and PolicyError where this code does not understand it.

        It goes by the name under which it is stored, even where this code would hash it otherwise.
        """
        return replace(parse_policy(self.text(version), source=version), version=version)

    def store(self, version: str, text: str) -> None:
        """Store a policy as it is written; one that is there already stays as it is. Raises TooLarge."""
        if (size := len(text.encode())) > MOST_BYTES:
            raise TooLarge(f"the policy has {size:,} bytes; a stored one may have {MOST_BYTES:,} at most")
        row = {"location": string(_DOCUMENTS), "version": string(version), "text": string(text)}
        try:
            call(
                self.aws.store,
                self.aws.dynamodb.put_item,
                TableName=self.table,
                Item=row,
                ConditionExpression="attribute_not_exists(#text)",
                ExpressionAttributeNames={"#text": "text"},
            )
        except Moved:
            return

    def put_in_force(self, change: Change) -> None:
        """Record a change, once: its own row and the pointer, or neither.

        Raises Meanwhile unless the change of the number before it is still the last.
        """
        # Where only the answer was lost, the next try must not take its own change for somebody else's.
        row = _row(change) | {"put_by": string(uuid.uuid4().hex)}
        last = "attribute_not_exists(#number)" if change.number == 1 else "#number = :last"
        values = {} if change.number == 1 else {"ExpressionAttributeValues": {":last": number(change.number - 1)}}
        pointer = {
            "TableName": self.table,
            "Item": {**row, **_POINTER},
            "ConditionExpression": last,
            "ExpressionAttributeNames": {"#number": "number"},
            **values,
        }
        history = {"TableName": self.table, "Item": {**row, **_history_key(change.number)}}
        try:
            call(
                self.aws.store,
                self.aws.dynamodb.transact_write_items,
                TransactItems=[{"Put": pointer}, {"Put": history | {"ConditionExpression": _ABSENT}}],
            )
        except Moved:
            found = row_at(self.aws, self.table, _history_key(change.number))
            if found is None or found["put_by"] != row["put_by"]:
                raise Meanwhile("another policy has come into force meanwhile") from None


_ABSENT = "attribute_not_exists(put_by)"


def _history_key(which: int) -> dict[str, Any]:
    return {"location": string(_HISTORY), "version": string(f"{which:08d}")}


def _row(change: Change) -> dict[str, Any]:
    return {
        "number": number(change.number),
        "policy": string(change.version),
        "how": string(change.how),
        "at": string(change.at.isoformat()),
        "by": string(change.by),
        "reason": string(change.reason),
        "replaced": string(change.replaced),
        "before": number(change.before),
        "backtest": string(json.dumps(dict(change.backtest))),
    }


def _change(row: Mapping[str, Any]) -> Change:
    return Change(
        number=int(row["number"]["N"]),
        version=row["policy"]["S"],
        how=How(row["how"]["S"]),
        at=datetime.fromisoformat(row["at"]["S"]),
        by=row["by"]["S"],
        reason=row["reason"]["S"],
        replaced=row["replaced"]["S"],
        before=int(row["before"]["N"]),
        backtest=json.loads(row["backtest"]["S"]),
    )
