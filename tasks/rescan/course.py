"""What a worker does with one subject of a rescan, from what is on record of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.kind import Kind
from tasks.outcome import Retry
from tasks.pipeline import resume
from tasks.post import part_name, seen_in
from tasks.record.standing import Standing, Status
from tasks.rescan.end import Ended, Waits, ended, is_of, skipped
from tasks.rescan.redecide import redecide
from tasks.rescan.run import Run
from tasks.rescan.serving import is_ruled, why_look
from tasks.rescan.way import STANDS
from tasks.restore import parts_by_themselves

#: Seconds until an item is looked at again with which somebody else is busy.
BUSY_SECONDS = 10.0


class Course(StrEnum):
    """What is to be done."""

    #: This run has decided about it in an earlier delivery.
    COUNT = "count"
    #: Somebody is acting on a decision, or was.
    RESUME = "resume"
    REDECIDE = "redecide"
    LOOK = "look"
    #: Never on record.
    FIRST = "first"


def course_of(desk: Desk, run: Run, known: Standing | None) -> Course | Ended:
    """What is to be done with a subject, or its end where that is nothing. `desk` is the run's."""
    if known is None:
        return Course.FIRST
    if known.status is Status.PENDING:
        return Course.RESUME
    if is_of(known, run):
        return Course.COUNT
    if reason := _left_alone(desk, run, known):
        return skipped(reason)
    if desk.seen:
        desk.seen.newest.note(known.detectors)
    if not (why := why_look(desk, known)):
        return Course.REDECIDE
    # What is down is not there to be looked at.
    return skipped("down") if known.status is Status.REJECTED or why == "undecided" else Course.LOOK


def _left_alone(desk: Desk, run: Run, known: Standing) -> str:
    """Why a rescan has nothing to say of an item; empty where it has."""
    if known.status not in STANDS:
        return known.status.value
    if known.dry_run:
        return "dry run"
    if is_ruled(known):
        return "ruled"
    if known.policy_version != run.policy_version:
        since = known.decided_at is not None and known.decided_at > run.created_at
        return "decided since" if since else ""
    # A run that may act takes down what another one was not to.
    to_act = run.act and known.status is Status.HELD and bool(known.braked)
    return "" if to_act or why_look(desk, known) else "decided"


def go_on(desk: Desk, run: Run, known: Standing) -> Ended | Waits:
    """Finish what an earlier run has begun, if it is ours, or come back once it is finished. Raises Fault."""
    if not known.decided:
        return Waits(BUSY_SECONDS, "a video's job is running")
    outcome = resume(desk, known)
    if isinstance(outcome, Retry):
        return Waits(outcome.after, outcome.why, counts=outcome.counts)
    now = desk.state.find(known.item)
    if now is None or now.status is Status.PENDING or not is_of(now, run):
        return Waits(1.0, "it has only just been decided")
    return ended(now)


def decide_again(desk: Desk, run: Run, known: Standing) -> Ended | Waits:
    """Decide again on stored findings; of a post, once its parts are decided. Raises Fault, NeedsLook."""
    if known.kind is not Kind.POST:
        return redecide(desk, known)
    parts = list(_parts(desk, known))
    for part in parts:
        if course_of(desk, run, part) is Course.REDECIDE:
            redecide(desk, part)
        elif part.status is Status.PENDING:
            return Waits(BUSY_SECONDS, "a part of it is being acted on")
    return redecide(desk, replace(known, findings=_with_parts(desk, known, parts)))


def _parts(desk: Desk, post: Standing) -> Iterator[Standing]:
    """What is on record of a post's parts."""
    for item in post.parts:
        if standing := desk.state.find(item):
            yield standing
    yield from parts_by_themselves(desk, post)


def _with_parts(desk: Desk, post: Standing, parts: list[Standing]) -> tuple[Finding, ...]:
    """A post's findings with what its parts have come to since."""
    now = [standing for part in parts if (standing := desk.state.find(part.item))]
    names = tuple(part_name(standing.item.key) for standing in now)
    texts = tuple(f"{name}#" for name in names)
    own = [one for one in post.findings if one.part not in names and not one.part.startswith(texts)]
    return (*own, *(finding for standing in now for finding in seen_in(standing)))
