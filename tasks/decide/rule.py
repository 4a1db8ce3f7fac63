"""Rule: one reason why an item is not simply allowed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

#: Confidences are 0-100, as Rekognition gives them.
MOST = 100


class Tier(IntEnum):
    """What becomes of an item; a higher number is stricter."""

    ALLOW = 0
    REDACT = 1
    HOLD = 2
    REJECT = 3


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One line of the policy that a finding reached."""

    #: Stable text for notices, appeals and audits: `labels/Violence/Weapons>=90`, `pii/EMAIL`, `unreadable/empty`.
    name: str
    tier: Tier
    #: The finding's label.
    label: str
    #: The finding's confidence, 0-100.
    confidence: float
    #: The confidence from which the rule holds, 0-100; None for a rule that asks for none.
    threshold: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Confidences (0-100) from which each step is reached, weakest first; None is never.

    `gray` holds the item unless the classifier, asked about the same part, allows it.
    """

    gray: float | None = None
    hold: float | None
    reject: float | None

    def step(self, confidence: float) -> tuple[Tier, float] | None:
        """The strictest tier that this confidence reaches and its threshold; None below all of them."""
        for tier, threshold in ((Tier.REJECT, self.reject), (Tier.HOLD, self.hold), (Tier.HOLD, self.gray)):
            if threshold is not None and confidence >= threshold:
                return tier, threshold
        return None

    def only_gray(self, confidence: float) -> bool:
        """Whether the gray step, and no other, is reached."""
        return _reaches(confidence, self.gray) and not any(_reaches(confidence, t) for t in (self.hold, self.reject))


def possible(confidence: float) -> bool:
    """Whether a confidence is one at all: 0-100, not NaN (which compares with every threshold as false)."""
    return 0 <= confidence <= MOST


def _reaches(confidence: float, threshold: float | None) -> bool:
    return threshold is not None and confidence >= threshold
