"""What is under a key at present, as an item."""

from __future__ import annotations

from datetime import datetime

from tasks.aws.calls import call
from tasks.aws.faults import Gone
from tasks.desk import Desk
from tasks.item import Item


def current(desk: Desk, bucket: str, key: str) -> Item | None:
    """What is current under a key, None where nothing is; without versions, no event names it. Raises Fault."""
    return found[0] if (found := with_metadata(desk, bucket, key)) else None


def with_metadata(desk: Desk, bucket: str, key: str) -> tuple[Item, dict[str, str]] | None:
    """The same with the upload's metadata. Raises Fault."""
    try:
        answer = call(desk.aws.store, desk.aws.s3.head_object, Bucket=bucket, Key=key)
    except Gone:
        return None
    item = Item(
        bucket=bucket,
        key=key,
        version_id=answer.get("VersionId"),
        etag=answer["ETag"].strip('"'),
        size=answer["ContentLength"],
        sequencer="",
        event_time=answer["LastModified"],
    )
    return item, answer.get("Metadata", {})


def replaced_at(desk: Desk, item: Item) -> datetime | None:
    """When something else took an item's place; None where nothing has. Raises Fault."""
    there = current(desk, item.bucket, item.key)
    if there is None or (there.version_id, there.etag) == (item.version_id, item.etag):
        return None
    return there.event_time
