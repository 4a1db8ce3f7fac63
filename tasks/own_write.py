"""What modfleet writes itself comes back as an event; it must not be judged in a loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.act.plan import Action
from tasks.act.restore import current, is_of_receipt, is_put_back
from tasks.desk import Desk
from tasks.intake.upload import REDACTS, Upload
from tasks.item import Item
from tasks.outcome import Outcome, Retry, Skipped
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
    """What is recorded of the upload that was put back here, whose restore may be unfinished.

    What is put back is tagged, so an upload without tags is not asked about.
    """
    latest = desk.state.decided_last(item.location) if upload.tagged else None
    if latest is None or Action.PUT_BACK not in latest.plan:
        return None
    if receipt := latest.receipts.get(Action.PUT_BACK):
        return latest if is_of_receipt(desk, receipt, item) else None
    there = current(desk, item) if latest.status is Status.PENDING else None
    return latest if there and is_put_back(desk, latest, there) else None


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
