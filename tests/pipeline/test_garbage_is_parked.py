"""Garbage on the queue is set aside with its reason at its first delivery, and the worker goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fleet import Fleet, Put, card, until

from tasks.record.standing import Status


def record(**changes: object) -> dict[str, Any]:
    """An S3 record as AWS writes it; `changes` to its bucket's name and its object, None takes a field away."""
    stored = {"key": "feed/x", "size": 1, "eTag": "9dd4e461268c8034f5c8564e155c67a6", "sequencer": "0055AED6DCD90281E5"}
    bucket = changes.pop("bucket", "modfleet-uploads-000000000000")
    event = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": changes.pop("eventTime", "2026-01-01T00:00:00.000Z"),
        "eventName": changes.pop("eventName", "ObjectCreated:Put"),
        "s3": {
            "bucket": {"name": bucket},
            "object": {name: value for name, value in {**stored, **changes}.items() if value is not None},
        },
    }
    return event


def records(*entries: object) -> str:
    return json.dumps({"Records": list(entries)})


def sns(body: str) -> str:
    return json.dumps(
        {"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:us-east-1:0:t", "Message": body}
    )


CELERY = {
    "body": "W1tdLHt9LHt9XQ==",
    "content-encoding": "utf-8",
    "content-type": "application/json",
    "headers": {"task": "shutdown", "id": "1"},
    "properties": {"delivery_tag": "1", "body_encoding": "base64"},
}

#: Body -> a word of the reason that an engineer reads.
GARBAGE = {
    "not-json": ("hello, is this the moderation?", "not JSON"),
    "json-list": ("[1, 2, 3]", "not an object"),
    "json-null": ("null", "not an object"),
    "empty-object": ("{}", "neither an S3 event"),
    "deep": ("[" * 100_000, "JSON"),
    "huge-number": (records(record(size=1)).replace('"size": 1', '"size": 1' + "0" * 5000), "JSON"),
    "sns-wrapped": (sns("no event at all"), "SNS"),
    "sns-in-sns": (sns(sns("{}")), "neither an S3 event"),
    "no-records": (records(), "no record"),
    "records-of-strings": (records("a", "b"), "Records"),
    "without-a-key": (records(record(key=None)), "key"),
    "without-an-etag": (records(record(eTag=None)), "eTag"),
    "without-a-time-zone": (records(record(eventTime="2026-01-01T00:00:00.000")), "eventTime"),
    "half-a-character": (records(record(key="feed/x")).replace("feed/x", "feed/\\ud800"), "key"),
    "of-another-decade": (records(record() | {"eventVersion": "3.0"}), "eventVersion"),
    "foreign-bucket": (records(record(bucket="somebody-elses")), "MODFLEET_UPLOADS_BUCKET"),
    "unknown-modfleet-message": (json.dumps({"modfleet": "make-coffee"}), "unknown modfleet message"),
    "broken-video-check": (json.dumps({"modfleet": "video-check", "item": {}}), "video-check"),
    "celery-envelope": (json.dumps(CELERY), "neither an S3 event"),
}

Told = dict[str, str]


@pytest.fixture(scope="module")
def parked(served: Fleet) -> dict[str, Told]:
    """Body -> what the dead-letter queue says about it, after all garbage was sent at once."""
    url, dead = served.settings.queue_url("uploads"), served.settings.dead_letter_url("uploads")
    for body, _ in GARBAGE.values():
        served.aws.sqs.send_message(QueueUrl=url, MessageBody=body)
    found: dict[str, Told] = {}

    def all_there() -> bool:
        for message in served.take(dead):
            told = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
            found[message["Body"]] = told
        return len(found) >= len(GARBAGE)

    try:
        # Within the visibility of one delivery: a second one would come too late for this.
        until(all_there, what="all garbage parked", within=30)
    except AssertionError:
        print([name for name, (body, _) in GARBAGE.items() if body not in found])  # noqa: T201
    return found


