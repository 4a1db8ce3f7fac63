"""What was taken down, by how the keys of its renditions begin: one that is made later is recognised by its key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Throttled
from tasks.aws.rows import number, string
from tasks.aws.session import Aws
from tasks.decide.policy import Policy
from tasks.decide.rendition import MOST_HEADS, heads, is_rendition, listed_under
from tasks.item import Item, item_from
from tasks.record.standing import Standing
from tasks.record.state import State

#: The receipt that lists what was found, and the one of what became of it, which may list more.
FOUND, TAKEN = "renditions", "take_renditions"
#: For so long a rendition may come late; whoever makes one needs the original, which is gone.
KEPT = timedelta(days=90)
#: No object has a longer key, so nothing begins with more.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES = 1024
#: The sort key of these rows, whose location is no object's.
ORIGINAL = "original"


def renditions_of(standing: Standing, item: Item) -> tuple[Item, ...]:
    """Those of an item, or of one part of a post, that its takedown found."""
    receipts = (standing.receipts.get(name, {}) for name in (TAKEN, FOUND))
    of_each = (receipt for one in receipts for receipt in (one, one.get("parts", {}).get(item.key, {})))
    own = next((receipt for receipt in of_each if receipt.get("of") == item.location), {})
    return tuple(item_from(fields) for fields in own.get("found", ()))


def put_back_with(original: Standing, item: Item) -> Mapping[str, Any]:
    """The receipt of what was put back under an item's key together with its original; empty where nothing was."""
    receipts = original.receipts.get("put_back", {}).get(FOUND, {})
    found: Mapping[str, Any] = receipts.get(item.key, {})
    return found if "etag" in found else {}


def every_pattern(policy: Policy) -> Iterator[str]:
    """The renditions of all surfaces."""
    return (pattern for surface in policy.surfaces for pattern in surface.renditions)


def note_original(state: State, item: Item, patterns: Iterable[str], *, now: datetime) -> None:
    """Record that an item is taken down, under what the keys of its renditions begin with. Raises Fault."""
    for head in {listed_under(pattern, item.key) for pattern in patterns}:
        if len(head.encode()) > MAX_KEY_BYTES:
            continue
        call(
            state.aws.store,
            state.aws.dynamodb.put_item,
            TableName=state.table,
            Item={
                "location": string(_location(item.bucket, head)),
                "version": string(ORIGINAL),
                "original": string(item.location),
                "original_version": string(item.version),
                "expires": number(int((now + KEPT).timestamp())),
            },
        )


def original_of(state: State, item: Item, patterns: Iterable[str]) -> Standing | None:
    """What is recorded of the upload that was taken down and whose rendition an item is, by its key. Raises Fault.

    One call where the key looks like a rendition's, and none for any other.
    """
    by_head = {head: pattern for pattern in patterns for head in heads(pattern, item.key)}
    if not by_head:
        return None
    begun = sorted(by_head, key=len, reverse=True)[:MOST_HEADS]
    for location, version in _noted(state.aws, state.table, item.bucket, begun):
        key = location.removeprefix(f"s3://{item.bucket}/")
        if any(is_rendition(pattern, item.key, of=key) for pattern in by_head.values()):
            return state.find_version(location, version)
    return None


def _noted(aws: Aws, table: str, bucket: str, begun: list[str]) -> list[tuple[str, str]]:
    """Location and version of the originals noted under these beginnings, the longest first."""
    keys = [{"location": string(_location(bucket, head)), "version": string(ORIGINAL)} for head in begun]
    answer = call(aws.store, aws.dynamodb.batch_get_item, RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    if answer.get("UnprocessedKeys"):
        raise Throttled(call="dynamodb.BatchGetItem")
    rows = sorted(answer["Responses"].get(table, []), key=lambda row: -len(row["location"]["S"]))
    return [(row["original"]["S"], row["original_version"]["S"]) for row in rows]


def _location(bucket: str, head: str) -> str:
    return f"renditions:s3://{bucket}/{head}"
