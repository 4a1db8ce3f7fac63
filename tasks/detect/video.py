"""Look at a video: a Rekognition job that is started once and asked about until it ends."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.faults import Gone, Transient, Unreadable
from tasks.detect.finding import Finding
from tasks.detect.kind import unreadable
from tasks.detect.reference import explain, label_path, parents, s3_object
from tasks.item import Item
from tasks.ledger import note_looked, note_used

if TYPE_CHECKING:
    from tasks.aws.session import Aws

DETECTOR = "rekognition-video"

#: https://docs.aws.amazon.com/rekognition/latest/dg/limits.html
MAX_VIDEO_BYTES = 10 * 1024**3
#: The most labels GetContentModeration gives in one page.
PAGE_LABELS = 1000


#: What a job's message says of a video that Rekognition cannot decode ("Unsupported codec/format.").
_CODEC = re.compile(r"codec|unsupported", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Channel:
    """The SNS topic that is told when a job ends, and the role as which Rekognition tells it."""

    topic_arn: str
    role_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoAnswer:
    """A job that has ended: one finding per label and segment, or why it `failed`."""

    findings: tuple[Finding, ...]
    #: Milliseconds of video that were looked at; 0 where the answer does not say.
    duration_ms: int = 0
    #: The id of the item that started the job; empty where Rekognition does not know the job any more.
    tag: str = ""
    failed: bool = False


def start_video(aws: Aws, item: Item, *, floor: float, channel: Channel | None = None, once_more: str = "") -> str:
    """Start a job on this version of the video, or get the one that this item started before; its JobId.

    `once_more` names the rescan for which another job than an upload's is to look.

    Raises Full when every job slot of the account is taken, Unreadable (`video-size`, `s3-object`), Gone,
    and what every call raises.
    """
    if item.size > MAX_VIDEO_BYTES:
        raise Unreadable(f"{item.size} bytes", reason="video-size")
    try:
        answer = call(
            aws.detect,
            aws.rekognition.start_content_moderation,
            Video={"S3Object": s3_object(item)},
            MinConfidence=floor,
            ClientRequestToken=request_token(item, floor=floor, channel=channel, once_more=once_more),
            JobTag=item.id,
            **_told(channel),
        )
    except Unreadable as fault:
        raise explain(aws, item, fault) from fault.__cause__
    return str(answer["JobId"])


def request_token(item: Item, *, floor: float, channel: Channel | None = None, once_more: str = "") -> str:
    """The token that makes a second start the same start: 64 hex digits.

    Rekognition refuses a token that it knows with other parameters, so the floor and the channel are part of it.
    """
    told = f" {channel.topic_arn} {channel.role_arn}" if channel else ""
    again = f" {once_more}" if once_more else ""
    return hashlib.sha256(f"{item.id} {floor}{told}{again}".encode()).hexdigest()


def _told(channel: Channel | None) -> dict[str, Any]:
    if channel is None:
        return {}
    return {"NotificationChannel": {"SNSTopicArn": channel.topic_arn, "RoleArn": channel.role_arn}}


def check_video(aws: Aws, job_id: str, *, item_id: str) -> VideoAnswer | None:
    """The job's answer, or None while it has none. What it cost is noted for the item that started it.

    A job that failed has one finding: `unreadable/video-codec`, or `video-job` where its message says less, or
    `video-expired` where Rekognition no longer knows it.
    """
    try:
        first = _page(aws, job_id)
    except Gone:
        # The video is still there; only its job is not. Gone would say that the upload vanished.
        return VideoAnswer(findings=(unreadable("video-expired"),), failed=True)
    status, tag = first.get("JobStatus"), str(first.get("JobTag", ""))
    if status == "FAILED":
        codec = _CODEC.search(str(first.get("StatusMessage", "")))
        return VideoAnswer(findings=(unreadable("video-codec" if codec else "video-job"),), tag=tag, failed=True)
    # A status of next year's Rekognition is not an answer either.
    if status != "SUCCEEDED":
        return None
    answer = read_content_moderation(list(_pages(aws, job_id, first)))
    note_looked(DETECTOR, str(first.get("ModerationModelVersion", "unknown")))
    if tag in ("", item_id):
        note_used("video-minute", answer.duration_ms / 60_000)
    return replace(answer, tag=tag)


def read_content_moderation(pages: Sequence[Mapping[str, Any]]) -> VideoAnswer:
    """Findings from all pages of one GetContentModeration answer aggregated by SEGMENTS."""
    version = pages[0].get("ModerationModelVersion", "unknown")
    segments = [segment for page in pages for segment in page.get("ModerationLabels", ())]
    parent_of = parents(segment["ModerationLabel"] for segment in segments)
    found = [
        Finding(
            detector=DETECTOR,
            detector_version=version,
            label=label_path(segment["ModerationLabel"]["Name"], parent_of),
            confidence=float(segment["ModerationLabel"]["Confidence"]),
            time_ms=_time(segment),
        )
        for segment in segments
    ]
    found += [
        Finding(detector=DETECTOR, detector_version=version, label=f"content-type/{name}", confidence=confidence)
        for name, confidence in _content_types(segments)
    ]
    return VideoAnswer(
        findings=tuple(found), duration_ms=int(pages[0].get("VideoMetadata", {}).get("DurationMillis", 0))
    )


def _time(segment: Mapping[str, Any]) -> tuple[int, int]:
    start = int(segment.get("StartTimestampMillis", segment.get("Timestamp", 0)))
    return start, max(start, int(segment.get("EndTimestampMillis", start)))


def _content_types(segments: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    """Content types that every labelled segment has, with the least confidence of any.

    A content type can make a policy more lenient, so one cartoon scene must not speak for the rest.
    """
    rows = [{kind["Name"]: float(kind["Confidence"]) for kind in s.get("ContentTypes", ())} for s in segments]
    for name in sorted(set.intersection(*(set(row) for row in rows)) if rows else ()):
        yield name, min(row[name] for row in rows)


def _pages(aws: Aws, job_id: str, first: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The first page and all that follow it."""
    page, seen = first, set[str]()
    yield page
    while token := page.get("NextToken"):
        if token in seen:
            raise Transient("the pages go in a circle", call="rekognition.GetContentModeration")
        seen.add(token)
        page = _page(aws, job_id, NextToken=token)
        yield page


def _page(aws: Aws, job_id: str, **more: str) -> dict[str, Any]:
    return call(
        aws.detect,
        aws.rekognition.get_content_moderation,
        JobId=job_id,
        MaxResults=PAGE_LABELS,
        SortBy="TIMESTAMP",
        AggregateBy="SEGMENTS",
        **more,
    )