@pytest.mark.parametrize("name", GARBAGE)
def test_it_is_in_the_dead_letter_queue_with_its_reason_after_one_delivery(name: str, parked: dict[str, Told]) -> None:
    body, word = GARBAGE[name]
    assert body in parked
    assert word in parked[body]["reason"]
    assert (parked[body]["attempts"], parked[body]["lane"]) == ("1", "uploads")
    assert parked[body]["message_id"]


def test_the_worker_goes_on(parked: dict[str, Told], served: Fleet, unique: str) -> None:
    put = served.put(f"feed/{unique}", b"zorblat")
    assert served.ended(put).status is Status.REJECTED
    assert served.workers[0].ended() is None


def test_nothing_of_the_garbage_is_left_on_the_queue(parked: dict[str, Told], served: Fleet) -> None:
    until(lambda: not served.depth(served.settings.queue_url("uploads")), what="an empty queue")


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-01T00:00:00Z", "Bucket": "b"}),
        records(record(eventName="ObjectRemoved:Delete", eTag=None, size=None)),
        sns(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})),
    ],
    ids=["test-event", "removed", "wrapped-test-event"],
)
def test_what_asks_for_nothing_is_acknowledged_without_a_word(body: str, served: Fleet) -> None:
    url = served.settings.queue_url("rescan")
    served.aws.sqs.send_message(QueueUrl=url, MessageBody=body)
    until(lambda: not served.depth(url), what="an empty queue")
    assert served.depth(served.settings.dead_letter_url("rescan")) == 0


def plain_event(*puts: Put) -> str:
    return records(*(record(key=put.key, versionId=put.version, eTag=put.etag, bucket=put.bucket) for put in puts))


def eventbridge_event(*puts: Put) -> str:
    (put,) = puts
    stored = {"key": put.key, "size": len(put.body), "etag": put.etag, "version-id": put.version, "sequencer": "00AA"}
    return json.dumps(
        {
            "version": "0",
            "id": "1",
            "detail-type": "Object Created",
            "source": "aws.s3",
            "time": "2026-01-01T00:00:00Z",
            "detail": {"version": "0", "bucket": {"name": put.bucket}, "object": stored, "reason": "PutObject"},
        }
    )


@pytest.mark.parametrize(
    ("event", "count"),
    [
        (plain_event, 1),
        (plain_event, 3),
        (lambda *puts: sns(plain_event(*puts)), 2),
        (eventbridge_event, 1),
        (lambda *puts: sns(eventbridge_event(*puts)), 1),
    ],
    ids=["plain", "several-records", "sns-wrapped", "eventbridge", "sns-wrapped-eventbridge"],
)
def test_every_form_of_an_event_is_worked(
    event: Callable[..., str], count: int, served: Fleet, media: SimpleNamespace, unique: str
) -> None:
    with served.unannounced():
        puts = [served.put(f"feed/{unique}/{n}", b"zorblat " + card(note=str(n))) for n in range(count)]
    served.aws.sqs.send_message(QueueUrl=served.settings.queue_url("uploads"), MessageBody=event(*puts))
    assert [served.ended(put).status for put in puts] == [Status.REJECTED] * count
    assert [served.current(put) for put in puts] == [None] * count


def test_a_foreign_record_beside_a_good_one_parks_the_message_and_loses_nothing(
    served: Fleet, parked: dict[str, Told], unique: str
) -> None:
    with served.unannounced():
        put = served.put(f"feed/{unique}", b"zorblat")
    good = record(key=put.key, versionId=put.version, eTag=put.etag, bucket=put.bucket)
    body = records(record(bucket="somebody-elses"), good)
    served.aws.sqs.send_message(QueueUrl=served.settings.queue_url("uploads"), MessageBody=body)
    assert served.ended(put).status is Status.REJECTED
    (message,) = until(lambda: list(served.take(served.settings.dead_letter_url("uploads"))), what="it is parked")
    assert message["Body"] == body
