"""A video's job: looked in on by delayed messages, without holding a worker."""

from __future__ import annotations

from tasks.aws.calls import call
from tasks.aws.faults import Unreadable
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.job import channel_of, free_slot, jobs_of, start_job
from tasks.detect.kind import unreadable
from tasks.detect.video import VideoAnswer, check_video
from tasks.intake.message import VideoCheck, write_video_check
from tasks.item import Item
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
    item = standing.item
    try:
        job_id = job_id or start_job(desk, item).id
        answer = check_video(desk.aws, job_id, item_id=item.id) if job_id else None
        if answer is not None and _speaks_for(desk, item, job_id=job_id, answer=answer):
            return job_id, answer.findings
        if answer is not None:
            job_id = start_job(desk, item, alone=True).id
    except Unreadable as why:
        return job_id, (unreadable(why.reason),)
    return job_id, (unreadable("video-deadline"),) if _past_deadline(desk, standing) else None


def _speaks_for(desk: Desk, item: Item, *, job_id: str, answer: VideoAnswer) -> bool:
    """Whether the job looked at this item's bytes.

    A message may name any job, so another item's counts only where this one is known to have joined it; and where
    that one failed, perhaps because the other upload vanished, this one deserves its own.
    """
    if answer.tag == item.id:
        return True
    if jobs_of(desk).has_joined(job_id, item):
        return not answer.failed
    return not answer.tag


def checks_of(desk: Desk, job_id: str) -> list[VideoCheck]:
    """What there is to look in on now that a job has ended: every item that waits for it, none if it is not ours."""
    return [VideoCheck(item=item, job_id=job_id, check=1) for item in jobs_of(desk).waiting(job_id)]


def look_in_later(desk: Desk, check: VideoCheck, *, soon: bool = False) -> None:
    """Send the check as a delayed message on the video lane.

    Where Rekognition tells when a job ends, looking is only the safety net, and seldom; unless the job may have
    ended already: then `soon`.
    """
    first = desk.settings.video_check_seconds
    delay = min(first * 2 ** min(check.check - 1, 16), max(first, MAX_CHECK_SECONDS))
    if channel_of(desk) and check.job_id and not soon:
        delay = max(delay, MAX_CHECK_SECONDS)
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
