"""Sort subjects by what a rescan has to do with them: nothing, decide again, or look again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tasks.desk import Desk
from tasks.record.standing import Standing, Status
from tasks.rescan.on_record import on_record
from tasks.rescan.serving import is_ruled, why_look
from tasks.rescan.subject import Subject


class Way(StrEnum):
    """What is to be done with a subject."""

    #: Decided under this policy by these detectors, and unchanged.
    SKIP = "skip"
    #: Its stored findings serve: decided again without an AI call.
    REDECIDE = "redecide"
    #: Never looked at, or by other detectors than today's.
    DETECT = "detect"
    #: A person has decided, which the machine never flips.
    RULED = "ruled"
    #: The source does not say which version is there now; the worker finds out. Goes with what may need detection.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """A subject, its way, why (a slug; counted by it), and what is on record of it."""

    subject: Subject
    way: Way
    why: str
    #: As `tasks.rescan.on_record` reads it at a glance.
    standing: Standing | None = None


def classify(desk: Desk, subjects: Sequence[Subject]) -> list[Sorted]:
    """Sort subjects under `desk.policy`, the run's, in their order; reads a hundred rows a call. Raises Fault."""
    records = iter(on_record(desk, [subject for subject in subjects if is_named(subject)], glance=True))
    return [_sorted(desk, subject, next(records)) if is_named(subject) else _unnamed(subject) for subject in subjects]


def is_named(subject: Subject) -> bool:
    """Whether the source says which upload it means."""
    return bool(subject.version_id or subject.etag)


def _unnamed(subject: Subject) -> Sorted:
    return Sorted(subject=subject, way=Way.UNKNOWN, why="version-unknown")


def _sorted(desk: Desk, subject: Subject, standing: Standing | None) -> Sorted:
    way, why = way_of(desk, standing)
    return Sorted(subject=subject, way=way, why=why, standing=standing)


def way_of(desk: Desk, standing: Standing | None) -> tuple[Way, str]:
    """The way of what has this standing under `desk.policy`, and why; None is an upload that nobody has seen."""
    if standing is None:
        return Way.DETECT, "never-seen"
    if standing.status is Status.PENDING:
        return Way.SKIP, "in-progress"
    if is_ruled(standing):
        return Way.RULED, "ruled"
    if why := why_look(desk, standing):
        return Way.DETECT, why
    return _by_policy(desk, standing)


def _by_policy(desk: Desk, standing: Standing) -> tuple[Way, str]:
    if standing.policy_version != desk.policy.version:
        return Way.REDECIDE, "policy"
    if standing.braked and desk.rescan and desk.rescan.act:
        # Its takedown was put off, and this run is to carry out such things.
        return Way.REDECIDE, "held-back"
    return Way.SKIP, "unchanged"
