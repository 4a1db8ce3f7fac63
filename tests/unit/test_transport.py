"""The transport: any body is a task message, and only an acknowledgement deletes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu import Connection

from tasks.aws.session import Aws
from tasks.moderation import MODERATE
from worker.transport import Channel

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/uploads"


@pytest.fixture
def channel(moto_aws: Aws) -> Iterator[Channel]:
    """A channel on an uploads queue, with room for two messages."""
    moto_aws.sqs.create_queue(QueueName="uploads")
    options = {"region": "us-east-1", "predefined_queues": {"uploads": {"url": URL}}, "wait_time_seconds": 0}
    with Connection("sqs://none:none@", transport="worker.transport:Transport", transport_options=options) as opened:
        channel = opened.channel()
        channel.basic_qos(prefetch_count=2)
        yield channel


def received(channel: Channel, body: str) -> Any:
    """Send a body, receive it, and let kombu hold it as unacknowledged; returns kombu's message."""
    sqs = channel.sqs("uploads")
    sqs.send_message(QueueUrl=URL, MessageBody=body)
    (raw,) = sqs.receive_message(QueueUrl=URL, MessageSystemAttributeNames=["All"])["Messages"]
    message = channel.Message(channel._message_to_python(raw, "uploads", URL), channel=channel)
    channel.qos.append(message, message.delivery_tag)
    return message


def on_the_queue(channel: Channel) -> tuple[int, int]:
    """How many messages are visible, and how many are hidden."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    got = channel.sqs("uploads").get_queue_attributes(QueueUrl=URL, AttributeNames=names)["Attributes"]
    return int(got[names[0]]), int(got[names[1]])


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.text())
def test_any_body_reaches_the_task_as_it_is(channel: Channel, body: str) -> None:
    raw = {"MessageId": "m", "ReceiptHandle": "r", "Body": body, "Attributes": {"ApproximateReceiveCount": "3"}}
    message = channel.Message(channel._message_to_python(raw, "uploads", URL), channel=channel)
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
    raw = {"MessageId": "m", "ReceiptHandle": "r", "Body": body}
    message = channel.Message(channel._message_to_python(raw, "uploads", URL), channel=channel)
    assert (message.headers["task"], message.headers["id"]) == (MODERATE, "m")
    assert message.decode()[0] == [body]


def test_a_message_brings_what_its_outcome_will_need(channel: Channel) -> None:
    message = received(channel, "body")
    assert message.headers["lane"] == "uploads"
    assert message.headers["attempt"] == 1
    assert message.headers["receipt"] == message.delivery_tag
    assert message.delivery_info["sqs_queue"] == URL


def test_celerys_own_log_lines_show_nothing_of_the_body(channel: Channel) -> None:
    headers = received(channel, "ann@example.com").headers
    assert (headers["argsrepr"], headers["kwargsrepr"]) == ("()", "{}")
    assert "ann@example.com" not in repr(headers)


def test_an_acknowledged_message_is_deleted_and_its_slot_is_free(channel: Channel) -> None:
    message = received(channel, "body")
    message.ack()
    assert on_the_queue(channel) == (0, 0)
    assert channel.qos.can_consume_max_estimate() == 2


@pytest.mark.parametrize("requeue", [True, False])
def test_a_rejected_message_stays_on_the_queue_as_it_was_and_its_slot_is_free(
    channel: Channel, *, requeue: bool
) -> None:
    message = received(channel, "body")
    assert channel.qos.can_consume_max_estimate() == 1
    message.reject(requeue=requeue)
    assert on_the_queue(channel) == (0, 1)
    assert channel.qos.can_consume_max_estimate() == 2


def test_closing_leaves_the_queue_as_it_is(channel: Channel) -> None:
    """Stock kombu sends a copy of each message that is not acknowledged; it would end among the dead letters."""
    received(channel, "one")
    received(channel, "two")
    sqs = channel.sqs("uploads")
    channel.close()
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    got = sqs.get_queue_attributes(QueueUrl=URL, AttributeNames=names)["Attributes"]
    assert [int(got[name]) for name in names] == [0, 2]
