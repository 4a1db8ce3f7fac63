"""The first line of an upload's record: all that is known before anybody looks at it."""

from __future__ import annotations

from tasks.desk import Desk
from tasks.detect.kind import kind_of
from tasks.intake.upload import Upload
from tasks.item import Item
from tasks.ledger import trace, traced
from tasks.record.standing import Standing, Status


def first_standing(desk: Desk, item: Item, upload: Upload, *, within: str) -> Standing:
    """What is known of an upload before anybody looks at it; `within` a post (its location), it is its part."""
    return Standing(
        item=item,
        status=Status.PENDING,
        surface=desk.policy.surface_of(item).name,
        kind=kind_of(upload.head, size=item.size),
        uploader=upload.uploader,
        language=upload.language,
        within=within,
        content_id=upload.content_id,
        submitted=upload.submitted,
        sha256=upload.sha256,
        history=({"at": desk.now().isoformat(), "event": "received", **traced()},),
        trace=trace(),
        rescan=desk.rescan.id if desk.rescan else "",
    )
