"""The books: one thread that brings what was spent to the audit log, and the day's caps and its chain's head to all."""

from __future__ import annotations

from contextlib import suppress

import structlog

from tasks.aws.faults import Fault
from tasks.desk import Desk
from worker.families import AUDIT_FAILURES
from worker.metrics import Registry
from worker.ticker import Ticker

log = structlog.get_logger("modfleet.books")

#: Seconds between two looks: what a fleet may pass its caps by, and what a killed process may leave untold.
SECONDS = 5.0


class Books:
    """Keeps a process's books. `tick` does it once; `start` has a thread do it until `close`."""

    def __init__(self, desk: Desk, registry: Registry | None = None, *, seconds: float = SECONDS) -> None:
        """Nothing is written yet. `registry` hears how often the audit log could not be."""
        self._desk, self._registry, self._failures = desk, registry, 0
        self._ticker = Ticker(self.tick, seconds=seconds, name="books")

    def start(self) -> None:
        """Begin keeping them."""
        self._ticker.start()

    def close(self) -> None:
        """Write what is left: a process that ends well leaves nothing untold."""
        self._ticker.stop()
        self.tick()

    def tick(self) -> None:
        """Write what no other object of the audit log has taken along, and tell the fleet what was used up today."""
        if self._desk.spending.waiting:
            # What is not written now rides on the next object.
            with suppress(Fault):
                self._desk.audit.append(())
        # After it: how far the log has come. What is not recorded now is the next time.
        with suppress(Fault):
            self._desk.audit.record_head()
        if self._registry:
            failures = self._desk.audit.failures
            self._registry.add(AUDIT_FAILURES, (), failures - self._failures)
            self._failures = failures
        if self._desk.budget:
            self._desk.budget.exchange()
