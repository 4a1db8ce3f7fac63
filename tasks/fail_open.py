"""The invariant: nothing is allowed that was not looked at (pure). Counted, so that an alarm can watch it stay 0."""

from __future__ import annotations

from tasks.detect.kind import Kind
from tasks.record.standing import Standing, Status

#: The detector without which an item of a kind has not been looked at.
NEEDED = {
    Kind.IMAGE: "rekognition-image",
    Kind.PICTURE: "rekognition-image",
    Kind.VIDEO: "rekognition-video",
    Kind.TEXT: "guardrail",
    Kind.POST: "post",
}
UNREADABLE = "unreadable/"


def fails_open(standing: Standing) -> bool:
    """Whether an item ended as allowed although something in it was unreadable, or its detector has not looked."""
    if standing.status is not Status.ALLOWED or standing.overruled:
        return False
    unreadable = any(finding.label.startswith(UNREADABLE) for finding in standing.findings)
    # What people have confirmed as fine was looked at by people.
    looked = {NEEDED.get(standing.kind, "a detector for it"), "known"} & set(standing.detectors)
    return unreadable or not looked
