"""Rekognition on videos: StartContentModeration, GetContentModeration, and the jobs between them."""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from deploy.local.ai.cards import Card, Faults, Sighting
from deploy.local.ai.eyes import Eyes
from deploy.local.ai.footage import STEP_MS, Footage, Unwatchable, watch
from deploy.local.ai.objects import Objects, name_of
from deploy.local.ai.protocol import Refusal
from deploy.local.ai.rekognition import DEFAULT_CONFIDENCE, moderation_label, read_card
from deploy.local.taxonomy import CHAINS, MODEL_VERSION

#: https://docs.aws.amazon.com/rekognition/latest/dg/limits.html
MOST_VIDEO_BYTES = 10 * 1024**3
MOST_RESULTS = 1000

Params = Mapping[str, Any]
#: (topic's ARN, message)
Publish = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One started job; `outcome` is ready some time after, `done_after` at the earliest (by the monotonic clock)."""

    id: str
    params: Params
    done_after: float
    outcome: Future[tuple[Footage, tuple[Sighting, ...]]]


class Jobs:
    """Video jobs of one account: capped, idempotent by token, and never sooner than `seconds`."""

    def __init__(
        self,
        objects: Objects,
        eyes: Eyes,
        faults: Faults,
        *,
        most: int,
        seconds: float,
        publish: Publish,
    ) -> None:
        """`publish` tells an SNS topic (by ARN) that a job has ended."""
        self._publish = publish
        self._objects, self._eyes, self._faults = objects, eyes, faults
        self._most, self._seconds = most, seconds
        self._jobs: dict[str, Job] = {}
        self._tokens: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="video")

    def start_content_moderation(self, params: Params) -> dict[str, Any]:
        """{Video, MinConfidence?, ClientRequestToken?, JobTag?, NotificationChannel?} -> {JobId}."""
        where = params["Video"].get("S3Object", {})
        content = self._objects.read(where, most=MOST_VIDEO_BYTES, too_large="VideoTooLargeException")
        card = read_card(content)
        self._faults.strike(card, about=name_of(where))
        with self._lock:
            job = self._known(params) or self._begin(params, content, card)
        return {"JobId": job.id}

    def get_content_moderation(self, params: Params) -> dict[str, Any]:
        """{JobId, MaxResults?, NextToken?, SortBy?, AggregateBy?} -> the job's status and one page of its labels."""
        job = self._jobs.get(params["JobId"])
        if job is None:
            raise Refusal("ResourceNotFoundException", "Could not find JobId")
        sort_by, aggregate_by = params.get("SortBy", "TIMESTAMP"), params.get("AggregateBy", "TIMESTAMPS")
        answer = {
            "JobId": job.id,
            "Video": job.params["Video"],
            "GetRequestMetadata": {"SortBy": sort_by, "AggregateBy": aggregate_by},
            "ModerationLabels": [],
            **({"JobTag": job.params["JobTag"]} if "JobTag" in job.params else {}),
        }
        if self._is_running(job):
            return answer | {"JobStatus": "IN_PROGRESS"}
        try:
            footage, seen = job.outcome.result()
        except Unwatchable as unwatchable:
            return answer | {"JobStatus": "FAILED", "StatusMessage": str(unwatchable)}
        answer |= {"JobStatus": "SUCCEEDED", "ModerationModelVersion": MODEL_VERSION, "VideoMetadata": footage.metadata}
        floor = job.params.get("MinConfidence", DEFAULT_CONFIDENCE)
        detections = _detections((s for s in seen if s.confidence >= floor), segments=aggregate_by == "SEGMENTS")
        detections.sort(key=_by_name if sort_by == "NAME" else _by_time)
        return answer | _page(detections, params, job.id)

    def _known(self, params: Params) -> Job | None:
        """The job of the same token, if any: the same request gets it again, another one is refused."""
        job = self._tokens.get(params.get("ClientRequestToken", ""))
        if job is not None and json.dumps(job.params, sort_keys=True) != json.dumps(params, sort_keys=True):
            raise Refusal("IdempotentParameterMismatchException", "the token was used with other parameters")
        return job

    def _begin(self, params: Params, content: bytes, card: Card | None) -> Job:
        if sum(map(self._is_running, self._jobs.values())) >= self._most:
            raise Refusal("LimitExceededException", "Number of concurrent jobs exceeds the limit")
        outcome = self._pool.submit(self._work, content, card)
        job = Job(uuid.uuid4().hex, params, time.monotonic() + self._seconds, outcome)
        self._jobs[job.id] = job
        if "ClientRequestToken" in params:
            self._tokens[params["ClientRequestToken"]] = job
        if "NotificationChannel" in params:
            outcome.add_done_callback(lambda _: self._tell_in_time(job))
        return job

    def _tell_in_time(self, job: Job) -> None:
        """Publish the notice as soon as the job has ended for everybody else."""
        timer = threading.Timer(max(0.0, job.done_after - time.monotonic()), self._tell, (job,))
        timer.daemon = True
        timer.start()

    def _tell(self, job: Job) -> None:
        """https://docs.aws.amazon.com/rekognition/latest/dg/video-notification-payload.html"""
        where = job.params["Video"]["S3Object"]
        notice = {
            "JobId": job.id,
            "Status": "FAILED" if job.outcome.exception() else "SUCCEEDED",
            "API": "StartContentModeration",
            **({"JobTag": job.params["JobTag"]} if "JobTag" in job.params else {}),
            "Timestamp": int(time.time() * 1000),
            "Video": {"S3ObjectName": where["Name"], "S3Bucket": where["Bucket"]},
        }
        self._publish(job.params["NotificationChannel"]["SNSTopicArn"], json.dumps(notice))

    def _is_running(self, job: Job) -> bool:
        return not job.outcome.done() or time.monotonic() < job.done_after

    def _work(self, content: bytes, card: Card | None) -> tuple[Footage, tuple[Sighting, ...]]:
        if card is not None and card.labels is not None:
            return watch(content, None), card.labels
        footage = watch(content, self._eyes)
        return footage, tuple(_sightings(footage))


