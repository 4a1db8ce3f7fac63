"""The rows of what has been looked at before, in the items table: one for each content, by a name of its bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import Row, number, string
from tasks.item import Item
from tasks.record.memory import Memory, values_of

if TYPE_CHECKING:
    from tasks.aws.session import Aws

log = structlog.get_logger("modfleet.seen")

#: The sort key of every row.
LOOKED = "looked"
#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
MOST_STATEMENTS = 25
#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MOST_KEYS = 100
#: Seconds for the retries of a lookup: looking anew is cheaper than waiting.
LOOKUP_SECONDS = 1.0
#: Seconds after which DynamoDB takes away what a claim left behind.
STUB_SECONDS = 86_400
#: Epoch seconds at which a row goes that should stay.
EVER = 4_102_444_800

_END_OF_CLAIM = "REMOVE asker, asked_until, in_job"


def hint_of(item: Item) -> str:
    """A name of the item's bytes that costs nothing to know and that an uploader can forge."""
    return f"{item.etag}-{item.size}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRows:
    """Methods raise the faults of `tasks.aws.faults`; a `holder` is the id of the item whose run has a claim."""

    aws: Aws
    table: str
    now: Callable[[], datetime]
    #: How long findings are used again.
    keep_days: int
    #: How long a claim holds.
    lease_seconds: float

    def insert(self, claims: Sequence[tuple[str, str]]) -> dict[tuple[str, str], bool]:
        """Claim names that have no row yet, up to MOST_STATEMENTS; which of the claims (name, holder) succeeded.

        One call for all. Of two claims of one name the first is made.
        """
        now = self.now().timestamp()
        until, expires = number(now + self.lease_seconds), number(int(now) + STUB_SECONDS)
        first = {name: (name, holder) for name, holder in reversed(claims)}
        fields = "'location': ?, 'version': ?, 'asker': ?, 'asked_until': ?, 'expires': ?"
        statement = f'INSERT INTO "{self.table}" VALUE {{{fields}}}'  # the values are parameters
        answer = call(
            self.aws.store.within(LOOKUP_SECONDS),
            self.aws.dynamodb.batch_execute_statement,
            Statements=[
                {
                    "Statement": statement,
                    "Parameters": [string(_location(name)), string(LOOKED), string(holder), until, expires],
                }
                for name, holder in first.values()
            ],
        )
        codes = [said.get("Error", {}).get("Code", "") for said in answer.get("Responses", ())]
        answers = dict(zip(first.values(), codes, strict=False))
        if trouble := set(answers.values()) - {"", "DuplicateItem"}:
            log.warning("not_claimed", code=sorted(trouble)[0], call="dynamodb.BatchExecuteStatement")
        # What failed otherwise is looked up, and looked at anew where nothing is found.
        return {claim: code == "" for claim, code in answers.items()}

    def read(self, names: Sequence[str]) -> dict[str, Row]:
        """The rows that there are, of up to MOST_KEYS names, by one call."""
        answer = call(
            self.aws.store.within(LOOKUP_SECONDS),
            self.aws.dynamodb.batch_get_item,
            RequestItems={self.table: {"Keys": [_key(name) for name in names], "ConsistentRead": True}},
        )
        by_location = {row["location"]["S"]: row for row in answer.get("Responses", {}).get(self.table, ())}
        return {name: by_location[_location(name)] for name in names if _location(name) in by_location}

    def take(self, name: str, *, holder: str) -> bool:
        """Claim a name whose row is of no use; False where another one has done so."""
        now = self.now().timestamp()
        return self._update(
            name,
            "SET asker = :me, asked_until = :until, expires = if_not_exists(expires, :expires)",
            values={
                ":me": string(holder),
                ":now": number(now),
                ":until": number(now + self.lease_seconds),
                ":expires": number(int(now) + STUB_SECONDS),
            },
            condition="attribute_not_exists(asker) OR asker = :me OR asked_until < :now",
        )

    def keep(self, name: str, *, holder: str, seconds: float) -> None:
        """A video job is looking: the claim holds for so long, if there is one."""
        values = {":me": string(holder), ":until": number(self.now().timestamp() + seconds), ":yes": {"BOOL": True}}
        self._update(name, "SET asked_until = :until, in_job = :yes", values=values, condition="asker = :me")

    def let_go(self, name: str, *, holder: str) -> None:
        """End a claim, if there is one."""
        self._update(name, _END_OF_CLAIM, values={":me": string(holder)}, condition="asker = :me")

    def hint_at(self, name: str, *, sha256: str) -> None:
        """Whatever has this name may be known content: its digest is to be taken."""
        values = {":ever": number(EVER), ":sha256": {"SS": [sha256]}}
        self._update(name, "SET keep_until = :ever, expires = :ever ADD known :sha256", values=values)

    def hint_no_more(self, name: str, *, sha256: str) -> None:
        """What has this name is known content no more."""
        self._update(name, "DELETE known :sha256", values={":sha256": {"SS": [sha256]}})

    def drop(self, name: str) -> None:
        """Forget what was found in whatever has this name, if anything was. Raises Fault."""
        with suppress(Moved):
            call(
                self.aws.store,
                self.aws.dynamodb.update_item,
                TableName=self.table,
                Key=_key(name),
                UpdateExpression="REMOVE memory, looked_at, sha256",
                ConditionExpression="attribute_exists(looked_at)",
            )

    def write(self, memory: Memory) -> dict[str, Any]:
        """The part of a decision's transaction that remembers; it ends the claim too."""
        digest = ("sha256 = :sha256, ", "") if memory.sha256 else ("", ", sha256")
        return {
            "Update": {
                "TableName": self.table,
                "Key": _key(memory.name),
                "UpdateExpression": f"SET {digest[0]}memory = :memory, looked_at = :looked_at, "
                # A row that a list of known content hints at must outlive its findings.
                f"expires = if_not_exists(keep_until, :expires) {_END_OF_CLAIM}{digest[1]}",
                "ExpressionAttributeValues": {
                    **values_of(memory),
                    ":expires": number(int(memory.looked_at) + self.keep_days * 86_400),
                },
            }
        }

    def forget(self, name: str) -> dict[str, Any]:
        """The part of a decision's transaction that only ends a claim."""
        return {
            "Update": {
                "TableName": self.table,
                "Key": _key(name),
                # Where there was no row, this makes one.
                "UpdateExpression": f"SET expires = if_not_exists(expires, :expires) {_END_OF_CLAIM}",
                "ExpressionAttributeValues": {":expires": number(int(self.now().timestamp()) + STUB_SECONDS)},
            }
        }

    def _update(self, name: str, expression: str, *, values: Mapping[str, Any], condition: str = "") -> bool:
        """Whether the condition held."""
        try:
            call(
                self.aws.store.within(LOOKUP_SECONDS),
                self.aws.dynamodb.update_item,
                TableName=self.table,
                Key=_key(name),
                UpdateExpression=expression,
                ExpressionAttributeValues=values,
                **({"ConditionExpression": condition} if condition else {}),
            )
        except Moved:
            return False
        return True


def _key(name: str) -> Row:
    return {"location": string(_location(name)), "version": string(LOOKED)}


def _location(name: str) -> str:
    return f"seen#{name}"
