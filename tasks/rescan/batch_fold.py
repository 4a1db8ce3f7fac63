"""Work the answers of a batch: each item that waited is decided with them, as if it had just been looked at.

What Bedrock did not answer is asked about at once; an answer that is no verdict holds, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from tasks.at_once import on_their_own
from tasks.aws.faults import Moved, Unreadable
from tasks.desk import Desk
from tasks.detect.chain import TextChain
from tasks.detect.classifier import Question, classify
from tasks.detect.finding import Finding
from tasks.detect.kind import unreadable
from tasks.detect.later import answered
from tasks.detect.look import text_chain
from tasks.ledger import note_item, note_looked, note_used
from tasks.outcome import Done, Outcome, Parked, Retry, Skipped
from tasks.pipeline import conclude
from tasks.record.standing import Standing
from tasks.rescan.batch import ANSWERED
from tasks.rescan.batch_answers import Answer, read_answer
from tasks.rescan.batch_message import BatchAnswers
from tasks.rescan.batch_rows import JobRow, WaitingRow
from tasks.rescan.batch_wait import PutOff, files_of, rows_of, what_waits
from tasks.rescan.chunk_rows import Chunks, Worked
from tasks.rescan.course import Course, course_of, go_on
from tasks.rescan.end import Ended, Waits, ended, failed, is_of, skipped
from tasks.rescan.ending import end_if_over
from tasks.rescan.redecide import Looked, redecide
from tasks.rescan.run import Run, RunState
from tasks.rescan.run_rows import Runs
from tasks.rescan.shift import (
    PAUSED_SECONDS,
    THREADS,
    Guard,
    NoPolicy,
    Result,
    came_back,
    counted_again,
    run_desk,
    spent_micros,
)
from tasks.rescan.subject import Unreadable as NoFile
from tasks.rescan.tally import Tally, merge

#: Names, behind a message's id, what came of its answers.
ANSWERS = "+answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The answers to the texts of one message. `desk` is the run's."""

    desk: Desk
    run: Run
    row: WaitingRow
    job: JobRow
    guard: Guard
    attempt: int
    answers: Mapping[str, Answer]


def fold(desk: Desk, message: BatchAnswers, *, attempt: int, guard: Guard) -> Outcome:
    """Work the answers to the texts of one message, or go on where an earlier delivery stopped. Raises Fault."""
    run = Runs(desk.aws, desk.settings.items_table).find(message.run_id)
    row, job = rows_of(desk).find(message.run_id, message.chunk), rows_of(desk).job(message.run_id, message.job)
    if run is None or job is None or row is None or row.job != job.id:
        end_if_over(desk, message.run_id)
        return Skipped("worked before, or another job has these texts")
    if Chunks(desk.aws, desk.settings.items_table).find(run.id, row.chunk + ANSWERS):
        return _tidied(desk, run, row, job)
    if run.state is RunState.PAUSED:
        return Retry(PAUSED_SECONDS, "the rescan is paused", counts=False)
    try:
        own = run_desk(desk, run)
    except NoPolicy as why:
        return Parked(str(why))
    answers = {answer.id: answer for answer in _answers(own, run, row, job)}
    return _work(Batch(desk=own, run=run, row=row, job=job, guard=guard, attempt=attempt, answers=answers))


def _work(batch: Batch) -> Outcome:
    desk, run, chunk = batch.desk, batch.run, batch.row.chunk
    try:
        waiting = list(what_waits(desk, run.id, chunk))
    except NoFile:
        return _close(desk, run, batch, [Result(came_to=failed(f"rescan/{run.id}", chunk, "its texts are not kept"))])
    if run.ended:
        return _close(desk, run, batch, [Result(came_to=skipped("cancelled")) for _ in waiting])
    with ThreadPoolExecutor(THREADS, thread_name_prefix="answers") as pool:
        results = on_their_own(replace(desk, hands=pool), partial(_do, batch), waiting)
    if waits := [result.came_to for result in results if isinstance(result.came_to, Waits)]:
        return came_back(waits, attempt=batch.attempt)
    return _close(desk, run, batch, results)


