"""The meter: a guard around every try of every AWS call that counts it."""

from __future__ import annotations

from functools import lru_cache

from tasks.aws.faults import Fault, Full, Gone, Moved, Throttled, Unreadable
from tasks.ledger import current_ledger
from worker.families import CALL_MS, CALLS, FAULTS, THROTTLES, USED
from worker.metrics import Labels, Registry

#: Answers that are no failure of the dependency: what was asked about is not there, changed, or no picture.
ANSWERS = (Gone, Moved, Unreadable)
#: It waits on purpose, for up to 20 s.
LONG_POLL = "sqs.ReceiveMessage"


class Meter:
    """A `tasks.aws.calls.Guard` that never refuses."""

    def __init__(self, registry: Registry) -> None:
        """`registry` is fed."""
        self._registry = registry

    def before(self, call: str) -> None:
        """Nothing to do."""

    def after(self, call: str, *, seconds: float, fault: Fault | None) -> None:
        """Count a try, by service and operation, and in the ledger of the run that made it."""
        labels = _labels(call)
        self._registry.add(CALLS, labels)
        if call != LONG_POLL:
            self._registry.observe(CALL_MS, seconds * 1000, labels)
        if isinstance(fault, Throttled | Full):
            self._registry.add(THROTTLES, labels)
        elif fault is not None and not isinstance(fault, ANSWERS):
            self._registry.add(FAULTS, labels)
        if fault is None:
            self._registry.add(USED, (call,))
        if ledger := current_ledger():
            ledger.calls += 1
            if fault is None:
                ledger.use(call)


@lru_cache(maxsize=1000)
def _labels(call: str) -> Labels:
    """`(service, operation)`."""
    service, _, operation = call.rpartition(".")
    return (service or "other", operation)