def _sightings(footage: Footage) -> Iterable[Sighting]:
    """Each sample lasts until the next one, the last to the end."""
    ends = [ms for ms, _ in footage.samples[1:]] + [max(footage.duration_ms, footage.samples[-1][0])]
    for (start, score), end in zip(footage.samples, ends, strict=True):
        yield Sighting("Explicit", score, start, end)


def _detections(seen: Iterable[Sighting], *, segments: bool) -> list[dict[str, Any]]:
    chains = [Sighting(name, s.confidence, s.start_ms, s.end_ms) for s in seen for name in CHAINS[s.label]]
    if segments:
        return [_segment(sighting) for sighting in _merged(chains)]
    moments: dict[tuple[int, str], float] = {}
    for s in chains:
        for ms in range(s.start_ms, max(s.end_ms, s.start_ms + 1), STEP_MS):
            moments[ms, s.label] = max(s.confidence, moments.get((ms, s.label), 0.0))
    return [{"Timestamp": ms, "ModerationLabel": moderation_label(name, c)} for (ms, name), c in moments.items()]


def _merged(seen: Iterable[Sighting]) -> list[Sighting]:
    """Sightings of one label that touch become one, with the surest confidence."""
    merged: list[Sighting] = []
    for sighting in sorted(seen, key=lambda s: (s.label, s.start_ms)):
        last = merged[-1] if merged else None
        if last and last.label == sighting.label and sighting.start_ms <= last.end_ms:
            confidence = max(last.confidence, sighting.confidence)
            merged[-1] = Sighting(last.label, confidence, last.start_ms, max(last.end_ms, sighting.end_ms))
        else:
            merged.append(sighting)
    return merged


def _segment(sighting: Sighting) -> dict[str, Any]:
    return {
        "Timestamp": sighting.start_ms,
        "ModerationLabel": moderation_label(sighting.label, sighting.confidence),
        "StartTimestampMillis": sighting.start_ms,
        "EndTimestampMillis": sighting.end_ms,
        "DurationMillis": sighting.end_ms - sighting.start_ms,
        "ContentTypes": [],
    }


def _by_time(detection: Params) -> tuple[int, str]:
    return detection["Timestamp"], detection["ModerationLabel"]["Name"]


def _by_name(detection: Params) -> tuple[str, int]:
    return detection["ModerationLabel"]["Name"], detection["Timestamp"]


def _page(detections: list[dict[str, Any]], params: Params, job_id: str) -> dict[str, Any]:
    """One page; a token is good for its own job only."""
    start = _offset(params["NextToken"], job_id) if "NextToken" in params else 0
    end = start + min(params.get("MaxResults", MOST_RESULTS), MOST_RESULTS)
    more = {"NextToken": base64.b64encode(f"{job_id}:{end}".encode()).decode()} if end < len(detections) else {}
    return {"ModerationLabels": detections[start:end], **more}


def _offset(token: str, job_id: str) -> int:
    try:
        owner, _, offset = base64.b64decode(token, validate=True).decode().partition(":")
        start = int(offset)
    except (binascii.Error, ValueError):
        owner, start = "", 0
    if owner != job_id:
        raise Refusal("InvalidPaginationTokenException", "the pagination token is not of this job")
    return start
