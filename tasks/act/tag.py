"""Show and hide by the object tag that the bucket policy reads: one call hides a 5 GB video."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.act.edge import edge_of
from tasks.act.missing import item_expected
from tasks.act.purge import forget
from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.standing import Standing

#: The bucket policy denies reads of objects tagged `blocked`, and of `before` prefixes unless `allowed`.
TAG = "moderation"
#: S3 keeps no more on one object: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
MAX_TAGS = 10


def show(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Let the public see the item."""
    return _set(desk, standing.item, "allowed")


def hide(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Let the public no longer see the item."""
    return _set(desk, standing.item, "blocked")


def distrust(desk: Desk, item: Item) -> bool:
    """Drop a moderation tag that the upload brought with it; returns whether there was one.

    The bucket policy refuses such an upload; this is for the one that got through. Where nothing shows without our
    tag, it may have been seen, and a CDN may have kept it: it is hidden, then forgotten, and the tag goes last, so
    that a run that dies before that begins again.
    """
    which = _which(item)
    tags = call(desk.aws.store, desk.aws.s3.get_object_tagging, **which)["TagSet"]
    honest = [tag for tag in tags if tag["Key"] != TAG]
    if len(honest) == len(tags):
        return False
    surface = desk.policy.surface_of(item)
    if edge_of(desk, item).distribution and (surface.visibility == "before" or surface.tagged):
        hidden = {"TagSet": [*honest, {"Key": TAG, "Value": "blocked"}]}
        call(desk.aws.store, desk.aws.s3.put_object_tagging, **which, Tagging=hidden)
        forget(desk, (item,), f"{item.id}-distrust")
    call(desk.aws.store, desk.aws.s3.put_object_tagging, **which, Tagging={"TagSet": honest})
    return True


def with_verdict(tags: Mapping[str, str], value: str) -> dict[str, str]:
    """The tags with ours among them. An upload that brings all the tags there can be loses one: ours must fit."""
    others = [(key, said) for key, said in tags.items() if key != TAG]
    return dict(others[: MAX_TAGS - 1]) | {TAG: value}


def _set(desk: Desk, item: Item, value: str) -> dict[str, Any]:
    """Set the tag on exactly this version. Raises Missing."""
    with item_expected():
        return _set_expected(desk, item, value)


def _set_expected(desk: Desk, item: Item, value: str) -> dict[str, Any]:
    which = _which(item)
    _same(desk, item)
    tags = call(desk.aws.store, desk.aws.s3.get_object_tagging, **which)["TagSet"]
    # PutObjectTagging replaces the whole set, so the others are sent again.
    marked = with_verdict({tag["Key"]: tag["Value"] for tag in tags}, value)
    tag_set = [{"Key": key, "Value": said} for key, said in marked.items()]
    call(desk.aws.store, desk.aws.s3.put_object_tagging, **which, Tagging={"TagSet": tag_set})
    try:
        _same(desk, item)
    except Moved:
        # The tag fell on a newer upload that nobody has looked at: it must not carry our verdict.
        distrust(desk, item)
        raise
    return {"tag": f"{TAG}={value}"}


def _which(item: Item) -> dict[str, str]:
    version = {"VersionId": item.version_id} if item.version_id else {}
    return {"Bucket": item.bucket, "Key": item.key, **version}


def _same(desk: Desk, item: Item) -> None:
    """Without versions only the ETag tells uploads apart, and tagging takes no condition. Raises Moved."""
    if item.version_id:
        return
    etag = call(desk.aws.store, desk.aws.s3.head_object, Bucket=item.bucket, Key=item.key)["ETag"].strip('"')
    if etag != item.etag:
        raise Moved("a newer upload took its place")
