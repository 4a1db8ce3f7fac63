"""The board: what waits and how review goes, read at most every few seconds however many look at it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from tasks.desk import Desk
from tasks.record.brake import Takedowns
from tasks.record.braked import BrakedItems
from tasks.record.policies import Change, Policies
from tasks.review.case import BY_QUEUE, CLAIMED, waiting_in
from tasks.review.cases import COUNTED, Load, workload
from tasks.review.figures import Figures, figures, rulings_in
from tasks.review.interval import wilson
from tasks.review.rows import Listing, count_of
from tasks.review.severity import moment
from worker.console.lately import Lately

#: Seconds that what waits, and what rates are of a whole day, may be old.
SECONDS, SLOWLY = 5.0, 60.0
#: Hours that rates are of, and the newest cases of them that are looked through.
HOURS, MOST = 24, 2_000
#: What is held by the brake is counted no further.
HELD = 1_000
#: An hour is counted for the last time when it has been over for so long: clocks differ.
SETTLED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Quota:
    """One of the brake's quotas."""

    scope: str
    #: Takedowns of the last hour.
    taken: int
    quota: int

    @property
    def is_full(self) -> bool:
        """Whether what comes now is held instead."""
        return self.taken >= self.quota


@dataclass(frozen=True, slots=True)
class Overturned:
    """A rule's cases of the last day, and between which shares (0-1) its true overturn rate lies."""

    path: str
    ruled: int
    overturned: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """The share that was overturned."""
        return self.overturned / self.ruled


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How review went in the last day."""

    figures: Figures
    #: Hour (UTC, its beginning) -> cases that were closed in it; the oldest first, the last is not over.
    closed: dict[datetime, int]
    #: The most often overturned first.
    rules: tuple[Overturned, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What waits at a moment, and what the machine may do."""

    at: datetime
    loads: tuple[Load, ...]
    #: Counted up to COUNTED in each queue.
    due_in_an_hour: int
    #: In somebody's hands, counted up to COUNTED.
    claimed: int
    quotas: tuple[Quota, ...]
    #: Items that the brake holds, counted up to HELD.
    held: int
    #: The last change of policy; None where none is on record.
    policy: Change | None

    @property
    def overdue(self) -> int:
        """Cases that are overdue, counted up to COUNTED in each queue."""
        return sum(load.overdue for load in self.loads)

    @property
    def waits_longest(self) -> Load | None:
        """The queue whose case that is due first waits longest; None where nothing waits."""
        return min((load for load in self.loads if load.waiting), key=lambda load: load.opened_at, default=None)


class Board:
    """Reads all of it. Methods raise Fault."""

    def __init__(self, desk: Callable[[], Desk], *, clock: Callable[[], float] = time.monotonic) -> None:
        """`desk` gives the one of the policy in force; nothing is read yet."""
        self._desk = desk
        self._hours: dict[datetime, int] = {}
        self._loads = Lately(lambda: workload(desk()), seconds=SECONDS, clock=clock)
        self._now = Lately(self._look, seconds=SECONDS, clock=clock)
        self._day = Lately(self._look_back, seconds=SLOWLY, clock=clock)

    def loads(self) -> tuple[Load, ...]:
        """What waits, by queue."""
        return self._loads.get()

    def now(self) -> Now:
        """What waits, and what the machine may do."""
        return self._now.get()

    def day(self) -> Day:
        """How review went in the last day."""
        return self._day.get()

    def _look(self) -> Now:
        desk, loads = self._desk(), self.loads()
        table, at = desk.settings.items_table, desk.now()
        quotas = desk.policy.brake
        taken = Takedowns(desk.aws, table).counted(at) if quotas else {}
        return Now(
            at=at,
            loads=loads,
            due_in_an_hour=sum(_due_in_an_hour(desk, load, at) for load in loads if load.waiting),
            claimed=count_of(desk, Listing(index=BY_QUEUE, name=CLAIMED), most=COUNTED),
            quotas=tuple(Quota(scope, taken.get(scope, 0), quota) for scope, quota in quotas.items()),
            held=sum(1 for _ in islice(BrakedItems(desk.aws, table).since(), HELD)),
            policy=Policies(desk.aws, table).in_force(),
        )

    def _look_back(self) -> Day:
        desk = self._desk()
        told = figures(desk, hours=HOURS, most=MOST)
        found = [
            Overturned(path, one.ruled, one.overturned, *wilson(one.overturned, one.ruled))
            for path, one in told.rules.items()
        ]
        return Day(figures=told, closed=self._closed(desk), rules=tuple(found))

    def _closed(self, desk: Desk) -> dict[datetime, int]:
        """By the hour; what is long over is counted once."""
        now = desk.now()
        last = now.replace(minute=0, second=0, microsecond=0)
        hours = [last - timedelta(hours=back) for back in reversed(range(HOURS))]
        counts = {hour: self._hours[hour] if hour in self._hours else rulings_in(desk, hour) for hour in hours}
        over = timedelta(hours=1) + SETTLED
        self._hours = {hour: count for hour, count in counts.items() if now - hour > over}
        return counts


def _due_in_an_hour(desk: Desk, load: Load, at: datetime) -> int:
    until = moment(at + timedelta(hours=1))
    soon = Listing(index=BY_QUEUE, name=waiting_in(load.severity, escalated=load.escalated), until=until)
    return max(0, count_of(desk, soon, most=load.overdue + COUNTED) - load.overdue)
