"""What the application submits becomes an item, and the item is judged like any upload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from tasks import pipeline
from tasks.aws.faults import Gone
from tasks.decide.policy import Surface
from tasks.desk import Desk
from tasks.intake.submission import Reference, Submission, text_key
from tasks.intake.submitted import find_object, store_text
from tasks.item import Item
from tasks.outcome import Outcome, Parked
from tasks.record.standing import Standing, Status

#: The same text again is worth writing anew: it is not there, or was overtaken.
ENDED_UNSEEN = (Status.GONE, Status.SUPERSEDED)


def submit(desk: Desk, said: Submission, *, attempt: int) -> Outcome:
    """Judge what was submitted, and act on the judgement. Raises Fault when AWS would not let it."""
    surface = next((known for known in desk.policy.surfaces if known.name == said.surface), None)
    if said.surface and surface is None:
        names = ", ".join(sorted(known.name for known in desk.policy.surfaces))
        return Parked(f"submitted for the surface {said.surface!r}, which the policy does not have (it has {names})")
    if said.reference:
        return submit_object(desk, said, said.reference, surface=surface, attempt=attempt)
    assert surface is not None  # a text without one is no submission
    return submit_text(desk, said, surface, attempt=attempt)


def submit_text(desk: Desk, said: Submission, surface: Surface, *, attempt: int) -> Outcome:
    """Store a text and judge it. The same text under the same id is the same item, another is its newer version."""
    bucket, key = home_of(surface, desk.settings.uploads_buckets), text_key(surface.prefix, said.content_id)
    if (shown := desk.policy.surface_for(key, bucket)) != surface:
        return Parked(f"submitted for the surface {surface.name!r}, but {key!r} would show on {shown.name!r}")
    if known := recorded(desk, said, f"s3://{bucket}/{key}", attempt=attempt):
        return pipeline.resume(desk, known)
    item = store_text(desk.aws, said, bucket=bucket, key=key, now=desk.now())
    return pipeline.moderate(desk, item, attempt=attempt, said=said)


def home_of(surface: Surface, buckets: Sequence[str]) -> str:
    """The bucket in which a surface's texts are stored: the first of the uploads buckets that is its own."""
    return next((bucket for bucket in buckets if bucket in surface.buckets), buckets[0])


def recorded(desk: Desk, said: Submission, location: str, *, attempt: int) -> Standing | None:
    """What is on record of just this text under this id.

    The first delivery asks what was decided last: a text that somebody changed back is a newer version. A later one
    may come after that, and must not write an old text over a newer one.
    """
    if attempt > 1:
        same = [known for known in desk.state.versions(location) if known.submitted == said.text_sha256]
        return max(same, key=lambda known: known.item.event_time, default=None)
    latest = desk.state.decided_last(location)
    if latest is None or latest.submitted != said.text_sha256 or latest.status in ENDED_UNSEEN:
        return None
    return latest


def submit_object(
    desk: Desk, said: Submission, reference: Reference, *, surface: Surface | None, attempt: int
) -> Outcome:
    """Judge an object that is in the uploads bucket already, under the names that the submission gives it."""
    shown = desk.policy.surface_for(reference.key, desk.settings.uploads_bucket)
    if surface is not None and shown != surface:
        return Parked(f"submitted for the surface {surface.name!r}, but {reference.key!r} shows on {shown.name!r}")
    try:
        item = find_object(desk.aws, reference, bucket=desk.settings.uploads_bucket)
    except Gone:
        why = "a submission refers to it, and it is not in the uploads bucket"
        missing = _missing(desk.settings.uploads_bucket, reference, at=desk.now())
        return pipeline.set_aside(desk, missing, Status.GONE, why=why)
    if known := _standing_of(desk, item):
        return pipeline.resume(desk, _named(desk, known, said))
    return pipeline.moderate(desk, item, attempt=attempt, said=said)


def _standing_of(desk: Desk, item: Item) -> Standing | None:
    if item.version_id:
        return desk.state.find(item)
    # Without versions an upload is named by its event, and a submission has none.
    latest = desk.state.decided_last(item.location)
    return latest if latest and latest.item.etag == item.etag else None


def _named(desk: Desk, known: Standing, said: Submission) -> Standing:
    """The standing under the submission's names, which win over the object's own."""
    named = replace(known, content_id=said.content_id, uploader=said.uploader or known.uploader)
    if named != known:
        desk.state.rename(known.item, content_id=named.content_id, uploader=named.uploader)
    return named


def _missing(bucket: str, reference: Reference, *, at: datetime) -> Item:
    """What a reference to nothing is recorded as."""
    return Item(
        bucket=bucket,
        key=reference.key,
        version_id=reference.version_id,
        etag="",
        size=0,
        sequencer="",
        event_time=at,
    )
