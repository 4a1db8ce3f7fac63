"""Whether live traffic comes first just now: then a rescan sends nothing (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """How a live lane does. Seconds and messages a second."""

    lane: str
    #: Messages that nobody has taken yet; None where the queue does not answer.
    waiting: int | None
    #: That the fleet has settled over the last minute.
    rate: float
    #: How old nine in ten of the messages at most were when they were taken; None where none was.
    age: float | None


def why_behind(lanes: Iterable[Live], *, down: Iterable[str] = (), within: float) -> str:
    """Why a rescan waits: a live lane does not take its messages `within` so many seconds, or something is down.

    Empty where it need not wait. 0 seconds is no demand, and what is `down` still counts: a worker has its breaker
    open there.
    """
    reasons = [f"the circuit breaker of {name} is open" for name in sorted(down)]
    if within:
        reasons += [why for lane in lanes if (why := _why(lane, within))]
    return "; ".join(reasons)


def _why(live: Live, within: float) -> str:
    if live.waiting is None:
        return f"nobody knows how {live.lane} does: its queue does not answer"
    if live.waiting and live.waiting > live.rate * within:
        for_long = f"some {live.waiting / live.rate:,.0f} s of work" if live.rate else "and no worker takes them"
        return f"{live.lane} is behind: {live.waiting:,} messages wait, {for_long} ({within:g} s are allowed)"
    if live.age is not None and live.age > within:
        return f"{live.lane} is behind: messages waited {live.age:,.0f} s of late ({within:g} s are allowed)"
    return ""
