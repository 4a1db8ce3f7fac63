"""A first look at a video while its job is still to come: its thumbnail or its first frames, judged as pictures.

An obvious violation is down in seconds, and no job is paid for. A first look clears nothing, and one that fails says
nothing: the whole is looked at all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import structlog

from tasks.aws.calls import call
from tasks.aws.faults import Fault, Unreadable
from tasks.decide.decision import decide
from tasks.decide.policy import Surface
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.image import look_at_image, look_at_views
from tasks.detect.job import Job, start_job
from tasks.detect.kind import Kind, kind_of, unreadable
from tasks.detect.opening import (
    HEAD_BYTES,
    INDEX_BYTES,
    LENGTH_BYTES,
    Opening,
    index_at,
    index_beyond,
    pack,
    seconds_by,
)
from tasks.detect.picture import View
from tasks.intake.upload import get_whole, open_upload
from tasks.item import Item

log = structlog.get_logger("modfleet.first_look")

#: Object metadata that names the picture of a video: a key of the same bucket.
THUMBNAIL = "thumbnail"


def look_at_video(desk: Desk, item: Item, *, surface: Surface) -> tuple[Finding, ...] | Job:
    """The job that looks at a video, with what the first look has seen; or its findings, where they reject it already.

    Raises Gone.
    """
    seen = _without_what_clears(_first_look(desk, item, surface))
    if seen and _rejects(desk, surface, seen):
        return seen
    try:
        return replace(start_job(desk, item), seen=seen)
    except Unreadable as why:
        return (*seen, unreadable(why.reason))


def _first_look(desk: Desk, item: Item, surface: Surface) -> tuple[Finding, ...]:
    """What the first look sees. Whatever goes wrong with it is the log's: the job's own calls will say if it lasts."""
    looks: dict[str, Callable[[Desk, Item, Surface], tuple[Finding, ...]]] = {
        "thumbnail": _look_at_thumbnail,
        "frames": _look_at_frames,
    }
    if surface.first_look == "none":
        return ()
    try:
        return looks[surface.first_look](desk, item, surface)
    except Fault as why:
        reason = why.reason if isinstance(why, Unreadable) else type(why).__name__
        log.warning("first_look_failed", look=surface.first_look, reason=reason, call=why.call)
    return ()


def _look_at_thumbnail(desk: Desk, item: Item, _surface: Surface) -> tuple[Finding, ...]:
    video = call(desk.aws.store, desk.aws.s3.head_object, **_which(item))
    key = video.get("Metadata", {}).get(THUMBNAIL, "")
    if not key:
        return ()
    there = call(desk.aws.store, desk.aws.s3.head_object, Bucket=item.bucket, Key=key)
    size, etag = int(there["ContentLength"]), str(there["ETag"]).strip('"')
    picture = replace(item, key=key, version_id=there.get("VersionId"), etag=etag, size=size)
    head = open_upload(desk.aws, picture).head
    kind = kind_of(head, size=size)
    if kind not in (Kind.IMAGE, Kind.PICTURE):
        raise Unreadable(f"the thumbnail is {kind}", reason="image-format")
    floor = desk.settings.floor_confidence
    looked = look_at_image(desk.aws, picture, kind=kind, head=head, floor=floor, converter=desk.converter)
    return tuple(replace(finding, part=THUMBNAIL) for finding in looked.findings)


def _look_at_frames(desk: Desk, item: Item, surface: Surface) -> tuple[Finding, ...]:
    """Frame by frame, and no further than to the one that decides."""
    seen: list[Finding] = []
    for view, ms in _frames(desk, item):
        looked = look_at_views(desk.aws, (view,), floor=desk.settings.floor_confidence)
        seen += [replace(finding, part=view.part, time_ms=(ms, ms)) for finding in looked.findings]
        if _rejects(desk, surface, _without_what_clears(tuple(seen))):
            break
    return tuple(seen)


def _frames(desk: Desk, item: Item) -> Iterator[tuple[View, int]]:
    """Each of the first frames, by its number, and where it stands in milliseconds."""
    with desk.projector.turn():
        views = desk.projector.convert(pack(read_opening(desk, item)))
    for number, view in enumerate(views):
        yield replace(view, part=f"frame:{number}"), int(view.part.partition(":")[2])


def read_opening(desk: Desk, item: Item) -> Opening:
    """Read the beginning of a video, and its index if that stands further on; never the rest. Raises Gone, Moved."""
    head = _bytes(desk, item, 0, HEAD_BYTES)
    index_at = index_beyond(head, size=item.size)
    if index_at is None:
        return Opening(size=item.size, head=head)
    index = _bytes(desk, item, index_at, INDEX_BYTES)
    return Opening(size=item.size, head=head, index_at=index_at, index=index)


def seconds_of(desk: Desk, item: Item, head: bytes) -> float | None:
    """How long a video says that it is, by its index, of which 48 bytes are read; None where it does not say.

    Raises Gone, Moved.
    """
    at = index_at(head, size=item.size)
    if at is None:
        return None
    index = head[at : at + LENGTH_BYTES]
    return seconds_by(index if len(index) == LENGTH_BYTES else _bytes(desk, item, at, LENGTH_BYTES))


def _bytes(desk: Desk, item: Item, at: int, most: int) -> bytes:
    answer: dict[str, Any] = get_whole(desk.aws, **_which(item), Range=f"bytes={at}-{at + most - 1}")
    return bytes(answer["Bytes"])


def _which(item: Item) -> dict[str, str]:
    version = {"VersionId": item.version_id} if item.version_id else {"IfMatch": item.etag}
    return {"Bucket": item.bucket, "Key": item.key, **version}


def _without_what_clears(seen: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """No word on whether it is drawn, which the first frames cannot say of the rest; nor on what was not readable."""
    return tuple(finding for finding in seen if not finding.label.startswith(("content-type/", "unreadable/")))


def _rejects(desk: Desk, surface: Surface, seen: tuple[Finding, ...]) -> bool:
    return decide(seen, desk.policy, surface).tier is Tier.REJECT
