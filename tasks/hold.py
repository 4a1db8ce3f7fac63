"""Legal holds: the original of what was taken down stays in quarantine until a person lets go of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any

from tasks.act.quarantine import quarantine_key
from tasks.act.tag import TAG, with_verdict
from tasks.aws.calls import call
from tasks.aws.faults import Gone
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.entries import command_entry
from tasks.record.standing import Standing, Status

#: What the tag says of an original that nothing may delete. The lifecycle rule of the quarantine bucket in
#: deploy/data.yaml deletes what says EXPIRES, and nothing else: S3 knows no "unless tagged".
HELD, EXPIRES = "held", "blocked"


class NotHoldable(Exception):
    """There is nothing to hold, or no hold; the text says why."""


def hold(desk: Desk, standing: Standing, *, until: date, by: str, why: str) -> None:
    """Keep the original of an item, at least until a date; a later call changes the date. Raises NotHoldable.

    The date is for people: nothing ends a hold but `release`. Safe to be repeated after a Fault.
    """
    if standing.status is Status.PENDING or "quarantine" not in standing.receipts:
        raise NotHoldable(f"it is {standing.status}, and no original of it is in quarantine")
    # First what protects, then what tells of it: a crash in between leaves it protected.
    _mark_all(desk, standing, HELD)
    _record(desk, standing, until=until.isoformat(), by=by, why=why)


def release(desk: Desk, standing: Standing, *, by: str, why: str) -> None:
    """Let go of an original: from now on it expires like any other. Raises NotHoldable."""
    if not standing.held_until:
        raise NotHoldable("no hold is on it")
    # The other way round: whoever looks sees a hold as long as there is one.
    _mark_all(desk, standing, EXPIRES)
    _record(desk, standing, until="", by=by, why=why)


def _mark_all(desk: Desk, standing: Standing, value: str) -> None:
    """Mark the copies of an item and, of a post, of those of its parts that were taken down with it."""
    for part in standing.parts:
        with suppress(NotHoldable):
            _mark(desk, part, value)
    _mark(desk, standing.item, value)


def _mark(desk: Desk, item: Item, value: str) -> None:
    """Set our tag of the copy in quarantine, and no other. Raises NotHoldable where there is no copy any more."""
    copy = {"Bucket": desk.settings.quarantine_bucket, "Key": quarantine_key(item)}
    try:
        said = call(desk.aws.store, desk.aws.s3.get_object_tagging, **copy)["TagSet"]
        tags = with_verdict({tag["Key"]: tag["Value"] for tag in said}, value)
        tag_set = [{"Key": key, "Value": said} for key, said in tags.items()]
        call(desk.aws.store, desk.aws.s3.put_object_tagging, **copy, Tagging={"TagSet": tag_set})
    except Gone:
        raise NotHoldable(f"its original is no longer in quarantine (tag {TAG}={value} was not set)") from None


def _record(desk: Desk, standing: Standing, *, until: str, by: str, why: str) -> None:
    """In the item's row and history, and in the audit log."""
    item, now = standing.item, desk.now()
    event = "hold-added" if until else "hold-released"
    said = {"event": event, "at": now.isoformat(), **({"until": until} if until else {})}
    desk.state.keep(item, until=until, entry=said | {"by": by, "why": why})
    command = "hold add" if until else "hold release"
    about: dict[str, Any] = {"item": item, "policy_version": desk.policy.version, **({"until": until} if until else {})}
    desk.audit.append([command_entry(command=command, event=event, by=by, at=now, why=why, **about)])
