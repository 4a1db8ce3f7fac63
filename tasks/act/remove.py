"""Remove exactly the version that was judged, never a newer upload and never an older one into view."""

from __future__ import annotations

from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Gone, Moved
from tasks.aws.session import Aws
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.standing import Standing


def remove(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Delete the item's bytes; `newer` in the receipt says that a newer upload is what the public sees."""
    item = standing.item
    if item.version_id is None:
        return _remove_unversioned(desk.aws, item)
    newer = not _cover(desk.aws, item)
    erase(desk.aws, item)
    return {"version": item.version, "newer": newer}


def erase(aws: Aws, item: Item) -> None:
    """Delete one version for good. S3 answers 204 whether or not it was still there."""
    call(aws.store, aws.s3.delete_object, Bucket=item.bucket, Key=item.key, VersionId=item.version_id)


def _cover(aws: Aws, item: Item) -> bool:
    """Put a delete marker over the item if it is current; returns False where a newer upload is.

    Without the marker, erasing the current version would bring the version before it back into view.
    """
    try:
        current = call(aws.store, aws.s3.head_object, Bucket=item.bucket, Key=item.key)
        if current.get("VersionId") != item.version_id:
            return False
        # Its own ETag and not the event's, which must not decide whether an older version comes into view.
        call(aws.store, aws.s3.delete_object, Bucket=item.bucket, Key=item.key, IfMatch=current["ETag"])
    except Gone:
        return True
    except Moved:
        return False
    return True


def _remove_unversioned(aws: Aws, item: Item) -> dict[str, Any]:
    try:
        call(aws.store, aws.s3.delete_object, Bucket=item.bucket, Key=item.key, IfMatch=item.etag)
    except Gone:
        return {"version": item.version, "newer": False}
    except Moved:
        return {"version": item.version, "newer": True}
    return {"version": item.version, "newer": False}
