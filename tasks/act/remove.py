"""Remove exactly the version that was judged, never a newer upload and never an older one into view.

S3 compares an ETag with what is current under a key, and with nothing else, so each kind of bucket has its own way:

- versions on: a delete marker over the item if it is current, on condition of its ETag; then the version goes by id;
- no versions, or suspended: a plain delete on condition of the ETag. It takes what is there without a version (S3 calls
  it `null`), which a newer upload would have replaced. Never by `VersionId=null`: that is whatever is there just now;
- switched on since: the plain delete lays a marker with an id of its own, and the `null` version is left beneath. No
  upload can take its place any more, so it goes by that name;
- suspended since: as with versions on; the marker is then S3's `null` one, which takes the place of an older `null`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
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


def erase_beneath(aws: Aws, item: Item) -> None:
    """Delete an item without a version that lies beneath one, or beneath a delete marker: versioning is on now."""
    which = {"Bucket": item.bucket, "Key": item.key, "VersionId": "null"}
    with suppress(Gone):
        if call(aws.store, aws.s3.head_object, **which)["ETag"].strip('"') == item.etag:
            call(aws.store, aws.s3.delete_object, **which)


def is_version(written: Mapping[str, Any]) -> bool:
    """Whether S3 answers that it made a version: of an upload, or a delete marker."""
    return bool(written.get("VersionId", "null") != "null")


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
        done = call(aws.store, aws.s3.delete_object, Bucket=item.bucket, Key=item.key, IfMatch=item.etag)
    except Gone:
        # Perhaps a run that died here has laid the marker.
        erase_beneath(aws, item)
    except Moved:
        return {"version": item.version, "newer": True}
    else:
        if is_version(done):
            erase_beneath(aws, item)
    return {"version": item.version, "newer": False}
