"""What modfleet writes itself comes back as an event; it must not be judged in a loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.act.parts import as_one
from tasks.act.plan import Action
from tasks.act.restore import current, is_of_receipt, is_put_back, is_shown
from tasks.desk import Desk
from tasks.intake.upload import REDACTS, Upload
from tasks.item import Item
from tasks.outcome import Outcome, Retry, Skipped
from tasks.record.renditions import every_pattern, original_of, put_back_with, renditions_of
from tasks.record.standing import Standing, Status

#: Seconds until a redacted copy, or a submitted text, is looked at again while its writer has not recorded it yet.
WAIT_SECONDS = 2.0
#: A claim that nobody confirms in this many deliveries is a forgery, and is judged like anything else.
MAX_WAITS = 3


def own_write(desk: Desk, item: Item, upload: Upload, *, attempt: int, submitting: bool = False) -> Outcome | None:
    """How to end the event of what modfleet wrote, None for what must be judged.

    The metadata is only a claim, which any uploader can make: it buys a moment, and no more. A run that is
    `submitting` waits for none.
    """
    ended = _redacted_copy(desk, item, upload, attempt=attempt)
    return ended if ended or submitting else _being_judged(upload, attempt=attempt)


def _redacted_copy(desk: Desk, item: Item, upload: Upload, *, attempt: int) -> Outcome | None:
    """The receipt of the original is believed."""
    claimed = upload.metadata.get(REDACTS)
    original = desk.state.find_version(item.location, claimed) if claimed else None
    if original is None or "redact" not in original.plan:
        return None
    receipt = original.receipts.get("redact")
    if receipt and _wrote(receipt, item, upload):
        return Skipped("modfleet wrote it")
    if receipt is None and original.status is Status.PENDING and attempt <= MAX_WAITS:
        return Retry(WAIT_SECONDS, "perhaps a redacted copy whose receipt is on its way")
    return None


def submitted(desk: Desk, item: Item, upload: Upload) -> Standing | None:
    """What the run of a submission has recorded of the object that it wrote, which S3 announces too."""
    if not upload.claims_submission:
        return None
    if item.version_id:
        return desk.state.find(item)
    # Without versions an upload is named by its event, and a submission has none; but the bytes are known to be its.
    latest = desk.state.decided_last(item.location)
    same = latest and upload.submitted and (latest.submitted, latest.item.etag) == (upload.submitted, item.etag)
    return latest if same else None


def restored(desk: Desk, item: Item, upload: Upload) -> Standing | None:
    """What is recorded of what was put back here, whose restore may be unfinished: of it, its post or its original.

    What is put back is tagged, so an upload without tags is not asked about.
    """
    if not upload.tagged:
        return None
    latest = desk.state.decided_last(item.location)
    if latest and (found := _brought_back(desk, latest)):
        return _if_put_back(desk, *found, item)
    original = original_of(desk.state, item, every_pattern(desk.policy))
    return _if_put_back_with(desk, *found, item) if original and (found := _brought_back(desk, original)) else None


def _brought_back(desk: Desk, latest: Standing) -> tuple[Standing, Standing] | None:
    """Where a restore is recorded (its own standing, or that of the post that it was taken down with), and as what."""
    if Action.PUT_BACK in latest.plan:
        return latest, as_one(latest, 0)
    post = desk.state.decided_last(latest.post) if latest.post_status == Status.RESTORED else None
    if post is None or Action.PUT_BACK not in post.plan or latest.item not in post.parts:
        return None
    return post, as_one(post, post.everything.index(latest.item))


def _if_put_back(desk: Desk, whole: Standing, one: Standing, item: Item) -> Standing | None:
    if receipt := one.receipts.get(Action.PUT_BACK):
        return whole if is_of_receipt(desk, receipt, item) else None
    there = current(desk, item) if whole.status is Status.PENDING else None
    return whole if there and is_put_back(desk, one, there) else None


def _if_put_back_with(desk: Desk, whole: Standing, one: Standing, item: Item) -> Standing | None:
    """As a rendition of what was put back; until there is a receipt, its tag vouches for it."""
    if receipt := put_back_with(one, item):
        return whole if is_of_receipt(desk, receipt, item) else None
    is_one = any(rendition.location == item.location for rendition in renditions_of(one, one.item))
    return whole if is_one and whole.status is Status.PENDING and is_shown(desk, item) else None


def _being_judged(upload: Upload, *, attempt: int) -> Outcome | None:
    """A submitted text that another run has written and is about to judge is left alone for a moment."""
    if upload.claims_submission and attempt <= MAX_WAITS:
        return Retry(WAIT_SECONDS, "perhaps a submitted text that another run is judging")
    return None


def _wrote(receipt: Mapping[str, Any], item: Item, upload: Upload) -> bool:
    if item.version_id:
        return bool(receipt["version_id"] == item.version_id)
    # An ETag vouches for the bytes and not for the caption beside them.
    return bool(receipt["etag"] == item.etag) and not upload.caption
