"""Batches on record: what waits for one, the jobs that are asked, and which message looks in on them.

Rows of the items table: at `rescan/RUN/waiting` one for each message whose texts wait; at `rescan/RUN/jobs` one for
each job at Bedrock; and at `rescan/RUN`, `batches`, whose turn it is to look in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import Row, number, row_at, rows_at, string
from tasks.rescan.run_rows import location_of

if TYPE_CHECKING:
    from tasks.aws.session import Aws

#: For how long a row is kept.
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """The texts of one message that wait for their answers."""

    chunk: str
    records: int
    since: datetime
    #: Millionths of a dollar that are put aside for them.
    bound_micros: int
    #: The job that is asked about them; empty before.
    job: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One job. `arn` is empty until Bedrock has it, `status` until it has ended: Bedrock's word, or ours."""

    id: str
    chunks: tuple[str, ...]
    model: str
    #: Too few for Bedrock, which are asked about at once.
    live: bool = False
    arn: str = ""
    status: str = ""
    #: Whether every message about its answers is sent.
    released: bool = False


@dataclass(frozen=True, slots=True)
class BatchRows:
    """The rows. Methods raise the faults of `tasks.aws.faults`."""

    aws: Aws
    table: str
    now: Callable[[], datetime]

    def wait(self, run_id: str, row: WaitingRow) -> None:
        """Put texts on record that wait; those which a job is asked about already stay as they are."""
        item = {
            **_key(waiting_at(run_id), row.chunk),
            "records": number(row.records),
            "since": string(row.since.isoformat()),
            "bound_micros": number(row.bound_micros),
            "expires": self._expires(),
        }
        try:
            put = self.aws.dynamodb.put_item
            call(self.aws.store, put, TableName=self.table, Item=item, ConditionExpression=_UNASKED)
        except Moved:
            return

    def forget(self, run_id: str, chunk: str) -> None:
        """Nothing of this message waits, unless a job is asked about it already."""
        delete, key = self.aws.dynamodb.delete_item, _key(waiting_at(run_id), chunk)
        try:
            call(self.aws.store, delete, TableName=self.table, Key=key, ConditionExpression=_UNASKED)
        except Moved:
            return

    def waiting(self, run_id: str) -> Iterator[WaitingRow]:
        """All that waits."""
        return map(_waiting, rows_at(self.aws, self.table, waiting_at(run_id)))

    def find(self, run_id: str, chunk: str) -> WaitingRow | None:
        """What waits of one message."""
        row = row_at(self.aws, self.table, _key(waiting_at(run_id), chunk))
        return _waiting(row) if row else None

    def ask(self, run_id: str, job: JobRow) -> None:
        """Put a job on record; what it is asked about is still to be taken, one by one."""
        row = {
            **_key(jobs_at(run_id), job.id),
            "chunks": string(json.dumps(job.chunks)),
            "model": string(job.model),
            "live": {"BOOL": job.live},
            "expires": self._expires(),
        }
        call(self.aws.store, self.aws.dynamodb.put_item, TableName=self.table, Item=row)

    def take(self, run_id: str, chunk: str, *, job_id: str) -> bool:
        """Say that a job is the one that is asked about a message's texts: False where another is."""
        try:
            self._set(_key(waiting_at(run_id), chunk), {"job": string(job_id)}, condition=_MINE)
        except Moved:
            return False
        return True

    def jobs(self, run_id: str) -> Iterator[JobRow]:
        """Every job of a run."""
        return map(_job, rows_at(self.aws, self.table, jobs_at(run_id)))

    def job(self, run_id: str, job_id: str) -> JobRow | None:
        """One job."""
        row = row_at(self.aws, self.table, _key(jobs_at(run_id), job_id)) if job_id else None
        return _job(row) if row else None

    def started(self, run_id: str, job_id: str, *, arn: str) -> None:
        """Bedrock has the job."""
        self._set(_key(jobs_at(run_id), job_id), {"arn": string(arn)})

    def job_ended(self, run_id: str, job_id: str, *, status: str) -> None:
        """The job has ended."""
        self._set(_key(jobs_at(run_id), job_id), {"job_status": string(status)})

    def released(self, run_id: str, job_id: str) -> None:
        """Every message about its answers is sent; which those are need not be read with every look any more."""
        self._set(_key(jobs_at(run_id), job_id), {"released": {"BOOL": True}, "chunks": string("[]")})

    def ended(self, run_id: str, chunk: str) -> None:
        """The answers of a message's texts are worked: nothing of it waits."""
        call(
            self.aws.store,
            self.aws.dynamodb.delete_item,
            TableName=self.table,
            Key=_key(waiting_at(run_id), chunk),
        )

    def begin(self, run_id: str, *, chain: str) -> None:
        """From now on messages of this chain look in, and of no other."""
        item = {**_chain_key(run_id), "chain": string(chain), "looks": number(1), "expires": self._expires()}
        call(self.aws.store, self.aws.dynamodb.put_item, TableName=self.table, Item=item)

    def is_next(self, run_id: str, *, chain: str, look: int) -> bool:
        """Whether this look is not done yet, and of the chain that counts."""
        row = row_at(self.aws, self.table, _chain_key(run_id))
        return row is not None and row["chain"]["S"] == chain and int(row["looks"]["N"]) <= look

    def looked(self, run_id: str, *, chain: str, look: int) -> None:
        """A look is done, and the message for the next one sent."""
        try:
            call(
                self.aws.store,
                self.aws.dynamodb.update_item,
                TableName=self.table,
                Key=_chain_key(run_id),
                UpdateExpression="SET looks = :next",
                ConditionExpression="chain = :chain AND looks < :next",
                ExpressionAttributeValues={":chain": string(chain), ":next": number(look + 1)},
            )
        except Moved:
            return

    def _set(self, key: Row, values: dict[str, Any], *, condition: str = "attribute_exists(version)") -> None:
        call(
            self.aws.store,
            self.aws.dynamodb.update_item,
            TableName=self.table,
            Key=key,
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
            ConditionExpression=condition,
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
        )

    def _expires(self) -> dict[str, str]:
        return number(round((self.now() + KEPT).timestamp()))


#: Nobody is asked about them yet.
_UNASKED = "attribute_not_exists(job)"
#: ... or this one is.
_MINE = "attribute_exists(version) AND (attribute_not_exists(job) OR job = :job)"


def waiting_at(run_id: str) -> str:
    """Where the rows of what waits stand."""
    return f"{location_of(run_id)}/waiting"


def jobs_at(run_id: str) -> str:
    """Where the rows of jobs stand."""
    return f"{location_of(run_id)}/jobs"


def _chain_key(run_id: str) -> Row:
    return _key(location_of(run_id), "batches")


def _key(location: str, version: str) -> Row:
    return {"location": string(location), "version": string(version)}


def _waiting(row: Row) -> WaitingRow:
    return WaitingRow(
        chunk=row["version"]["S"],
        records=int(row["records"]["N"]),
        since=datetime.fromisoformat(row["since"]["S"]),
        bound_micros=int(row["bound_micros"]["N"]),
        job=row["job"]["S"] if "job" in row else "",
    )


def _job(row: Row) -> JobRow:
    return JobRow(
        id=row["version"]["S"],
        chunks=tuple(json.loads(row["chunks"]["S"])),
        model=row["model"]["S"],
        live=row["live"]["BOOL"],
        arn=row["arn"]["S"] if "arn" in row else "",
        status=row["job_status"]["S"] if "job_status" in row else "",
        released="released" in row,
    )
