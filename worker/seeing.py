"""Seeing a run: its trace on every log line, its metrics, and one line for each item that ended in it."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from celery.exceptions import Reject

from config.prices import Prices
from tasks.decide.brake import scope_in
from tasks.ledger import Ended, Ledger, open_ledger
from tasks.outcome import Done, Outcome, Parked, Retry
from tasks.record.standing import Status
from worker.families import (
    BRAKED,
    DECISION_MS,
    FAIL_OPEN,
    ITEM_CALLS,
    ITEM_USD,
    ITEMS,
    MESSAGES,
    QUEUE_AGE_MS,
    RUN_MS,
    TAKEDOWN_MS,
    USED,
)
from worker.metrics import Registry

if TYPE_CHECKING:
    from worker.delivery import Delivery

log = structlog.get_logger("modfleet.item")

#: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html
_ROOT = re.compile(r"\bRoot=(1-[0-9a-f]{8}-[0-9a-f]{24})\b")


@dataclass(slots=True)
class Run:
    """One run of one message's task."""

    delivery: Delivery
    ledger: Ledger
    queue_age_ms: int | None
    outcome: Outcome | None = None
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seeing:
    """What is told of runs."""

    registry: Registry
    prices: Prices
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.perf_counter

    def __post_init__(self) -> None:
        """Say from the start that nothing was allowed unseen: an alarm needs to see the 0."""
        self.registry.add(FAIL_OPEN, (), 0.0)

    @contextmanager
    def run(self, delivery: Delivery) -> Iterator[Run]:
        """A run from its begin until its message is settled; `concluded` comes before that."""
        trace = delivery.trace or trace_of(delivery.message_id, sent_ms=delivery.sent_ms)
        begun, age = self.clock(), self._queue_age_ms(delivery)
        names = {"trace": trace, "message_id": delivery.message_id, "lane": delivery.lane}
        with open_ledger(trace) as ledger:
            ledger.fields |= {**names, "attempt": delivery.attempt, "queue_age_ms": age}
            run, settled = Run(delivery, ledger, age), ""
            try:
                yield run
                settled = "deleted"
            except Reject:
                settled = "left"
                raise
            finally:
                self._ended(run, left=settled == "left", ms=(self.clock() - begun) * 1000)

    def concluded(self, run: Run, outcome: Outcome) -> None:
        """The run's outcome is known; what it took is on every line from here on."""
        run.outcome, ledger = outcome, run.ledger
        ledger.fields |= {"aws_calls": ledger.calls, "usd": dollars(self.prices.cost(ledger.used))}

    def _queue_age_ms(self, delivery: Delivery) -> int | None:
        return max(0, round(self.now().timestamp() * 1000) - delivery.sent_ms) if delivery.sent_ms else None

    def _ended(self, run: Run, *, left: bool, ms: float) -> None:
        lane, registry = run.delivery.lane, self.registry
        outcome = outcome_name(run.outcome, left=left)
        registry.add(MESSAGES, (lane, outcome))
        registry.observe(RUN_MS, ms, (lane,))
        if run.queue_age_ms is not None and run.delivery.attempt == 1:
            registry.observe(QUEUE_AGE_MS, run.queue_age_ms, (lane,))
        for unit, amount in run.ledger.used.items():
            # A call's own name was counted by the meter, whoever made it.
            if "." not in unit or "/" in unit:
                registry.add(USED, (unit,), amount)
        for ended in run.ledger.ended:
            self._tell(ended, outcome)
        if isinstance(run.outcome, Done) and not run.ledger.ended:
            log.info("done", why=run.outcome.summary)

    def _tell(self, ended: Ended, outcome: str) -> None:
        """Count an item, and write its one line: ids and numbers, never content."""
        standing, registry = ended.standing, self.registry
        usd = self.prices.cost(ended.used)
        decision_ms = None
        tier = "none" if standing.tier is None else str(standing.tier)
        registry.add(ITEMS, (standing.status.value, tier, standing.surface or "none", standing.kind.value))
        registry.add(FAIL_OPEN, (), float(ended.fails_open))
        if standing.braked and standing.status is Status.HELD:
            registry.add(BRAKED, (scope_in(standing.rules) or "",))
        registry.observe(ITEM_CALLS, ended.calls)
        registry.observe(ITEM_USD, usd)
        if standing.decided_at is not None:
            decision_ms = round((standing.decided_at - standing.item.event_time).total_seconds() * 1000)
            registry.observe(DECISION_MS, decision_ms, (standing.surface,))
        if standing.time_to_takedown_ms is not None and not (standing.restoring or standing.overruled):
            registry.observe(TAKEDOWN_MS, standing.time_to_takedown_ms, (standing.surface,))
        if ended.fails_open:
            log.critical("fails_open", id=standing.item.id[:16])
        log.info(
            "item",
            id=standing.item.id[:16],
            status=standing.status.value,
            tier=standing.tier,
            rules=list(standing.rules),
            surface=standing.surface,
            kind=standing.kind.value,
            outcome=outcome,
            decision_ms=decision_ms,
            takedown_ms=standing.time_to_takedown_ms,
            aws_calls=ended.calls,
            usd=dollars(usd),
            **({"dry_run": True} if standing.dry_run else {}),
        )


def outcome_name(outcome: Outcome | None, *, left: bool) -> str:
    """`done`, `skipped`, `parked` or `retry`, as the message ended: a retry that was deleted has given up.

    A retry that does not count was deleted for a copy that takes its place.
    """
    if left or outcome is None or (isinstance(outcome, Retry) and not outcome.counts):
        return "retry"
    return type(Parked("") if isinstance(outcome, Retry) else outcome).__name__.lower()


def trace_of(message_id: str, *, sent_ms: int) -> str:
    """A trace id in X-Ray's form that is the same for every delivery of one message."""
    return f"1-{sent_ms // 1000 & 0xFFFFFFFF:08x}-{hashlib.sha256(message_id.encode()).hexdigest()[:24]}"


def trace_in(header: str) -> str:
    """The trace id in an AWSTraceHeader (`Root=1-...;Parent=...;Sampled=1`); empty where there is none."""
    found = _ROOT.search(header)
    return found[1] if found else ""


def dollars(amount: float) -> float:
    """Rounded to what an estimate is worth: three digits."""
    return float(f"{amount:.3g}")
