"""Work one message of a rescan: each of its subjects to an end, and what came of them counted once.

Every subject can be worked twice and changes once: what this run has decided says so in its own row, and is only
counted the next time. So a message that is interrupted, or has subjects that must wait, simply comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from tasks.at_once import on_their_own
from tasks.aws.faults import Gone, Moved
from tasks.decide.policy import Policy
from tasks.decide.policy_file import PolicyError
from tasks.desk import Desk
from tasks.detect.kind import Kind, kind_of
from tasks.intake.present import current
from tasks.intake.upload import open_upload
from tasks.item import Item
from tasks.ledger import used
from tasks.outcome import Done, Outcome, Parked, Retry, Skipped, backoff
from tasks.record.policies import Policies, UnknownPolicy
from tasks.record.spending import LOST
from tasks.record.standing import Standing
from tasks.rescan.allowance import Allowance, dearest
from tasks.rescan.chunk import Chunk
from tasks.rescan.chunk_rows import Chunks, Worked
from tasks.rescan.course import Course, course_of, decide_again, go_on
from tasks.rescan.end import Ended, Waits, ended, failed, micros, skipped
from tasks.rescan.ending import end_if_over
from tasks.rescan.looking import look_again, look_first
from tasks.rescan.on_record import on_record
from tasks.rescan.redecide import NeedsLook, entry_of
from tasks.rescan.run import Run, RunState
from tasks.rescan.run_rows import Runs
from tasks.rescan.subject import Subject
from tasks.rescan.tally import Tally, merge

#: Subjects of one message that are worked at once. A process works several messages, beside all live ones.
THREADS = 4
#: Seconds after which nothing more is begun, and the message comes back for the rest: well within a worker's drain.
LONGEST = 40.0
#: Seconds until a message of a paused run is looked at again.
PAUSED_SECONDS = 60.0
#: Deliveries after which a subject that another run is busy with, or a video's job, is waited for no longer.
MOST_WAITS = 300
#: Deliveries after which an error in our own program is the subject's end.
MOST_ERRORS = 3

#: Runs work to an outcome, whatever it raises: the one boundary that catches.
Guard = Callable[[Callable[[], Outcome]], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One delivery of one message."""

    #: The run's: its policy, and on its behalf.
    desk: Desk
    run: Run
    chunk: Chunk
    attempt: int
    guard: Guard
    until: datetime

    @property
    def allowance(self) -> Allowance:
        """What the run may still spend."""
        return Allowance(self.desk, self.run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A subject, what is on record of it, and what is to be done; or its end already."""

    subject: Subject
    known: Standing | None = None
    course: Course | Ended | Waits = Course.FIRST
    #: What a video may cost is put aside by itself.
    is_video: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a task went, and the millionths of a dollar that it took."""

    came_to: Ended | Waits
    micros: int = 0


def work(desk: Desk, chunk: Chunk, *, attempt: int, guard: Guard) -> Outcome:
    """Work a message of a rescan, or go on where an earlier delivery stopped. Raises Fault."""
    run = Runs(desk.aws, desk.settings.items_table).find(chunk.run_id)
    row = Chunks(desk.aws, desk.settings.items_table).find(chunk.run_id, chunk.id)
    if run is None or row is None:
        return Skipped("no such message of a rescan is on record")
    if row.done_at:
        end_if_over(desk, run.id)
        return Skipped("worked before")
    if run.state is RunState.PAUSED:
        return Retry(PAUSED_SECONDS, "the rescan is paused", counts=False)
    if run.state is RunState.CANCELLED:
        return _close(desk, chunk, Tally(skipped={"cancelled": len(chunk.subjects)}))
    try:
        policy = desk.policy if run.policy_version == desk.policy.version else _policy(desk, run)
    except (UnknownPolicy, PolicyError) as why:
        return Parked(f"the rescan's policy {run.policy_version} cannot be read: {why}")
    # Parts of live posts wait for the desk's hands: they must not wait for these.
    own = replace(desk, policy=policy, rescan=run, hands=None)
    until = desk.now() + timedelta(seconds=LONGEST)
    return _work(Shift(desk=own, run=run, chunk=chunk, attempt=attempt, guard=guard, until=until))


def _work(shift: Shift) -> Outcome:
    desk = shift.desk
    with ThreadPoolExecutor(THREADS, thread_name_prefix="rescan") as pool:
        wide = replace(desk, hands=pool)
        subjects = on_their_own(wide, partial(_identified, shift), shift.chunk.subjects)
        tasks, reserved = _afforded(shift, _tasks(shift, subjects), wide)
        # A post is decided by its parts, so it comes after them.
        posts = [task for task in tasks if task.known and task.known.kind is Kind.POST]
        others = [task for task in tasks if not (task.known and task.known.kind is Kind.POST)]
        results = [result for some in (others, posts) for result in on_their_own(wide, partial(_do, shift), some)]
    came_to = [result.came_to for result in results]
    entries = [entry for one in came_to if isinstance(one, Ended) for entry in one.entries]
    if entries:
        desk.audit.append(entries)
    spent, waits = sum(result.micros for result in results), [one for one in came_to if isinstance(one, Waits)]
    if waits:
        shift.allowance.settle(spent=spent, released=reserved)
        return _later(shift, waits)
    tally = merge(one.tally for one in came_to if isinstance(one, Ended))
    return _close(desk, shift.chunk, tally, spent=spent, released=reserved)


def _close(desk: Desk, chunk: Chunk, tally: Tally, *, spent: int = 0, released: int = 0) -> Outcome:
    """Count what came of a message, once; whoever closes the last one ends the run."""
    worked = Worked(
        at=desk.now(), tally=tally.counts(), said=tally.told(), spent_micros=spent, released_micros=released
    )
    Chunks(desk.aws, desk.settings.items_table).close(chunk.run_id, chunk.id, worked)
    end_if_over(desk, chunk.run_id)
    return Done("rescanned")


def _later(shift: Shift, waits: Sequence[Waits]) -> Outcome:
    """Come back as soon as one of them may be ready; what is done is only counted then."""
    if any(one.counts for one in waits):
        why = next(one.why for one in waits if one.counts)
        return Retry(backoff(shift.attempt), f"{len(waits)} subjects are not done: {why}")
    first = min(waits, key=lambda one: one.seconds)
    return Retry(max(1.0, first.seconds), f"{len(waits)} subjects wait: {first.why}", counts=False)


def _policy(desk: Desk, run: Run) -> Policy:
    return Policies(desk.aws, desk.settings.items_table).read(run.policy_version)


def _identified(shift: Shift, subject: Subject) -> Subject | None:
    """The subject with its version and ETag, asked for where its source did not tell; None where nothing is there."""
    if subject.version_id or subject.etag:
        return subject
    item = current(shift.desk, subject.bucket, subject.key)
    return _subject_of(item) if item else None


def _tasks(shift: Shift, subjects: Sequence[Subject | None]) -> list[Task]:
    """What is to be done with each subject."""
    told = zip(shift.chunk.subjects, subjects, strict=True)
    gone = [Task(subject=asked, course=skipped("gone")) for asked, found in told if found is None]
    there = [subject for subject in subjects if subject is not None]
    known = on_record(shift.desk, there)
    return gone + [_task(shift, subject, standing) for subject, standing in zip(there, known, strict=True)]


def _task(shift: Shift, subject: Subject, known: Standing | None) -> Task:
    course = course_of(shift.desk, shift.run, known)
    if shift.chunk.redecide and course in (Course.FIRST, Course.LOOK):
        course = skipped("needs detection")
    is_video = known is not None and known.kind is Kind.VIDEO
    return Task(subject=subject, known=known, course=course, is_video=is_video)


# ---- the budget ----


def _afforded(shift: Shift, tasks: list[Task], wide: Desk) -> tuple[list[Task], int]:
    """The tasks, with those ended for which there is no money, and what was put aside for the others in one write."""
    if not shift.allowance.is_limited:
        return tasks, 0
    asking = [task for task in tasks if task.course in (Course.FIRST, Course.LOOK)]
    ready = [task for task in tasks if task.course not in (Course.FIRST, Course.LOOK)]
    costed = on_their_own(wide, partial(_costed, shift), asking)
    at_once = [(task, cost) for task, cost in costed if not task.is_video]
    fits = shift.allowance.reserve([cost for _, cost in at_once])
    ready += [task if number < fits else _refused(task) for number, (task, _) in enumerate(at_once)]
    for task, cost in costed:
        if task.is_video:
            ready.append(task if shift.allowance.reserve_for(_name(task), cost) else _refused(task))
    return ready, sum(cost for _, cost in at_once[:fits])


def _refused(task: Task) -> Task:
    return replace(task, course=skipped("over the budget"), is_video=False)


def _costed(shift: Shift, task: Task) -> tuple[Task, int]:
    """The task, knowing whether it is a video, and what a look can cost at most, by its first bytes."""
    desk, subject, known = shift.desk, task.subject, task.known
    item = known.item if known else _item_of(desk, subject)
    if item is None:
        return task, 0
    kind = known.kind if known else _kind(desk, item)
    cost = dearest(desk, kind=kind, size=item.size, surface=desk.policy.surface_of(item))
    return replace(task, is_video=kind is Kind.VIDEO), cost


def _kind(desk: Desk, item: Item) -> Kind:
    try:
        return kind_of(open_upload(desk.aws, item).head, size=item.size)
    except Gone:
        return Kind.UNKNOWN


def _name(task: Task) -> str:
    return f"{task.subject.location}@{task.subject.version_id or task.subject.etag}"


# ---- one subject ----


def _do(shift: Shift, task: Task) -> Result:
    """Work one subject; whatever goes wrong with it is its own."""
    if not isinstance(task.course, Course):
        return Result(came_to=task.course)
    if shift.desk.now() > shift.until:
        return Result(came_to=Waits(1.0, "this delivery has worked for long enough"))
    box: list[Ended | Waits] = []

    def go() -> Outcome:
        box.append(_go(shift, task))
        return Done("")

    outcome = shift.guard(go)
    came_to = box[0] if box else _fault(shift, task, outcome)
    if isinstance(came_to, Waits) and shift.attempt > MOST_WAITS:
        came_to = failed(task.subject.location, task.subject.version_id or "", came_to.why)
    if isinstance(came_to, Ended) and task.is_video and shift.allowance.is_limited:
        _release_video(shift, task)
    return Result(came_to=came_to, micros=_spent(shift.desk))


def _go(shift: Shift, task: Task) -> Ended | Waits:
    desk, known = shift.desk, task.known
    try:
        if known is None:
            item = _item_of(desk, task.subject)
            return look_first(desk, item, attempt=shift.attempt) if item else skipped("gone")
        return _go_with(shift, task.course, known)
    except Moved:
        return Waits(1.0, "somebody else has decided about it")


def _go_with(shift: Shift, course: object, known: Standing) -> Ended | Waits:
    if course is Course.COUNT:
        return _counted_again(known)
    if course is Course.RESUME:
        return go_on(shift.desk, shift.run, known)
    if course is Course.REDECIDE:
        with suppress(NeedsLook):
            return decide_again(shift.desk, shift.run, known)
        if shift.chunk.redecide:
            return skipped("needs detection")
    return look_again(shift.desk, known, attempt=shift.attempt)


def _counted_again(known: Standing) -> Ended:
    """What an earlier delivery did; it may not have lived to tell the audit log."""
    came_to = ended(known)
    refreshed = known.rescanned is not None and known.history[-1]["event"] == "rescanned"
    return replace(came_to, entries=(entry_of(known),)) if refreshed else came_to


def _fault(shift: Shift, task: Task, outcome: Outcome) -> Ended | Waits:
    """What the guard made of what was raised."""
    subject, version = task.subject, task.subject.version_id or ""
    if isinstance(outcome, Retry):
        if outcome.why.startswith("unexpected") and shift.attempt >= MOST_ERRORS:
            return failed(subject.location, version, outcome.why)
        return Waits(outcome.after, outcome.why, counts=outcome.counts)
    return failed(subject.location, version, getattr(outcome, "why", ""))


def _release_video(shift: Shift, task: Task) -> None:
    """Give back what was put aside for a video, whose job another lane's run may have paid for."""
    standing = shift.desk.state.find(task.known.item) if task.known else None
    minutes = standing.units.get("video-minute", 0.0) if standing and standing.rescanned is None else 0.0
    shift.allowance.release_for(_name(task), spent=micros(shift.desk.prices.cost({"video-minute": minutes})))


def _item_of(desk: Desk, subject: Subject) -> Item | None:
    """The subject as an item; where its source told too little of it, S3 is asked."""
    if not (subject.version_id and subject.etag and subject.size >= 0 and subject.modified_at):
        item = current(desk, subject.bucket, subject.key)
        same = item is not None and subject.version_id in (None, item.version_id)
        return item if same else None
    return Item(
        bucket=subject.bucket,
        key=subject.key,
        version_id=subject.version_id,
        etag=subject.etag,
        size=subject.size,
        sequencer="",
        event_time=subject.modified_at.astimezone(UTC),
    )


def _subject_of(item: Item) -> Subject:
    return Subject(
        bucket=item.bucket,
        key=item.key,
        version_id=item.version_id,
        etag=item.etag,
        size=item.size,
        modified_at=item.event_time,
    )


def _spent(desk: Desk) -> int:
    """Millionths of a dollar that detectors took on this subject's ledger; what AWS did not answer may be billed."""
    prices, taken = desk.prices, desk.prices.looking(used())
    lost = {unit.removeprefix(LOST): amount for unit, amount in taken.items() if unit.startswith(LOST)}
    return micros(prices.cost(taken) + prices.cost(lost))
