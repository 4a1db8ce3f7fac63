"""What a rescan does about an item, from where it stands and what the run's policy makes of its findings (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from tasks.decide.decision import Decision
from tasks.decide.rule import Tier
from tasks.record.standing import Standing, Status

#: What an item's status comes to as a tier; what a rescan brought back is allowed.
STANDS = {
    Status.ALLOWED: Tier.ALLOW,
    Status.RESTORED: Tier.ALLOW,
    Status.REDACTED: Tier.REDACT,
    Status.HELD: Tier.HOLD,
    Status.REJECTED: Tier.REJECT,
}


class Way(StrEnum):
    """One way from an earlier decision to the policy's."""

    #: It stands where the policy wants it: only its record is brought up to date.
    REFRESH = "refresh"
    #: The actions of another tier, from what is public or held.
    ACT = "act"
    #: What was taken down or masked comes back.
    RESTORE = "restore"
    #: The same as ACT, about the version that modfleet put in the item's place.
    REPLACE = "replace"
    #: Its masked text is to be masked elsewhere, too: it must be looked at as it is now.
    LOOK = "look"
    #: Only counted: it needs a person, or leave to act.
    LEAVE = "leave"


def way_of(standing: Standing, decision: Decision, *, act: bool) -> Way:
    """The way of an item that has ended in one of STANDS. `decision` is the policy's, before any brake.

    Only a run that is to `act` brings back what is down. What is down and would be held or masked instead stays down:
    a person can bring it back.
    """
    new = decision.tier
    if standing.post_status == Status.REJECTED:
        return Way.LEAVE  # it is gone with its post, and comes back with it
    if standing.status in (Status.ALLOWED, Status.HELD):
        return Way.REFRESH if new is STANDS[standing.status] else Way.ACT
    if standing.status is Status.RESTORED:
        return _of_restored(standing, new)
    return _of_removed(standing, decision, act=act)


def tier_before(standing: Standing) -> Tier:
    """What the policy of then had decided, whatever has held it."""
    return Tier.REJECT if standing.braked else STANDS[standing.status]


def _of_removed(standing: Standing, decision: Decision, *, act: bool) -> Way:
    """Of what was taken down, or masked."""
    new = decision.tier
    if new is STANDS[standing.status]:
        uncovered = standing.status is Status.REDACTED and not _covers(standing.spans, decision)
        return Way.LOOK if uncovered else Way.REFRESH
    if new is Tier.ALLOW:
        return Way.RESTORE if act else Way.LEAVE
    return Way.REPLACE if standing.status is Status.REDACTED else Way.LEAVE


def _of_restored(standing: Standing, new: Tier) -> Way:
    """The parts of a post came back each as a version of its own, which no one row is about."""
    if new is Tier.ALLOW:
        return Way.REFRESH
    return Way.LEAVE if standing.parts else Way.REPLACE


def _covers(masked: Iterable[tuple[int, int, str]], decision: Decision) -> bool:
    """Whether all that is to be masked is."""
    done = tuple(masked)
    return all(any(begin <= span.begin and span.end <= end for begin, end, _ in done) for span in decision.spans)
