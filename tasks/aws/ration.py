"""The arithmetic of a rate that a fleet shares: leases, priorities, and what throttling does to the rate. Pure.

Tokens come one by one, `1 / rate` seconds apart, and `next_at` is when the next one that nobody has taken comes.
Whoever takes n tokens moves it on by n: that is all there is to agree on, so one conditional write is enough.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace

#: Seconds that a call may wait for its token; nobody reserves further ahead.
LONGEST_WAIT = 2.0
#: Seconds ahead, beside the gap to the next token, that only a wrong clock can have reserved; it is not believed,
#: or one worker would stop all others.
IMPOSSIBLE = 2 * LONGEST_WAIT
#: A lease is at most this many seconds' worth of tokens.
LEASE_SECONDS = 1.0
#: Seconds that a token which came and was not used stays good.
GOOD_FOR = 1.0
#: The rate is multiplied by this on throttling, and never falls below the floor.
CUT, FLOOR = 0.5, 1.0
#: After each such time without throttling it grows by this factor, up to the quota.
RAISE_SECONDS, RAISE = 10.0, 1.05
#: Rescans get this share of the rate while uploads ask, which they do if they did within so many seconds.
LAST_SHARE, STILL_ASKING = 0.2, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ration:
    """The shared state of one operation. Times are epoch seconds."""

    #: Tokens a second.
    rate: float
    #: When the rate last changed.
    changed_at: float
    #: When the next token comes that nobody has taken.
    next_at: float = 0.0
    #: When the next token comes that a rescan may take while uploads ask.
    last_at: float = 0.0
    #: When an upload last asked, to the second or so.
    asked_at: float = 0.0
    #: When AWS last throttled somebody.
    slowed_at: float = 0.0
    #: Counts the writes.
    turn: int = 0

    def next_turn(self) -> Ration:
        """The same, to be written."""
        return replace(self, turn=self.turn + 1)

    def fields(self) -> dict[str, float]:
        """Name -> number, as the row keeps them."""
        return asdict(self)

    @classmethod
    def names(cls) -> list[str]:
        """The names of all numbers."""
        return [field.name for field in fields(cls)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Somebody wants `count` tokens; `last` gives way to everybody else."""

    count: int
    last: bool
    now: float
    #: The operator's limit: the most that `rate` grows to.
    quota: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """So many tokens, the first of which comes at `since`, the others each `gap` seconds later."""

    count: int = 0
    since: float = 0.0
    gap: float = 0.0

    def spend(self, now: float) -> tuple[float | None, Lease]:
        """When the next token that is still good comes (None without one), and the lease without it."""
        stale = 0
        if self.count and self.gap:
            stale = min(self.count, max(0, math.ceil((now - GOOD_FOR - self.since) / self.gap)))
        if stale >= self.count:
            return None, Lease()
        due = self.since + stale * self.gap
        return due, replace(self, count=self.count - stale - 1, since=due + self.gap)


def take(ration: Ration, wish: Wish) -> tuple[Ration, Lease]:
    """Grant what the rate allows within LONGEST_WAIT; the ration afterwards, and a lease that may be empty."""
    ration = recovered(ration, now=wish.now, quota=wish.quota)
    if not wish.last and wish.now - ration.asked_at > 1.0:
        ration = replace(ration, asked_at=wish.now)
    start = _start(ration, wish)
    room = math.floor((wish.now + LONGEST_WAIT - start) * ration.rate + 1e-6) + 1
    most = max(1, math.floor(_share(ration, wish) * ration.rate * LEASE_SECONDS))
    count = min(wish.count, most, max(0, room))
    if wish.last and start > wish.now:
        count = 0
    if count <= 0:
        return ration, Lease()
    gap = 1.0 / ration.rate
    taken = replace(ration, next_at=start + count * gap)
    if wish.last:
        taken = replace(taken, last_at=start + count * gap / LAST_SHARE)
    return taken, Lease(count=count, since=start, gap=gap)


def recovered(ration: Ration, *, now: float, quota: float) -> Ration:
    """The ration after the time that passed without throttling."""
    steps = math.floor(max(0.0, now - ration.changed_at) / RAISE_SECONDS)
    if ration.rate > quota:
        return replace(ration, rate=quota, changed_at=now)
    if not steps or ration.rate == quota:
        return ration
    # A rate that recovers for days would overflow a power.
    grown = ration.rate * RAISE ** min(steps, 1000)
    return replace(ration, rate=min(quota, grown), changed_at=ration.changed_at + steps * RAISE_SECONDS)


def slowed(ration: Ration, *, now: float) -> Ration:
    """The ration after AWS throttled somebody; many who are throttled at once count as one."""
    if abs(now - ration.slowed_at) < 1.0:
        return ration
    return replace(ration, rate=max(min(FLOOR, ration.rate), ration.rate * CUT), changed_at=now, slowed_at=now)


def _start(ration: Ration, wish: Wish) -> float:
    """When the first token comes that this wish may have."""
    gap = 1.0 / ration.rate
    start = max(wish.now, _believed(ration.next_at, wish.now, gap=gap))
    if not _gives_way(ration, wish):
        return start
    return max(start, _believed(ration.last_at, wish.now, gap=gap / LAST_SHARE))


def _share(ration: Ration, wish: Wish) -> float:
    return LAST_SHARE if _gives_way(ration, wish) else 1.0


def _gives_way(ration: Ration, wish: Wish) -> bool:
    return wish.last and abs(wish.now - ration.asked_at) < STILL_ASKING


def _believed(at: float, now: float, *, gap: float) -> float:
    """A reservation's end, which is a gap after its last token; `now` where only a wrong clock can have set it."""
    return at if at - now < IMPOSSIBLE + gap else now
