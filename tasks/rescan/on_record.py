"""What is on record of a rescan's subjects, read a hundred rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from tasks.aws.calls import call
from tasks.aws.faults import Throttled
from tasks.aws.rows import Row, string
from tasks.aws.session import Aws
from tasks.desk import Desk
from tasks.record.standing import Standing, from_row
from tasks.record.state import HEAD
from tasks.rescan.subject import Subject

#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MOST_KEYS = 100

#: Location and version of a row.
Name = tuple[str, str]


def on_record(desk: Desk, subjects: Sequence[Subject]) -> list[Standing | None]:
    """What is recorded of each subject, in their order: one read for each, and two more where there is no row of it.

    What modfleet itself put under a key, a masked copy or what it brought back, stands for what it was made from. A
    subject without a version is what was decided last under its key, if it has its ETag. Raises Fault.
    """
    aws, table = desk.aws, desk.settings.items_table
    own = rows_of(aws, table, [(one.location, one.version_id) for one in subjects if one.version_id])
    others = {one.location for one in subjects if (one.location, one.version_id or "") not in own}
    heads = rows_of(aws, table, [(location, HEAD) for location in others])
    last = rows_of(aws, table, [(location, row["latest"]["S"]) for (location, _), row in heads.items()])
    latest = {location: row for (location, _), row in last.items()}
    return [_standing(one, own.get((one.location, one.version_id or "")), latest.get(one.location)) for one in subjects]


def rows_of(aws: Aws, table: str, names: Iterable[Name]) -> dict[Name, Row]:
    """The rows of these names that there are (consistent reads). Raises Fault."""
    found: dict[Name, Row] = {}
    left = iter(dict.fromkeys(names))
    while some := list(islice(left, MOST_KEYS)):
        for row in _read(aws, table, some):
            found[row["location"]["S"], row["version"]["S"]] = row
    return found


def _read(aws: Aws, table: str, names: Sequence[Name]) -> Iterator[Row]:
    keys = [{"location": string(location), "version": string(version)} for location, version in names]
    while keys:
        asked = {table: {"Keys": keys, "ConsistentRead": True}}
        answer = call(aws.store, aws.dynamodb.batch_get_item, RequestItems=asked)
        rows = answer.get("Responses", {}).get(table, [])
        yield from rows
        keys = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        # One answer holds at most 16 MB, and less where the table is throttled: then it may hold nothing at all.
        if keys and not rows:
            raise Throttled(f"{len(keys)} rows were not read", call="dynamodb.BatchGetItem")


def _standing(subject: Subject, row: Row | None, latest: Row | None) -> Standing | None:
    if row is not None:
        return from_row(row)
    standing = from_row(latest) if latest else None
    return standing if standing and is_about(standing, subject) else None


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
