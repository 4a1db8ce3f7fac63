"""The task that Celery runs: a message body in, an outcome out."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from celery import shared_task

from tasks import pipeline
from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.intake.message import (
    Asked,
    Message,
    NotAMessage,
    Nothing,
    RulingGiven,
    VideoCheck,
    VideoEnded,
    read_message,
)
from tasks.intake.submission import Submission
from tasks.outcome import Done, Outcome, Parked, Retry, Skipped, backoff, outcome_of
from tasks.rescan.batch import look_in
from tasks.rescan.batch_fold import fold
from tasks.rescan.batch_message import BatchAnswers, BatchLook
from tasks.rescan.chunk import Chunk
from tasks.rescan.work import work as rescan
from tasks.review.asking import ask
from tasks.review.carry_out import carry_out
from tasks.submit import submit
from tasks.video import checks_of

log = structlog.get_logger("modfleet.moderation")

#: The task's wire name, which the transport puts on every message.
MODERATE = "moderation.moderate"


@shared_task(name=MODERATE, bind=True)  # type: ignore[untyped-decorator]  # Celery ships no types
def moderate(self: Any, body: str) -> Outcome:
    """Do what a message asks for. Whoever calls carries the outcome out on the message."""
    return handle(self.app.desk, body, attempt=self.request.attempt)


def handle(desk: Desk, body: str, *, attempt: int) -> Outcome:
    """Read a body and do all it asks for; several uploads in one body are all done before it is settled."""
    return _guarded(partial(_handle, desk, body, attempt=attempt), attempt=attempt)


def _handle(desk: Desk, body: str, *, attempt: int) -> Outcome:
    try:
        message = read_message(body)
    except NotAMessage as why:
        return Parked(str(why))
    works = _works_of(desk, message, attempt=attempt)
    return worst([_guarded(partial(_on_its_own_ledger, desk, work), attempt=attempt) for work in works])


def _works_of(desk: Desk, message: Message, *, attempt: int) -> list[Callable[[], Outcome]]:
    if isinstance(message, Nothing):
        return [partial(Skipped, message.why)]
    if isinstance(message, VideoCheck):
        return [partial(pipeline.check_video, desk, message)]
    if isinstance(message, VideoEnded):
        checks = [partial(pipeline.check_video, desk, check, told=True) for check in checks_of(desk, message.job_id)]
        return [*checks] or [partial(Skipped, "no video waits for this job")]
    if isinstance(message, RulingGiven | Asked):
        return [partial(_do_for_people, desk, message)]
    if isinstance(message, Submission | Chunk | BatchLook | BatchAnswers):
        return [partial(_do_whole, desk, message, attempt=attempt)]
    return [partial(pipeline.moderate, desk, item, attempt=attempt) for item in message.items]


def _do_whole(desk: Desk, message: Submission | Chunk | BatchLook | BatchAnswers, *, attempt: int) -> Outcome:
    guard = partial(_guarded, attempt=attempt)
    if isinstance(message, Submission):
        return submit(desk, message, attempt=attempt)
    if isinstance(message, BatchLook):
        return look_in(desk, message)
    if isinstance(message, BatchAnswers):
        return fold(desk, message, attempt=attempt, guard=guard)
    return rescan(desk, message, attempt=attempt, guard=guard)


def _do_for_people(desk: Desk, message: RulingGiven | Asked) -> Outcome:
    return ask(desk, message) if isinstance(message, Asked) else carry_out(desk, message)


def _on_its_own_ledger(desk: Desk, work: Callable[[], Outcome]) -> Outcome:
    with desk.ledger():
        return work()


def _guarded(work: Callable[[], Outcome], *, attempt: int) -> Outcome:
    """Run work to an outcome. Here, and nowhere else in the program, anything at all is caught."""
    try:
        return work()
    except Fault as fault:
        return outcome_of(fault, attempt=attempt)
    except Exception as error:
        # Where it happened and not what it says: an error may quote what it choked on.
        log.error("unexpected", error=type(error).__name__, where=where(error))
        return Retry(backoff(attempt), f"unexpected {type(error).__name__}")


def where(error: BaseException) -> list[str]:
    """`file:line function` of each frame, from the outermost to where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


def worst(outcomes: list[Outcome]) -> Outcome:
    """One outcome for several items of one message.

    A retry comes first (what is done already is skipped next time), then parking, then done. It counts as an
    attempt if any of them does.
    """
    if retries := [outcome for outcome in outcomes if isinstance(outcome, Retry)]:
        longest = max(retries, key=lambda retry: retry.after)
        return replace(longest, counts=any(retry.counts for retry in retries))
    for kind in (Parked, Done):
        found = [outcome for outcome in outcomes if isinstance(outcome, kind)]
        if found and kind is Parked:
            return Parked("; ".join(outcome.why for outcome in found if isinstance(outcome, Parked)))
        if found:
            return found[0]
    return outcomes[0]
