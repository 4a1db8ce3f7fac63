"""While a dependency is down, the lanes that need it are paused, and somebody looks whether it is back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Protocol

import structlog

from config.lanes import Lane
from tasks.aws.breaker import Breakers, State
from worker.vital import Died, Vital, end_worker

log = structlog.get_logger("modfleet.pausing")

#: Looks whether a dependency is back: one call, without retries or guards. Raises Fault.
Probe = Callable[[], object]


class Pausable(Protocol):
    """A lane's line."""

    def pause(self) -> None:
        """Receive nothing more, and give back what waits."""

    def resume(self) -> None:
        """Receive again."""


class Pausing:
    """Pauses lanes when breakers open; one thread per open breaker probes until it closes."""

    def __init__(
        self,
        breakers: Breakers,
        *,
        lanes: Iterable[Lane],
        lines: Callable[[str], Pausable],
        probes: Mapping[str, Probe],
        died: Died = end_worker,
    ) -> None:
        """`lines` gives a lane's line, `probes` is dependency -> probe; nothing happens until `start`.

        `died` is told the name of a thread that an exception has ended: a lane that nobody resumes is lost work.
        """
        self._breakers, self._lanes, self._lines, self._probes = breakers, tuple(lanes), lines, probes
        self._died = died
        self._paused: set[str] = set()
        self._watched: set[str] = set()
        self._closing = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Watch the breakers from now on."""
        self._breakers.listen(self._heard)

    def close(self) -> None:
        """Probe nothing more."""
        self._closing.set()

    @property
    def paused(self) -> frozenset[str]:
        """The lanes that are paused."""
        return frozenset(self._paused)

    def see_through(self, dependency: str) -> None:
        """Pause what needs the dependency, probe until it is back, and resume."""
        while self._is_down(dependency):
            self._settle()
            if self._closing.wait(self._breakers.probe_in(dependency)):
                return
            self._breakers.probe(dependency, self._probes[dependency])
        self._settle()

    def _is_down(self, dependency: str) -> bool:
        """Whether it is down; where it is not, what opens its breaker again needs another thread."""
        with self._lock:
            down = dependency in self._breakers.down()
            if not down:
                self._watched.discard(dependency)
            return down

    def _heard(self, dependency: str, state: State) -> None:
        # A probe that fails opens the breaker too; its thread is there already.
        with self._lock:
            if state is not State.OPEN or dependency in self._watched:
                return
            self._watched.add(dependency)
        Vital(partial(self.see_through, dependency), name=f"probe-{dependency}", died=self._died).start()

    def _settle(self) -> None:
        """Make each lane's line what its dependencies say, however often they changed meanwhile."""
        with self._lock:
            down = self._breakers.down()
            for lane in self._lanes:
                missing = down.intersection(lane.needs)
                if missing and lane.name not in self._paused:
                    log.warning("paused", lane=lane.name, missing=sorted(missing))
                    self._paused.add(lane.name)
                    self._lines(lane.name).pause()
                elif not missing and lane.name in self._paused:
                    log.warning("resumed", lane=lane.name)
                    self._paused.discard(lane.name)
                    self._lines(lane.name).resume()
