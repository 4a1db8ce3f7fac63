"""The few ways a run can end. Nothing else: whoever runs a task carries one of these out on its message."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """All work is finished and recorded; the message can be deleted."""

    summary: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: show the message again after `after` seconds (it counts as an attempt)."""

    after: float
    why: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """There was nothing to do, and `why`; the message can be deleted."""

    why: str


@dataclass(frozen=True, slots=True)
class Parked:
    """No run will ever succeed: to the dead-letter queue with `why`, for an engineer."""

    why: str


Outcome = Done | Retry | Skipped | Parked
