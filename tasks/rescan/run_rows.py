"""Runs as they are on record: a row each, a row for each message, and every change of state on a condition.

All are rows of the items table: the run at `rescan/RUN_ID`, `run`; its partitions (`tasks.rescan.leases`) beside it;
its messages (`tasks.rescan.chunk_rows`) at `rescan/RUN_ID/chunks`; and `rescans`, RUN_ID, which lists it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import Row, number, row_at, rows_at, string
from tasks.rescan.run import ENDED, Brief, Run, RunState

if TYPE_CHECKING:
    from tasks.aws.session import Aws

INDEX, RUN = "rescans", "run"
#: Before the names of what is counted by name.
SKIPPED, TALLY = "skipped#", "tally#"
#: Fields of a run that are numbers and begin at 0.
COUNTS = (
    "parts",
    "parts_done",
    "read",
    "enqueued",
    "chunks",
    "chunks_done",
    "waiting",
    "committed_micros",
    "spent_micros",
)
_TEXTS = ("paused_by", "paused_why", "paused_at", "waits_for")
_BRIEF = tuple(each.name for each in fields(Brief))


class NotNow(Exception):
    """A run is in a state in which this cannot be done to it; the text says which."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The rows. Methods raise the faults of `tasks.aws.faults` and what they say below."""

    aws: Aws
    table: str

    def start(self, brief: Brief, *, at: datetime) -> Run:
        """Put a new run on record."""
        run = Run(**_brief(brief), id=new_id(at), state=RunState.PLANNED, created_at=at)
        row = {
            **run_key(run.id),
            "brief": string(json.dumps(_brief(brief))),
            "state": string(run.state),
            "created_at": string(at.isoformat()),
            **{name: number(0) for name in COUNTS},
        }
        listed = {"location": string(INDEX), "version": string(run.id)}
        puts = [{"Put": {"TableName": self.table, "Item": each}} for each in (row, listed)]
        call(self.aws.store, self.aws.dynamodb.transact_write_items, TransactItems=puts)
        return run

    def find(self, run_id: str) -> Run | None:
        """The run (consistent read)."""
        row = row_at(self.aws, self.table, run_key(run_id)) if run_id else None
        return _run(row) if row else None

    def ids(self) -> list[str]:
        """Every run there ever was, the newest first."""
        return sorted((row["version"]["S"] for row in rows_at(self.aws, self.table, INDEX)), reverse=True)

    def all(self) -> Iterator[Run]:
        """Every run there ever was, the newest first, read one by one."""
        return (run for each in self.ids() if (run := self.find(each)))

    def pause(self, run_id: str, *, by: str, why: str, at: datetime) -> None:
        """Nothing more is sent, and workers leave its messages, until `resume`. Raises NotNow."""
        among = (RunState.PLANNED, RunState.ENQUEUING, RunState.WORKING)
        put = {"paused_by": string(by), "paused_why": string(why), "paused_at": string(at.isoformat())}
        self._turn(run_id, RunState.PAUSED, among=among, put=put, more=", paused_from = #state")

    def resume(self, run_id: str) -> None:
        """Go on where it was paused; what is not paused goes on anyway. Raises NotNow where it has ended."""
        try:
            self._update(
                run_id,
                "SET #state = paused_from REMOVE paused_by, paused_why, paused_at",
                values={":paused": string(RunState.PAUSED)},
                condition="#state = :paused",
            )
        except Moved:
            run = self.find(run_id)
            if run is None or run.ended:
                raise NotNow(_told(run, run_id)) from None

    def cancel(self, run_id: str, *, at: datetime) -> None:
        """Send nothing more, and have workers drop what is queued. Raises NotNow where it is done."""
        among = tuple(state for state in RunState if state not in ENDED)
        self._turn(run_id, RunState.CANCELLED, among=among, put={"ended_at": string(at.isoformat())})

    def note_wait(self, run_id: str, why: str) -> None:
        """Say why nothing is sent just now; empty once it is."""
        self._update(run_id, "SET waits_for = :why", values={":why": string(why)}, condition="attribute_exists(brief)")

    def all_sent(self, run_id: str) -> bool:
        """Whether all of its parts are sent; then it is left to the workers."""
        try:
            self._update(
                run_id,
                "SET #state = :working, waits_for = :none",
                values={":working": string(RunState.WORKING), ":from": string(RunState.ENQUEUING), ":none": string("")},
                condition="#state = :from AND parts_done = parts",
            )
        except Moved:
            run = self.find(run_id)
            return run is not None and run.state in (RunState.WORKING, RunState.DONE)
        return True

    def add(self, run_id: str, **counts: int) -> None:
        """Add to a run's counts by their fields' names: what comes of a message after it is worked."""
        call(self.aws.store, self.aws.dynamodb.update_item, **self.adding(run_id, counts))

    def adding(self, run_id: str, counts: Mapping[str, int], *, condition: str = "") -> dict[str, Any]:
        """The update, for a transaction, that adds to a run's counts: names as they stand on its row."""
        added = {name: count for name, count in counts.items() if count} or {"read": 0}
        names = {f"#n{index}": name for index, name in enumerate(added)}
        return {
            "TableName": self.table,
            "Key": run_key(run_id),
            "UpdateExpression": "ADD " + ", ".join(f"{name} :{name[1:]}" for name in names),
            "ConditionExpression": " AND ".join(("attribute_exists(brief)", *([condition] if condition else ()))),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {f":{name[1:]}": number(added[names[name]]) for name in names},
        }

    def take_end(self, run_id: str, *, by: str, now: datetime, seconds: float) -> bool:
        """Whether all of a run is worked and `by` is to end it: nobody else will, for so many seconds."""
        try:
            self._update(
                run_id,
                "SET end_by = :by, end_until = :until, ended_at = if_not_exists(ended_at, :at)",
                values={
                    # Of the first who tried: what is told again after a crash is the same, to the letter.
                    ":at": string(now.isoformat()),
                    ":by": string(by),
                    ":until": number(now.timestamp() + seconds),
                    ":now": number(now.timestamp()),
                    ":working": string(RunState.WORKING),
                    ":none": number(0),
                },
                condition="#state = :working AND chunks_done = chunks AND waiting = :none "
                "AND (attribute_not_exists(end_until) OR end_until < :now OR end_by = :by)",
            )
        except Moved:
            return False
        return True

    def done(self, run_id: str) -> None:
        """It has ended, and everybody was told."""
        self._turn(run_id, RunState.DONE, among=(RunState.WORKING,), put={})

    def _turn(
        self, run_id: str, to: RunState, *, among: tuple[RunState, ...], put: Mapping[str, Any], more: str = ""
    ) -> None:
        """Change the state; to be in it already is as good. Raises NotNow."""
        frm = {f":from{index}": string(state) for index, state in enumerate(among)}
        sets = "".join(f", {name} = :{name}" for name in put)
        try:
            self._update(
                run_id,
                f"SET #state = :to{sets}{more}",
                values={":to": string(to), **frm, **{f":{name}": value for name, value in put.items()}},
                condition=f"#state IN ({', '.join(frm)})",
            )
        except Moved:
            run = self.find(run_id)
            if run is None or run.state is not to:
                raise NotNow(_told(run, run_id)) from None

    def _update(self, run_id: str, expression: str, *, values: Mapping[str, Any], condition: str) -> None:
        names = {"#state": "state"} if "#state" in expression + condition else {}
        call(
            self.aws.store,
            self.aws.dynamodb.update_item,
            TableName=self.table,
            Key=run_key(run_id),
            UpdateExpression=expression,
            ConditionExpression=condition,
            ExpressionAttributeValues=dict(values),
            **({"ExpressionAttributeNames": names} if names else {}),
        )


