"""What the brake holds: one row of the items table for each item, in order of time, so that nobody has to look for it.

A row is written in the transaction of the item's decision, and goes once a person has said what becomes of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.rows import Row, rows_at, string
from tasks.decide.brake import scope_in

if TYPE_CHECKING:
    from tasks.aws.session import Aws
    from tasks.record.standing import Standing

LOCATION = "braked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Braked:
    """One item that is held by the brake."""

    #: Names the row: when it was held, and the item.
    name: str
    #: Of the item, in the items table.
    location: str
    version: str
    surface: str
    #: The quota that was used up: `overall`, or the surface's.
    scope: str
    #: For which it would have been taken down.
    rules: tuple[str, ...]

    @property
    def held_at(self) -> str:
        """When it was held (ISO, UTC)."""
        return self.name.partition("#")[0]


@dataclass(frozen=True, slots=True)
class BrakedItems:
    """The rows. Methods raise the faults of `tasks.aws.faults`."""

    aws: Aws
    table: str

    def put(self, standing: Standing) -> dict[str, Any]:
        """The row of an item that the brake has just held, for the transaction of its decision."""
        row = {
            **_key(_name(standing)),
            "item_location": string(standing.item.location),
            "item_version": string(standing.item.version),
            "surface": string(standing.surface),
            "scope": string(scope_in(standing.rules) or ""),
            "rules": string(json.dumps(list(standing.braked))),
        }
        return {"Put": {"TableName": self.table, "Item": row}}

    def since(self, at: datetime | None = None) -> Iterator[Braked]:
        """What is held since a moment (UTC; None is ever), in order of time, read a page at a time."""
        begin = _moment(at) if at else ""
        return map(_braked, rows_at(self.aws, self.table, LOCATION, since=begin))

    def remove(self, standing: Standing) -> None:
        """The brake does not hold it any more; nothing where it never did."""
        call(self.aws.store, self.aws.dynamodb.delete_item, **self.removal(standing))

    def removal(self, standing: Standing) -> dict[str, Any]:
        """The same for a transaction: what its `Delete` takes."""
        return {"TableName": self.table, "Key": _key(_name(standing))}


def _name(standing: Standing) -> str:
    assert standing.decided_at is not None  # nothing else is held
    return f"{_moment(standing.decided_at)}#{standing.item.id}"


def _moment(at: datetime) -> str:
    """As text that sorts by time."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _key(name: str) -> dict[str, Any]:
    return {"location": string(LOCATION), "version": string(name)}


def _braked(row: Row) -> Braked:
    return Braked(
        name=row["version"]["S"],
        location=row["item_location"]["S"],
        version=row["item_version"]["S"],
        surface=row["surface"]["S"],
        scope=row["scope"]["S"],
        rules=tuple(json.loads(row["rules"]["S"])),
    )
