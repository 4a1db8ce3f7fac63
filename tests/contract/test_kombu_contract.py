"""What modfleet relies on in kombu and Celery. When one of them moves, this says what to read again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pytest
from boto3 import Session
from celery.app.trace import trace_task_ret
from celery.exceptions import Reject, WorkerShutdown
from celery.worker import loops, state
from celery.worker.request import Request
from kombu import Connection, Message
from kombu.transport import virtual

from config.lanes import LANES
from config.prices import parse_prices
from config.settings import CONFIG, Settings
from tasks.aws.session import Aws, connect
from tasks.moderation import MODERATE
from tasks.outcome import Outcome, Parked
from worker.app import Modfleet, celery_settings
from worker.delivery import DeliveredTask, Delivery
from worker.lines import Lines
from worker.metrics import Registry
from worker.seeing import Seeing
from worker.transport import Channel, Transport, payload_of

TESTED = "5.7."
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012"
RAW = {
    "MessageId": "message-1",
    "ReceiptHandle": "receipt-1",
    "Body": "garbage",
    "Attributes": {"ApproximateReceiveCount": "2"},
}


@pytest.fixture(scope="module")
def settings() -> Settings:
    """Settings of a fleet that does not exist; nothing here makes a call."""
    return Settings.model_validate(
        {
            "uploads_bucket": "uploads-example",
            "quarantine_bucket": "quarantine-example",
            "audit_bucket": "audit-example",
            "items_table": "items",
            "cases_table": "cases",
            "notices_topic_arn": "arn:aws:sns:us-east-1:123456789012:notices",
            **{f"{lane}_queue_url": f"{QUEUE}/{lane}" for lane in LANES},
        }
    )


@pytest.mark.parametrize("package", ["kombu", "celery"])
def test_the_minor_version_is_the_tested_one(package: str) -> None:
    installed = version(package)
    assert installed.startswith(TESTED), (
        f"{package} has moved from {TESTED}x to {installed}: read what worker/transport.py and worker/delivery.py "
        "override against its source, run the pipeline and chaos tests, and only then change TESTED here and the pin "
        "in pyproject.toml"
    )


@pytest.mark.parametrize(
    ("method", "signature"),
    [
        (virtual.Channel.basic_consume, "(self, queue, no_ack, callback, consumer_tag, **kwargs)"),
        (virtual.Channel.basic_cancel, "(self, consumer_tag)"),
        (virtual.Channel.basic_ack, "(self, delivery_tag, multiple=False)"),
        (virtual.Channel.basic_reject, "(self, delivery_tag, requeue=False)"),
        (virtual.Channel.__init__, "(self, connection, **kwargs)"),
        (virtual.QoS.restore_unacked_once, "(self, stderr=None)"),
        (virtual.Transport.__init__, "(self, client, **kwargs)"),
        (virtual.Transport.close_connection, "(self, connection)"),
        (Message.reject_log_error, "(self, logger, errors, requeue=False)"),
        (Message.ack_log_error, "(self, logger, errors, multiple=False)"),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_methods_that_are_overridden_or_called_have_the_signature_they_had(
    method: Callable[..., Any], signature: str
) -> None:
    assert str(inspect.signature(method)) == signature


def test_the_loop_ends_the_worker_with_the_code_that_is_left_in_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """worker/vital.py relies on it: a thread that dies can end the worker in no other way."""
    monkeypatch.setattr(state, "should_stop", 4)
    with pytest.raises(WorkerShutdown) as caught:
        state.maybe_shutdown()
    assert caught.value.code == 4
    assert "state.maybe_shutdown()" in inspect.getsource(loops.asynloop)


@pytest.mark.parametrize(
    "name",
    ["basic_consume", "basic_cancel", "basic_ack", "basic_reject", "_new_queue", "_size", "_get", "_put", "_purge"],
)
def test_an_override_is_still_of_something(name: str) -> None:
    assert name in vars(Channel)
    assert callable(getattr(virtual.Channel, name))


class Watched(virtual.Channel):
    """kombu's virtual channel, with what it puts back written down instead of sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.put: list[str] = []
        super().__init__(*args, **kwargs)

    def _put(self, queue: str, *_: Any, **__: Any) -> None:
        self.put.append(queue)


class WatchedTransport(virtual.Transport):
    """kombu's virtual transport with the watched channel."""

    Channel = Watched


@pytest.fixture
def stock() -> Iterator[Watched]:
    """A watched channel with room for two messages."""
    with Connection("sqs://localhost", transport=WatchedTransport) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=2)
        yield channel


def held(channel: Any) -> Message:
    """A message as our transport makes it, held by a channel as unacknowledged."""
    message = channel.Message(payload_of("uploads", RAW), channel=channel)
    channel.qos.append(message, message.delivery_tag)
    return message


def test_a_consumed_queue_has_a_callback_that_takes_our_payloads(stock: Watched) -> None:
    taken: list[Message] = []
    stock.basic_consume("uploads", no_ack=False, callback=taken.append, consumer_tag="1")
    stock.connection._callbacks["uploads"](payload_of("uploads", RAW))
    (message,) = taken
    assert message.decode() == [["garbage"], {}, {}]
    assert stock.qos.get("receipt-1").delivery_info["routing_key"] == "uploads"
    stock.basic_cancel("1")
    assert "uploads" not in stock.connection._callbacks


def test_an_acknowledged_message_is_forgotten_at_the_next_one(stock: Watched) -> None:
    """Or a worker would keep every message it ever saw."""
    message = held(stock)
    stock.qos.ack(message.delivery_tag)
    stock.qos._flush()
    with pytest.raises(KeyError):
        stock.qos.get(message.delivery_tag)


