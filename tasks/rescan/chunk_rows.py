"""The messages of a run on record: a row each, written before it is sent, and what came of it once it is worked.

A row keeps its message's body until that is worked: whatever was on record and not sent for sure is sent again, word
for word, and counts once.
"""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import Row, number, row_at, rows_at, string
from tasks.rescan.run_rows import TALLY, Runs, location_of

if TYPE_CHECKING:
    from tasks.aws.session import Aws

#: For how long a row is kept.
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRow:
    """One message on record."""

    id: str
    #: As it is sent; empty once it is worked.
    body: str
    items: int
    redecide: bool
    #: When it was worked (ISO, UTC); empty until then.
    done_at: str
    #: What whoever worked it tells of it, for the report.
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What came of a message."""

    at: datetime
    #: Added to the run's counts by name.
    tally: Mapping[str, int] = field(default_factory=dict)
    #: For the report: JSON, at most some 300 KB.
    said: Mapping[str, Any] = field(default_factory=dict)
    #: Millionths of a dollar that it cost, and those that were committed for it and are free again.
    spent_micros: int = 0
    released_micros: int = 0
    #: How many answers are still to come of it, or, negative, have come.
    waiting: int = 0

    @property
    def adds(self) -> dict[str, int]:
        """To the run's counts, by their names on its row."""
        money = {"spent_micros": self.spent_micros, "committed_micros": self.spent_micros - self.released_micros}
        return money | {"waiting": self.waiting} | {TALLY + name: count for name, count in self.tally.items()}


@dataclass(frozen=True, slots=True)
class Chunks:
    """The rows. Methods raise the faults of `tasks.aws.faults`."""

    aws: Aws
    table: str

    def find(self, run_id: str, chunk_id: str) -> ChunkRow | None:
        """A message's row (consistent read); None where no such message was ever on record."""
        row = row_at(self.aws, self.table, chunk_key(run_id, chunk_id))
        return _chunk(row) if row else None

    def all(self, run_id: str, *, begins: str = "") -> Iterator[ChunkRow]:
        """All messages of a run by their id, read a page at a time; with `begins`, those whose id does."""
        return map(_chunk, rows_at(self.aws, self.table, chunks_at(run_id), begins=begins))

    def since(self, run_id: str, chunk_id: str) -> Iterator[ChunkRow]:
        """The messages from an id on."""
        return map(_chunk, rows_at(self.aws, self.table, chunks_at(run_id), since=chunk_id))

    def close(self, run_id: str, chunk_id: str, worked: Worked) -> bool:
        """Record that a message is worked, and add to the run what came of it: both or neither.

        Whether this did it: False where it was worked before, or never on record.
        """
        # Where only the answer was lost, the next try must not take its own write for somebody else's.
        me = uuid.uuid4().hex
        update = {
            "TableName": self.table,
            "Key": chunk_key(run_id, chunk_id),
            "UpdateExpression": "SET done_at = :at, said = :said, done_by = :me REMOVE body",
            "ConditionExpression": "attribute_exists(chunk_items) AND attribute_not_exists(done_at)",
            "ExpressionAttributeValues": {f":{name}": value for name, value in _closed(worked, me).items()},
        }
        return self._once({"Update": update}, run_id, chunk_id, adds={"chunks_done": 1} | worked.adds, me=me)

    def close_late(self, run_id: str, name: str, worked: Worked) -> bool:
        """The same of what comes after a message was worked, by a `name` of its own that no message has."""
        me = uuid.uuid4().hex
        row = {
            **chunk_key(run_id, name),
            "chunk_items": number(0),
            "redecide": {"BOOL": False},
            "done_at": string(worked.at.isoformat()),
            "said": _closed(worked, me)["said"],
            "done_by": string(me),
            "expires": number(round((worked.at + KEPT).timestamp())),
        }
        put = {"TableName": self.table, "Item": row, "ConditionExpression": "attribute_not_exists(done_at)"}
        return self._once({"Put": put}, run_id, name, adds=worked.adds, me=me)

    def _once(self, write: Mapping[str, Any], run_id: str, name: str, *, adds: Mapping[str, int], me: str) -> bool:
        added = {"Update": Runs(self.aws, self.table).adding(run_id, adds)}
        try:
            call(self.aws.store, self.aws.dynamodb.transact_write_items, TransactItems=[write, added])
        except Moved:
            row = row_at(self.aws, self.table, chunk_key(run_id, name))
            return bool(row and row.get("done_by") == string(me))
        return True


def chunks_at(run_id: str) -> str:
    """Where the rows of a run's messages stand."""
    return f"{location_of(run_id)}/chunks"


def chunk_key(run_id: str, chunk_id: str) -> dict[str, Any]:
    """Of a message's row."""
    return {"location": string(chunks_at(run_id)), "version": string(chunk_id)}


def new_row(row: ChunkRow, *, run_id: str, at: datetime) -> Row:
    """Of a message that is about to be sent."""
    return {
        **chunk_key(run_id, row.id),
        # DynamoDB bills each KB that is written, and keys of one prefix are much alike.
        "body": {"B": zlib.compress(row.body.encode(), level=1)},
        "chunk_items": number(row.items),
        "redecide": {"BOOL": row.redecide},
        "expires": number(round((at + KEPT).timestamp())),
    }


def _closed(worked: Worked, me: str) -> dict[str, Any]:
    said = json.dumps(worked.said, ensure_ascii=False, separators=(",", ":"))
    return {"at": string(worked.at.isoformat()), "said": string(said), "me": string(me)}


def _chunk(row: Row) -> ChunkRow:
    return ChunkRow(
        id=row["version"]["S"],
        body=zlib.decompress(row["body"]["B"]).decode() if "body" in row else "",
        items=int(row["chunk_items"]["N"]),
        redecide=row["redecide"]["BOOL"],
        done_at=row.get("done_at", {"S": ""})["S"],
        said=json.loads(row["said"]["S"]) if "said" in row else {},
    )
