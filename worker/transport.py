"""The SQS transport in which every message, whatever its body, is a task message.

Celery on stock kombu deletes what it does not know, and an S3 event is no Celery message. Here nothing is
read on the event loop: each body goes unopened to `moderation.moderate`, which parks what it cannot read.

Three kombu 5.7 methods are overridden; tests/contract/test_kombu_contract.py holds kombu to what they rely on.
"""

from __future__ import annotations

import json
from typing import Any

from kombu.transport import SQS
from kombu.transport.virtual import Channel as VirtualChannel

from tasks.moderation import MODERATE
from worker.delivery import headers_of


class Channel(SQS.Channel):
    """kombu's SQS channel, handing over foreign messages as tasks and never deleting what was not done."""

    #: On close kombu would send a copy of whatever is not acknowledged, in a form of its own. SQS still has
    #: the message itself, and shows it again.
    do_restore = False

    def _message_to_python(self, message: dict[str, Any], queue_name: str, q_url: str) -> dict[str, Any]:
        """The message as a Celery protocol-2 payload: the body is the task's one argument."""
        return {
            "body": json.dumps([[message["Body"]], {}, {}]),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {
                "lang": "py",
                "task": MODERATE,
                "id": message["MessageId"],
                # Celery logs these; the body stays out of its logs.
                "argsrepr": "()",
                "kwargsrepr": "{}",
                **headers_of(message, lane=queue_name),
            },
            "properties": {
                "delivery_tag": message["ReceiptHandle"],
                "correlation_id": message["MessageId"],
                "delivery_info": {
                    "exchange": "",
                    "routing_key": queue_name,
                    "priority": 0,
                    "sqs_message": message,
                    "sqs_queue": q_url,
                },
            },
        }

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: ARG002  # kombu's signature
        """Forget a message here and leave it on the queue.

        When it comes back was decided by whoever rejects it (`worker.delivery`); kombu would set a visibility
        of its own, or delete it.
        """
        VirtualChannel.basic_ack(self, delivery_tag)


class Transport(SQS.Transport):
    """Given to Celery as `broker_transport`."""

    Channel = Channel
