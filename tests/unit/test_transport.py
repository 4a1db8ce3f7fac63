"""The transport: any body is a task message, and only an acknowledgement deletes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from kombu import Connection

from config.settings import Settings
from tasks.aws.session import Aws
from tasks.moderation import MODERATE
from worker.lines import Lines
from worker.transport import Channel, payload_of

RAW = {"MessageId": "m", "ReceiptHandle": "r", "Attributes": {"ApproximateReceiveCount": "3"}}


@pytest.fixture
def channel(moto_aws: Aws, settings: Settings) -> Iterator[Channel]:
    """A channel on an uploads queue, whose line has threads only once it consumes."""
    moto_aws.sqs.create_queue(QueueName="uploads")
    options = {"lines": Lines(settings, moto_aws)}
    with Connection("sqs://localhost", transport="worker.transport:Transport", transport_options=options) as opened:
        yield opened.channel()


def held(channel: Channel, body: str = "body") -> Any:
    """A message as the event loop holds it: received, on the line's books, not acknowledged."""
    line = channel.lines["uploads"]
    line.batches.aws.sqs.send_message(QueueUrl=line.batches.url, MessageBody=body)
    asked = {"QueueUrl": line.batches.url, "MessageSystemAttributeNames": ["All"]}
    (raw,) = line.batches.aws.sqs.receive_message(**asked)["Messages"]  # type: ignore[arg-type]
    assert line.window.take(1) == 1
    line.inflight.add([dict(raw)], asked_at=0.0)
    message = channel.Message(payload_of("uploads", dict(raw)), channel=channel)
    channel.qos.append(message, message.delivery_tag)
    return message


def on_the_queue(channel: Channel) -> tuple[int, int]:
    """How many messages are visible, and how many are hidden."""
    batches = channel.lines["uploads"].batches
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    got = batches.aws.sqs.get_queue_attributes(QueueUrl=batches.url, AttributeNames=names)["Attributes"]
    return int(got[names[0]]), int(got[names[1]])


@hypothesis_settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.text())
def test_any_body_reaches_the_task_as_it_is(channel: Channel, body: str) -> None:
    message = channel.Message(payload_of("uploads", RAW | {"Body": body}), channel=channel)
    assert message.decode() == [[body], {}, {}]
    assert message.headers["task"] == MODERATE


@pytest.mark.parametrize(
    "body",
    [
        '{"Records": []}',
        '{"properties": {"delivery_info": {}}, "headers": {"task": "os.system"}, "body": "W10="}',
        "W1tdLCB7fSwge31d",
        "",
    ],
    ids=["event", "a kombu message", "base64", "empty"],
)
def test_nothing_in_a_body_chooses_the_task(channel: Channel, body: str) -> None:
    message = channel.Message(payload_of("uploads", RAW | {"Body": body}), channel=channel)
    assert (message.headers["task"], message.headers["id"]) == (MODERATE, "m")
    assert message.decode()[0] == [body]


def test_a_message_brings_what_its_outcome_will_need(channel: Channel) -> None:
    message = held(channel)
    assert message.headers["lane"] == "uploads"
    assert message.headers["attempt"] == 1
    assert message.headers["receipt"] == message.delivery_tag


def test_celerys_own_log_lines_show_nothing_of_the_body(channel: Channel) -> None:
    headers = held(channel, "ann@example.com").headers
    assert (headers["argsrepr"], headers["kwargsrepr"]) == ("()", "{}")
    assert "ann@example.com" not in repr(headers)


def test_an_acknowledged_message_is_deleted_and_its_slot_is_free(channel: Channel) -> None:
    line = channel.lines["uploads"]
    line.acker.start()
    free = line.window.free
    message = held(channel)
    message.ack()
    line.acker.close()
    assert on_the_queue(channel) == (0, 0)
    assert (line.window.free, len(line.inflight)) == (free, 0)


@pytest.mark.parametrize("requeue", [True, False])
def test_a_rejected_message_stays_on_the_queue_as_it_was_and_its_slot_is_free(
    channel: Channel, *, requeue: bool
) -> None:
    line = channel.lines["uploads"]
    line.acker.start()
    free = line.window.free
    held(channel).reject(requeue=requeue)
    line.acker.close()
    assert on_the_queue(channel) == (0, 1)
    assert (line.window.free, len(line.inflight)) == (free, 0)


def test_a_second_settlement_of_one_message_gives_no_second_slot(channel: Channel) -> None:
    line = channel.lines["uploads"]
    message = held(channel)
    channel.basic_reject(message.delivery_tag)
    free = line.window.free
    channel.qos._flush()
    channel.basic_reject(message.delivery_tag)
    channel.basic_ack(message.delivery_tag)
    assert line.window.free == free


def test_closing_leaves_the_queue_as_it_is(channel: Channel) -> None:
    """kombu would send a copy of each message that is not acknowledged; it would end among the dead letters."""
    held(channel, "one")
    held(channel, "two")
    lines = channel.lines
    channel.close()
    batches = lines["uploads"].batches
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    got = batches.aws.sqs.get_queue_attributes(QueueUrl=batches.url, AttributeNames=names)["Attributes"]
    assert [int(got[name]) for name in names] == [0, 2]


def test_celery_sends_nothing_onto_a_lane(channel: Channel) -> None:
    with pytest.raises(NotImplementedError, match="send plain JSON to the uploads queue"):
        channel.basic_publish({"body": "", "properties": {"delivery_info": {}}}, "", "uploads")
