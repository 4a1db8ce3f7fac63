"""Acknowledgements in groups of up to ten or a tenth of a second, off the event loop."""

from __future__ import annotations

import queue
import time

from worker.batches import MAX_BATCH, Batches
from worker.vital import Died, Vital, end_worker

#: Seconds that the first acknowledgement of a group waits for others.
GROUP_SECONDS = 0.1
#: Threads, so that one slow delete holds up no other.
THREADS = 2


class Acker:
    """Deletes messages of one queue in groups."""

    def __init__(self, batches: Batches, *, threads: int = THREADS, died: Died = end_worker) -> None:
        """Nothing runs until `start`."""
        self._batches = batches
        self._receipts: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.started = False
        self._threads = [Vital(self._run, name=f"acker-{number}", died=died) for number in range(threads)]

    def start(self) -> None:
        """Begin deleting."""
        self.started = True
        for thread in self._threads:
            thread.start()

    def add(self, receipt: str) -> None:
        """Delete a message soon."""
        self._receipts.put(receipt)

    def close(self) -> None:
        """Delete what is waiting and end; returns when it is done."""
        for _ in self._threads:
            self._receipts.put(None)
        for thread in self._threads:
            thread.join()
        # A thread that died has left some behind, and its end mark.
        while not self._receipts.empty():
            if receipt := self._receipts.get():
                self._batches.delete([receipt])

    def _run(self) -> None:
        while (first := self._receipts.get()) is not None:
            group, more = self._group(first)
            self._batches.delete(group)
            if not more:
                return

    def _group(self, first: str) -> tuple[list[str], bool]:
        """Receipts to delete together, and whether more may come."""
        group, until = [first], time.monotonic() + GROUP_SECONDS
        while len(group) < MAX_BATCH:
            try:
                receipt = self._receipts.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if receipt is None:
                return group, False
            group.append(receipt)
        return group, True
