"""A fleet-wide limit on calls a second, shared by all workers through one DynamoDB row per operation.

Workers do not ask the row before each call: each takes a lease of the tokens it is likely to need within a second.
The arithmetic is in `tasks.aws.ration`; here are the row, the threads and the waiting.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import structlog
from botocore.exceptions import ClientError

from tasks.aws.calls import call
from tasks.aws.faults import Fault, Moved, Rationed, Throttled
from tasks.aws.ration import LONGEST_WAIT, Lease, Ration, Wish, slowed, take
from tasks.aws.rows import row_at

if TYPE_CHECKING:
    from tasks.aws.session import Aws

log = structlog.get_logger("modfleet.limiter")

#: Readings of the row before a worker that others are always faster than gives up for now.
ROUNDS = 5
#: Seconds from now within which a call that got no token is made again; drawn at random, for workers come in herds.
SOONEST, LATEST = 2.0, 12.0
#: The row's sort key; the partition key is `limit#` and the operation.
VERSION = "lease"
#: Calls of this lane give way to all others.
LAST = "rescan"

#: The lane on whose behalf this thread works.
_lane: ContextVar[str] = ContextVar("lane", default="uploads")


@contextmanager
def on_behalf_of(lane: str) -> Iterator[None]:
    """Whose calls these are, until the end of the block."""
    token = _lane.set(lane)
    try:
        yield
    finally:
        _lane.reset(token)


def gives_way() -> bool:
    """Whether this thread works for the lane whose calls give way to all others."""
    return _lane.get() == LAST


class Limiter:
    """A Guard that makes calls wait for a token, and slows the whole fleet down when AWS throttles one."""

    def __init__(
        self,
        aws: Aws,
        *,
        table: str,
        quotas: Mapping[str, float],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`quotas` is `service.Operation` -> calls a second of the whole fleet; others are not limited.

        `aws` must not be guarded by this limiter; `clock` gives epoch seconds.
        """
        self._sleep = sleep
        self._purses = {
            name: Purse(Row(aws, table=table, operation=name), quota=quota, clock=clock)
            for name, quota in quotas.items()
        }

    def before(self, call: str) -> None:
        """Wait for a token, at most LONGEST_WAIT seconds. Raises Rationed, and what DynamoDB's calls raise."""
        purse = self._purses.get(call)
        if purse is None:
            return
        if (wait := purse.token(last=gives_way())) > 0:
            self._sleep(wait)

    def after(self, call: str, *, seconds: float, fault: Fault | None) -> None:  # noqa: ARG002  # a Guard's signature
        """Slow down where AWS asked for it."""
        if isinstance(fault, Throttled) and (purse := self._purses.get(call)):
            purse.slow_down()


class Row:
    """The row that a fleet shares about one operation; every write is on the condition that nobody else wrote."""

    def __init__(self, aws: Aws, *, table: str, operation: str) -> None:
        self._aws, self._table, self.operation = aws, table, operation
        self._key = {"location": {"S": f"limit#{operation}"}, "version": {"S": VERSION}}

    def read(self) -> Ration | None:
        """What the row says, None where nobody has written it."""
        row = row_at(self._aws, self._table, self._key)
        return _ration(row) if row else None

    def write(self, new: Ration, *, over: Ration | None) -> Ration | None:
        """Write `new` where the row still says `over`; returns what the row says then. Raises Faults."""
        values = {f":{name}": {"N": repr(value)} for name, value in new.fields().items()}
        condition = "attribute_not_exists(turn)"
        if over is not None:
            condition = "turn = :over"
            values[":over"] = {"N": str(over.turn)}
        try:
            call(
                self._aws.store,
                self._aws.dynamodb.update_item,
                TableName=self._table,
                Key=self._key,
                UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in new.fields()),
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except Moved as fault:
            error = fault.__cause__
            response: Mapping[str, Any] = error.response if isinstance(error, ClientError) else {}
            item = response.get("Item")
            return _ration(item) if item else self.read()
        return new


