"""Texts of a rescan's gray zone are asked about in batches, at about half the price: gathered, asked, and looked in on.

What waits is put on record with the message that brought it (`tasks.rescan.batch_wait`). A delayed message looks in now
and then: it gathers what waits into a job, asks Bedrock how its jobs are and, once one has ended, has its answers
worked, message by message (`tasks.rescan.batch_fold`). A job's id is made before Bedrock hears of it, and is its token:
however often it is asked for, it is made once, and paid for once.
"""

from __future__ import annotations

import secrets
from collections.abc import Set
from contextlib import suppress
from datetime import timedelta

from tasks.aws.calls import call
from tasks.aws.faults import Denied, Full, Gone, Moved, Permanent
from tasks.desk import Desk
from tasks.ledger import trace_header
from tasks.outcome import Done, Outcome, Skipped
from tasks.rescan.batch_message import BatchAnswers, BatchLook, write_answers, write_look
from tasks.rescan.batch_rows import JobRow, WaitingRow
from tasks.rescan.batch_wait import files_of, rows_of
from tasks.rescan.chunk_rows import Chunks
from tasks.rescan.run import Run, RunState
from tasks.rescan.run_rows import Runs

#: Records that are worth a job before all of a run is worked; how long the first of them waits for others at most.
ENOUGH, PATIENCE = 5_000, timedelta(hours=1)
#: How long anything waits for so many that Bedrock takes a job; then it is asked about at once.
LONGEST = timedelta(hours=6)
#: Messages of which one job has the texts. Each has 100 at most, and Bedrock takes 50,000.
MOST_CHUNKS = 500
#: Seconds between two looks, at most.
MOST_SECONDS = 300
#: Bedrock's words for a job that has answers, and for one that has ended.
#: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_GetModelInvocationJob.html
ANSWERED = ("Completed", "PartiallyCompleted")
ENDED = (*ANSWERED, "Failed", "Stopped", "Expired")
#: Our own: nobody was asked, for there were too few; and nobody wants to know any more.
LIVE, CANCELLED = "Live", "Cancelled"


def look_in_later(desk: Desk, run: Run, *, soon: int | None = None) -> None:
    """Begin to look in on a run's batches; whoever did so far does no more. Raises Fault."""
    look = BatchLook(run_id=run.id, chain=secrets.token_hex(8), look=1)
    rows_of(desk).begin(run.id, chain=look.chain)
    _send(desk, write_look(look), delay=_delay(desk, look.look) if soon is None else soon)


def look_in(desk: Desk, look: BatchLook) -> Outcome:
    """See how far a run's batches are, do what is due, and look in again later. Raises Fault."""
    run = Runs(desk.aws, desk.settings.items_table).find(look.run_id)
    if run is None or not rows_of(desk).is_next(look.run_id, chain=look.chain, look=look.look):
        return Skipped("another message looks in on these batches")
    move = stop if run.state is RunState.CANCELLED else advance
    jobs = list(rows_of(desk).jobs(run.id))
    for job in jobs:
        if not job.released:
            move(desk, run, job)
    if look.look == 1:
        remind(desk, run, {job.id for job in jobs if job.released})
    while run.state is not RunState.PAUSED and (new := gathered(desk, run)):
        rows_of(desk).ask(run.id, new)
        move(desk, run, new)
    if run.ended:
        return Done("the rescan has ended")
    following = BatchLook(run_id=run.id, chain=look.chain, look=look.look + 1)
    _send(desk, write_look(following), delay=_delay(desk, look.look))
    rows_of(desk).looked(run.id, chain=look.chain, look=look.look)
    return Done("looked in on the batches")


def gathered(desk: Desk, run: Run) -> JobRow | None:
    """A new job for what waits, where it is time for one."""
    rows, least = list[WaitingRow](), desk.settings.batch_least_records
    for row in rows_of(desk).waiting(run.id):
        if not row.job and (run.ended or _is_worked(desk, run, row)):
            rows.append(row)
        if len(rows) == MOST_CHUNKS:
            break
    if not rows:
        return None
    records, waited = sum(row.records for row in rows), desk.now() - min(row.since for row in rows)
    is_last = run.ended or (run.state is RunState.WORKING and run.chunks_done == run.chunks)
    if records >= least and (is_last or records >= ENOUGH or len(rows) == MOST_CHUNKS or waited > PATIENCE):
        return _new_job(desk, rows, live=False)
    return _new_job(desk, rows, live=True) if records < least and (is_last or waited > LONGEST) else None


