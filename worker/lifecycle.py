"""How a worker ends: it drains, gives back what it cannot finish in time, and never waits for ever."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import structlog
from celery import signals
from celery.worker import state

from worker.vital import Vital, end_worker

log = structlog.get_logger("modfleet.lifecycle")

#: Exit codes: 0 drained, 3 gave back what still ran, 4 (worker.vital.BROKEN) could not go on.
DRAINED, UNFINISHED = 0, 3
#: Seconds for giving back what still runs, deleting what is done and open polls, before the process ends regardless.
LAST_SECONDS = 5.0


class Leavable(Protocol):
    """A lane's line, as far as its end goes."""

    inflight: Any

    def stop(self) -> None:
        """Receive nothing more, and give back what waits."""

    def abandon(self) -> None:
        """Give back even what runs."""


class Leavables(Protocol):
    """The lines of a worker."""

    @property
    def started(self) -> Iterable[Leavable]:
        """Those that receive, or have received."""

    def close(self) -> None:
        """Delete what is done."""


class Lifecycle:
    """Celery's warm shutdown, with an end.

    Whatever asks first (a signal, a notice, a thread that died), the worker receives nothing more and gives back
    what waits at once; what runs has `drain_seconds` to finish. A second signal cuts that short.
    """

    def __init__(
        self,
        lines: Leavables,
        *,
        drain_seconds: float,
        last_seconds: float = LAST_SECONDS,
        exit_now: Callable[[int], object] = os._exit,
    ) -> None:
        """`exit_now` ends the process without waiting for its threads."""
        self._lines, self._drain_seconds, self._last_seconds = lines, drain_seconds, last_seconds
        self._exit_now = exit_now
        # A simple queue: putting something into it is safe in a signal handler.
        self._asked: SimpleQueue[str] = SimpleQueue()
        self._signals = 0
        self._drainer = Vital(self._drain, name="drainer", died=end_worker)
        self._draining, self._ended = threading.Event(), threading.Event()
        #: Celery's event loop has begun to consume.
        self.working = threading.Event()
        #: What the process should exit with where it gets to choose.
        self.exit_code = DRAINED
        #: Done last of all, well or badly, one after the other: what others wait to hear.
        self.last_words: list[Callable[[], object]] = []

    @property
    def draining(self) -> bool:
        """Whether the worker is about to end."""
        return self._draining.is_set()

    def start(self) -> None:
        """Listen to Celery, and be ready to drain."""
        self._drainer.start()
        signals.worker_ready.connect(self._on_ready, weak=False)
        signals.worker_shutting_down.connect(self._on_signal, weak=False)
        signals.worker_shutdown.connect(self._on_shutdown, weak=False)

    def drain(self, why: str) -> None:
        """Begin to drain, from any thread; asking again changes nothing."""
        if not isinstance(state.should_stop, int) or state.should_stop is False:
            state.should_stop = DRAINED
        self._asked.put(why)

    def end(self) -> None:
        """Everything is finished, and the process is about to exit by itself."""
        self._ended.set()
        self._asked.put("it has ended")
        self._say_last_words()

    def leave(self, code: int, why: str) -> None:
        """Give back all that is in hand and end the process with `code`, whatever still runs."""
        log.error("leaving", why=why, exit_code=code, given_back=self._in_hand())
        last = threading.Thread(target=self._hand_over, name="hand-over", daemon=True)
        last.start()
        last.join(self._last_seconds)
        sys.stdout.flush()
        self._exit_now(code)

    def _drain(self) -> None:
        """The drainer's life: waits to be asked, then sees to it that the process ends in time."""
        why = self._asked.get()
        self._draining.set()
        until = time.monotonic() + self._drain_seconds
        log.warning("draining", why=why, at_most=self._drain_seconds)
        # On a thread of its own: the limit holds even where SQS does not answer.
        threading.Thread(target=self._stop_lines, name="stop-lines", daemon=True).start()
        while self._signals < 2 and not self._ended.is_set() and (left := until - time.monotonic()) > 0:
            with suppress(Empty):
                self._asked.get(timeout=left)
        if not self._ended.is_set():
            # With nothing in hand, what is waited for is long polls that are still open.
            code = UNFINISHED if self._in_hand() else DRAINED
            self.leave(code, "a second signal" if self._signals > 1 else "out of time")

    def _in_hand(self) -> int:
        return sum(len(line.inflight) for line in self._lines.started)

    def _stop_lines(self) -> None:
        for line in self._lines.started:
            line.stop()

    def _hand_over(self) -> None:
        for line in self._lines.started:
            line.abandon()
        self._say_last_words()
        # Last: it waits for long polls, to which SQS may have handed what was just given back. They refuse it.
        self._lines.close()

    def _say_last_words(self) -> None:
        for say in self.last_words:
            say()

    def _on_ready(self, **_: object) -> None:
        # Celery's own answer to a second Ctrl-C, or to SIGQUIT, kills tasks, which a pool of threads cannot; to a
        # terminal that hangs up, a restart.
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(number, signal.getsignal(signal.SIGTERM))
        # Where every thread is, for an engineer; Celery's answer shows local variables, and those hold content.
        faulthandler.register(signal.SIGUSR1)
        self.working.set()

    def _on_signal(self, sig: str = "a signal", **_: object) -> None:
        """In the handler of a signal: nothing here may wait for a lock."""
        self._signals += 1
        self._asked.put(sig)

    def _on_shutdown(self, sender: Any = None, **_: object) -> None:
        self.exit_code = int(getattr(sender, "exitcode", None) or DRAINED)
