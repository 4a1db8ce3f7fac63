"""Put the messages of a rescan on its lane, ten at a time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Transient
from tasks.aws.session import Aws

#: Messages of one request; ten of 64 KB are less than the mebibyte that it may hold.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
MAX_BATCH = 10
#: Rounds of one batch, of which each sends what the last one could not.
MAX_ROUNDS = 6


def send(aws: Aws, url: str, bodies: Sequence[str], *, group: str) -> None:
    """Send messages as one group of a fair queue, so that no run starves another. Raises Fault where some were not.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
    """
    for begin in range(0, len(bodies), MAX_BATCH):
        entries = [
            {"Id": str(number), "MessageBody": body, "MessageGroupId": group}
            for number, body in enumerate(bodies[begin : begin + MAX_BATCH])
        ]
        _send(aws, url, entries)


def _send(aws: Aws, url: str, entries: list[dict[str, Any]]) -> None:
    for number in range(MAX_ROUNDS):
        if number:
            aws.store.sleep(random.uniform(0, aws.store.first * 2**number))  # noqa: S311  # jitter, no secret
        failed = call(aws.store, aws.sqs.send_message_batch, QueueUrl=url, Entries=entries).get("Failed", [])
        codes = {entry["Id"]: entry["Code"] for entry in failed}
        entries = [entry for entry in entries if entry["Id"] in codes]
        if not entries:
            return
    raise Transient(
        f"{len(entries)} messages", call="sqs.SendMessageBatch", code=", ".join(sorted(set(codes.values())))
    )
