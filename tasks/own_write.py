"""What modfleet writes itself comes back as an event; it must not be judged in a loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.desk import Desk
from tasks.intake.upload import REDACTS, Upload
from tasks.item import Item
from tasks.outcome import Outcome, Retry, Skipped
from tasks.record.standing import Status

#: Seconds until a redacted copy is looked at again while its writer has not recorded it yet.
WAIT_SECONDS = 2.0
#: A claim that nobody confirms in this many deliveries is a forgery, and is judged like anything else.
MAX_WAITS = 3


def own_write(desk: Desk, item: Item, upload: Upload, *, attempt: int) -> Outcome | None:
    """How to end the event of a redacted copy, None for what must be judged.

    The metadata is only a claim, which any uploader can make; the receipt of the original is believed.
    """
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


def _wrote(receipt: Mapping[str, Any], item: Item, upload: Upload) -> bool:
    if item.version_id:
        return bool(receipt["version_id"] == item.version_id)
    # An ETag vouches for the bytes and not for the caption beside them.
    return bool(receipt["etag"] == item.etag) and not upload.caption