def test_stock_kombu_sends_copies_on_close_unless_do_restore_is_off(stock: Watched) -> None:
    held(stock)
    assert stock.do_restore
    assert not Channel.do_restore
    stock.qos.restore_unacked_once()
    assert stock.put == ["uploads"]


def test_the_transport_gives_out_our_channel(lines: Lines) -> None:
    assert Transport.Channel is Channel
    app = Modfleet("contract", set_as_current=False)
    app.conf.update(celery_settings(lines))
    assert app.connection_for_read().transport_cls == "worker.transport:Transport"
    transport = app.connection_for_read().transport
    assert isinstance(transport, Transport)
    assert transport.implements.asynchronous
    assert app.connection_for_read().channel().lines is lines


@pytest.fixture
def lines(settings: Settings, offline: Aws) -> Lines:
    """Lines that never start."""
    return Lines(settings, offline)


@pytest.fixture
def offline(settings: Settings) -> Aws:
    """Clients that make no call here."""
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": "us-east-1"}
    return connect(settings, session=Session(**keys))


class Recorder:
    """A settler and a channel that write down what they are told."""

    #: Part of every kombu channel.
    no_ack_consumers = None

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.settled: list[tuple[Delivery, Outcome]] = []
        self.told: list[tuple[str, str, Any]] = []
        self.error: BaseException | None = None

    def begin(self, delivery: Delivery) -> None:
        self.begun.append(delivery.receipt)

    def settle(self, delivery: Delivery, outcome: Outcome) -> str:
        self.settled.append((delivery, outcome))
        if self.error:
            raise self.error
        return "settled"

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        self.told.append(("ack", delivery_tag, multiple))

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        self.told.append(("reject", delivery_tag, requeue))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def app(lines: Lines, recorder: Recorder) -> Modfleet:
    """The app as a worker has it, except that it settles nothing."""
    app = Modfleet("contract", task_cls=DeliveredTask, set_as_current=False)
    app.conf.update(celery_settings(lines))
    app.settler = recorder  # type: ignore[assignment]  # it records instead
    prices = parse_prices((CONFIG / "prices.yaml").read_text("utf-8"))
    app.seeing = Seeing(Registry(), prices, lambda: datetime.now(UTC))
    app.desk = None  # type: ignore[assignment]  # garbage is parked before anything is asked of it
    app.finalize()
    return app


class InlinePool:
    """Celery's pool without its threads: the task, then its callback."""

    def __init__(self, app: Modfleet) -> None:
        self._app = app

    def apply_async(self, _target: Any, args: tuple[Any, ...], *, callback: Callable[[Any], Any], **_: Any) -> None:
        callback(trace_task_ret(*args, app=self._app))


def run(app: Modfleet, recorder: Recorder) -> None:
    """Run one message as a worker does."""
    payload = payload_of("uploads", RAW)
    properties = payload["properties"]
    message = Message(
        body=payload["body"],
        channel=recorder,
        delivery_tag=properties["delivery_tag"],
        content_type=payload["content-type"],
        content_encoding=payload["content-encoding"],
        headers=payload["headers"],
        properties=properties,
        delivery_info=properties["delivery_info"],
    )
    request = Request(
        message, app=app, on_ack=message.ack_log_error, on_reject=message.reject_log_error, connection_errors=(OSError,)
    )
    request.execute_using_pool(InlinePool(app))


def test_the_shared_task_is_ours_in_an_app_with_our_task_class(app: Modfleet) -> None:
    task = app.tasks[MODERATE]
    assert isinstance(task, DeliveredTask)
    assert task.app is app


def test_headers_of_a_message_are_what_the_task_reads_of_its_delivery(app: Modfleet, recorder: Recorder) -> None:
    run(app, recorder)
    ((delivery, outcome),) = recorder.settled
    assert delivery == Delivery(lane="uploads", message_id="message-1", receipt="receipt-1", attempt=2, body="garbage")
    assert isinstance(outcome, Parked)
    assert recorder.begun == ["receipt-1"]


def test_a_settled_message_is_acknowledged(app: Modfleet, recorder: Recorder) -> None:
    run(app, recorder)
    assert recorder.told == [("ack", "receipt-1", False)]


def test_a_reject_reaches_the_channel_and_acknowledges_nothing(app: Modfleet, recorder: Recorder) -> None:
    recorder.error = Reject("not now", requeue=True)
    run(app, recorder)
    assert recorder.told == [("reject", "receipt-1", True)]


@pytest.mark.parametrize("error", [KeyError("a bug in settling"), OSError("the network")])
def test_whatever_else_settling_raises_acknowledges_nothing(
    app: Modfleet, recorder: Recorder, error: Exception
) -> None:
    recorder.error = error
    run(app, recorder)
    assert recorder.told == [("reject", "receipt-1", False)]


def test_nothing_that_only_works_on_other_brokers_is_on(app: Modfleet) -> None:
    off = ["worker_enable_remote_control", "worker_send_task_events", "task_create_missing_queues"]
    off += ["worker_hijack_root_logger", "worker_redirect_stdouts", "task_acks_on_failure_or_timeout"]
    on = ["task_acks_late", "task_ignore_result", "task_reject_on_worker_lost"]
    assert {name: app.conf[name] for name in (*off, *on)} == {**dict.fromkeys(off, False), **dict.fromkeys(on, True)}
    assert sorted(app.amqp.queues) == sorted(LANES)
