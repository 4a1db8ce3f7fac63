"""Renditions: other keys that hold the same picture are taken down with it, and come back with it.

Which keys these are the surface says (`tasks.decide.rendition`). A text that is masked has none: what the
application derived from it is not known to hold the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from tasks.act.missing import Missing
from tasks.act.purge import forget
from tasks.act.quarantine import quarantine, quarantine_key
from tasks.act.remove import remove
from tasks.act.tag import hide
from tasks.aws.calls import call
from tasks.aws.faults import Permanent
from tasks.decide.decision import Tier
from tasks.decide.rendition import is_rendition, listed_under
from tasks.desk import Desk
from tasks.intake.present import current, replaced_at
from tasks.item import Item, fields_of
from tasks.record.renditions import FOUND, MAX_KEY_BYTES, note_original, renditions_of
from tasks.record.standing import Standing, Status

#: Pages of a thousand keys that are read for one pattern.
#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
MOST_PAGES = 10

Performer = Callable[[Desk, Standing], dict[str, Any]]


class TooMany(Permanent):
    """More keys fit the surface's `renditions` than one picture has; those above the limit are judged by themselves."""


def hide_renditions(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Find the renditions and hide them, before anything of the item is removed."""
    if standing.tier == Tier.REJECT:
        _note(desk, standing.item)
    found, _ = _look_for(desk, standing.item)
    for one in found:
        _do(desk, standing, one, hide)
    return _receipt(standing.item, found)


def take_renditions(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Put them, and what has come since, into quarantine, and remove them. Raises TooMany once as many are down."""
    item = standing.item
    _note(desk, item)
    known = {one.id: one for one in renditions_of(standing, item)}
    found, more = _look_for(desk, item)
    since = [one for one in found if one.id not in known]
    for one in since:
        _do(desk, standing, one, hide)
    if since:
        forget(desk, tuple(since), f"{item.id}-renditions")
    every = [*known.values(), *since]
    became = {one.key: _take(desk, standing, one) for one in every}
    if more:
        raise TooMany(f"too many keys fit the renditions of the surface {standing.surface!r} (MODFLEET_RENDITIONS)")
    return _receipt(item, every) | {"became": became}


def with_renditions(perform: Performer) -> Performer:
    """The same action, and then on each of the item's renditions; what is not there any more is passed over."""

    def both(desk: Desk, standing: Standing) -> dict[str, Any]:
        receipt = perform(desk, standing)
        others = {one.key: _do(desk, standing, one, perform) for one in renditions_of(standing, standing.item)}
        return receipt | {FOUND: others} if others else receipt

    return both


def _note(desk: Desk, item: Item) -> None:
    """Before the list is read: whatever is written after it will be recognised when its event comes."""
    note_original(desk.state, item, desk.policy.surface_of(item).renditions, now=desk.now())


def _look_for(desk: Desk, item: Item) -> tuple[list[Item], bool]:
    """What is there now under the keys of its renditions, and whether there may be more than one picture has.

    A pattern that fits so many is a mistake, which must not take down a bucket.
    """
    found: dict[str, Item] = {}
    more = False
    for pattern in desk.policy.surface_of(item).renditions:
        for key in _listed(desk, item.bucket, pattern, of=item.key):
            more = more or key is None or len(found) == desk.settings.renditions
            there = None if more or key is None or key in found else current(desk, item.bucket, key)
            found |= {there.key: there} if there else {}
            if more:
                break
    # Asked last. What was made after a newer upload took the item's place is of that one, and is judged by itself.
    newer = replaced_at(desk, item) if found else None
    return [one for one in found.values() if newer is None or one.event_time < newer], more


def _listed(desk: Desk, bucket: str, pattern: str, *, of: str) -> Iterator[str | None]:
    """Keys that fit, and None where so many begin like them that not all were read."""
    prefix, page = listed_under(pattern, of), dict[str, Any]()
    if len(prefix.encode()) > MAX_KEY_BYTES:
        return
    for _ in range(MOST_PAGES):
        answer = call(desk.aws.store, desk.aws.s3.list_objects_v2, Bucket=bucket, Prefix=prefix, **page)
        keys = (entry["Key"] for entry in answer.get("Contents", ()))
        yield from (key for key in keys if is_rendition(pattern, key, of=of))
        if not answer.get("IsTruncated"):
            return
        page = {"ContinuationToken": answer["NextContinuationToken"]}
    yield None


def _do(desk: Desk, standing: Standing, one: Item, perform: Performer) -> dict[str, Any]:
    """One action on one rendition; the item's receipts say how far all of it has come."""
    try:
        return perform(desk, replace(standing, item=one, parts=()))
    except Missing as why:
        return {"missing": why.status.value}


def _take(desk: Desk, standing: Standing, one: Item) -> str:
    """Copy it away and remove it; says what became of it."""
    kept = _do(desk, standing, one, quarantine)
    if kept.get("missing") == Status.GONE.value and _is_kept(desk, one):
        return "removed"  # by a run that did not live to record it
    if "missing" in kept:
        return str(kept["missing"])
    return "superseded" if _do(desk, standing, one, remove).get("newer") else "removed"


def _is_kept(desk: Desk, one: Item) -> bool:
    return current(desk, desk.settings.quarantine_bucket, quarantine_key(one)) is not None


def _receipt(item: Item, found: Iterable[Item]) -> dict[str, Any]:
    return {"of": item.location, "found": [fields_of(one) for one in found]}
