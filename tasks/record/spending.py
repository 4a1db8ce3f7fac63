"""Spending: what runs used up, on its way into the audit log, from which `modfleet cost` adds it up.

Nothing of it costs a call of its own: it rides on the next object that the audit log writes anyway. A run that failed
has spent too, and a busy process writes something within moments; what waits longer is flushed every few seconds. A
process that is killed takes along what its runs had used up and not yet recorded.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from config.prices import UNPRICED, Prices
from tasks.aws.faults import Fault
from tasks.clock import utc_now
from tasks.ledger import Ledger, current_ledger, note_used, used
from tasks.record.standing import Standing

#: What the audit log calls it.
SPENT = "spent"
#: Names a call whose answer never came: AWS may have done the work, and billed it.
LOST = "lost/"
#: botocore's words for it.
_NO_ANSWER = ("ReadTimeoutError", "ConnectionClosedError", "ResponseStreamingError", "IncompleteReadError")


class Spending:
    """What was spent and is not in the audit log yet. A Guard that refuses nothing; safe to call from any thread."""

    def __init__(self, prices: Prices = UNPRICED, now: Callable[[], datetime] = utc_now) -> None:
        """`prices` say whose each unit is; what is nobody's is a request."""
        self._prices, self._now = prices, now
        self._lock = threading.Lock()
        self._entries: list[dict[str, Any]] = []
        self._requests: dict[str, float] = {}

    def before(self, call: str) -> None:
        """Nothing to do."""

    def after(self, call: str, *, seconds: float, fault: Fault | None) -> None:  # noqa: ARG002  # a Guard's signature
        """Count a request, whoever made it, and a detector's call whose answer was lost."""
        if self._prices.detector_of(call) is None:
            if fault is None:
                with self._lock:
                    self._requests[call] = self._requests.get(call, 0.0) + 1
        elif fault is not None and fault.code in _NO_ANSWER:
            note_used(f"{LOST}{call}")

    def settle(self) -> None:
        """Have what this run used up for its item written with the next object of the audit log."""
        ledger = current_ledger()
        if ledger is None or ledger.item is None:
            return
        if looking := self._prices.looking(ledger.unsettled()):
            entry = self._entry(looking) | _about(ledger)
            with self._lock:
                self._entries.append(entry)

    def charged(self, standing: Standing) -> Standing:
        """The standing with what this run has used up for it so far, beside what is on it already."""
        units = dict(standing.units)
        for unit, amount in self._prices.looking(used()).items():
            units[unit] = round(units.get(unit, 0.0) + amount, 6)
        return replace(standing, units=units, usd=round(self._prices.cost(units), 9))

    @property
    def waiting(self) -> bool:
        """Whether something was spent on an item that is not in the audit log yet."""
        return bool(self._entries)

    def take(self) -> list[dict[str, Any]]:
        """The entries to write now: one for each run that spent, and one for all requests."""
        with self._lock:
            entries, self._entries = self._entries, []
            requests, self._requests = self._requests, {}
        if requests:
            entries.append(self._entry(requests))
        return entries

    def _entry(self, units: Mapping[str, float]) -> dict[str, Any]:
        return {
            "entry_id": secrets.token_hex(16),
            "event": SPENT,
            "at": self._now().isoformat(),
            "units": {unit: round(amount, 6) for unit, amount in units.items()},
            "usd": round(self._prices.cost(units), 9),
        }


def _about(ledger: Ledger) -> dict[str, Any]:
    item = ledger.item
    assert item is not None
    return {
        "item": {"bucket": item.bucket, "key": item.key, "version": item.version},
        "surface": ledger.surface,
        **({"trace": ledger.trace} if ledger.trace else {}),
    }