def advance(desk: Desk, run: Run, job: JobRow) -> None:
    """Start a job, or see whether it has ended; then its answers are worked. Does nothing twice. Raises Fault."""
    if job.status or job.live:
        release(desk, run, job, status=job.status or LIVE)
    elif not job.arn:
        start(desk, run, job)
    elif (status := _status(desk, job)) in ENDED:
        release(desk, run, job, status=status)


def start(desk: Desk, run: Run, job: JobRow) -> None:
    """Have Bedrock work a job; where it has no room for one now, that is tried again at the next look."""
    assert desk.aws.batches is not None  # `is_set_up`: nothing is put off without
    mine = [chunk for chunk in job.chunks if rows_of(desk).take(run.id, chunk, job_id=job.id)]
    source, target = files_of(desk, run.id).offer(job.id, mine)
    try:
        answer = call(
            desk.aws.store,
            desk.aws.batches.create_model_invocation_job,
            jobName=f"modfleet-{run.id}-{job.id}",
            clientRequestToken=job.id,
            roleArn=desk.settings.batch_role_arn,
            modelId=job.model,
            # Not Converse: there a record with a tool fails.
            modelInvocationType="InvokeModel",
            inputDataConfig={"s3InputDataConfig": {"s3Uri": source}},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": target}},
        )
    except Full:
        return
    except Denied:
        raise
    except Permanent as fault:
        # What Bedrock will never take is asked about at once.
        release(desk, run, job, status=f"Refused ({fault.code})")
        return
    rows_of(desk).started(run.id, job.id, arn=str(answer["jobArn"]))


def release(desk: Desk, run: Run, job: JobRow, *, status: str) -> None:
    """Have the texts of each message worked, with the answers that there are."""
    if not job.status:
        rows_of(desk).job_ended(run.id, job.id, status=status)
    for chunk in job.chunks:
        if rows_of(desk).take(run.id, chunk, job_id=job.id):
            _send(desk, write_answers(BatchAnswers(run_id=run.id, chunk=chunk, job=job.id)))
    rows_of(desk).released(run.id, job.id)


def remind(desk: Desk, run: Run, jobs: Set[str]) -> None:
    """Have answers worked that should have been: whoever resumes a run need not know what became of the message."""
    for row in rows_of(desk).waiting(run.id):
        if row.job in jobs:
            _send(desk, write_answers(BatchAnswers(run_id=run.id, chunk=row.chunk, job=row.job)))


def stop(desk: Desk, run: Run, job: JobRow) -> None:
    """Nobody wants the answers any more; its messages find that out, and tidy up."""
    assert desk.aws.batches is not None
    if job.arn and not job.status:
        with suppress(Gone, Moved):
            call(desk.aws.store, desk.aws.batches.stop_model_invocation_job, jobIdentifier=job.arn)
    release(desk, run, job, status=CANCELLED)


def _status(desk: Desk, job: JobRow) -> str:
    assert desk.aws.batches is not None
    try:
        answer = call(desk.aws.store, desk.aws.batches.get_model_invocation_job, jobIdentifier=job.arn)
    except Gone:
        return "Expired"
    return str(answer["status"])


def _is_worked(desk: Desk, run: Run, row: WaitingRow) -> bool:
    """Whether the message is on record as worked: before, its next delivery may find something else to wait for."""
    chunk = Chunks(desk.aws, desk.settings.items_table).find(run.id, row.chunk)
    return chunk is not None and bool(chunk.done_at)


def _new_job(desk: Desk, rows: list[WaitingRow], *, live: bool) -> JobRow:
    chunks = tuple(row.chunk for row in rows)
    return JobRow(id=secrets.token_hex(8), chunks=chunks, model=desk.settings.classifier_model, live=live)


def _delay(desk: Desk, look: int) -> int:
    return min(desk.settings.video_check_seconds * min(look, 20), MOST_SECONDS)


def _send(desk: Desk, body: str, *, delay: int = 0) -> None:
    url = desk.settings.queue_url("rescan")
    send = desk.aws.sqs.send_message
    call(desk.aws.store, send, QueueUrl=url, MessageBody=body, DelaySeconds=delay, **trace_header())
