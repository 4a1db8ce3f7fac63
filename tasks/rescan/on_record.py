"""What is on record of a rescan's subjects, read a hundred rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Throttled
from tasks.aws.rows import Row, number, string
from tasks.aws.session import Aws
from tasks.desk import Desk
from tasks.record.standing import Standing, from_row
from tasks.record.state import HEAD
from tasks.rescan.subject import Subject

#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MOST_KEYS = 100

#: Location and version of a row.
Name = tuple[str, str]

#: What says whether an item's record serves, and what its looks took: half of a row, at half the time.
_GLANCED = (
    *("location", "version", "status", "kind", "policy_version", "detectors", "findings", "history", "decided_at"),
    *("would", "held_until", "braked", "units"),
)
#: A row's other fields, which nobody has read.
_UNREAD: Row = {
    **{name: string("") for name in ("sequencer", "surface", "uploader", "job_id")},
    **{name: string("[]") for name in ("rules", "spans", "plan")},
    "receipts": {"M": {}},
    "lease_until": number(0),
}
#: Consistent: what was decided a moment ago is there.
_WHOLE: Mapping[str, Any] = {"ConsistentRead": True}
#: Half as dear, and perhaps a moment behind.
_GLANCE: Mapping[str, Any] = {
    "ProjectionExpression": ", ".join(f"#{name}" for name in _GLANCED),
    "ExpressionAttributeNames": {f"#{name}": name for name in _GLANCED},
}


def on_record(desk: Desk, subjects: Sequence[Subject], *, glance: bool = False) -> list[Standing | None]:
    """What is recorded of each subject, in their order: one read for each, and two more where there is no row of it.

    What modfleet itself put under a key, a masked copy or what it brought back, stands for what it was made from. A
    subject without a version is what was decided last under its key, if it has its ETag. Raises Fault.

    At a `glance`, of a subject's own row no more is read than what tells whether it serves, and not consistently.
    """
    aws, table, asked = desk.aws, desk.settings.items_table, _GLANCE if glance else _WHOLE
    own = rows_of(aws, table, [(one.location, one.version_id) for one in subjects if one.version_id], asked=asked)
    others = {one.location for one in subjects if (one.location, one.version_id or "") not in own}
    heads = rows_of(aws, table, [(location, HEAD) for location in others])
    last = rows_of(aws, table, [(location, row["latest"]["S"]) for (location, _), row in heads.items()])
    latest = {location: row for (location, _), row in last.items()}
    return [_standing(one, own.get((one.location, one.version_id or "")), latest.get(one.location)) for one in subjects]


def rows_of(aws: Aws, table: str, names: Iterable[Name], *, asked: Mapping[str, Any] = _WHOLE) -> dict[Name, Row]:
    """The rows of these names that there are. Raises Fault."""
    found: dict[Name, Row] = {}
    left = iter(dict.fromkeys(names))
    while some := list(islice(left, MOST_KEYS)):
        for row in _read(aws, table, some, asked):
            found[row["location"]["S"], row["version"]["S"]] = row
    return found


def _read(aws: Aws, table: str, names: Sequence[Name], how: Mapping[str, Any]) -> Iterator[Row]:
    keys = [{"location": string(location), "version": string(version)} for location, version in names]
    while keys:
        asked = {table: {"Keys": keys, **how}}
        answer = call(aws.store, aws.dynamodb.batch_get_item, RequestItems=asked)
        rows = answer.get("Responses", {}).get(table, [])
        yield from rows
        keys = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        # One answer holds at most 16 MB, and less where the table is throttled: then it may hold nothing at all.
        if keys and not rows:
            raise Throttled(f"{len(keys)} rows were not read", call="dynamodb.BatchGetItem")


def _standing(subject: Subject, row: Row | None, latest: Row | None) -> Standing | None:
    if row is not None:
        return from_row(row if "bucket" in row else _UNREAD | _named(subject) | row)
    standing = from_row(latest) if latest else None
    return standing if standing and is_about(standing, subject) else None


def _named(subject: Subject) -> Row:
    """What a row says of its item, as its source has told it."""
    at = subject.modified_at or datetime.min.replace(tzinfo=UTC)
    names = {"bucket": subject.bucket, "key": subject.key, "version_id": subject.version_id, "etag": subject.etag}
    told = {name: string(said) for name, said in names.items()}
    return told | {"size": number(subject.size), "event_time": string(at.isoformat())}


def is_about(standing: Standing, subject: Subject) -> bool:
    """Whether a standing, of the key's last decision, is about a subject that has no row of its own."""
    item = standing.item
    if subject.version_id is None:
        return bool(subject.etag) and subject.etag in (item.etag, *(made["etag"] for made in _made(standing)))
    return any(made.get("version_id") == subject.version_id for made in _made(standing))


def _made(standing: Standing) -> list[dict[str, str]]:
    """What modfleet wrote in the item's place."""
    receipts = (standing.receipts.get(step, {}) for step in ("redact", "put_back"))
    return [dict(receipt) for receipt in receipts if "etag" in receipt]
