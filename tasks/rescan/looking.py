"""Look at a subject of a rescan by the pipeline of uploads, and conclude as the rescan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tasks.aws.faults import Gone, Moved
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.job import free_slot, start_job
from tasks.detect.kind import Kind
from tasks.detect.later import Later, putting_off
from tasks.detect.look import look_at_words
from tasks.detect.reuse import asking, looked_once, meet
from tasks.detect.video import check_video
from tasks.intake.present import current
from tasks.intake.upload import open_upload
from tasks.item import Item
from tasks.ledger import current_ledger, looked, note_item, used
from tasks.outcome import Done, Outcome, Parked, Retry
from tasks.pipeline import RUNNING, conclude, judge, moderate
from tasks.record.costs import calls_in
from tasks.record.standing import Standing, Status
from tasks.rescan.batch_wait import PutOff, puts_off, waiting
from tasks.rescan.end import Ended, Waits, failed, first_time, micros, skipped
from tasks.rescan.on_record import is_about
from tasks.rescan.redecide import Looked, redecide
from tasks.rescan.subject import Subject
from tasks.rescan.tally import Tally

#: Seconds until a video's job is looked in on again, at first and at most.
SOONEST, LATEST = 10.0, 300.0


@dataclass(slots=True)
class Again:
    """Concludes a look at an item that was decided before; `tasks.desk.Again`. `made` is what came of it."""

    desk: Desk
    known: Standing
    later: Later
    made: Ended | PutOff | None = field(default=None)

    def __call__(self, looked: Standing, findings: tuple[Finding, ...], beside: Sequence[Mapping[str, Any]]) -> Outcome:
        """Decide again on what was found now, unless answers are still to come. Raises Fault."""
        if self.later.questions:
            taken = self.desk.prices.looking(used())
            took = Tally(ai_calls=calls_in(taken), usd_micros=micros(self.desk.prices.cost(taken)))
            self.made = replace(waiting(self.desk, looked, findings, self.later), tally=took)
            return Done("waits for a batch")
        self.made = redecide(self.desk, self.known, looked=Looked(standing=looked, findings=findings, beside=beside))
        if beside:
            looked_once(self.desk, self.known.item)
        return Done("decided again")


@dataclass(slots=True)
class First:
    """Concludes a look at an item that has no row of its own, as the pipeline does; `made` where it waits."""

    desk: Desk
    later: Later
    made: PutOff | None = field(default=None)

    def __call__(self, looked: Standing, findings: tuple[Finding, ...], beside: Sequence[Mapping[str, Any]]) -> Outcome:
        """Conclude, unless answers are still to come. Raises Fault."""
        if self.later.questions:
            self.made = waiting(self.desk, looked, findings, self.later)
            return Done("waits for a batch")
        return conclude(self.desk, looked, findings, beside=tuple(beside))


def look_first(desk: Desk, item: Item, *, attempt: int) -> Ended | Waits | PutOff:
    """Judge an object that has no row of its own as an upload is judged, but on behalf of the rescan. Raises Fault."""
    with putting_off(_whose(desk, item)) as later:
        first = First(desk, later)
        outcome = moderate(replace(desk, again=first), item, attempt=attempt)
    return first.made or _ending(desk, item, outcome)


def look_again(desk: Desk, known: Standing, *, attempt: int) -> Ended | Waits | PutOff:
    """Look again at an item that was decided before, and decide again on what is found. Raises Fault."""
    item = known.item
    if known.status in (Status.REDACTED, Status.RESTORED):
        return _look_in_its_place(desk, known)
    note_item(item, surface=desk.policy.surface_of(item).name)
    try:
        if known.kind is Kind.VIDEO:
            return _look_at_video(desk, known, attempt=attempt)
        with putting_off(_whose(desk, item)) as later:
            again = Again(desk, known, later)
            outcome = _judged(replace(desk, again=again), item, within=known.within)
    except (Gone, Moved):
        return skipped("gone")
    if again.made:
        return again.made
    return outcome if isinstance(outcome, Ended) else _ending(desk, item, outcome)


def _whose(desk: Desk, item: Item) -> str:
    """The item whose questions are put off; nobody's where the run asks at once."""
    return item.id if puts_off(desk) else ""


def _look_in_its_place(desk: Desk, known: Standing) -> Ended | Waits:
    """Judge what modfleet wrote in an item's place: the item's own version is no more."""
    item = current(desk, known.item.bucket, known.item.key)
    if item is None:
        return skipped("gone")
    if not is_about(known, Subject(bucket=item.bucket, key=item.key, version_id=item.version_id, etag=item.etag)):
        return skipped("superseded")
    note_item(item, surface=desk.policy.surface_of(item).name)
    outcome = _judged(desk, item, within=known.within)
    return outcome if isinstance(outcome, Ended) else _ending(desk, item, outcome)


def _judged(desk: Desk, item: Item, *, within: str) -> Outcome | Ended:
    """The pipeline's judgement, whoever wrote what is there, and whatever tag it has from us."""
    with asking(desk, item):
        upload, met = meet(desk, item)
        if not upload.is_of(item):
            return skipped("superseded")
        return judge(desk, item, replace(upload, tagged=False), met, within=within)


def _look_at_video(desk: Desk, known: Standing, *, attempt: int) -> Ended | Waits:
    """Start the rescan's own job, or look in on it; the message comes back until it has ended."""
    item, wait = known.item, Waits(min(SOONEST * attempt, LATEST), "a video's job is running")
    job = start_job(desk, item, alone=True)
    answer = check_video(desk.aws, job.id, item_id=item.id) if job.id else None
    if answer is None:
        if job.id and desk.slots:
            desk.slots.renew(item.id)
        return wait
    free_slot(desk, item)
    if answer.failed:
        # What an earlier look has found still stands: a job that fails is no reason to hold it.
        return failed(item.location, item.version, answer.findings[0].label)
    surface = desk.policy.surface_of(item)
    caption = look_at_words(desk, item, text=open_upload(desk.aws, item).caption, part="caption", surface=surface)
    found = Looked(standing=replace(known, detectors=looked()), findings=(*caption, *answer.findings))
    return redecide(desk, known, looked=found)


def _ending(desk: Desk, item: Item, outcome: Outcome) -> Ended | Waits:
    """What the pipeline's outcome means for a subject."""
    if isinstance(outcome, Retry):
        return Waits(outcome.after, outcome.why, counts=outcome.counts)
    if isinstance(outcome, Parked):
        return failed(item.location, item.version, outcome.why)
    if outcome == RUNNING:
        return Waits(SOONEST, "a video's job is running")
    ended = reversed(ledger.ended if (ledger := current_ledger()) else ())
    standing = next((one.standing for one in ended if one.standing.item == item), None)
    if standing is None:
        return skipped("decided")
    if standing.status in (Status.GONE, Status.SUPERSEDED):
        return skipped(standing.status.value)
    return first_time(standing) if desk.rescan and standing.rescan == desk.rescan.id else skipped("decided")
