"""The transport in which every SQS message, whatever its body, is a task message.

Celery on kombu's own SQS transport deletes what it does not know, and an S3 event is no Celery message; it
receives one request at a time, and deletes one message at a time on the event loop. Here messages are
received, kept hidden and deleted by threads of their own (`worker.line`), reach the event loop through a pipe,
and nothing reads them there: each body goes unopened to `moderation.moderate`, which parks what it cannot read.

So little of kombu is left in the way that this builds on its virtual transport and not on its SQS one.
tests/contract/test_kombu_contract.py holds kombu 5.7 to what the methods below rely on.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from queue import Empty
from typing import Any, NoReturn

from kombu.transport import virtual

from tasks.moderation import MODERATE
from worker.delivery import headers_of
from worker.lines import Lines


class Channel(virtual.Channel):
    """Consumes lanes. Messages are put on their queues by SQS's own API, not by Celery."""

    #: On close kombu would put back whatever is not acknowledged. SQS still has it, and shows it again.
    do_restore = False

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        """`connection` is the transport."""
        super().__init__(connection, **kwargs)  # type: ignore[no-untyped-call]
        #: The lanes' lines, which `worker.app` puts among the transport options. A task that ends after Celery has
        #: closed the channel, which then has no connection any more, is still acknowledged through it.
        self.lines: Lines = connection.client.transport_options["lines"]

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, **kwargs: Any) -> None:
        """Begin receiving a lane."""
        super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)  # type: ignore[no-untyped-call]
        self.lines.start(queue, self.connection.deliver)

    def basic_cancel(self, consumer_tag: str) -> None:
        """Stop receiving a lane and give back what waits."""
        lane = self._tag_to_queue.get(consumer_tag)
        super().basic_cancel(consumer_tag)  # type: ignore[no-untyped-call]
        if lane is not None:
            self.lines[lane].stop()

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:  # noqa: ARG002  # kombu's signature
        """Delete a message, soon and with others."""
        lane = self._forget(delivery_tag)
        if lane is not None:
            self.lines[lane].done(delivery_tag)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: ARG002  # kombu's signature
        """Leave a message on its queue; whoever rejects it (`worker.delivery`) has said when it comes back."""
        lane = self._forget(delivery_tag)
        if lane is not None:
            self.lines[lane].left(delivery_tag)

    def _forget(self, delivery_tag: str) -> str | None:
        """Kombu knows the message no longer; returns its lane, None if that was so before."""
        try:
            lane: str = self.qos.get(delivery_tag).delivery_info["routing_key"]
        except KeyError:
            return None
        self.qos.ack(delivery_tag)
        return lane

    def _new_queue(self, queue: str, **_: Any) -> None:
        """A declared queue is a lane that exists already."""

    def _size(self, queue: str) -> int:  # noqa: ARG002  # kombu's signature
        return 0

    def _get(self, queue: str, timeout: float | None = None) -> NoReturn:  # noqa: ARG002  # kombu's signature
        raise Empty

    def _put(self, queue: str, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(f"send plain JSON to the {queue} queue by SQS's own API; modfleet reads nothing else")

    def _purge(self, queue: str) -> NoReturn:
        raise NotImplementedError(f"the {queue} queue is not Celery's to purge")


class Transport(virtual.Transport):
    """Given to Celery as `broker_transport`."""

    Channel = Channel
    driver_type = driver_name = "sqs"
    implements = virtual.Transport.implements.extend(asynchronous=True, exchange_type=frozenset(["direct"]))

    def __init__(self, client: Any, **kwargs: Any) -> None:
        """`client` is the kombu connection."""
        super().__init__(client, **kwargs)  # type: ignore[no-untyped-call]
        self._inbox: deque[tuple[str, dict[str, Any]]] = deque()
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)
        self._loop: Any = None
        self._closed = False
        self._closing = threading.Lock()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:  # noqa: ARG002  # kombu's signature
        """Have the loop hand over what receivers deliver."""
        self._loop = loop
        loop.add_reader(self._woken, self._hand_over)

    def close_connection(self, connection: Any) -> None:
        """Cancel every lane, which gives back what waits; Celery may open another connection after this one."""
        super().close_connection(connection)  # type: ignore[no-untyped-call]
        with self._closing:
            if self._closed:
                return
            self._closed = True
            if self._loop is not None:
                self._loop.remove_reader(self._woken)
            os.close(self._woken)
            os.close(self._waker)

    def deliver(self, lane: str, messages: list[dict[str, Any]]) -> None:
        """Give messages to the event loop, from any thread."""
        # Closed under a receiver's hands: the lane was cancelled before that, and has given them back itself.
        with self._closing:
            if self._closed:
                return
            self._inbox.extend((lane, message) for message in messages)
            with suppress(BlockingIOError):  # a full pipe wakes the loop well enough
                os.write(self._waker, b"\0")

    def _hand_over(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._woken, 4096)
        while self._inbox:
            lane, message = self._inbox.popleft()
            # A lane that is cancelled by now has given its messages back itself.
            if consume := self._callbacks.get(lane):
                consume(payload_of(lane, message))


def payload_of(lane: str, message: dict[str, Any]) -> dict[str, Any]:
    """A received message as a Celery protocol-2 payload: the body is the task's one argument."""
    return {
        # As Celery wants it decoded: it goes to a thread and not over a wire, and needs no serialization.
        "body": [[message["Body"]], {}, {}],
        "content-type": None,
        "content-encoding": "binary",
        "headers": {
            "lang": "py",
            "task": MODERATE,
            "id": message["MessageId"],
            # Celery logs these; the body stays out of its logs.
            "argsrepr": "()",
            "kwargsrepr": "{}",
            # Or Celery works out, twice a task, which of these are not its own.
            "headers": {},
            **headers_of(message, lane=lane),
        },
        "properties": {
            "delivery_tag": message["ReceiptHandle"],
            "correlation_id": message["MessageId"],
            "delivery_info": {"exchange": "", "routing_key": lane, "priority": 0},
        },
    }
