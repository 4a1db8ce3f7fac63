"""A submitted text becomes an object, once; a reference becomes the item that it names."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Gone, Moved, Transient
from tasks.aws.session import Aws
from tasks.intake.submission import Reference, Submission
from tasks.intake.upload import get_whole
from tasks.item import Item

JSON = "application/json"


def store_text(aws: Aws, said: Submission, *, bucket: str, key: str, now: datetime) -> Item:
    """Write a submitted text where uploads are, unless it is there: an item like any other from here on.

    Another text under the same id is a newer version of it. Raises Transient where somebody else writes one at the
    same moment.
    """
    try:
        written = _write(aws, said, Bucket=bucket, Key=key, IfNoneMatch="*")
    except Moved:
        written = _over_what_is_there(aws, said, Bucket=bucket, Key=key)
    return Item(
        bucket=bucket,
        key=key,
        version_id=written.get("VersionId"),
        etag=written["ETag"].strip('"'),
        size=len(said.body()),
        sequencer="",
        event_time=written.get("LastModified", now),
    )


def _write(aws: Aws, said: Submission, **where: str) -> dict[str, Any]:
    about = {"ContentType": JSON, "Metadata": said.metadata()}
    return call(aws.store, aws.s3.put_object, Body=said.body(), **about, **where)


def _over_what_is_there(aws: Aws, said: Submission, **where: str) -> dict[str, Any]:
    """What an earlier run wrote, if that is what is there; else it is written over just that."""
    try:
        current = get_whole(aws, **where)
        if current["Bytes"] == said.body():
            return current
        return _write(aws, said, **where, IfMatch=current["ETag"])
    except (Gone, Moved):
        raise Transient("somebody else writes under this content id", call="s3.PutObject") from None


def find_object(aws: Aws, reference: Reference, *, bucket: str) -> Item:
    """The object that a submission refers to, as an event of S3 would name it. Raises Gone."""
    which = {"VersionId": reference.version_id} if reference.version_id else {}
    found = call(aws.store, aws.s3.head_object, Bucket=bucket, Key=reference.key, **which)
    return Item(
        bucket=bucket,
        key=reference.key,
        version_id=found.get("VersionId"),
        etag=found["ETag"].strip('"'),
        size=found["ContentLength"],
        sequencer="",
        event_time=found["LastModified"],
    )
