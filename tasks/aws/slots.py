"""A fleet-wide count of running video jobs: one DynamoDB row that says who holds a slot, and until when.

A holder that dies lets its slot go by not renewing it. What Rekognition itself refuses above its own limit is still
Full; this keeps a fleet from asking for what it knows it will not get.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import row_at

if TYPE_CHECKING:
    from tasks.aws.session import Aws

#: The row's key.
LOCATION, VERSION = "slots#video-jobs", "lease"
#: Seconds that a slot is held after its job was last looked at; checks come every few minutes at most.
LEASE_SECONDS = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """At most `limit` jobs at once. Methods raise the faults of `tasks.aws.faults`."""

    aws: Aws
    table: str
    limit: int
    now: Callable[[], datetime]

    def acquire(self, job: str) -> bool:
        """Take a slot for a job, or keep the one it has; False while all are taken."""
        if self._hold(job):
            return True
        holders = self._holders()
        if holders is None:
            self._make_row()
        elif not self._sweep(holders):
            return False
        return self._hold(job)

    def renew(self, job: str) -> None:
        """The job still runs: keep its slot, if it has one."""
        values = {":until": {"N": str(self._until())}}
        self._update("SET held.#job = :until", job=job, condition="attribute_exists(held.#job)", values=values)

    def release(self, job: str) -> None:
        """The job has ended; its slot is free."""
        self._update("REMOVE held.#job", job=job, condition="attribute_exists(held.#job)")

    def held(self) -> dict[str, float]:
        """Job -> epoch seconds until which it holds its slot."""
        return self._holders() or {}

    def _hold(self, job: str) -> bool:
        return self._update(
            "SET held.#job = :until",
            job=job,
            condition="attribute_exists(held) AND (attribute_exists(held.#job) OR size(held) < :limit)",
            values={":until": {"N": str(self._until())}, ":limit": {"N": str(self.limit)}},
        )

    def _sweep(self, holders: Mapping[str, float]) -> bool:
        """Free the slots of holders that died; whether there were any."""
        now = self.now().timestamp()
        expired = [(job, until) for job, until in holders.items() if until < now]
        for job, until in expired:
            # A holder that renewed meanwhile keeps its slot.
            self._update("REMOVE held.#job", job=job, condition="held.#job = :seen", values={":seen": _number(until)})
        return bool(expired)

    def _holders(self) -> dict[str, float] | None:
        row = row_at(self.aws, self.table, _key())
        return {job: float(until["N"]) for job, until in row["held"]["M"].items()} if row else None

    def _make_row(self) -> None:
        row = {**_key(), "held": {"M": {}}}
        try:
            call(
                self.aws.store,
                self.aws.dynamodb.put_item,
                TableName=self.table,
                Item=row,
                ConditionExpression="attribute_not_exists(held)",
            )
        except Moved:
            return  # somebody else was first

    def _update(
        self, expression: str, *, job: str, condition: str, values: Mapping[str, dict[str, str]] | None = None
    ) -> bool:
        """Change one holder; False where the condition did not hold."""
        try:
            call(
                self.aws.store,
                self.aws.dynamodb.update_item,
                TableName=self.table,
                Key=_key(),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#job": job},
                **({"ExpressionAttributeValues": values} if values else {}),
            )
        except Moved:
            return False
        return True

    def _until(self) -> float:
        return self.now().timestamp() + LEASE_SECONDS


def _key() -> dict[str, Any]:
    return {"location": {"S": LOCATION}, "version": {"S": VERSION}}


def _number(value: float) -> dict[str, str]:
    return {"N": repr(value)}
