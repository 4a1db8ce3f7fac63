"""The pulse of a worker: do its lines poll, does its event loop turn, has it work in hand?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol


class Polling(Protocol):
    """A lane's line, as far as its pulse goes."""

    lane: Any
    inflight: Any
    window: Any
    #: Monotonic seconds.
    polled_at: float

    @property
    def paused(self) -> bool:
        """Whether nothing is received on purpose."""


class Pulse:
    """Sampled about once a second by one thread, read by any.

    An idle line polls all the time; a dead one does not. One that is paused, or whose window is full of messages
    that are being worked on, has no reason to poll: its silence is counted from when that ended.
    """

    def __init__(
        self, started: Callable[[], Iterable[Polling]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`started` gives the lines that receive."""
        self._started, self._clock = started, clock
        #: Before the first line starts, the worker itself has to show a sign of life.
        self._begun_at = self._turned_at = clock()
        self._well_at: dict[str, float] = {}
        self._busy = False

    def turn(self) -> None:
        """The event loop turns."""
        self._turned_at = self._clock()

    def sample(self) -> None:
        """Look at every line."""
        now, busy = self._clock(), False
        for line in self._started():
            resting = line.paused or (line.window.full and len(line.inflight) > 0)
            name, busy = line.lane.name, busy or len(line.inflight) > 0
            self._well_at[name] = now if resting else max(line.polled_at, self._well_at.get(name, self._begun_at))
        self._busy = busy

    @property
    def busy(self) -> bool:
        """Whether any message was in hand when last sampled."""
        return self._busy

    def silences(self) -> dict[str, float]:
        """Seconds since each part of the worker last gave a sign of life: `event loop`, and lanes by name."""
        now = self._clock()
        lanes = dict(self._well_at) or {"lanes": self._begun_at}
        return {name: now - at for name, at in ({"event loop": self._turned_at} | lanes).items()}

    def silent(self, longer_than: float) -> list[str]:
        """The parts that gave no sign of life for longer than so many seconds."""
        return [name for name, seconds in self.silences().items() if seconds > longer_than]
