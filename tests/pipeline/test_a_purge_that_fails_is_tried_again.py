"""A purge that fails is tried again until the public URL no longer serves the item, or an engineer is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from celery.exceptions import Reject
from fleet import Fleet, Put
from interrupted import Answer, forgetful, later, on_bucket, watched

from config.lanes import LANES
from tasks.act.verify import PATIENCE
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Retry
from tasks.record.standing import Standing, Status
from worker.delivery import Delivery, Settler
from worker.lines import Lines

BAD = b"zorblat"
DOWN = {"Error": {"Code": "ServiceUnavailable"}, "ResponseMetadata": {"HTTPStatusCode": 503}}


class Cdn:
    """A CDN that fails the next so many purges, or takes them and does nothing; notes what was hidden or removed."""

    def __init__(self, *, failures: float = 0, is_forgetful: bool = True) -> None:
        self.failures, self.is_forgetful = failures, is_forgetful
        self.calls: list[str] = []

    def __call__(self, name: str, go: Callable[[], Answer]) -> Answer:
        self.calls.append(name)
        if name != "create_invalidation":
            return go()
        if self.failures:
            self.failures -= 1
            raise ClientError(DOWN, "CreateInvalidation")  # type: ignore[arg-type]
        return go() if self.is_forgetful else {"Invalidation": {"Id": "taken"}}

    def behind(self, desk: Desk) -> Desk:
        """The desk with this CDN, and a single try for each call."""
        seen = watched(desk, self)
        return replace(seen, aws=replace(seen.aws, store=seen.aws.store.once()))


@pytest.fixture(
    scope="module",
    params=["versioned", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("unversioned", "suspended"))],
)
def bucket(request: pytest.FixtureRequest, unserved: Fleet) -> str:
    """A bucket of each kind."""
    if request.param == "versioned":
        return unserved.settings.uploads_bucket
    return unserved.plain_bucket(versioning=("Enabled", "Suspended") if request.param == "suspended" else ())


@pytest.fixture
def sober(unserved: Fleet, bucket: str) -> Desk:
    """A desk for that bucket which looks every time."""
    return forgetful(on_bucket(unserved, bucket))


@pytest.fixture
def cached(unserved: Fleet, bucket: str, unique: str) -> Put:
    """A violation that somebody has looked at: the edge has a copy."""
    put = unserved.put(f"feed/{unique}", BAD, bucket=bucket)
    assert unserved.public(put.key, bucket=bucket) == (200, BAD)
    return put


def standing_of(fleet: Fleet, put: Put) -> Standing:
    found = fleet.standing(put)
    assert found is not None
    return found


def test_it_goes_on_from_the_purge_as_soon_as_that_succeeds(unserved: Fleet, sober: Desk, cached: Put) -> None:
    cdn, event = Cdn(failures=2), unserved.event_of(cached)
    desk = cdn.behind(sober)
    for attempt in (1, 2):
        outcome = handle(desk, event, attempt=attempt)
        assert isinstance(outcome, Retry)
        assert outcome.counts
        assert "CreateInvalidation" in outcome.why
        # Nothing that cannot be undone is done before.
        assert list(standing_of(unserved, cached).receipts) == ["hide"]
    assert handle(desk, event, attempt=3) == Done("rejected")
    assert standing_of(unserved, cached).to_do == ()
    assert unserved.public(cached.key, bucket=cached.bucket)[0] == 404
    assert (cdn.calls.count("put_object_tagging"), cdn.calls.count("create_invalidation")) == (1, 3)
    assert len(unserved.notices(cached)) == 1


def test_a_cdn_that_takes_its_time_is_waited_for_and_that_is_no_attempt(
    unserved: Fleet, sober: Desk, cached: Put
) -> None:
    cdn, event = Cdn(is_forgetful=False), unserved.event_of(cached)
    desk = cdn.behind(sober)
    outcome = handle(desk, event, attempt=1)
    assert isinstance(outcome, Retry)
    assert (outcome.counts, outcome.after) == (False, 2.0)
    again = handle(later(desk, seconds=90), event, attempt=2)
    assert isinstance(again, Retry)
    assert not again.counts
    assert 40 < again.after < 60
    assert unserved.public(cached.key, bucket=cached.bucket) == (200, BAD)
    assert unserved.notices(cached) == []
    assert cdn.calls.count("create_invalidation") == 2, "what is not forgotten after a minute is purged again"
    cdn.is_forgetful = True
    assert isinstance(handle(later(desk, seconds=200), event, attempt=3), Retry)
    assert handle(later(desk, seconds=300), event, attempt=4) == Done("rejected")
    assert len(unserved.notices(cached)) == 1


@pytest.mark.parametrize("trouble", ["every purge fails", "it is never forgotten"])
def test_what_stays_public_is_parked_with_its_reason_and_a_replay_ends_it(
    trouble: str, unserved: Fleet, sober: Desk, cached: Put
) -> None:
    cdn = Cdn(failures=float("inf")) if trouble == "every purge fails" else Cdn(is_forgetful=False)
    event = unserved.event_of(cached)
    desk = cdn.behind(sober)
    handle(desk, event, attempt=1)
    settler = Settler(unserved.aws, unserved.settings, unserved.desk.now, Lines(unserved.settings, unserved.aws))
    patient = later(desk, seconds=PATIENCE + 1)
    for attempt in range(1, LANES["uploads"].attempts):
        outcome = handle(patient, event, attempt=attempt)
        with pytest.raises(Reject):
            settler.settle(delivery(unserved, event, attempt), outcome)
    last = LANES["uploads"].attempts
    parked = settler.settle(delivery(unserved, event, last), handle(patient, event, attempt=last))
    reason = "CreateInvalidation" if trouble == "every purge fails" else "public.Head"
    assert parked.startswith(f"gave up after {last} attempts")
    assert reason in parked
    standing = standing_of(unserved, cached)
    assert (standing.status, "hide" in standing.receipts) == (Status.PENDING, True)

    said = unserved.modfleet("dlq", "replay", "--lane", "uploads", "--reason", reason)
    assert "1 of 1 replayed" in said.out
    (body,) = [body for body in unserved.drain(unserved.settings.queue_url("uploads")) if cached.key in body]
    healthy = later(sober, seconds=PATIENCE + 2)
    if trouble == "it is never forgotten":
        # There is a receipt for the purge; it is repeated all the same.
        assert isinstance(handle(healthy, body, attempt=1), Retry)
    assert handle(healthy, body, attempt=2) == Done("rejected")
    assert standing_of(unserved, cached).to_do == ()
    assert unserved.public(cached.key, bucket=cached.bucket)[0] == 404
    assert len(unserved.notices(cached)) == 1


def delivery(fleet: Fleet, body: str, attempt: int) -> Delivery:
    """One delivery of the message, as a worker has it."""
    url = fleet.settings.queue_url("uploads")
    fleet.aws.sqs.send_message(QueueUrl=url, MessageBody=body)
    (message,) = fleet.aws.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)["Messages"]
    fleet.aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return Delivery(
        lane="uploads", message_id=message["MessageId"], receipt=message["ReceiptHandle"], attempt=attempt, body=body
    )
