"""The lines of all lanes that a worker process serves, and the one thread that keeps their messages hidden."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from config.lanes import LANES, Lane
from config.settings import Settings
from tasks.aws.session import Aws
from worker.line import Deliver, Line

#: Of a lane's visibility: how often messages that are being worked on are hidden anew.
BEATS = 6


class Lines:
    """Lane name -> line."""

    def __init__(self, settings: Settings, aws: Aws, *, concurrency: Mapping[str, int] | None = None) -> None:
        """`concurrency` is lane -> tasks at once where that differs from the lane table."""
        wanted = concurrency or {}
        self._lines = {
            lane.name: Line(
                lane, aws=aws, url=settings.queue_url(lane.name), concurrency=wanted.get(lane.name, lane.concurrency)
            )
            for lane in LANES.values()
        }
        self._started: list[Line] = []
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep_hidden, name="keeper", daemon=True)

    def __getitem__(self, lane: str) -> Line:
        return self._lines[lane]

    @property
    def started(self) -> tuple[Line, ...]:
        """The lines that receive, or have received."""
        return tuple(self._started)

    def start(self, lane: str, deliver: Deliver) -> None:
        """Begin receiving a lane."""
        line = self._lines[lane]
        line.start(deliver)
        self._started.append(line)
        if not self._keeper.is_alive():
            self._keeper.start()

    def close(self) -> None:
        """After the last task: delete what is done, give back what waits; returns when SQS has taken it."""
        self._closing.set()
        for line in self._started:
            line.close()

    def _keep_hidden(self) -> None:
        while not self._closing.wait(_shortest(LANES.values()) / BEATS):
            for line in self._started:
                line.keep_hidden()


def _shortest(lanes: Iterable[Lane]) -> int:
    return min(lane.visibility for lane in lanes)
