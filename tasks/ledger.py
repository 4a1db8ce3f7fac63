"""The ledger: what one run called and used up, which detectors looked, and how each item ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.item import Item
    from tasks.record.standing import Standing

#: Told of everything that is used up, as it is: (unit, how much).
Hears = Callable[[str, float], None]

#: Units that AWS bills once however often we ask: they are the run's that has recorded the decision.
BILLED_ONCE = ("video-minute",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An item that has come to its end in this run, and what it took."""

    standing: Standing
    #: Tries of AWS calls in this run, for this item.
    calls: int
    #: Unit -> how much of it was used up, by the names of config/prices.yaml.
    used: Mapping[str, float]
    #: Allowed although nobody has looked at all of it: never.
    fails_open: bool


@dataclass(slots=True)
class Ledger:
    """Of a message or, inside it, of one item; an item's is added to its message's when it closes."""

    #: Names the message in every log line, audit entry and history of what it caused; empty outside a worker.
    trace: str = ""
    #: What every log line says beside its own; an item's ledger shares its message's.
    fields: dict[str, Any] = field(default_factory=dict)
    #: Tries of AWS calls.
    calls: int = 0
    #: Unit -> how much of it was used up. An answered call is a unit of its own name.
    used: dict[str, float] = field(default_factory=dict)
    #: Detector -> the version that has looked, whether it saw anything or not.
    looked: dict[str, str] = field(default_factory=dict)
    ended: list[Ended] = field(default_factory=list)
    #: The ledger around it, in which it ends.
    outer: Ledger | None = None
    #: What it was all used up for.
    item: Item | None = None
    surface: str = ""
    #: Whether this run has recorded the item's decision.
    decided: bool = False
    hears: Hears | None = None
    _settled: dict[str, float] = field(default_factory=dict)
    #: The parts of a post are looked at by several threads at once.
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def use(self, unit: str, amount: float = 1.0) -> None:
        """Note that so much of a unit was used up."""
        with self._lock:
            self.used[unit] = self.used.get(unit, 0.0) + amount
        if self.hears:
            self.hears(unit, amount)

    def unsettled(self) -> dict[str, float]:
        """Unit -> how much was used up since this was asked last."""
        with self._lock:
            due = {unit: amount for unit, amount in self.used.items() if self.decided or unit not in BILLED_ONCE}
            since = {unit: amount - self._settled.get(unit, 0.0) for unit, amount in due.items()}
            self._settled |= due
        return {unit: amount for unit, amount in since.items() if amount}

    def take_over(self, inner: Ledger) -> None:
        """Add what an item of this message took."""
        with self._lock:
            self.calls += inner.calls
            self.ended += inner.ended
        for unit, amount in inner.used.items():
            self.use(unit, amount)


_open: ContextVar[Ledger | None] = ContextVar("ledger", default=None)


@contextmanager
def open_ledger(trace: str = "", *, hears: Hears | None = None) -> Iterator[Ledger]:
    """A ledger for what happens meanwhile on this thread; inside another one it has the same trace, and ends in it.

    `hears` is told of what is used up at once, for who cannot wait until it is recorded.
    """
    outer = _open.get()
    ledger = Ledger(outer.trace, outer.fields) if outer and not trace else Ledger(trace)
    ledger.hears, ledger.outer = hears, outer
    token = _open.set(ledger)
    try:
        yield ledger
    finally:
        _open.reset(token)
        if outer:
            outer.take_over(ledger)


@contextmanager
def beside() -> Iterator[None]:
    """What happens meanwhile is noted around the open ledger and not in it: it is about another item."""
    ledger = _open.get()
    token = _open.set(ledger.outer if ledger else None)
    try:
        yield
    finally:
        _open.reset(token)


def current_ledger() -> Ledger | None:
    """The open ledger; None outside a run."""
    return _open.get()


def note_used(unit: str, amount: float = 1.0) -> None:
    """Note in the open ledger, if there is one, that so much of a unit was used up."""
    if ledger := _open.get():
        ledger.use(unit, amount)


def note_item(item: Item, *, surface: str) -> None:
    """Note what everything is used up for."""
    if ledger := _open.get():
        ledger.item, ledger.surface = item, surface


def note_decided() -> None:
    """Note that this run, and no other, has recorded the item's decision."""
    if ledger := _open.get():
        ledger.decided = True


def used() -> dict[str, float]:
    """Unit -> how much of it was used up in this run."""
    ledger = _open.get()
    return dict(ledger.used) if ledger else {}


def note_looked(detector: str, version: str) -> None:
    """Note that a detector has looked and answered, whether it saw anything or not."""
    if ledger := _open.get():
        ledger.looked[detector] = version


def looked() -> dict[str, str]:
    """Detector -> version of all that have looked in this run."""
    ledger = _open.get()
    return dict(ledger.looked) if ledger else {}


def trace() -> str:
    """The trace of this run; empty outside a worker."""
    ledger = _open.get()
    return ledger.trace if ledger else ""


def traced() -> dict[str, str]:
    """`{"trace": ...}` for a record of what this run does; nothing outside a worker."""
    return {"trace": name} if (name := trace()) else {}


def trace_header() -> dict[str, Any]:
    """What SendMessage takes to have a message that this run causes carry its trace; nothing outside a worker."""
    if not (name := trace()):
        return {}
    return {"MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": f"Root={name}"}}}


def note_end(standing: Standing, *, fails_open: bool) -> None:
    """Note where an item has come to stand."""
    if ledger := _open.get():
        ended = Ended(standing=standing, calls=ledger.calls, used=dict(ledger.used), fails_open=fails_open)
        ledger.ended.append(ended)


def add_run(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: say on every line of a run which message it is about. What the line says itself stays."""
    if ledger := _open.get():
        for name, value in ledger.fields.items():
            line.setdefault(name, value)
    return line
