"""No AWS call lasts for ever: not one that is never answered, and not one that is answered for ever with an error."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import boto3
import pytest
from botocore.config import Config

from config.lanes import LANES
from config.settings import Settings
from tasks.aws.calls import call
from tasks.aws.faults import Fault, Transient
from tasks.aws.session import CONNECT_TIMEOUT, LONG_POLL_SECONDS, MODEL_THINKS, Aws, connect


@pytest.fixture
def silence() -> Iterator[str]:
    """The endpoint of a server that takes every connection and never says a word."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def serve() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    for connection in taken:
        connection.close()


@pytest.fixture
def unanswered(settings: Settings, silence: str, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """Clients whose every call goes to the silent server, with a fifth of a second's patience."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", silence)
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="us-east-1")
    impatient = {"call_timeout_seconds": 0.2, "call_deadline_seconds": 0.6}
    return connect(settings.model_copy(update=impatient), session=session)


@dataclass
class Watch:
    """A clock on which each try takes the fifth of a second that it may, whatever else the machine does."""

    at: float = 0.0
    begun: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def before(self, call: str) -> None:  # noqa: ARG002  # a Guard's signature
        self.begun.append(self.at)

    def after(self, call: str, *, seconds: float, fault: Fault | None) -> None:  # noqa: ARG002  # a Guard's signature
        self.at += 0.2


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("client", "operation", "params"),
    [
        ("s3", "head_bucket", {"Bucket": "uploads-example"}),
        ("sqs", "send_message", {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/q", "MessageBody": "x"}),
        ("dynamodb", "get_item", {"TableName": "items", "Key": {"location": {"S": "x"}}}),
        ("rekognition", "detect_moderation_labels", {"Image": {"Bytes": b"x"}}),
        ("comprehend", "detect_pii_entities", {"Text": "x", "LanguageCode": "en"}),
        ("sns", "publish", {"TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": "x"}),
        ("cloudfront", "get_distribution", {"Id": "E1"}),
    ],
)
def test_a_call_that_is_never_answered_ends_as_transient_in_time(
    unanswered: Aws, client: str, operation: str, params: dict[str, object]
) -> None:
    watch = Watch()
    policy = replace(unanswered.detect, clock=watch.now, sleep=watch.sleep, guards=(watch,))
    with pytest.raises(Transient) as caught:
        call(policy, getattr(getattr(unanswered, client), operation), **params)
    assert caught.value.code == "ReadTimeoutError"
    assert watch.begun[0] == 0
    assert watch.begun[-1] < policy.deadline == 0.6
    assert len(watch.begun) <= 3


def test_one_call_that_hangs_holds_up_no_other(unanswered: Aws, moto_aws: Aws) -> None:
    ended = threading.Event()

    def hang() -> None:
        with pytest.raises(Transient):
            call(unanswered.detect, unanswered.rekognition.detect_moderation_labels, Image={"Bytes": b"x"})
        ended.set()

    thread = threading.Thread(target=hang)
    thread.start()
    call(moto_aws.store, moto_aws.sqs.create_queue, QueueName="q")
    thread.join(10)
    assert ended.is_set()


def test_the_longest_that_a_call_may_take_is_less_than_its_message_is_hidden(settings: Settings) -> None:
    longest_try = CONNECT_TIMEOUT + settings.call_timeout_seconds + MODEL_THINKS
    assert settings.call_deadline_seconds + longest_try < min(lane.visibility for lane in LANES.values())


def test_only_the_long_poll_waits_longer_than_sqs_lets_it(offline_aws: Aws) -> None:
    patience = {
        name: _config(getattr(offline_aws, name)).read_timeout
        for name in ("s3", "sqs", "dynamodb", "sns", "rekognition", "comprehend", "cloudfront", "bedrock", "polling")
    }
    assert patience.pop("polling") == LONG_POLL_SECONDS + 5
    assert patience.pop("bedrock") == 30
    assert set(patience.values()) == {20}


def _config(client: object) -> Config:
    config: Config = client.meta.config  # type: ignore[attr-defined]
    return config
