"""The reporter: one thread that tells the fleet of this worker every few seconds, and CloudWatch every minute."""

from __future__ import annotations

import os
import resource
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from config.prices import Prices
from tasks.aws.budget import CapState
from tasks.aws.faults import Fault
from tasks.aws.session import Aws
from worker.emf import emf_lines
from worker.families import BREAKER_OPEN, FAIL_OPEN, IN_FLIGHT, OVER_BUDGET, USD
from worker.heartbeat import Heartbeat, counted, dollars_of, lane_beats, publish, withdraw
from worker.metrics import Registry, Snapshot
from worker.ticker import Ticker

if TYPE_CHECKING:
    from worker.line import Line

log = structlog.get_logger("modfleet.reporter")

#: Seconds between two heartbeats, and how many of them one looks back on.
BEAT_SECONDS, BEATS_BACK = 5.0, 12
#: Heartbeats between two lots of EMF lines: a minute, which is CloudWatch's resolution.
BEATS_PER_EMF = 12


@dataclass(frozen=True, slots=True)
class _Moment:
    """All metrics and the processor's time at a moment; seconds by the monotonic clock."""

    at: float
    snapshot: Snapshot
    cpu: float


@dataclass(kw_only=True, eq=False)
class Reporter:
    """Tells how this process does. `tick` does it once; `start` has a thread do it until `close`."""

    aws: Aws
    #: The items table, where the worker's row stands.
    table: str
    #: Names this process.
    worker: str
    registry: Registry
    prices: Prices
    lines: Callable[[], Iterable[Line]]
    #: Dependency -> state.
    breakers: Callable[[], Mapping[str, str]]
    now: Callable[[], datetime]
    #: How the daily caps stand.
    caps: Callable[[], Iterable[CapState]] = tuple
    #: The version of the policy that it decides by.
    policy: Callable[[], str] = str
    namespace: str = "modfleet"
    #: It judges, and takes nothing down.
    dry_run: bool = False
    #: Takes EMF lines; None writes none.
    write: Callable[[str], object] | None = None
    clock: Callable[[], float] = time.monotonic
    cpu: Callable[[], float] = time.process_time

    def __post_init__(self) -> None:
        """Look at the clock; nothing is told yet."""
        # A heartbeat that cannot be told now is of no use later.
        self.aws = replace(self.aws, store=replace(self.aws.store, attempts=1))
        self._started_at = self.now().timestamp()
        first = self._moment()
        self._moments, self._emitted = deque([first], maxlen=BEATS_BACK + 1), first
        self._ticks, self._unheard = 0, False
        self._ticker = Ticker(self.tick, seconds=BEAT_SECONDS, name="reporter")

    def start(self) -> None:
        """Begin telling."""
        self._ticker.start()

    def close(self) -> None:
        """Tell CloudWatch what is left, and take the worker's row away."""
        self._ticker.stop()
        self.emit()
        for listener in self.registry.listeners:
            listener.close()
        with suppress(Fault):
            withdraw(self.aws, self.table, self.worker)

    def tick(self) -> None:
        """Tell the fleet, and every so often CloudWatch."""
        self._ticks += 1
        self._moments.append(self._moment())
        self._publish(self.beat())
        if self._ticks % BEATS_PER_EMF == 0:
            self.emit()

    def beat(self) -> Heartbeat:
        """How this worker did over the last minute."""
        old, new = self._moments[0], self._moments[-1]
        window, seconds = new.snapshot.since(old.snapshot), max(new.at - old.at, 1e-3)
        return Heartbeat(
            worker=self.worker,
            at=self.now().timestamp(),
            started_at=self._started_at,
            seconds=round(seconds, 3),
            cpu=round((new.cpu - old.cpu) / seconds, 3),
            dry_run=self.dry_run,
            policy=self.policy(),
            memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            lanes=lane_beats(window, self.lines()),
            breakers=dict(self.breakers()),
            **counted(window, since_start=new.snapshot, prices=self.prices),
        )

    def emit(self) -> None:
        """Write EMF lines of what came since the last ones."""
        if self.write is None:
            return
        self._levels()
        last, self._emitted = self._emitted, self._moment()
        window = self._emitted.snapshot.since(last.snapshot)
        usd = dollars_of(window, self.prices)
        # What did not happen costs money to tell, except that nothing was allowed unseen.
        counts = {series: value for series, value in window.counts.items() if value or series[0] is FAIL_OPEN}
        window = replace(window, counts={**counts, (USD, ()): usd})
        properties = {"worker": self.worker}
        at_ms = round(self.now().timestamp() * 1000)
        for line in emf_lines(window, namespace=self.namespace, at_ms=at_ms, properties=properties):
            self.write(line)

    def _moment(self) -> _Moment:
        return _Moment(self.clock(), self.registry.snapshot(), self.cpu())

    def _levels(self) -> None:
        for line in self.lines():
            self.registry.level(IN_FLIGHT, len(line.inflight), (line.lane.name,))
        for dependency, state in self.breakers().items():
            self.registry.level(BREAKER_OPEN, float(state != "closed"), (dependency,))
        for cap in self.caps():
            self.registry.level(OVER_BUDGET, float(cap.over), (cap.name,))

    def _publish(self, beat: Heartbeat) -> None:
        try:
            publish(self.aws, self.table, beat)
        except Fault as fault:
            if not self._unheard:
                log.warning("heartbeat_not_told", why=str(fault))
            self._unheard = True
        else:
            self._unheard = False


def process_name() -> str:
    """What `modfleet top` calls this process: `HOST/PID`."""
    return f"{socket.gethostname()}/{os.getpid()}"


def to_stdout(line: str) -> None:
    """Write one line at once, so that the log driver sees it as one."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
