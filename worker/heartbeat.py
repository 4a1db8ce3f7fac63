"""A heartbeat: what one worker tells the fleet of itself every few seconds, as one row of the items table."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from config.prices import Prices
from tasks.aws.calls import call
from tasks.aws.session import Aws
from worker.families import (
    CALL_MS,
    CALLS,
    DECISION_MS,
    FAIL_OPEN,
    FAULTS,
    ITEMS,
    MESSAGES,
    QUEUE_AGE_MS,
    TAKEDOWN_MS,
    THROTTLES,
    USED,
)
from worker.metrics import Family, Snapshot, Spread

if TYPE_CHECKING:
    from worker.line import Line

#: The partition of all heartbeats; the sort key is the worker's name. No item's location looks like it.
LOCATION = "fleet#workers"
#: Seconds after which DynamoDB may delete the row of a worker that died.
KEPT_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneBeat:
    """One lane in one worker."""

    #: Messages in the process's hands now, and how many it may hold.
    in_flight: int = 0
    window: int = 0
    paused: bool = False
    #: Outcome -> messages, in the last `seconds`.
    outcomes: Mapping[str, int] = field(default_factory=dict)
    #: Ages at first pick-up, milliseconds.
    age: Spread = field(default_factory=Spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBeat:
    """One dependency as one worker sees it, in the last `seconds`."""

    calls: int = 0
    throttles: int = 0
    faults: int = 0
    #: Milliseconds of a try.
    ms: Spread = field(default_factory=Spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """One worker, over the last `seconds`."""

    worker: str
    #: Epoch seconds: when this was told, and when the process started.
    at: float
    started_at: float
    seconds: float
    #: Of one processor, 0-1, and the most bytes of memory so far.
    cpu: float = 0.0
    memory: int = 0
    usd: float = 0.0
    #: Items allowed unseen since the process started: 0.
    fail_open: int = 0
    #: It judges, and takes nothing down.
    dry_run: bool = False
    #: The version of the policy that it decides by; empty where it does not say.
    policy: str = ""
    #: Status -> items.
    items: Mapping[str, int] = field(default_factory=dict)
    lanes: Mapping[str, LaneBeat] = field(default_factory=dict)
    calls: Mapping[str, CallBeat] = field(default_factory=dict)
    #: Dependency -> closed, open or half-open.
    breakers: Mapping[str, str] = field(default_factory=dict)
    #: Milliseconds from S3's event time.
    decision: Spread = field(default_factory=Spread)
    takedown: Spread = field(default_factory=Spread)


def lane_beats(window: Snapshot, lines: Iterable[Line]) -> dict[str, LaneBeat]:
    """Lane -> how it goes, for the lines that have been started."""
    return {
        line.lane.name: LaneBeat(
            in_flight=len(line.inflight),
            window=line.window.size,
            paused=line.paused,
            outcomes=_counts(window, MESSAGES, "outcome", lane=line.lane.name),
            age=window.spread(QUEUE_AGE_MS, lane=line.lane.name),
        )
        for line in lines
    }


def call_beats(window: Snapshot) -> dict[str, CallBeat]:
    """Dependency -> how its calls went; those without a call are left out."""
    return {
        dependency: CallBeat(
            calls=calls,
            throttles=round(window.total(THROTTLES, dependency=dependency)),
            faults=round(window.total(FAULTS, dependency=dependency)),
            ms=window.spread(CALL_MS, dependency=dependency),
        )
        for dependency, calls in _counts(window, CALLS, "dependency").items()
    }


def dollars_of(window: Snapshot, prices: Prices) -> float:
    """What was used up meanwhile, in estimated dollars."""
    return prices.cost(_amounts(window, USED, "unit"))


def counted(window: Snapshot, *, since_start: Snapshot, prices: Prices) -> dict[str, Any]:
    """What of a heartbeat comes from metrics alone, by field."""
    return {
        "usd": dollars_of(window, prices),
        "fail_open": round(since_start.total(FAIL_OPEN)),
        "items": _counts(window, ITEMS, "status"),
        "calls": call_beats(window),
        "decision": window.spread(DECISION_MS),
        "takedown": window.spread(TAKEDOWN_MS),
    }


def publish(aws: Aws, table: str, beat: Heartbeat) -> None:
    """Write the worker's row. Raises Fault."""
    row: dict[str, Any] = {
        "location": {"S": LOCATION},
        "version": {"S": beat.worker},
        # DynamoDB bills each KB that is written: this is four of them, or one and a half.
        "beat": {"B": zlib.compress(to_json(beat).encode())},
        "expires": {"N": str(round(beat.at) + KEPT_SECONDS)},
    }
    call(aws.store, aws.dynamodb.put_item, TableName=table, Item=row)


def withdraw(aws: Aws, table: str, worker: str) -> None:
    """Take the row of a worker that ends away. Raises Fault."""
    key = {"location": {"S": LOCATION}, "version": {"S": worker}}
    call(aws.store, aws.dynamodb.delete_item, TableName=table, Key=key)


def read_beats(aws: Aws, table: str) -> list[Heartbeat]:
    """The newest heartbeat of every worker, in order of their names. Raises Fault."""
    asked: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "#location = :workers",
        "ExpressionAttributeNames": {"#location": "location"},
        "ExpressionAttributeValues": {":workers": {"S": LOCATION}},
    }
    beats: list[Heartbeat] = []
    while True:
        answer = call(aws.store, aws.dynamodb.query, **asked)
        beats += [from_json(zlib.decompress(row["beat"]["B"]).decode()) for row in answer.get("Items", [])]
        if not (last := answer.get("LastEvaluatedKey")):
            return beats
        asked["ExclusiveStartKey"] = last


def to_json(beat: Heartbeat) -> str:
    """Compact."""
    return json.dumps(asdict(beat), ensure_ascii=False, separators=(",", ":"))


def from_json(text: str) -> Heartbeat:
    """The heartbeat that `to_json` wrote."""
    said = json.loads(text)
    said["lanes"] = {name: LaneBeat(**lane | {"age": _spread(lane["age"])}) for name, lane in said["lanes"].items()}
    said["calls"] = {name: CallBeat(**each | {"ms": _spread(each["ms"])}) for name, each in said["calls"].items()}
    return Heartbeat(**said | {name: _spread(said[name]) for name in ("decision", "takedown")})


def _spread(said: Mapping[str, Any]) -> Spread:
    return Spread({int(bucket): count for bucket, count in said["buckets"].items()}, said["sum"])


def _amounts(window: Snapshot, family: Family, label: str, **labels: str) -> dict[str, float]:
    """A counter by the values of one label, without those that are 0."""
    at = family.labels.index(label)
    values = dict.fromkeys(series[1][at] for series in window.counts if series[0] is family)
    totals = {value: window.total(family, **labels | {label: value}) for value in values}
    return {value: total for value, total in totals.items() if total}


def _counts(window: Snapshot, family: Family, label: str, **labels: str) -> dict[str, int]:
    return {value: round(total) for value, total in _amounts(window, family, label, **labels).items()}
