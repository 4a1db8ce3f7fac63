"""Outcomes carried out on real SQS calls: nothing is deleted that was not done, parked or skipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from celery.exceptions import Reject
from structlog.testing import capture_logs

from config.lanes import LANES
from config.settings import Settings
from tasks.aws.session import Aws
from tasks.outcome import Done, Outcome, Parked, Retry, Skipped
from worker.again import ATTRIBUTES, counts_of
from worker.delivery import MAX_DELAY_SECONDS, MAX_REASON, MAX_VISIBILITY_SECONDS, Delivery, Settler, headers_of
from worker.lines import Lines

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ATTEMPTS = LANES["uploads"].attempts
#: A body as it might come, with somebody's content in it.
BODY = '{"not": "an event", "secret": "ann@example.com"}'


@pytest.fixture
def settler(moto_aws: Aws, settings: Settings) -> Settler:
    """Settles on an SQS that has the uploads queue and its dead letters."""
    for name in ("uploads", "uploads-dlq"):
        url = moto_aws.sqs.create_queue(QueueName=name)["QueueUrl"]
        assert url == f"{settings.queue_url('uploads').removesuffix('uploads')}{name}"
    return Settler(moto_aws, settings, lambda: NOW, Lines(settings, moto_aws))


@pytest.fixture
def delivered(settler: Settler) -> Callable[..., Delivery]:
    """Send a message, receive it, and say that this was its attempt number so and so."""

    def deliver(*, attempt: int = 1, body: str = BODY) -> Delivery:
        url = settler.settings.queue_url("uploads")
        settler.aws.sqs.send_message(QueueUrl=url, MessageBody=body)
        (message,) = settler.aws.sqs.receive_message(QueueUrl=url)["Messages"]
        return Delivery(
            lane="uploads",
            message_id=message["MessageId"],
            receipt=message["ReceiptHandle"],
            attempt=attempt,
            body=message["Body"],
        )

    return deliver


def waiting(settler: Settler, *, dead: bool = False) -> list[Any]:
    """The messages that a queue would hand out now."""
    url = settler.settings.dead_letter_url("uploads") if dead else settler.settings.queue_url("uploads")
    return list(settler.aws.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages", []))


def count(settler: Settler) -> int:
    """Messages on the uploads queue, hidden ones included."""
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = settler.aws.sqs.get_queue_attributes(QueueUrl=settler.settings.queue_url("uploads"), AttributeNames=names)
    return sum(int(number) for number in answer["Attributes"].values())


def visibilities(settler: Settler) -> list[int]:
    """Every VisibilityTimeout that is asked for from now on."""
    asked: list[int] = []
    cast("Any", settler.aws.sqs).meta.events.register(
        "provide-client-params.sqs.ChangeMessageVisibility",
        lambda params, **_: asked.append(params["VisibilityTimeout"]),
        unique_id="visibilities",
    )
    return asked


@pytest.fixture(autouse=True)
def forget(offline_aws: Aws) -> Any:
    """The clients are shared: what a test listens to must not outlive it."""
    yield
    for operation in ("ChangeMessageVisibility", "SendMessage"):
        cast("Any", offline_aws.sqs).meta.events.unregister(
            f"provide-client-params.sqs.{operation}", unique_id="visibilities"
        )


@pytest.mark.parametrize("outcome", [Done("rejected"), Skipped("a test event")])
def test_what_is_done_or_skipped_can_be_deleted_and_leaves_no_dead_letter(
    settler: Settler, delivered: Callable[..., Delivery], outcome: Outcome
) -> None:
    assert settler.settle(delivered(), outcome) in {"rejected", "a test event"}
    assert waiting(settler, dead=True) == []


def test_a_retry_hides_the_message_for_as_long_as_it_says(settler: Settler, delivered: Callable[..., Delivery]) -> None:
    asked = visibilities(settler)
    with pytest.raises(Reject) as caught:
        settler.settle(delivered(), Retry(7.4, "not now"))
    assert caught.value.requeue
    assert asked == [7]
    assert count(settler) == 1
    assert waiting(settler) == []


@pytest.mark.parametrize(("after", "seconds"), [(0.0, 1), (-5.0, 1), (0.6, 1), (1e9, MAX_VISIBILITY_SECONDS)])
def test_a_retry_asks_for_nothing_that_sqs_would_refuse(
    settler: Settler, delivered: Callable[..., Delivery], after: float, seconds: int
) -> None:
    asked = visibilities(settler)
    with pytest.raises(Reject):
        settler.settle(delivered(), Retry(after, "not now"))
    assert asked == [seconds]


def test_a_retry_that_cannot_be_set_still_leaves_the_message(
    settler: Settler, delivered: Callable[..., Delivery]
) -> None:
    delivery = delivered()
    broken = Delivery(lane="uploads", message_id="m", receipt="no such receipt", attempt=1, body=BODY)
    with pytest.raises(Reject), capture_logs() as logs:
        settler.settle(broken, Retry(5, "not now"))
    assert [line["event"] for line in logs] == ["retry", "retry_not_set"]
    assert count(settler) == 1
    assert delivery.receipt != broken.receipt


@pytest.mark.parametrize("attempt", [ATTEMPTS, ATTEMPTS + 1, 99])
def test_the_last_attempt_parks_with_its_reason(
    settler: Settler, delivered: Callable[..., Delivery], attempt: int
) -> None:
    asked = visibilities(settler)
    assert "gave up" in settler.settle(delivered(attempt=attempt), Retry(5, "Rekognition is down"))
    (dead,) = waiting(settler, dead=True)
    assert reason_of(dead) == f"gave up after {attempt} attempts: Rekognition is down"
    assert asked == []


def test_the_attempt_before_the_last_is_tried_again(settler: Settler, delivered: Callable[..., Delivery]) -> None:
    with pytest.raises(Reject):
        settler.settle(delivered(attempt=ATTEMPTS - 1), Retry(5, "Rekognition is down"))
    assert waiting(settler, dead=True) == []


def test_a_parked_message_is_kept_whole_with_all_an_engineer_needs(
    settler: Settler, delivered: Callable[..., Delivery]
) -> None:
    delivery = delivered(attempt=2)
    assert settler.settle(delivery, Parked("no event")) == "no event"
    (dead,) = waiting(settler, dead=True)
    assert dead["Body"] == BODY
    assert {name: value["StringValue"] for name, value in dead["MessageAttributes"].items()} == {
        "reason": "no event",
        "lane": "uploads",
        "attempts": "2",
        "message_id": delivery.message_id,
        "parked_at": "2026-01-02T03:04:05+00:00",
    }


def test_parking_that_fails_leaves_the_message_where_it_is(
    settler: Settler, delivered: Callable[..., Delivery]
) -> None:
    delivery = delivered()
    settler.aws.sqs.delete_queue(QueueUrl=settler.settings.dead_letter_url("uploads"))
    with pytest.raises(Reject) as caught, capture_logs() as logs:
        settler.settle(delivery, Parked("no event"))
    assert caught.value.requeue
    assert [line["event"] for line in logs] == ["parked", "not_parked"]
    assert count(settler) == 1


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ("no\x00event\x1b[31m", None),
        ("é🌴\ud800", r"\xe9\U0001f334\ud800"),
        ("x" * 5000, "x" * MAX_REASON),
        ("🌴" * 5000, (r"\U0001f334" * 200)[:MAX_REASON]),
        ("", None),
    ],
    ids=["control", "beyond ASCII", "long", "long beyond ASCII", "empty"],
)
def test_any_reason_at_all_can_be_parked(
    settler: Settler, delivered: Callable[..., Delivery], why: str, reason: str | None
) -> None:
    settler.settle(delivered(), Parked(why))
    (dead,) = waiting(settler, dead=True)
    told = reason_of(dead)
    assert told
    assert told.isascii()
    assert told.isprintable()
    assert reason is None or told == reason


@pytest.mark.parametrize("outcome", [Retry(5, "not now"), Parked("no event"), Skipped("nothing to do")])
def test_logs_name_the_message_and_never_show_its_body(
    settler: Settler, delivered: Callable[..., Delivery], outcome: Outcome
) -> None:
    delivery = delivered()
    with capture_logs() as logs:
        try:
            settler.settle(delivery, outcome)
        except Reject:
            assert isinstance(outcome, Retry)
    assert [line["message_id"] for line in logs] == [delivery.message_id]
    assert "ann@example.com" not in repr(logs)
    assert delivery.receipt not in repr(logs)


def test_a_delivery_says_its_lane_receipt_and_attempt() -> None:
    message = {"MessageId": "m", "ReceiptHandle": "r", "Attributes": {"ApproximateReceiveCount": "4"}, "Body": ""}
    said = headers_of(message, lane="video")
    assert {name: said[name] for name in ("lane", "receipt", "attempt", "uncounted")} == {
        "lane": "video",
        "receipt": "r",
        "attempt": 4,
        "uncounted": 0,
    }


WAIT = Retry(30.4, "Rekognition is down", counts=False)


def received(settler: Settler) -> dict[str, Any]:
    """The one message that the uploads queue hands out, once its delay is over."""
    url = settler.settings.queue_url("uploads")
    asked = {"MessageAttributeNames": ATTRIBUTES, "AttributeNames": ["ApproximateReceiveCount"]}
    (message,) = settler.aws.sqs.receive_message(QueueUrl=url, **asked)["Messages"]  # type: ignore[arg-type]
    return dict(message)


@pytest.mark.parametrize("attempt", [1, ATTEMPTS, LANES["uploads"].max_receive_count])
def test_a_wait_sends_a_delayed_copy_and_lets_the_message_go_whatever_the_attempt(
    settler: Settler, delivered: Callable[..., Delivery], attempt: int
) -> None:
    delivery, sent = delivered(attempt=attempt), sendings(settler)
    assert settler.settle(delivery, WAIT) == WAIT.why
    (copy,) = sent
    assert copy["MessageBody"] == BODY
    assert copy["DelaySeconds"] == 30
    assert copy["QueueUrl"] == settler.settings.queue_url("uploads")
    assert waiting(settler, dead=True) == []


@pytest.mark.parametrize(("after", "seconds"), [(0.0, 1), (-5.0, 1), (1e9, MAX_DELAY_SECONDS)])
def test_a_wait_asks_for_no_delay_that_sqs_would_refuse(
    settler: Settler, delivered: Callable[..., Delivery], after: float, seconds: int
) -> None:
    delivery, sent = delivered(), sendings(settler)
    settler.settle(delivery, Retry(after, "down", counts=False))
    assert [copy["DelaySeconds"] for copy in sent] == [seconds]


def test_a_copy_remembers_the_deliveries_and_that_they_were_no_attempts(
    settler: Settler, delivered: Callable[..., Delivery]
) -> None:
    delivery = delivered(attempt=3)
    for waits in (1, 2, 3):
        receive_at_once(settler)
        settler.settle(delivery, WAIT)
        settler.aws.sqs.delete_message(QueueUrl=settler.settings.queue_url("uploads"), ReceiptHandle=delivery.receipt)
        message = received(settler)
        headers = headers_of(message, lane="uploads")
        assert (headers["attempt"], headers["uncounted"]) == (3 + waits, waits)
        delivery = delivery_of(message, headers)
        assert delivery.counted == 3


def test_a_copy_is_parked_after_as_many_attempts_as_any_other(
    settler: Settler, delivered: Callable[..., Delivery]
) -> None:
    waited = replace(delivered(), attempt=ATTEMPTS + 40, uncounted=41)
    with pytest.raises(Reject):
        settler.settle(waited, Retry(5, "Rekognition answers badly"))
    assert settler.settle(replace(waited, uncounted=40), Retry(5, "Rekognition answers badly")).startswith("gave up")
    (dead,) = waiting(settler, dead=True)
    assert reason_of(dead) == f"gave up after {ATTEMPTS} attempts: Rekognition answers badly"
    assert dead["MessageAttributes"]["attempts"]["StringValue"] == str(ATTEMPTS)


def test_a_message_whose_runs_always_end_with_their_worker_does_not_wait_for_ever(
    settler: Settler, delivered: Callable[..., Delivery]
) -> None:
    most = LANES["uploads"].max_receive_count
    waited = replace(delivered(), attempt=most + 1 + 40, uncounted=40)
    assert settler.settle(waited, WAIT) == f"gave up after {most + 1} attempts: {WAIT.why}"
    (dead,) = waiting(settler, dead=True)
    assert reason_of(dead).startswith("gave up")


def test_a_wait_whose_copy_cannot_be_sent_leaves_the_message(
    settler: Settler, delivered: Callable[..., Delivery]
) -> None:
    delivery = delivered(attempt=ATTEMPTS)
    settler.aws.sqs.delete_queue(QueueUrl=settler.settings.queue_url("uploads"))
    with pytest.raises(Reject) as caught, capture_logs() as logs:
        settler.settle(delivery, WAIT)
    assert caught.value.requeue
    assert [line["event"] for line in logs] == ["not_sent_again", "retry", "retry_not_set"]
    assert waiting(settler, dead=True) == []


@pytest.mark.parametrize("said", ["-1", "1e9", "²", "12345678901", ""])
def test_a_count_that_is_not_ours_is_none(said: str) -> None:
    attributes = {name: {"StringValue": said} for name in ATTRIBUTES}
    assert counts_of({"Attributes": {"ApproximateReceiveCount": "2"}, "MessageAttributes": attributes}) == (2, 0)


def delivery_of(message: dict[str, Any], headers: dict[str, Any]) -> Delivery:
    return Delivery(
        lane="uploads",
        message_id=message["MessageId"],
        receipt=headers["receipt"],
        attempt=headers["attempt"],
        uncounted=headers["uncounted"],
        body=message["Body"],
    )


def sendings(settler: Settler) -> list[dict[str, Any]]:
    """The parameters of every SendMessage from now on."""
    sent: list[dict[str, Any]] = []
    cast("Any", settler.aws.sqs).meta.events.register(
        "provide-client-params.sqs.SendMessage", lambda params, **_: sent.append(dict(params)), unique_id="visibilities"
    )
    return sent


def receive_at_once(settler: Settler) -> None:
    """Send without delay from now on: nobody here waits half a minute."""
    cast("Any", settler.aws.sqs).meta.events.register(
        "provide-client-params.sqs.SendMessage",
        lambda params, **_: {**params, "DelaySeconds": 0},
        unique_id="visibilities",
    )


def reason_of(message: Any) -> str:
    return str(message["MessageAttributes"]["reason"]["StringValue"])
