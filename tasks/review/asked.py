"""What can be ruled on what somebody asks for (pure)."""

from __future__ import annotations

from tasks.record.standing import Standing, Status
from tasks.review.case import Appeal, Ask, Case, Kind, Side

#: Of what was taken down or masked: it comes back, or it stays.
OF_UPLOADERS = (Kind.UPHOLD, Kind.RESTORE, Kind.ALLOW)
#: Of what is public: it stays so, or it goes.
OF_REPORTERS = (Kind.UPHOLD, Kind.ALLOW, Kind.REJECT, Kind.STRIKE)
#: What an item has come to where it is public.
SEEN = (Status.ALLOWED, Status.RESTORED)
OVERTURNED, UPHELD, MOOT = "overturned", "upheld", "moot"


def kinds_for(case: Case, standing: Standing) -> tuple[Kind, ...]:
    """What can be ruled on a case: of what is held all but to uphold, whoever asks for it."""
    if case.appeal is None or standing.status is Status.HELD:
        return tuple(kind for kind in Kind if kind is not Kind.UPHOLD)
    if case.appeal.side is Side.UPLOADER:
        return OF_UPLOADERS
    return OF_REPORTERS if case.appeal.ask is Ask.APPEAL else tuple(k for k in OF_REPORTERS if k is not Kind.UPHOLD)


def outcome_of(appeal: Appeal, result: str) -> str:
    """What came of what was asked, by what the item has come to: overturned, upheld, or moot; empty until then."""
    if not result:
        return ""
    if result not in {*SEEN, Status.REJECTED, Status.REDACTED, Status.HELD}:
        return MOOT
    return OVERTURNED if (result in SEEN) is (appeal.side is Side.UPLOADER) else UPHELD
