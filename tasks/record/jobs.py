"""Which job looks at which video: rows that let the same bytes share one job, and a notice find who waits for it.

Beside the items, in their table, and gone by themselves some time after the job.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import number, row_at, rows_at, string
from tasks.item import Item, fields_of, item_from

if TYPE_CHECKING:
    from tasks.aws.session import Aws

#: Seconds for whoever has claimed some bytes to start a job on them; then another may.
CLAIM_SECONDS = 60.0
#: Seconds that a row outlives its use, for people who wonder.
KEPT_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Claim:
    """Who looks at some bytes: `mine` to start a job on, else somebody's, with the job once it is started."""

    mine: bool
    job_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """The rows about video jobs. Methods raise the faults of `tasks.aws.faults`."""

    aws: Aws
    table: str
    now: Callable[[], datetime]
    #: Seconds after which no job is expected to answer any more.
    patience: float

    def claim(self, content: str, *, owner: str) -> Claim:
        """Claim bytes (a name that nobody can forge for others) for an item, unless another one has."""
        now = self.now().timestamp()
        row = {
            **_content_key(content),
            "owner": string(owner),
            "job_id": string(""),
            "until": number(now + CLAIM_SECONDS),
        }
        try:
            self._put(
                row,
                ConditionExpression="attribute_not_exists(#owner) OR #owner = :me OR #until < :now",
                ExpressionAttributeNames={"#owner": "owner", "#until": "until"},
                ExpressionAttributeValues={":me": string(owner), ":now": number(now)},
            )
        except Moved:
            found = self._get(_content_key(content))
            return Claim(mine=False, job_id=found["job_id"]["S"] if found else "")
        return Claim(mine=True)

    def started(self, content: str, *, owner: str, job_id: str) -> None:
        """A job looks at the bytes that this item has claimed: whoever has the same may join it."""
        until = self.now().timestamp() + self.patience
        self._put({**_content_key(content), "owner": string(owner), "job_id": string(job_id), "until": number(until)})

    def wait(self, job_id: str, item: Item, *, joined: bool) -> None:
        """Note that an item waits for the job: its own, or one that it `joined`."""
        self._put(
            {**_waiting_key(job_id, item), "item": string(json.dumps(fields_of(item))), "joined": {"BOOL": joined}}
        )

    def has_joined(self, job_id: str, item: Item) -> bool:
        """Whether this item waits for a job that another one started."""
        found = self._get(_waiting_key(job_id, item))
        return bool(found and found["joined"]["BOOL"])

    def waiting(self, job_id: str) -> tuple[Item, ...]:
        """Every item that waits for the job."""
        rows = rows_at(self.aws, self.table, _waiting_at(job_id))
        return tuple(item_from(json.loads(row["item"]["S"])) for row in rows)

    def _put(self, row: Mapping[str, Any], **condition: object) -> None:
        expires = self.now().timestamp() + self.patience + KEPT_SECONDS
        put = self.aws.dynamodb.put_item
        call(self.aws.store, put, TableName=self.table, Item={**row, "expires": number(int(expires))}, **condition)

    def _get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        return row_at(self.aws, self.table, key)


def _content_key(content: str) -> dict[str, Any]:
    return {"location": string(f"video-bytes#{content}"), "version": string("job")}


def _waiting_key(job_id: str, item: Item) -> dict[str, Any]:
    return {"location": string(_waiting_at(job_id)), "version": string(item.id)}


def _waiting_at(job_id: str) -> str:
    return f"video-job#{job_id}"
