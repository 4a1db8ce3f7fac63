"""Acknowledgements in groups of up to ten or a tenth of a second, off the event loop."""

from __future__ import annotations

import threading
from collections import deque

from worker.batches import MAX_BATCH, Batches
from worker.vital import Died, Vital, end_worker

#: Seconds that the first acknowledgement of a group waits for others.
GROUP_SECONDS = 0.1
#: Deletes on their way at once: at 20 ms each, enough for 1,500 messages a second. Idle ones cost nothing.
THREADS = 4


class Acker:
    """Deletes messages of one queue in groups."""

    def __init__(self, batches: Batches, *, threads: int = THREADS, died: Died = end_worker) -> None:
        """Nothing runs until `start`."""
        self._batches = batches
        self._waiting: deque[str] = deque()
        self._changed = threading.Condition()
        #: Held by the one thread that gathers a group: two would share what could have been one delete.
        self._gathering = threading.Lock()
        self._closed = False
        self.started = False
        self._threads = [Vital(self._run, name=f"acker-{number}", died=died) for number in range(threads)]

    def start(self) -> None:
        """Begin deleting."""
        self.started = True
        for thread in self._threads:
            thread.start()

    def add(self, receipt: str) -> None:
        """Delete a message soon."""
        with self._changed:
            self._waiting.append(receipt)
            # Woken for each, the gathering thread would take the interpreter's lock from those that work.
            if len(self._waiting) in (1, MAX_BATCH):
                self._changed.notify()

    def close(self) -> None:
        """Delete what is waiting and end; returns when it is done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        # Threads that died may have left some behind.
        while group := self._next():
            self._batches.delete(group)

    def _run(self) -> None:
        while group := self._gather():
            self._batches.delete(group)

    def _gather(self) -> list[str]:
        """Receipts to delete together, none once the acker is closed and nothing waits."""
        with self._gathering, self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._changed.wait_for(lambda: len(self._waiting) >= MAX_BATCH or self._closed, timeout=GROUP_SECONDS)
            return self._next()

    def _next(self) -> list[str]:
        return [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
