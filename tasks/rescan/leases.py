"""The partitions of a run: each worked by one enqueuer at a time, under a lease, from checkpoint to checkpoint.

A checkpoint says up to where the source is read, and puts the messages of that on record, in one transaction, before
they are sent. So whoever goes on after a crash first sends those again of which nobody knows whether they were sent,
and reads on behind them: nothing is lost, and what comes twice is the same message.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import Row, number, row_at, rows_at, string
from tasks.rescan.chunk_rows import ChunkRow, new_row
from tasks.rescan.run import RunState
from tasks.rescan.run_rows import SKIPPED, Runs, location_of, run_key
from tasks.rescan.subject import Partition

if TYPE_CHECKING:
    from tasks.aws.session import Aws

#: Before a partition's id.
PARTITION = "partition/"
#: Writes of one transaction, and one less for the row that guards it.
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
MOST_WRITES = 100


class Lost(Exception):
    """The lease is another enqueuer's by now; nothing was written."""


class Full(Exception):
    """The run has no room for so many objects, or is not being enqueued any more; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A partition that this enqueuer holds, as far as it has come."""

    partition: Partition
    #: Its lease is his who wrote this last.
    by: str
    #: Where reading goes on.
    after: str = ""
    #: Of the next message, counted from 0; those from `unsent` on may not have been sent.
    number: int = 0
    unsent: int = 0

    @property
    def id(self) -> str:
        """The partition's."""
        return self.partition.id

    def chunk_id(self, which: int) -> str:
        """The id of its message of a number: they sort by it."""
        return f"{self.id}-{which:07d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is read of a partition from one checkpoint to the next."""

    after: str
    #: In the order in which they are sent.
    chunks: tuple[ChunkRow, ...] = ()
    read: int = 0
    #: Reason -> objects that are not sent.
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def items(self) -> int:
        """Objects that are sent."""
        return sum(chunk.items for chunk in self.chunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitions:
    """Those of one run, to one enqueuer. Methods raise the faults of `tasks.aws.faults` and what they say below."""

    aws: Aws
    table: str
    run_id: str
    #: Names this enqueuer; no other ever has the name.
    me: str
    #: How long a lease lasts unless it is renewed.
    seconds: float

    def divide(self, parts: Iterable[Partition], *, now: datetime) -> bool:
        """Put a run's parts on record, once for all; False where another enqueuer is at it.

        What one that died has left of it goes first: the source may be divided otherwise today.
        """
        if not self._guard_division(now):
            return False
        self._forget(now)
        count, rest = 0, iter(parts)
        # Nobody takes a part before all are there.
        while group := list(islice(rest, MOST_WRITES - 1)):
            puts = [{"Put": {"TableName": self.table, "Item": self._new_row(each)}} for each in group]
            self._guarded(puts, now)
            count += len(group)
        self._divided(count)
        return True

    def take(self, *, now: datetime, since: str = "") -> Part | None:
        """The first part, from the one of an id on, that is neither done nor held; None where there is none now."""
        for row in self._rows(since=since):
            if "done_at" not in row and float(row["lease_until"]["N"]) < now.timestamp() and self._lease(row, now):
                return self._part(row)
        return None

    def renew(self, part: Part, *, now: datetime) -> None:
        """Keep the lease. Raises Lost."""
        self._hold(part, until=now.timestamp() + self.seconds)

    def release(self, part: Part) -> None:
        """Let somebody else have it at once. Raises Lost."""
        self._hold(part, until=0.0)

    def checkpoint(self, part: Part, step: Step, *, now: datetime, most: int | None) -> Part:
        """Put a step's messages on record, to be sent now, and how far that comes; returns the part behind it.

        What was on record before counts as sent. `most` objects may the run send in all. Raises Lost and Full.
        """
        me = uuid.uuid4().hex
        behind = replace(part, after=step.after, number=part.number + len(step.chunks), unsent=part.number)
        moved = {
            "TableName": self.table,
            "Key": self._key(part.id),
            "UpdateExpression": "SET read_to = :after, chunk_number = :next, unsent = :this, lease_until = :until, "
            "step_by = :step",
            "ConditionExpression": "lease_by = :me AND chunk_number = :this AND attribute_not_exists(done_at)",
            "ExpressionAttributeValues": {
                ":after": string(step.after),
                ":this": number(part.number),
                ":next": number(behind.number),
                ":until": number(now.timestamp() + self.seconds),
                ":me": string(self.me),
                ":step": string(me),
            },
        }
        counted = {"read": step.read, "enqueued": step.items, "chunks": len(step.chunks)}
        counted |= {SKIPPED + why: count for why, count in step.skipped.items()}
        update = Runs(self.aws, self.table).adding(self.run_id, counted)
        room = " AND enqueued <= :room" if most is not None else ""
        update["ConditionExpression"] += f" AND #state = :state{room}"
        update["ExpressionAttributeNames"]["#state"] = "state"
        update["ExpressionAttributeValues"] |= {":state": string(RunState.ENQUEUING)}
        if most is not None:
            update["ExpressionAttributeValues"][":room"] = number(most - step.items)
        rows = [new_row(chunk, run_id=self.run_id, at=now) for chunk in step.chunks]
        puts = [{"Put": {"TableName": self.table, "Item": row}} for row in rows]
        self._step([{"Update": moved}, {"Update": update}, *puts], part.id, me)
        return behind

    def close(self, part: Part, *, now: datetime) -> None:
        """All of a part is sent. Raises Lost."""
        me = uuid.uuid4().hex
        done = {
            "TableName": self.table,
            "Key": self._key(part.id),
            "UpdateExpression": "SET done_at = :at, unsent = :next, step_by = :step",
            "ConditionExpression": "lease_by = :me AND chunk_number = :next AND attribute_not_exists(done_at)",
            "ExpressionAttributeValues": {
                ":at": string(now.isoformat()),
                ":next": number(part.number),
                ":me": string(self.me),
                ":step": string(me),
            },
        }
        counted = Runs(self.aws, self.table).adding(self.run_id, {"parts_done": 1})
        self._step([{"Update": done}, {"Update": counted}], part.id, me)

    def _step(self, writes: Sequence[Mapping[str, Any]], part_id: str, me: str) -> None:
        try:
            call(self.aws.store, self.aws.dynamodb.transact_write_items, TransactItems=list(writes))
        except Moved:
            row = row_at(self.aws, self.table, self._key(part_id))
            if row and row.get("step_by") == string(me):
                return  # only the answer was lost
            if row is None or row.get("lease_by") != string(self.me) or "done_at" in row:
                raise Lost(f"the part {part_id} is another enqueuer's by now") from None
            raise Full from None

    def _hold(self, part: Part, *, until: float) -> None:
        try:
            self._update(
                part.id,
                "SET lease_until = :until",
                values={":until": number(until), ":me": string(self.me)},
                condition="lease_by = :me AND attribute_not_exists(done_at)",
            )
        except Moved:
            raise Lost(f"the part {part.id} is another enqueuer's by now") from None

    def _lease(self, row: Row, now: datetime) -> bool:
        try:
            self._update(
                row["version"]["S"].removeprefix(PARTITION),
                "SET lease_by = :me, lease_until = :until",
                values={
                    ":me": string(self.me),
                    ":until": number(now.timestamp() + self.seconds),
                    ":seen": row["lease_until"],
                    ":was": row["lease_by"],
                },
                # As it was read, to the letter: whoever held it may have come further meanwhile.
                condition="lease_until = :seen AND lease_by = :was AND attribute_not_exists(done_at)",
            )
        except Moved:
            return False
        return True

    def _part(self, row: Row) -> Part:
        partition = Partition(id=row["version"]["S"].removeprefix(PARTITION), spec=json.loads(row["spec"]["S"]))
        counts = {"number": int(row["chunk_number"]["N"]), "unsent": int(row["unsent"]["N"])}
        return Part(partition=partition, by=self.me, after=row["read_to"]["S"], **counts)

    def _rows(self, *, since: str = "") -> Iterator[Row]:
        where = location_of(self.run_id)
        if not since:
            return rows_at(self.aws, self.table, where, begins=PARTITION)
        rows = rows_at(self.aws, self.table, where, since=PARTITION + since)
        return takewhile(lambda row: row["version"]["S"].startswith(PARTITION), rows)

    def _new_row(self, part: Partition) -> Row:
        return {
            **self._key(part.id),
            "spec": string(json.dumps(part.spec)),
            "read_to": string(""),
            "chunk_number": number(0),
            "unsent": number(0),
            "lease_by": string(""),
            "lease_until": number(0),
        }

    def _forget(self, now: datetime) -> None:
        keys = [{name: row[name] for name in ("location", "version")} for row in self._rows()]
        for begin in range(0, len(keys), MOST_WRITES - 1):
            group = keys[begin : begin + MOST_WRITES - 1]
            self._guarded([{"Delete": {"TableName": self.table, "Key": key}} for key in group], now)

    def _divided(self, count: int) -> None:
        try:
            call(
                self.aws.store,
                self.aws.dynamodb.update_item,
                TableName=self.table,
                Key=run_key(self.run_id),
                UpdateExpression="SET #state = :enqueuing, parts = :count",
                # Nobody else has begun to divide it meanwhile: then some of the parts would be gone.
                ConditionExpression="#state = :planned AND divide_by = :me",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={
                    ":planned": string(RunState.PLANNED),
                    ":enqueuing": string(RunState.ENQUEUING),
                    ":count": number(count),
                    ":me": string(self.me),
                },
            )
        except Moved:
            run = row_at(self.aws, self.table, run_key(self.run_id))
            if run is None or run["divide_by"] != string(self.me) or run["state"] == string(RunState.PLANNED):
                raise Lost("another enqueuer is dividing the source") from None

    def _guard_division(self, now: datetime) -> bool:
        try:
            call(self.aws.store, self.aws.dynamodb.update_item, **self._guard(now, free=True))
        except Moved:
            return False
        return True

    def _guarded(self, writes: list[dict[str, Any]], now: datetime) -> None:
        """Write, unless another enqueuer has begun to divide the source. Raises Lost."""
        try:
            guard = {"Update": self._guard(now, free=False)}
            call(self.aws.store, self.aws.dynamodb.transact_write_items, TransactItems=[guard, *writes])
        except Moved:
            raise Lost("another enqueuer is dividing the source") from None

    def _guard(self, now: datetime, *, free: bool) -> dict[str, Any]:
        """The update that keeps others from dividing the source; with `free`, also where nobody is at it."""
        nobody = "attribute_not_exists(divide_by) OR divide_until < :now OR " if free else ""
        values = {":me": string(self.me), ":until": number(now.timestamp() + self.seconds)}
        values |= {":planned": string(RunState.PLANNED)} | ({":now": number(now.timestamp())} if free else {})
        return {
            "TableName": self.table,
            "Key": run_key(self.run_id),
            "UpdateExpression": "SET divide_by = :me, divide_until = :until",
            "ConditionExpression": f"#state = :planned AND ({nobody}divide_by = :me)",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": values,
        }

    def _key(self, part_id: str) -> dict[str, Any]:
        return {"location": string(location_of(self.run_id)), "version": string(PARTITION + part_id)}

    def _update(self, part_id: str, expression: str, *, values: Mapping[str, Any], condition: str) -> None:
        call(
            self.aws.store,
            self.aws.dynamodb.update_item,
            TableName=self.table,
            Key=self._key(part_id),
            UpdateExpression=expression,
            ConditionExpression=condition,
            ExpressionAttributeValues=dict(values),
        )
