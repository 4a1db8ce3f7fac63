"""A ticker: something that is done every few seconds, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Ticker:
    """Calls `tick` every so many seconds from `start` until `stop`."""

    def __init__(self, tick: Callable[[], None], *, seconds: float, name: str) -> None:
        """Nothing runs until `start`; `name` is the thread's."""
        self._tick, self._seconds = tick, seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first tick comes when the first wait is over."""
        self._thread.start()

    def stop(self) -> None:
        """No tick runs any more when this returns. May be called without a start."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            self._tick()
