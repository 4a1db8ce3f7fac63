"""A shift: one delivery of one message of a rescan, and what its subjects come to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from tasks.decide.policy_file import PolicyError
from tasks.desk import Desk
from tasks.intake.present import current
from tasks.item import Item
from tasks.ledger import used
from tasks.outcome import Outcome, Retry, backoff
from tasks.record.policies import Policies, UnknownPolicy
from tasks.record.spending import LOST
from tasks.record.standing import Standing
from tasks.rescan.allowance import Allowance
from tasks.rescan.batch_wait import PutOff
from tasks.rescan.chunk import Chunk
from tasks.rescan.course import Course
from tasks.rescan.end import Ended, Waits, ended, micros
from tasks.rescan.redecide import entry_of
from tasks.rescan.run import Run
from tasks.rescan.subject import Subject

#: Subjects of one message that are worked at once. A process works several messages, beside all live ones.
THREADS = 4
#: Seconds after which nothing more is begun, and the message comes back for the rest: well within a worker's drain.
LONGEST = 40.0
#: Seconds, at most, until a message comes back for those of its subjects that had to wait.
LONGEST_WAIT = 300.0
#: Seconds until a message of a paused run is looked at again.
PAUSED_SECONDS = 60.0
#: Deliveries after which a subject that another run is busy with, or a video's job, is waited for no longer.
MOST_WAITS = 300
#: Deliveries after which an error in our own program is the subject's end.
MOST_ERRORS = 3

#: Runs work to an outcome, whatever it raises: the one boundary that catches.
Guard = Callable[[Callable[[], Outcome]], Outcome]


@dataclass(slots=True)
class Refusals:
    """Looks that were withheld one after the other: where a quota is spent, it is spent for the rest of a message, too.

    Each would only be opened, recalled and turned away again, in every delivery.
    """

    in_a_row: int = 0
    last: Waits | None = None

    def note(self, refused: Waits | None) -> None:
        """A look was withheld, or made."""
        self.in_a_row, self.last = (self.in_a_row + 1, refused) if refused else (0, None)

    @property
    def for_all(self) -> Waits | None:
        """What the rest has to wait for; None while some are let through."""
        return replace(self.last, is_for_all=True) if self.last and self.in_a_row >= THREADS else None


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
    refusals: Refusals = field(default_factory=Refusals)

    @property
    def allowance(self) -> Allowance:
        """What the run may still spend."""
        return Allowance(self.desk, self.run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A subject, what is on record of it, and what is to be done; or its end already."""

    subject: Subject
    known: Standing | None = None
    course: Course | Ended | Waits | PutOff = Course.FIRST
    #: What a video may cost is put aside by itself.
    is_video: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a task went, and the millionths of a dollar that it took."""

    came_to: Ended | Waits | PutOff
    micros: int = 0


class NoPolicy(Exception):
    """The run's policy is not on record, or nobody can read it any more; the text says why."""


def run_desk(desk: Desk, run: Run) -> Desk:
    """The desk of a run: under its policy, and on its behalf. Raises NoPolicy; Fault."""
    policy = desk.policy
    if run.policy_version != policy.version:
        try:
            policy = Policies(desk.aws, desk.settings.items_table).read(run.policy_version)
        except (UnknownPolicy, PolicyError) as why:
            raise NoPolicy(f"the rescan's policy {run.policy_version} cannot be read: {why}") from None
    # Parts of live posts wait for the desk's hands: they must not wait for these.
    return replace(desk, policy=policy, rescan=run, hands=None)


def came_back(waits: Sequence[Waits], *, attempt: int) -> Outcome:
    """Come back as soon as one of them may be ready; what is done is only counted then."""
    if any(one.counts for one in waits):
        why = next(one.why for one in waits if one.counts)
        return Retry(backoff(attempt), f"{len(waits)} subjects are not done: {why}")
    # Nobody is let through any sooner for asking more often, and each time costs the reading of a hundred rows.
    first = next((one for one in waits if one.is_for_all), min(waits, key=lambda one: one.seconds))
    # A long video is looked in on ever less often.
    after = min(first.seconds * max(1, attempt // 3), LONGEST_WAIT)
    return Retry(max(1.0, after), f"{len(waits)} subjects wait: {first.why}", counts=False)


def counted_again(known: Standing) -> Ended:
    """What an earlier delivery did; it may not have lived to tell the audit log."""
    came_to = ended(known)
    refreshed = known.rescanned is not None and known.history[-1]["event"] == "rescanned"
    return replace(came_to, entries=(entry_of(known),)) if refreshed else came_to


def item_of(desk: Desk, subject: Subject) -> Item | None:
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


def subject_of(item: Item) -> Subject:
    """An item as a source would tell of it."""
    return Subject(
        bucket=item.bucket,
        key=item.key,
        version_id=item.version_id,
        etag=item.etag,
        size=item.size,
        modified_at=item.event_time,
    )


def spent_micros(desk: Desk) -> int:
    """Millionths of a dollar that detectors took on this subject's ledger; what AWS did not answer may be billed."""
    prices, taken = desk.prices, desk.prices.looking(used())
    lost = {unit.removeprefix(LOST): amount for unit, amount in taken.items() if unit.startswith(LOST)}
    return micros(prices.cost(taken) + prices.cost(lost))
