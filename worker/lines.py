"""The lines of all lanes that a worker process serves, and the one thread that keeps their messages hidden."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from config.lanes import LANES
from config.settings import Settings
from tasks.aws.session import Aws
from worker.line import Deliver, Line, Message
from worker.vital import Died, Vital, end_worker

#: Of a lane's visibility: how often messages that are being worked on are hidden anew.
BEATS = 6


class Lines:
    """Lane name -> line."""

    def __init__(
        self,
        settings: Settings,
        aws: Aws,
        *,
        concurrency: Mapping[str, int] | None = None,
        died: Died = end_worker,
        foresee: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        """`concurrency` is lane -> tasks at once where that differs from the lane table.

        `foresee` is shown the bodies of messages before they wait for a thread; it must return at once.
        `died` is told the name of a thread that an exception has ended.
        """
        wanted = concurrency or {}
        hidden = settings.visibility_seconds
        self._lines = {
            lane.name: Line(
                replace(lane, visibility=hidden or lane.visibility),
                aws=aws,
                url=settings.queue_url(lane.name),
                concurrency=wanted.get(lane.name, lane.concurrency),
                poll_seconds=settings.poll_seconds,
                died=died,
            )
            for lane in LANES.values()
        }
        self._foresee = foresee
        self._started: list[Line] = []
        self._closing = threading.Event()
        self._beat = min(line.lane.visibility for line in self._lines.values()) / BEATS
        self._keeper = Vital(self._keep_hidden, name="keeper", died=died)

    def __getitem__(self, lane: str) -> Line:
        return self._lines[lane]

    @property
    def started(self) -> tuple[Line, ...]:
        """The lines that receive, or have received."""
        return tuple(self._started)

    def serves(self, lane: str) -> bool:
        """Whether this process receives a lane, or has received it."""
        return any(line.lane.name == lane for line in self._started)

    def start(self, lane: str, deliver: Deliver) -> None:
        """Begin receiving a lane, or receive it again after it was stopped."""
        line = self._lines[lane]
        line.start(self._foreseeing(deliver))
        if line not in self._started:
            self._started.append(line)
        if not self._keeper.is_alive():
            self._keeper.start()

    def _foreseeing(self, deliver: Deliver) -> Deliver:
        foresee = self._foresee
        if foresee is None:
            return deliver

        def deliver_foreseen(lane: str, messages: list[Message]) -> None:
            foresee([message["Body"] for message in messages])
            deliver(lane, messages)

        return deliver_foreseen

    def close(self) -> None:
        """After the last task: delete what is done, give back what waits; returns when SQS has taken it."""
        self._closing.set()
        for line in self._started:
            line.close()

    def _keep_hidden(self) -> None:
        while not self._closing.wait(self._beat):
            for line in self.started:
                line.keep_hidden()


def shares(lanes: Sequence[str], tasks: int) -> dict[str, int]:
    """So many tasks at once, divided between lanes as the lane table divides its own."""
    total = sum(LANES[lane].concurrency for lane in lanes)
    return {lane: max(1, round(tasks * LANES[lane].concurrency / total)) for lane in lanes}
