"""Have Rekognition look at a video: one job for the same bytes, within the fleet's slots."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.aws.calls import call
from tasks.aws.faults import Full, Gone, Moved, Unreadable
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.video import Channel, start_video
from tasks.intake.digest import whole_sha256
from tasks.item import Item
from tasks.record.jobs import Jobs


@dataclass(frozen=True, slots=True)
class Job:
    """A video's job at Rekognition, whose findings come later.

    `id` is empty while every slot is taken, or another upload of the same bytes is just starting it.
    """

    id: str
    #: Another item started it, on the same bytes.
    joined: bool = False
    #: What a first look at the video has seen.
    seen: tuple[Finding, ...] = ()


def start_job(desk: Desk, item: Item, *, alone: bool = False) -> Job:
    """Have Rekognition look at a video. No free slot is no failure: somebody starts it later.

    Where a job looks at the same bytes already, by a SHA-256 that S3 has checked, it is joined, unless `alone`.

    Raises Gone, Unreadable.
    """
    content = "" if alone else content_of(desk, item)
    if content:
        claim = jobs_of(desk).claim(content, owner=item.id)
        if not claim.mine:
            return _join(desk, item, claim.job_id)
    if desk.slots and not desk.slots.acquire(item.id):
        return Job("")
    try:
        job_id = start_video(
            desk.aws,
            item,
            floor=desk.settings.floor_confidence,
            channel=channel_of(desk),
            once_more=desk.rescan.id if desk.rescan else "",
        )
    except Full:
        free_slot(desk, item)
        return Job("")
    except (Gone, Unreadable):
        free_slot(desk, item)
        raise
    if content:
        jobs_of(desk).started(content, owner=item.id, job_id=job_id)
    if channel_of(desk):
        jobs_of(desk).wait(job_id, item, joined=False)
    return Job(job_id)


def free_slot(desk: Desk, item: Item) -> None:
    """No job looks at this video any more."""
    if desk.slots:
        desk.slots.release(item.id)


def jobs_of(desk: Desk) -> Jobs:
    """The rows about video jobs."""
    settings = desk.settings
    return Jobs(aws=desk.aws, table=settings.items_table, now=desk.now, patience=settings.video_deadline_seconds)


def channel_of(desk: Desk) -> Channel | None:
    """Where Rekognition tells that a job has ended, if it should."""
    topic, role = desk.settings.video_topic_arn, desk.settings.video_role_arn
    return Channel(topic, role) if topic and role else None


def content_of(desk: Desk, item: Item) -> str:
    """A name of the item's bytes and of how they are looked at; empty where S3 vouches for no SHA-256 of them.

    An ETag is none: two files can be made to have the same, and the innocent one would speak for the other.
    """
    which = {"VersionId": item.version_id} if item.version_id else {"IfMatch": item.etag}
    where = {"Bucket": item.bucket, "Key": item.key, **which}
    try:
        answer = call(desk.aws.store, desk.aws.s3.head_object, **where, ChecksumMode="ENABLED")
    except Moved:
        return ""  # a newer upload is there, which is for its own event to name
    digest = whole_sha256(answer)
    return f"{digest}@{desk.settings.floor_confidence:g}" if digest else ""


def _join(desk: Desk, item: Item, job_id: str) -> Job:
    if not job_id:
        return Job("")
    jobs_of(desk).wait(job_id, item, joined=True)
    return Job(job_id, joined=True)
