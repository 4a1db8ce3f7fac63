"""Heads: how far each audit chain has come, recorded apart from the chain so that a lost tail shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tasks.aws.calls import call
from tasks.aws.rows import number, rows_at, string
from tasks.aws.session import Aws
from tasks.record.chain import Head


@dataclass(frozen=True, slots=True)
class Heads:
    """Heads of the log in a bucket, as rows of the items table.

    One for each writer and day (UTC) on which it wrote, with its last of that day, so that whoever verifies some days
    reads no more than those; and one row for each day on which anybody wrote. Methods raise Fault.
    """

    aws: Aws
    table: str
    bucket: str

    def put(self, head: Head) -> None:
        """Record a head in the stead of the writer's earlier one of that day. One writer is one process."""
        row = {
            "location": string(self._of(head.at.date().isoformat())),
            "version": string(head.writer),
            "objects": number(head.objects),
            "lines": number(head.lines),
            "hash": string(head.hash),
            "key": string(head.key),
            "at": string(head.at.isoformat()),
        }
        call(self.aws.store, self.aws.dynamodb.put_item, TableName=self.table, Item=row)

    def name_day(self, day: date) -> None:
        """Say that there are heads of a day, before the first of them is put."""
        row = {"location": string(self._days), "version": string(day.isoformat())}
        call(self.aws.store, self.aws.dynamodb.put_item, TableName=self.table, Item=row)

    def between(self, since: datetime | None, until: datetime) -> Iterator[Head]:
        """Every head of the days from that of `since` (None: the first) to that of `until`; a query for each day."""
        for row in rows_at(self.aws, self.table, self._days):
            day = row["version"]["S"]
            if (since is None or day >= since.date().isoformat()) and day <= until.date().isoformat():
                yield from map(_head, rows_at(self.aws, self.table, self._of(day)))

    @property
    def _days(self) -> str:
        """Where the days stand on which there are heads."""
        return f"audit-head#{self.bucket}"

    def _of(self, day: str) -> str:
        return f"audit-head#{self.bucket}#{day}"


def _head(row: Mapping[str, Any]) -> Head:
    return Head(
        writer=row["version"]["S"],
        objects=int(row["objects"]["N"]),
        lines=int(row["lines"]["N"]),
        hash=row["hash"]["S"],
        key=row["key"]["S"],
        at=datetime.fromisoformat(row["at"]["S"]),
    )
