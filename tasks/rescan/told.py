"""Whom a run has to tell what at its end: a row for each item that it restricts, or lets go of, by its uploader."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tasks.aws.calls import call
from tasks.aws.rows import Row, number, rows_at, string
from tasks.desk import Desk
from tasks.record.standing import Standing
from tasks.rescan.run_rows import Runs, location_of

#: For how long a row is kept.
KEPT = timedelta(days=90)
#: Characters that tell one uploader from another; their name may be longer than a key can be.
DIGITS = 32
#: Behind an uploader's digits: the row that says how far they were told, and, after it, the items.
TOLD, ITEM = "!told", "#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An item of which its uploader is to be told."""

    #: Names the row: the uploader, and the item.
    name: str
    uploader: str
    location: str
    version: str

    @property
    def who(self) -> str:
        """Digits that stand for the uploader."""
        return self.name[:DIGITS]


def waits_for_run(standing: Standing) -> bool:
    """Whether its uploader is told by a run's notice: the run decided, and no person has since."""
    return bool(standing.rescan) and standing.overruled is None and standing.restoring is None


def note_for_run(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Have the notice at the run's end tell of an item; returns what a receipt says of it. Raises Fault.

    Empty where the run has ended, so that its notices may be out: then the item needs one of its own.
    """
    run_id, uploader = standing.rescan, standing.uploader
    name = f"{digits_of(uploader)}{ITEM}{standing.item.id}"
    row = {
        "location": string(told_at(run_id)),
        "version": string(name),
        "uploader": string(uploader),
        "item_location": string(standing.item.location),
        "item_version": string(standing.item.version),
        "expires": number(round((desk.now() + KEPT).timestamp())),
    }
    table = desk.settings.items_table
    call(desk.aws.store, desk.aws.dynamodb.put_item, TableName=table, Item=row)
    run = Runs(desk.aws, table).find(run_id)
    if run is None or run.ended:
        return {}
    return {"notice_id": f"{run_id}-{digits_of(uploader)}", "rescan": run_id}


def to_tell(desk: Desk, run_id: str) -> Iterator[Told]:
    """Every item of a run of which somebody is still to be told, by uploader, read a page at a time. Raises Fault."""
    until = ""
    for row in rows_at(desk.aws, desk.settings.items_table, told_at(run_id)):
        name = row["version"]["S"]
        if name.endswith(TOLD):
            until = row["until"]["S"]
        elif not (until[:DIGITS] == name[:DIGITS] and name <= until):
            yield _told(row)


def note_told(desk: Desk, run_id: str, last: Told) -> None:
    """An uploader was told of their items up to this one. Raises Fault."""
    row = {
        "location": string(told_at(run_id)),
        "version": string(last.who + TOLD),
        "until": string(last.name),
        "expires": number(round((desk.now() + KEPT).timestamp())),
    }
    call(desk.aws.store, desk.aws.dynamodb.put_item, TableName=desk.settings.items_table, Item=row)


def digits_of(uploader: str) -> str:
    """What stands for an uploader."""
    return hashlib.sha256(uploader.encode()).hexdigest()[:DIGITS]


def told_at(run_id: str) -> str:
    """Where the rows of a run stand."""
    return f"{location_of(run_id)}/told"


def _told(row: Row) -> Told:
    return Told(
        name=row["version"]["S"],
        uploader=row["uploader"]["S"],
        location=row["item_location"]["S"],
        version=row["item_version"]["S"],
    )
