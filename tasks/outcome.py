"""The few ways a run can end. Nothing else: whoever runs a task carries one of these out on its message."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tasks.aws.faults import Denied, Fault, Transient, Withheld

#: Seconds; the ceiling of the first wait, which doubles with each attempt up to the cap.
FIRST_RETRY, RETRY_CAP = 2.0, 300.0
#: Seconds before asking again for what was denied: somebody has to grant it first.
DENIED_RETRY = 60.0


@dataclass(frozen=True, slots=True)
class Done:
    """All work is finished and recorded; the message can be deleted."""

    summary: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: show the message again after `after` seconds.

    It `counts` as an attempt unless nothing was attempted: waiting for a dependency to come back may take long.
    """

    after: float
    why: str
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Skipped:
    """There was nothing to do, and `why`; the message can be deleted."""

    why: str


@dataclass(frozen=True, slots=True)
class Parked:
    """No run will ever succeed: to the dead-letter queue with `why`, for an engineer."""

    why: str


Outcome = Done | Retry | Skipped | Parked


def outcome_of(fault: Fault, *, attempt: int) -> Outcome:
    """What a fault means for the message: later if that may help, else parked. Never allowed, never dropped."""
    if isinstance(fault, Withheld):
        return Retry(max(1.0, fault.retry_after), str(fault), counts=False)
    if isinstance(fault, Denied):
        return Retry(DENIED_RETRY, str(fault))
    if isinstance(fault, Transient):
        return Retry(backoff(attempt), str(fault))
    return Parked(str(fault))


def backoff(attempt: int) -> float:
    """Seconds to wait after this many attempts: full jitter under a doubling, capped ceiling, at least one.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    ceiling = min(RETRY_CAP, FIRST_RETRY * 2.0 ** min(attempt, 16))
    return max(1.0, random.uniform(0, ceiling))  # noqa: S311  # jitter, no secret
