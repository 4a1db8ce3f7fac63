"""Circuit breakers: while a dependency is down nobody calls it, so that no message burns an attempt on it."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum

import structlog

from tasks.aws.faults import Denied, Fault, Full, Open, Throttled, Transient, Withheld

log = structlog.get_logger("modfleet.breaker")

#: Services that have a breaker, as the first part of a call's name. SQS has none: without it there is no work.
DEPENDENCIES = ("rekognition", "bedrock-runtime", "comprehend", "s3", "dynamodb", "sns", "cloudfront")

#: A breaker opens when this share of the tries it remembers failed, and at least so many; it remembers the last
#: TRIES within WINDOW_SECONDS. Of a service that fails three times in ten, retries get nearly everything done, and
#: a breaker that chance opens every few hundred tries would do more harm: see tests/chaos.
SHARE, FEWEST, TRIES, WINDOW_SECONDS = 0.5, 30, 100, 30.0
#: It also opens on so many failures in a row however long they took: a call that hangs takes 20 seconds to fail.
#: At least so many seconds, though: many calls are under way at once, and those that fail are back before the others.
IN_A_ROW, ROW_SECONDS = 10, 1.0
#: Seconds until the first probe; doubles with each that fails, up to the longest.
FIRST_PROBE, LONGEST_PROBE = 5.0, 60.0
#: Seconds. What breaks again so soon after it closed had not come back: its waits go on where they were.
RELAPSE_SECONDS = 120.0


class State(StrEnum):
    """What a breaker lets through: everything, nothing, or one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


#: Told of every change: a dependency and its new state. Called without any lock held, on the thread of the call
#: that changed it; must not raise.
Listener = Callable[[str, State], None]


def breaks(fault: Fault | None) -> bool:
    """Whether a fault says that the dependency, or our way into it, is down.

    Throttled and Full are answers of one that is up. A permission that is missing is missing for everybody.
    """
    return isinstance(fault, Transient | Denied) and not isinstance(fault, Throttled | Full | Withheld)


class Breaker:
    """One dependency's breaker, without lock or clock: `now` is monotonic seconds."""

    def __init__(self, jitter: Callable[[float], float]) -> None:
        """`jitter` makes of a wait the wait that is kept."""
        self.state = State.CLOSED
        #: When the next probe is due.
        self.probe_at = 0.0
        self._jitter = jitter
        self._tries: deque[tuple[float, bool]] = deque(maxlen=TRIES)
        self._in_a_row = 0
        #: When the first of them failed.
        self._row_since = 0.0
        self._wait = FIRST_PROBE
        self._closed_at = float("-inf")

    def record(self, fault: Fault | None, *, now: float) -> bool:
        """Take note of how a try ended; returns whether that opened the breaker."""
        failed = breaks(fault)
        self._in_a_row = self._in_a_row + 1 if failed else 0
        self._row_since = now if self._in_a_row <= 1 else self._row_since
        self._tries.append((now, failed))
        if self.state is not State.CLOSED or not failed or not self._is_too_much(now):
            return False
        relapse = now - self._closed_at < RELAPSE_SECONDS
        self._open(min(self._wait * 2, LONGEST_PROBE) if relapse else FIRST_PROBE, now=now)
        return True

    def begin_probe(self) -> bool:
        """Whether a probe may go through: one at a time, and only while the breaker is open."""
        if self.state is not State.OPEN:
            return False
        self.state = State.HALF_OPEN
        return True

    def end_probe(self, fault: Fault | None, *, now: float) -> None:
        """The probe has ended: the dependency is back, or the next probe is later."""
        if breaks(fault) or isinstance(fault, Withheld):
            self._open(min(self._wait * 2, LONGEST_PROBE), now=now)
            return
        self.state = State.CLOSED
        self._closed_at = now
        self._tries.clear()
        self._in_a_row = 0

    def _open(self, wait: float, *, now: float) -> None:
        self.state = State.OPEN
        self._wait = wait
        self.probe_at = now + self._jitter(wait)

    def _is_too_much(self, now: float) -> bool:
        recent = [failed for at, failed in self._tries if now - at <= WINDOW_SECONDS]
        failures = sum(recent)
        long_row = self._in_a_row >= IN_A_ROW and now - self._row_since >= ROW_SECONDS
        return long_row or failures >= max(FEWEST, SHARE * len(recent))


def shortened(wait: float) -> float:
    """Between half the wait and all of it, so that workers do not probe all at once."""
    return random.uniform(wait / 2, wait)  # noqa: S311  # jitter, no secret


class Breakers:
    """A Guard with one breaker per dependency. Every method is safe to call from any thread."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, jitter: Callable[[float], float] = shortened
    ) -> None:
        """All are closed."""
        self._clock, self._jitter = clock, jitter
        self._breakers = {dependency: Breaker(jitter) for dependency in DEPENDENCIES}
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of every change from now on."""
        self._listeners.append(listener)

    def states(self) -> dict[str, str]:
        """Dependency -> `closed`, `open` or `half-open`."""
        return {dependency: breaker.state.value for dependency, breaker in self._breakers.items()}

    def down(self) -> frozenset[str]:
        """The dependencies that are not called now."""
        return frozenset(name for name, breaker in self._breakers.items() if breaker.state is not State.CLOSED)

    def probe_in(self, dependency: str) -> float:
        """Seconds until the dependency's next probe is due; 0 when it is."""
        return max(0.0, self._breakers[dependency].probe_at - self._clock())

    def before(self, call: str) -> None:
        """Raise Open while the call's dependency is down."""
        dependency = dependency_of(call)
        breaker = self._breakers.get(dependency)
        if breaker is None or breaker.state is State.CLOSED:
            return
        # A little after the probe, and not everybody at once.
        after = self.probe_in(dependency) + 1.0 + self._jitter(FIRST_PROBE)
        raise Open("its circuit breaker is open", call=call, retry_after=after)

    def after(self, call: str, *, seconds: float, fault: Fault | None) -> None:  # noqa: ARG002  # a Guard's signature
        """Take note of how a try ended."""
        dependency = dependency_of(call)
        breaker = self._breakers.get(dependency)
        if breaker is None:
            return
        with self._lock:
            opened = breaker.record(fault, now=self._clock())
        if opened:
            self._tell(dependency, State.OPEN, why=str(fault))

    def probe(self, dependency: str, probe: Callable[[], object]) -> bool:
        """Let `probe` see whether the dependency is back; returns whether its breaker is closed now.

        `probe` makes its call without these guards and raises Fault. An answer of any kind closes the breaker,
        a refusal to let us in does not.
        """
        breaker = self._breakers[dependency]
        with self._lock:
            if not breaker.begin_probe():
                return dependency not in self.down()
        self._tell(dependency, State.HALF_OPEN)
        fault: Fault | None = Transient("the probe ended without a word", call=dependency)
        try:
            fault = _fault_of(probe)
        finally:
            with self._lock:
                breaker.end_probe(fault, now=self._clock())
            self._tell(dependency, breaker.state, why=str(fault) if fault else "it answers")
        return dependency not in self.down()

    def _tell(self, dependency: str, state: State, *, why: str = "") -> None:
        if state is not State.HALF_OPEN:
            log.warning("breaker", dependency=dependency, state=state.value, why=why)
        for listener in self._listeners:
            listener(dependency, state)


def dependency_of(call: str) -> str:
    """The service of `service.Operation`; the empty string where there is none."""
    return call.partition(".")[0] if "." in call else ""


def _fault_of(probe: Callable[[], object]) -> Fault | None:
    try:
        probe()
    except Fault as fault:
        return fault
    return None
