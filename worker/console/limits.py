"""Limits: how often somebody may do something, so that neither a script nor a stuck key does it for them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from fastapi import Request

from worker.console.refusal import Refused


@dataclass(frozen=True, slots=True)
class Rate:
    """So many times in so many seconds, all at once or one after the other."""

    name: str
    times: int
    seconds: float = 60.0


#: By the address that a request comes from.
SIGN_IN = Rate("sign-in", 20)
#: By who is signed in.
RULE, REVEAL = Rate("rule", 60), Rate("reveal", 120)
#: Of one person; what they remove above it takes a second person, whatever it is.
REMOVALS = Rate("removals", 30, 300.0)

#: Buckets kept; above it those that are full again are forgotten, which changes nothing for whom they are.
_KEPT = 10_000


@dataclass(slots=True)
class Limits:
    """A bucket for each rate and person, in this process: it fills again at the rate."""

    #: Seconds, from any moment on.
    clock: Callable[[], float] = time.monotonic
    #: What is left in a bucket, and when that was so.
    _left: dict[tuple[Rate, str], tuple[float, float]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def take(self, rate: Rate, who: str) -> float:
        """Take one out of somebody's bucket: 0 where there was one, or else in how many seconds there will be."""
        with self._lock:
            now = self.clock()
            left = self._level(rate, who, now)
            if left < 1:
                return (1 - left) * rate.seconds / rate.times
            if len(self._left) >= _KEPT:
                self._forget(now)
            self._left[rate, who] = (left - 1, now)
            return 0.0

    def _level(self, rate: Rate, who: str, now: float) -> float:
        left, then = self._left.get((rate, who), (rate.times, now))
        return min(rate.times, left + (now - then) * rate.times / rate.seconds)

    def _forget(self, now: float) -> None:
        for rate, who in list(self._left):
            if self._level(rate, who, now) >= rate.times:
                del self._left[rate, who]


def spend(request: Request, rate: Rate, who: str | None = None) -> None:
    """Count this request against a rate, of `who` or of the address it comes from. Raises Refused (429)."""
    counted = who or (request.client.host if request.client else "")
    wait = request.app.state.console.limits.take(rate, counted)
    if wait:
        seconds = math.ceil(wait)
        text = f"That was more than {rate.times} in {rate.seconds:.0f} s. Nothing is lost; try again in {seconds} s."
        raise Refused(429, "Too fast", text, retry_after=seconds)
