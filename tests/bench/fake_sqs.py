"""SQS's JSON protocol over the queues in memory."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from tests.bench.fake_queue import Message, Queue
from tests.bench.wire import Reply

Body = dict[str, Any]


class Sqs:
    """Queues by name; any name is a queue."""

    def __init__(self, *, loop: asyncio.AbstractEventLoop, base: str, visibility: float) -> None:
        """`base` is the server's URL, which queue URLs begin with; `visibility` is in seconds."""
        self._loop, self._base, self._visibility = loop, base, visibility
        self.queues: dict[str, Queue] = {}
        self._answers: dict[str, Callable[[Body], Body]] = {
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": self._delete_batch,
            "ChangeMessageVisibility": self._hide,
            "ChangeMessageVisibilityBatch": self._hide_batch,
            "SendMessage": self._send,
            "SendMessageBatch": self._send_batch,
            "GetQueueUrl": lambda asked: {"QueueUrl": f"{self._base}/000000000000/{asked['QueueName']}"},
            "GetQueueAttributes": self._attributes,
            "ListQueues": lambda _: {"QueueUrls": [f"{self._base}/000000000000/{name}" for name in self.queues]},
        }

    def queue(self, name: str) -> Queue:
        """The queue of that name."""
        if name not in self.queues:
            self.queues[name] = Queue(self._visibility)
        return self.queues[name]

    def handle(self, operation: str, asked: Body, reply: Reply) -> None:
        """Answer one call."""
        if operation == "ReceiveMessage":
            self._receive(asked, reply)
        elif operation in self._answers:
            reply(200, json.dumps(self._answers[operation](asked)).encode(), _JSON)
        else:
            reply(400, b'{"__type":"com.amazonaws.sqs#InvalidAction"}', _JSON)

    def _of(self, asked: Body) -> Queue:
        return self.queue(asked["QueueUrl"].rsplit("/", 1)[-1])

    def _receive(self, asked: Body, reply: Reply) -> None:
        queue, wait = self._of(asked), asked.get("WaitTimeSeconds", 0)

        def receiver(messages: list[Message]) -> None:
            reply(200, json.dumps({"Messages": [_shown(m) for m in messages]} if messages else {}).encode(), _JSON)

        def give_up() -> None:
            if queue.give_up(receiver):
                queue.batches[0] += 1
                receiver([])

        served = queue.receive(asked.get("MaxNumberOfMessages", 1), receiver, now=time.monotonic())
        if not served:
            self._loop.call_later(wait, give_up)

    def _delete(self, asked: Body) -> Body:
        self._of(asked).delete(asked["ReceiptHandle"], now=time.monotonic())
        return {}

    def _delete_batch(self, asked: Body) -> Body:
        queue, now = self._of(asked), time.monotonic()
        for entry in asked["Entries"]:
            queue.delete(entry["ReceiptHandle"], now=now)
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}

    def _hide(self, asked: Body) -> Body:
        self._of(asked).hide(asked["ReceiptHandle"], asked["VisibilityTimeout"], now=time.monotonic())
        return {}

    def _hide_batch(self, asked: Body) -> Body:
        for entry in asked["Entries"]:
            self._hide({"QueueUrl": asked["QueueUrl"], **entry})
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}

    def _send(self, asked: Body) -> Body:
        self._of(asked).send([asked["MessageBody"]], now=time.monotonic())
        return {"MessageId": "sent", "MD5OfMessageBody": _md5(asked["MessageBody"])}

    def _send_batch(self, asked: Body) -> Body:
        entries = asked["Entries"]
        self._of(asked).send([entry["MessageBody"] for entry in entries], now=time.monotonic())
        sent = [{"Id": e["Id"], "MessageId": "sent", "MD5OfMessageBody": _md5(e["MessageBody"])} for e in entries]
        return {"Successful": sent, "Failed": []}

    def _attributes(self, asked: Body) -> Body:
        queue = self._of(asked)
        attributes = {
            "ApproximateNumberOfMessages": queue.visible,
            "ApproximateNumberOfMessagesNotVisible": queue.left - queue.visible,
            "VisibilityTimeout": int(self._visibility),
        }
        return {"Attributes": {name: str(value) for name, value in attributes.items()}}


_JSON = b"Content-Type: application/x-amz-json-1.0\r\n"


def _shown(message: Message) -> Body:
    sent = str(round((time.time() - time.monotonic() + message.sent_at) * 1000))
    return {
        "MessageId": f"00000000-0000-4000-8000-{message.number:012d}",
        "ReceiptHandle": message.receipt,
        "Body": message.body,
        "MD5OfBody": _md5(message.body),
        "Attributes": {"ApproximateReceiveCount": str(message.receives), "SentTimestamp": sent},
    }


def _md5(body: str) -> str:
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