def new_id(at: datetime) -> str:
    """Names a run, sorts by time, and can be typed."""
    return f"{at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def location_of(run_id: str) -> str:
    """Where the rows of a run and of its partitions stand."""
    return f"rescan/{run_id}"


def run_key(run_id: str) -> dict[str, Any]:
    """Of a run's row."""
    return {"location": string(location_of(run_id)), "version": string(RUN)}


def _brief(brief: Brief) -> dict[str, Any]:
    return {name: value for name, value in asdict(brief).items() if name in _BRIEF}


def _run(row: Row) -> Run:
    ended = row.get("ended_at")
    counts: dict[str, Any] = {name: int(row[name]["N"]) for name in COUNTS}
    texts: dict[str, Any] = {name: row[name]["S"] for name in _TEXTS if name in row}
    return Run(
        **json.loads(row["brief"]["S"]),
        id=row["location"]["S"].partition("/")[2],
        state=RunState(row["state"]["S"]),
        created_at=datetime.fromisoformat(row["created_at"]["S"]),
        ended_at=datetime.fromisoformat(ended["S"]) if ended else None,
        **counts,
        **texts,
        skipped=_named(row, SKIPPED),
        tally=_named(row, TALLY),
    )


def _named(row: Row, prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): int(row[name]["N"]) for name in sorted(row) if name.startswith(prefix)}


def _told(run: Run | None, run_id: str) -> str:
    return f"the rescan {run_id} is {run.state}" if run else f"there is no rescan {run_id}; `modfleet rescan list`"
