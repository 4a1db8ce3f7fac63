"""SQS calls by the ten, with the entries that failed tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from tasks.aws.calls import call
from tasks.aws.faults import Fault
from tasks.aws.session import Aws

log = structlog.get_logger("modfleet.batches")

#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html
MAX_BATCH = 10
#: Rounds of one batch; what fails in all of them comes back by itself, hidden no longer.
MAX_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Batches:
    """Batched calls on one queue. None raises: what could not be done is logged and returned as a count."""

    aws: Aws
    url: str

    def delete(self, receipts: Sequence[str]) -> int:
        """Delete messages; returns how many could not be deleted."""
        return self._all(self.aws.sqs.delete_message_batch, [{"ReceiptHandle": receipt} for receipt in receipts])

    def hide(self, receipts: Sequence[str], *, seconds: int) -> int:
        """Hide messages for `seconds` from now, 0 to show them at once; returns how many could not be."""
        entries = [{"ReceiptHandle": receipt, "VisibilityTimeout": seconds} for receipt in receipts]
        return self._all(self.aws.sqs.change_message_visibility_batch, entries)

    def _all(self, method: Callable[..., Any], entries: list[dict[str, Any]]) -> int:
        return sum(self._rounds(method, chunk) for chunk in _chunks(entries))

    def _rounds(self, method: Callable[..., Any], entries: list[dict[str, Any]]) -> int:
        """One batch until all of it is done; an entry that is the sender's fault (a stale receipt) is given up."""
        given_up = 0
        for _ in range(MAX_ROUNDS):
            numbered = [{"Id": str(number), **entry} for number, entry in enumerate(entries)]
            try:
                failed = call(self.aws.store, method, QueueUrl=self.url, Entries=numbered).get("Failed", [])
            except Fault as fault:
                log.warning("batch_failed", why=str(fault), entries=len(entries))
                return given_up + len(entries)
            given_up += sum(1 for entry in failed if entry["SenderFault"])
            entries = [entries[int(entry["Id"])] for entry in failed if not entry["SenderFault"]]
            if not entries:
                break
        if given_up or entries:
            log.warning("batch_incomplete", entries=given_up + len(entries))
        return given_up + len(entries)


def _chunks(entries: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(entries), MAX_BATCH):
        yield entries[start : start + MAX_BATCH]