def _ration(item: Mapping[str, Any]) -> Ration:
    numbers: dict[str, Any] = {name: float(item[name]["N"]) for name in Ration.names() if name in item}
    return Ration(**numbers | {"turn": int(item["turn"]["N"])})


class Purse:
    """One process's tokens of one operation. One thread at a time asks the row; the others wait for its lease."""

    def __init__(self, row: Row, *, quota: float, clock: Callable[[], float]) -> None:
        self._row, self._quota, self._clock = row, quota, clock
        self._seen: Ration | None = None
        self._leases: dict[bool, Lease] = {}
        self._used: dict[bool, Recent] = {True: Recent(), False: Recent()}
        self._waiting = {True: 0, False: 0}
        self._slowed_at = float("-inf")
        self._lock = threading.Lock()
        self._asking = threading.Lock()

    def token(self, *, last: bool) -> float:
        """Take a token; returns the seconds until it is good. Raises Rationed."""
        with self._lock:
            self._waiting[last] += 1
        try:
            if not self._asking.acquire(timeout=LONGEST_WAIT):
                raise self._rationed()
            try:
                return self._take(last)
            finally:
                self._asking.release()
        finally:
            with self._lock:
                self._waiting[last] -= 1

    def slow_down(self) -> None:
        """AWS throttled a call: halve the fleet's rate, at most once a second."""
        now = self._clock()
        with self._lock:
            if now - self._slowed_at < 1.0:
                return
            self._slowed_at = now
        try:
            self._update(lambda ration: slowed(ration, now=now))
        except Fault as fault:
            # The call's own retry waits anyway, and the next throttle asks again.
            log.warning("not_slowed", operation=self._row.operation, why=str(fault))

    def _take(self, last: bool) -> float:
        now = self._clock()
        due = self._from_lease(last, now)
        if due is None:
            self._lease(last, now)
            now = self._clock()
            due = self._from_lease(last, now)
        if due is None:
            raise self._rationed()
        self._used[last].add(now)
        return max(0.0, due - now)

    def _from_lease(self, last: bool, now: float) -> float | None:
        lease = self._leases.get(last)
        if lease is None:
            return None
        due, rest = lease.spend(now)
        self._leases[last] = rest
        return due

    def _lease(self, last: bool, now: float) -> None:
        """As many tokens as wait for one, or as this process used within the last second."""
        count = max(self._waiting[last], self._used[last].within_a_second(now))
        leases: list[Lease] = []

        def grant(ration: Ration) -> Ration:
            after, lease = take(ration, Wish(count=count, last=last, now=self._clock(), quota=self._quota))
            leases.append(lease)
            return after

        if self._update(grant):
            self._leases[last] = leases[-1]

    def _update(self, change: Callable[[Ration], Ration]) -> bool:
        """Change the row; False where there was nothing to change, or others were always faster."""
        seen = self._seen or self._row.read()
        for _ in range(ROUNDS):
            old = seen or Ration(rate=self._quota, changed_at=self._clock())
            new = change(old)
            if new == old:
                return False
            new = new.next_turn()
            seen = self._seen = self._row.write(new, over=seen)
            # Equal is not enough: another worker may have written the very same at the very same time.
            if seen is new:
                return True
        return False

    def _rationed(self) -> Rationed:
        after = random.uniform(SOONEST, LATEST)  # noqa: S311  # jitter, no secret
        return Rationed(f"{self._quota:g} calls a second are spent", call=self._row.operation, retry_after=after)


class Recent:
    """How many within the last second."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def add(self, at: float) -> None:
        """One more."""
        self._times = [earlier for earlier in self._times if at - earlier < 1.0] + [at]

    def within_a_second(self, now: float) -> int:
        """How many since a second ago."""
        return sum(1 for at in self._times if now - at < 1.0)
