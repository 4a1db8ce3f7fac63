"""A rendition that comes after its original was taken down: known by its key, and looked at by nobody."""

from __future__ import annotations

from tasks.decide.decision import Tier
from tasks.decide.rendition import OF_REJECTED
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.intake.present import replaced_at
from tasks.item import Item
from tasks.record.renditions import every_pattern, original_of
from tasks.record.standing import Standing, Status

DETECTOR, VERSION = "renditions", "1"


def late_rendition(desk: Desk, item: Item) -> Finding | None:
    """What is found in an item whose original was taken down, or is just now. Raises Fault.

    Where another upload has taken the original's place, it may be that one's, and is judged by itself. Costs a call
    where the key looks like a rendition's of some surface, one more where such a one was taken down, and none else.
    """
    original = original_of(desk.state, item, every_pattern(desk.policy))
    if original is None or not _is_down(original) or replaced_at(desk, original.item):
        return None
    return Finding(detector=DETECTOR, detector_version=VERSION, label=OF_REJECTED, confidence=100.0)


def _is_down(original: Standing) -> bool:
    """What a person had brought back makes nobody suspect; its next rendition is judged by itself."""
    acting = original.status is Status.PENDING and original.tier == Tier.REJECT
    return (acting or original.status is Status.REJECTED) and "put_back" not in original.plan