def _answers(desk: Desk, run: Run, row: WaitingRow, job: JobRow) -> Iterator[Answer]:
    if job.status in ANSWERED:
        for line in files_of(desk, run.id).answers(job.id, row.chunk, arn=job.arn):
            if answer := read_answer(line, model=job.model):
                yield answer


def _do(batch: Batch, waiting: PutOff) -> Result:
    """Decide one item; whatever goes wrong with it is its own."""
    box: list[Ended | Waits] = []

    def go() -> Outcome:
        box.append(_decide(batch, waiting))
        return Done("")

    outcome = batch.guard(go)
    came_to = box[0] if box else Waits(getattr(outcome, "after", 1.0), getattr(outcome, "why", ""), counts=True)
    return Result(came_to=came_to, micros=spent_micros(batch.desk))


def _decide(batch: Batch, waiting: PutOff) -> Ended | Waits:
    desk, run, item = batch.desk, batch.run, waiting.standing.item
    note_item(item, surface=desk.policy.surface_of(item).name)
    known = desk.state.find(item)
    course = course_of(desk, run, known)
    if isinstance(course, Ended):
        return course
    if known and course is Course.COUNT:
        return counted_again(known)
    if known and course is Course.RESUME:
        return go_on(desk, run, known)
    findings = answered(waiting.standing.findings, tuple(_said(batch, waiting)))
    try:
        return _again(desk, known, waiting, findings) if known else _first(desk, run, waiting, findings)
    except Moved:
        return Waits(1.0, "somebody else has decided about it")


def _again(desk: Desk, known: Standing, waiting: PutOff, findings: tuple[Finding, ...]) -> Ended:
    return redecide(desk, known, looked=Looked(standing=waiting.standing, findings=findings))


def _first(desk: Desk, run: Run, waiting: PutOff, findings: tuple[Finding, ...]) -> Ended | Waits:
    outcome = conclude(desk, waiting.standing, findings)
    if isinstance(outcome, Retry):
        return Waits(outcome.after, outcome.why, counts=outcome.counts)
    standing = desk.state.find(waiting.standing.item)
    return ended(standing) if standing and is_of(standing, run) else skipped("decided")


def _said(batch: Batch, waiting: PutOff) -> Iterator[Finding]:
    """What the model makes of each question, in the batch or, where it has said nothing there, now."""
    item = waiting.standing.item
    chain = text_chain(batch.desk, item, batch.desk.policy.surface_of(item), part="body")
    for name, question in zip(waiting.record_ids, waiting.questions, strict=True):
        answer = batch.answers.get(name)
        if answer is None:
            yield _asked(batch.desk, question, chain)
            continue
        note_looked(answer.finding.detector, batch.job.model)
        for unit, amount in answer.used.items():
            note_used(unit, amount)
        yield answer.finding


def _asked(desk: Desk, question: Question, chain: TextChain) -> Finding:
    try:
        return classify(desk.aws, question, chain=chain)
    except Unreadable as why:
        return unreadable(why.reason, part=chain.part)


def _close(desk: Desk, run: Run, batch: Batch, results: Sequence[Result]) -> Outcome:
    """Count what came of the answers, once, and keep nothing of the texts."""
    row = batch.row
    came_to = [result.came_to for result in results if isinstance(result.came_to, Ended)]
    if entries := [entry for one in came_to for entry in one.entries]:
        desk.audit.append(entries)
    tally: Tally = merge(one.tally for one in came_to)
    worked = Worked(
        at=desk.now(),
        tally=tally.counts(),
        said=tally.told(),
        spent_micros=sum(result.micros for result in results),
        released_micros=row.bound_micros if run.max_cost_usd is not None else 0,
        waiting=-1,
    )
    Chunks(desk.aws, desk.settings.items_table).close_late(run.id, row.chunk + ANSWERS, worked)
    return _tidied(desk, run, row, batch.job)


def _tidied(desk: Desk, run: Run, row: WaitingRow, job: JobRow) -> Outcome:
    files_of(desk, run.id).remove(row.chunk, job=job.id, arn=job.arn)
    rows_of(desk).ended(run.id, row.chunk)
    end_if_over(desk, run.id)
    return Done("worked the answers")
