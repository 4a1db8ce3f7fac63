"""The order in which people look at cases (pure): severity first, then the deadline, which reach brings forward.

The exact rule. A case is due `hours` of its severity (policy section `review`) after it was opened, divided by
`1 + log10(1 + reach / 1000)`: at 9,000 views in half the time, at 999,000 in a quarter. Cases come by severity, and
within one by what is due first. A case that is overdue counts as one severity higher, so that nothing starves, but
never as `top`: an overdue normal case comes before a fresh high one, and after every critical one. An appeal stands
between high and normal, whatever it is about; an overdue one comes before fresh high ones. Reach hurries none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

from tasks.decide.policy import Policy
from tasks.decide.review import APPEAL, SEVERITIES
from tasks.detect.finding import Finding

#: Views that begin to count.
REACH_UNIT = 1_000
TOP = SEVERITIES[0]


def severity_of(rules: Iterable[str], policy: Policy, *, findings: Iterable[Finding] = ()) -> str:
    """How severe a case is by the names of its rules: `top` where one of them has that priority."""
    names = tuple(rules)
    top = {f"rules/{one.name}" for one in policy.rules.combinations if one.priority == TOP}
    return TOP if top.intersection(names) else policy.review.severity_of(names, findings)


def due_at(opened_at: datetime, severity: str, *, reach: int, policy: Policy) -> datetime:
    """When somebody must have ruled; `reach` is how many have seen it, or will in an hour, as the application says."""
    hours = policy.review.within_hours(severity)
    return opened_at + timedelta(hours=hours / (1 + math.log10(1 + max(reach, 0) / REACH_UNIT)))


def turn(severity: str, due: str, *, now: str) -> tuple[int, str]:
    """What cases are sorted by; `due` and `now` are moments as `moment` writes them."""
    # Two apart, so that appeals find a place between two severities.
    band = 2 * SEVERITIES.index("high") + 1 if severity == APPEAL else 2 * SEVERITIES.index(severity)
    highest = min(band, 2)
    return (max(band - 2, highest) if due <= now else band), due


def moment(at: datetime) -> str:
    """A moment (UTC) as text that sorts as moments do."""
    return at.isoformat(timespec="milliseconds")
