"""What a rescan takes beside its detectors: messages, requests, hours; and what plans are reckoned by (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from config.prices import Prices
from config.scaling import ITEM_SECONDS
from tasks.aws.ration import LAST_SHARE
from tasks.decide.policy import Surface
from tasks.rescan.chunk import BILLED_BYTES, HEAD_BYTES, MOST_TO_DETECT
from tasks.rescan.estimate import NOTHING, Estimate, exactly
from tasks.rescan.needs import Looks
from tasks.rescan.survey import Survey

#: Calls a second with which an account begins, where MODFLEET_RATE_LIMITS does not say another number.
#: https://docs.aws.amazon.com/general/latest/gr/rekognition.html and the pages of the other services
QUOTAS: Mapping[str, float] = {
    "rekognition.DetectModerationLabels": 5,
    "rekognition.DetectText": 5,
    "rekognition.StartContentModeration": 5,
    "rekognition.GetContentModeration": 5,
    "bedrock-runtime.ApplyGuardrail": 25,
    "bedrock-runtime.InvokeGuardrailChecks": 25,
    "comprehend.DetectPiiEntities": 20,
    "comprehend.DetectToxicContent": 20,
}
#: Video jobs at once with which an account begins, and how long a job takes for a minute of video (minutes).
JOBS, JOB_MINUTES = 20, Estimate(low=0.2, expected=0.5, high=1.5)
#: Seconds of a worker's thread for one object that is decided again, and objects that one enqueuer sends a second.
REDECIDE_SECONDS, ENQUEUED = 0.05, 5_000
#: Bytes of a subject in a message beside its key: version, ETag, size, time and what stands between them.
BESIDE_KEY = 95
#: Rows by which DynamoDB is asked at once.
ROWS = 100
#: Priced as a page of ListObjectsV2.
VERSIONS = "s3.ListObjectVersions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What a plan is reckoned by."""

    prices: Prices
    surfaces: Mapping[str, Surface]
    looks: Looks
    #: Calls a second of the whole account, by operation.
    quotas: Mapping[str, float] = field(default_factory=lambda: QUOTAS)
    video_jobs: int = JOBS
    #: Worker processes that serve the lane, and the tasks that each runs at once.
    workers: int = 1
    concurrency: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a run would have to do."""

    survey: Survey
    #: Objects about which a detector may be asked, and those that are decided on what is stored.
    to_look: Estimate
    redecided: Estimate
    #: Unit of config/prices.yaml -> how much of it detectors would use up.
    used: Mapping[str, Estimate]


def messages_of(load: Load) -> Estimate:
    """Messages of at most 64 KB, and of at most so many objects that may have to wait for a detector."""
    each = subjects_a_message(load.survey.key_bytes / (load.survey.items or 1))
    together = load.to_look * (1 / min(each, MOST_TO_DETECT)) + load.redecided * (1 / each)
    return Estimate(low=math.ceil(together.low), expected=math.ceil(together.expected), high=math.ceil(together.high))


def subjects_a_message(key: float) -> int:
    """How many subjects fit into a message, whose keys have so many bytes on average."""
    return max(1, int((BILLED_BYTES - HEAD_BYTES) // (key + BESIDE_KEY)))


def requests_of(load: Load) -> dict[str, Estimate]:
    """Requests beside those of detectors: to S3, SQS and DynamoDB."""
    messages, reading = messages_of(load), load.survey.reading
    requests = {name: exactly(number) for name, number in reading.items()} | {
        # Once before a message is written, once by the worker.
        "dynamodb.BatchGetItem": (exactly(load.survey.items) + load.to_look + load.redecided) * (1 / ROWS),
        # A message and its checkpoint, a message and its tally; and each decision.
        "dynamodb.TransactWriteItems": messages * 2 + load.to_look,
        "dynamodb.UpdateItem": load.redecided,
        "sqs.SendMessage": messages,
        "sqs.ReceiveMessage": messages,
        "sqs.DeleteMessageBatch": messages,
        "s3.GetObject": load.to_look + exactly(reading.get("s3.GetObject", 0)),
    }
    return {name: each for name, each in requests.items() if each.high}


def billed(requests: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """The same as AWS bills it, by names that have a price: DynamoDB by the row, of which a hundred come at once."""
    plain = {name: each for name, each in requests.items() if name not in ("dynamodb.BatchGetItem", VERSIONS)}
    pages = requests.get("s3.ListObjectsV2", NOTHING) + requests.get(VERSIONS, NOTHING)
    return plain | {
        "dynamodb.GetItem": requests.get("dynamodb.BatchGetItem", NOTHING) * ROWS,
        "s3.ListObjectsV2": pages,
    }


def hours_of(load: Load, assumed: Assumed) -> dict[str, Estimate]:
    """What each thing that limits the run would take, if it alone did. While uploads ask, a rescan has its share."""
    hours = {name: _within(calls, assumed.quotas[name]) for name, calls in load.used.items() if name in assumed.quotas}
    if minutes := load.used.get("video-minute"):
        hours["video jobs"] = minutes * JOB_MINUTES * (1 / assumed.video_jobs / 60)
    threads = assumed.workers * assumed.concurrency
    hours["workers"] = (load.to_look * ITEM_SECONDS + load.redecided * REDECIDE_SECONDS) * (1 / threads / 3600)
    hours["enqueuing"] = exactly(load.survey.items / ENQUEUED / 3600)
    return hours


def _within(calls: Estimate, rate: float) -> Estimate:
    hours = calls * (1 / rate / 3600)
    return Estimate(low=hours.low, expected=hours.expected, high=hours.high / LAST_SHARE)
