"""So many objects a second and no more, for all threads of one enqueuer together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Pace:
    """Whoever has sent waits until it was not too much."""

    def __init__(self, rate: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate` a second; None is any number."""
        self._rate, self._clock = rate, clock
        self._next, self._lock = clock(), threading.Lock()

    def take(self, count: int, *, sleep: Callable[[float], object]) -> None:
        """So many were sent just now: sleep (seconds) until it was not too much."""
        if not self._rate:
            return
        with self._lock:
            self._next = max(self._next, self._clock()) + count / self._rate
            wait = self._next - self._clock()
        sleep(wait)
