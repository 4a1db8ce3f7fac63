"""SQS calls by the ten, with the entries that failed tried again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from tasks.aws.calls import call
from tasks.aws.faults import Fault
from tasks.aws.session import Aws

log = structlog.get_logger("modfleet.batches")

Entry = dict[str, Any]
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html
MAX_BATCH = 10
#: Rounds of one batch; what fails in all of them stays as it was.
MAX_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Batches:
    """Batched calls on one queue. No fault is raised: what could not be done is logged and returned."""

    aws: Aws
    url: str

    def delete(self, receipts: Sequence[str]) -> list[str]:
        """Delete messages; returns the receipts of those that could not be deleted."""
        return self._all(self.aws.sqs.delete_message_batch, [{"ReceiptHandle": receipt} for receipt in receipts])

    def hide(self, receipts: Sequence[str], *, seconds: int) -> list[str]:
        """Hide messages for `seconds` from now, 0 to show them at once; returns those that could not be."""
        entries = [{"ReceiptHandle": receipt, "VisibilityTimeout": seconds} for receipt in receipts]
        return self._all(self.aws.sqs.change_message_visibility_batch, entries)

    def _all(self, method: Callable[..., Any], entries: list[Entry]) -> list[str]:
        left = [entry for chunk in _chunks(entries) for entry in self._rounds(method, chunk)]
        return [entry["ReceiptHandle"] for entry in left]

    def _rounds(self, method: Callable[..., Any], entries: list[Entry]) -> list[Entry]:
        """One batch until all of it is done; an entry that is the sender's fault (a stale receipt) is given up."""
        given_up: list[Entry] = []
        for number in range(MAX_ROUNDS):
            if number:
                self.aws.store.sleep(random.uniform(0, self.aws.store.first * 2**number))  # noqa: S311  # jitter
            numbered = [{"Id": str(number), **entry} for number, entry in enumerate(entries)]
            try:
                failed = call(self.aws.store, method, QueueUrl=self.url, Entries=numbered).get("Failed", [])
            except Fault as fault:
                log.warning("batch_failed", why=str(fault), entries=len(entries))
                return given_up + entries
            given_up += [entries[int(entry["Id"])] for entry in failed if entry["SenderFault"]]
            entries = [entries[int(entry["Id"])] for entry in failed if not entry["SenderFault"]]
            if not entries:
                break
        if given_up or entries:
            log.warning("batch_incomplete", entries=len(given_up) + len(entries))
        return given_up + entries


def _chunks(entries: list[Entry]) -> Iterator[list[Entry]]:
    for start in range(0, len(entries), MAX_BATCH):
        yield entries[start : start + MAX_BATCH]
