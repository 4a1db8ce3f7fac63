"""Work one message of a rescan: each of its subjects to an end, and what came of them counted once.

Every subject can be worked twice and changes once: what this run has decided says so in its own row, and is only
counted the next time. So a message that is interrupted, or has subjects that must wait, simply comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

from tasks.at_once import on_their_own
from tasks.aws.faults import Moved, Withheld
from tasks.desk import Desk
from tasks.detect.kind import Kind
from tasks.intake.present import current
from tasks.outcome import Done, Outcome, Parked, Retry, Skipped
from tasks.record.standing import Standing
from tasks.rescan.afford import afforded, may_look, release_video
from tasks.rescan.batch_wait import PutOff, kept_waiting, put_off, puts_off
from tasks.rescan.chunk import Chunk
from tasks.rescan.chunk_rows import Chunks, Worked
from tasks.rescan.course import Course, course_of, decide_again, go_on
from tasks.rescan.end import Ended, Waits, failed, skipped
from tasks.rescan.ending import end_if_over, is_over
from tasks.rescan.looking import look_again, look_first
from tasks.rescan.on_record import on_record
from tasks.rescan.redecide import NeedsLook
from tasks.rescan.run import Run, RunState
from tasks.rescan.run_rows import Runs
from tasks.rescan.shift import (
    LONGEST,
    MOST_ERRORS,
    MOST_WAITS,
    PAUSED_SECONDS,
    THREADS,
    Guard,
    NoPolicy,
    Result,
    Shift,
    Task,
    came_back,
    counted_again,
    item_of,
    run_desk,
    spent_micros,
    subject_of,
)
from tasks.rescan.subject import Subject
from tasks.rescan.tally import Tally, merge

#: A detector may be asked.
LOOKS = (Course.FIRST, Course.LOOK)


def work(desk: Desk, chunk: Chunk, *, attempt: int, guard: Guard) -> Outcome:
    """Work a message of a rescan, or go on where an earlier delivery stopped. Raises Fault."""
    run = Runs(desk.aws, desk.settings.items_table).find(chunk.run_id)
    row = Chunks(desk.aws, desk.settings.items_table).find(chunk.run_id, chunk.id)
    if run is None or row is None:
        return Skipped("no such message of a rescan is on record")
    if row.done_at:
        return _end(desk, run)
    if run.state is RunState.PAUSED:
        return Retry(PAUSED_SECONDS, "the rescan is paused", counts=False)
    if run.state is RunState.CANCELLED:
        return _close(desk, chunk, Tally(skipped={"cancelled": len(chunk.subjects)}))
    try:
        own = run_desk(desk, run)
    except NoPolicy as why:
        return Parked(str(why))
    until = desk.now() + timedelta(seconds=LONGEST)
    return _work(Shift(desk=own, run=run, chunk=chunk, attempt=attempt, guard=guard, until=until))


def _end(desk: Desk, run: Run) -> Outcome:
    """The message is worked, but whoever did that may not have lived to end the run."""
    if not end_if_over(desk, run.id) and is_over(run):
        return Retry(desk.lease_seconds, "another worker ends the rescan", counts=False)
    return Skipped("worked before")


def _work(shift: Shift) -> Outcome:
    desk = shift.desk
    with ThreadPoolExecutor(THREADS, thread_name_prefix="rescan") as pool:
        wide = replace(desk, hands=pool)
        subjects = _identified(shift, wide)
        tasks, reserved = afforded(shift, _put_off_before(shift, _tasks(shift, subjects)), wide)
        # A post is decided by its parts, so it comes after them.
        posts = [task for task in tasks if task.known and task.known.kind is Kind.POST]
        others = [task for task in tasks if not (task.known and task.known.kind is Kind.POST)]
        results = [result for some in (others, posts) for result in on_their_own(wide, partial(_do, shift), some)]
    came_to = [result.came_to for result in results]
    entries = [entry for one in came_to if isinstance(one, Ended) for entry in one.entries]
    if entries:
        desk.audit.append(entries)
    spent, waits = sum(result.micros for result in results), [one for one in came_to if isinstance(one, Waits)]
    later = [one for one in came_to if isinstance(one, PutOff)]
    if puts_off(desk):
        bound = put_off(desk, shift.run, shift.chunk.id, later)
        reserved -= bound if shift.allowance.is_limited else 0
    if waits:
        shift.allowance.settle(spent=spent, released=reserved)
        return came_back(waits, attempt=shift.attempt)
    tally = merge(one.tally for one in came_to if not isinstance(one, Waits))
    worked = Worked(at=desk.now(), spent_micros=spent, released_micros=reserved, waiting=1 if later else 0)
    return _close(desk, shift.chunk, tally, worked)


def _put_off_before(shift: Shift, tasks: list[Task]) -> list[Task]:
    """The tasks, of which those that wait for a batch since an earlier delivery are not looked at again."""
    if shift.attempt == 1 or not puts_off(shift.desk):
        return tasks
    kept = {
        (one.standing.item.location, one.standing.item.version_id or one.standing.item.etag): one
        for one in kept_waiting(shift.desk, shift.run, shift.chunk.id)
    }
    names = [(task.subject.location, task.subject.version_id or task.subject.etag) for task in tasks]
    return [
        replace(task, course=kept[name]) if name in kept and task.course in LOOKS else task
        for name, task in zip(names, tasks, strict=True)
    ]


def _close(desk: Desk, chunk: Chunk, tally: Tally, worked: Worked | None = None) -> Outcome:
    """Count what came of a message, once; whoever closes the last one ends the run."""
    worked = replace(worked or Worked(at=desk.now()), tally=tally.counts(), said=tally.told())
    Chunks(desk.aws, desk.settings.items_table).close(chunk.run_id, chunk.id, worked)
    end_if_over(desk, chunk.run_id)
    return Done("rescanned")


def _identified(shift: Shift, wide: Desk) -> list[Subject | None]:
    """The subjects with their versions and ETags, asked for where the source did not tell; None where nothing is."""

    def ask(subject: Subject) -> Subject | None:
        item = current(shift.desk, subject.bucket, subject.key)
        return subject_of(item) if item else None

    unknown = [subject for subject in shift.chunk.subjects if not (subject.version_id or subject.etag)]
    found = dict(zip(unknown, on_their_own(wide, ask, unknown), strict=True))
    return [found.get(subject, subject) for subject in shift.chunk.subjects]


def _tasks(shift: Shift, subjects: Sequence[Subject | None]) -> list[Task]:
    """What is to be done with each subject."""
    told = zip(shift.chunk.subjects, subjects, strict=True)
    gone = [Task(subject=asked, course=skipped("gone")) for asked, found in told if found is None]
    there = [subject for subject in subjects if subject is not None]
    known = on_record(shift.desk, there)
    return gone + [_task(shift, subject, standing) for subject, standing in zip(there, known, strict=True)]


def _task(shift: Shift, subject: Subject, known: Standing | None) -> Task:
    course = course_of(shift.desk, shift.run, known)
    if shift.chunk.redecide and course in LOOKS:
        course = skipped("needs detection")
    is_video = known is not None and known.kind is Kind.VIDEO
    return Task(subject=subject, known=known, course=course, is_video=is_video)


def _do(shift: Shift, task: Task) -> Result:
    """Work one subject; whatever goes wrong with it is its own."""
    if not isinstance(task.course, Course):
        return Result(came_to=task.course)
    if shift.desk.now() > shift.until:
        return Result(came_to=Waits(1.0, "this delivery has worked for long enough"))
    looks = task.course in LOOKS
    if looks and (refused := shift.refusals.for_all):
        return Result(came_to=refused)
    box: list[Ended | Waits | PutOff] = []
    withheld: list[Withheld] = []

    def go() -> Outcome:
        try:
            box.append(_go(shift, task))
        except Withheld as fault:
            withheld.append(fault)
            raise
        return Done("")

    outcome = shift.guard(go)
    came_to = box[0] if box else _fault(shift, task, outcome)
    if looks:
        shift.refusals.note(came_to if withheld and isinstance(came_to, Waits) else None)
    if isinstance(came_to, Waits) and shift.attempt > MOST_WAITS:
        came_to = failed(task.subject.location, task.subject.version_id or "", came_to.why)
    if isinstance(came_to, Ended) and task.is_video and shift.allowance.is_limited:
        release_video(shift, task)
    return Result(came_to=came_to, micros=spent_micros(shift.desk))


def _go(shift: Shift, task: Task) -> Ended | Waits | PutOff:
    desk, known = shift.desk, task.known
    try:
        if known is None:
            item = item_of(desk, task.subject)
            return look_first(desk, item, attempt=shift.attempt) if item else skipped("gone")
        return _go_with(shift, task.course, known)
    except Moved:
        return Waits(1.0, "somebody else has decided about it")


def _go_with(shift: Shift, course: object, known: Standing) -> Ended | Waits | PutOff:
    if course is Course.COUNT:
        return counted_again(known)
    if course is Course.RESUME:
        return go_on(shift.desk, shift.run, known)
    if course is Course.REDECIDE:
        with suppress(NeedsLook):
            return decide_again(shift.desk, shift.run, known)
        if shift.chunk.redecide:
            return skipped("needs detection")
        if not may_look(shift, known):
            return skipped("over the budget")
    return look_again(shift.desk, known, attempt=shift.attempt)


def _fault(shift: Shift, task: Task, outcome: Outcome) -> Ended | Waits:
    """What the guard made of what was raised."""
    subject, version = task.subject, task.subject.version_id or ""
    if isinstance(outcome, Retry):
        if outcome.why.startswith("unexpected") and shift.attempt >= MOST_ERRORS:
            return failed(subject.location, version, outcome.why)
        return Waits(outcome.after, outcome.why, counts=outcome.counts)
    return failed(subject.location, version, getattr(outcome, "why", ""))
