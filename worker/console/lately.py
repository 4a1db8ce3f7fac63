"""A value that is worked out at most every few seconds, however many ask for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lately(Generic[T]):
    """What `make` said lately. Safe for threads: while one works it out anew, the others wait for it."""

    def __init__(self, make: Callable[[], T], *, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`seconds` is how old the value may be; `clock` tells seconds and never goes back."""
        self._make, self._seconds, self._clock = make, seconds, clock
        self._made: tuple[float, T] | None = None
        self._lock = threading.Lock()

    def get(self) -> T:
        """The value, at most so many seconds old. Raises what `make` raises; the next who asks tries again."""
        with self._lock:
            if self._made is None or self._clock() - self._made[0] >= self._seconds:
                # Its age counts from before: what it tells of is no younger.
                self._made = self._clock(), self._make()
            return self._made[1]
