"""A video's job: looked in on by delayed messages, without holding a worker."""

from __future__ import annotations

from tasks.aws.calls import call
from tasks.aws.faults import Unreadable
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.kind import unreadable
from tasks.detect.look import free_slot, start_job
from tasks.detect.video import check_video
from tasks.intake.message import VideoCheck, write_video_check
from tasks.ledger import trace_header
from tasks.record.standing import Standing

#: A check waits twice as long each time, up to this many seconds (SQS delays no message longer than 900).
MAX_CHECK_SECONDS = 300

Findings = tuple[Finding, ...]


def look_in(desk: Desk, standing: Standing, *, job_id: str) -> tuple[str, Findings | None]:
    """The job's id and its findings, None while it runs; a job that fails or takes too long is a finding.

    A job that had no slot is started now; one that has ended gives its slot back. Raises Gone when the video is
    not there any more.
    """
    job_id, findings = _look(desk, standing, job_id)
    if findings is not None:
        free_slot(desk, standing.item)
    elif job_id and desk.slots:
        desk.slots.renew(standing.item.id)
    return job_id, findings


def _look(desk: Desk, standing: Standing, job_id: str) -> tuple[str, Findings | None]:
    try:
        job_id = job_id or start_job(desk, standing.item).id
        answer = check_video(desk.aws, job_id) if job_id else None
    except Unreadable as why:
        return job_id, (unreadable(why.reason),)
    if answer is not None:
        return job_id, answer.findings
    return job_id, (unreadable("video-deadline"),) if _past_deadline(desk, standing) else None


def look_in_later(desk: Desk, check: VideoCheck) -> None:
    """Send the check as a delayed message on the video lane."""
    first = desk.settings.video_check_seconds
    delay = min(first * 2 ** min(check.check - 1, 16), max(first, MAX_CHECK_SECONDS))
    url = desk.settings.queue_url("video")
    call(
        desk.aws.store,
        desk.aws.sqs.send_message,
        QueueUrl=url,
        MessageBody=write_video_check(check),
        DelaySeconds=delay,
        **trace_header(),
    )


def _past_deadline(desk: Desk, standing: Standing) -> bool:
    started = standing.job_started_at or standing.item.event_time
    return (desk.now() - started).total_seconds() > desk.settings.video_deadline_seconds
