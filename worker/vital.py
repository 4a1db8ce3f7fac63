"""Threads that a worker cannot do without: none of them dies unheard."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from celery.worker import state

log = structlog.get_logger("modfleet.vital")

#: Exit code of a worker that has lost a thread of its own, or has stopped polling: start another.
BROKEN = 4

#: Told the name of a thread that has died.
Died = Callable[[str], None]


class Vital(threading.Thread):
    """A thread that should end only when it is told to; if an exception ends it, `died` is told.

    A worker that receives but does not keep hidden, or works but does not delete, is worse than none.
    """

    def __init__(self, target: Callable[[], None], *, name: str, died: Died) -> None:
        """`died` is called on this thread, last of all."""
        super().__init__(target=target, name=name, daemon=True)
        self._died = died

    def run(self) -> None:
        """Run the target; its exception, if any, goes on to `threading.excepthook`, which shows it."""
        well = False
        try:
            super().run()
            well = True
        finally:
            if not well:
                log.critical("thread_died", thread=self.name)
                self._died(self.name)


def end_worker(_: str = "") -> None:
    """Have the Celery worker of this process drain and exit with BROKEN; any thread may call this."""
    state.should_stop = BROKEN
