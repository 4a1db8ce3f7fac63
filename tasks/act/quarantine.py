"""Copy exactly the version that was looked at to where only the appeal and the law can reach it."""

from __future__ import annotations

from typing import Any

from tasks.act.copy import MAX_COPY_BYTES, copy_in_parts
from tasks.act.missing import item_expected
from tasks.aws.calls import call
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.standing import Standing


def quarantine_key(item: Item) -> str:
    """Where the copy goes. The item's id, because its own key may be as long as a key can be."""
    return f"{item.id[:2]}/{item.id}"


def quarantine(desk: Desk, standing: Standing, *, largest: int = MAX_COPY_BYTES) -> dict[str, Any]:
    """Copy the item with its metadata and tags, in parts if it is larger than so many bytes. Raises Missing."""
    item = standing.item
    source = {"Bucket": item.bucket, "Key": item.key}
    if item.version_id:
        source["VersionId"] = item.version_id
    target = {"Bucket": desk.settings.quarantine_bucket, "Key": quarantine_key(item)}
    with item_expected():
        if item.size > largest:
            tags = call(desk.aws.store, desk.aws.s3.get_object_tagging, **source)["TagSet"]
            said = {tag["Key"]: tag["Value"] for tag in tags}
            copy_in_parts(desk, source=source, target=target, etag=item.etag, tags=said)
        else:
            call(desk.aws.store, desk.aws.s3.copy_object, CopySource=source, CopySourceIfMatch=item.etag, **target)
    return {"bucket": target["Bucket"], "key": target["Key"]}
