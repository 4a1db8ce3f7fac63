"""The budget: daily caps that the fleet shares. What is over one is not looked at today: it is held, never allowed.

Every process has one row a day, in which it says what it has used up since midnight (UTC), as totals, so that writing
it twice does no harm; every few seconds it writes its own and reads the others'. A fleet may therefore pass a cap by
what it uses up within those seconds, and by what is under way.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import structlog

from config.caps import Cap
from config.prices import Prices
from tasks.aws.calls import call as call_aws
from tasks.aws.faults import Fault, Rationed, Unreadable
from tasks.aws.limiter import gives_way
from tasks.aws.rows import rows_at

if TYPE_CHECKING:
    from tasks.aws.session import Aws

log = structlog.get_logger("modfleet.budget")

#: The slug of the finding.
OVER = "over-budget"
#: Rescans stop at this share of a cap: what is uploaded tonight must be looked at too.
RESCAN_SHARE = 0.8
#: Seconds until a rescan that found no budget asks again; SQS delays no message longer.
ASK_AGAIN = 900.0
#: They fetch what has been paid for.
PAID_FOR = ("rekognition.GetContentModeration",)
#: Days that a day's rows are kept.
KEPT_DAYS = 3
#: Less is nothing.
_CRUMB = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class CapState:
    """How a cap stands today, in the whole fleet as far as this process knows."""

    name: str
    unit: str
    limit: float
    spent: float
    #: Calls that were not made because of it, as it is: raised, it has refused none.
    refused: int

    @property
    def over(self) -> bool:
        """Whether something was refused today, or the next call would be."""
        return self.refused > 0 or self.spent > self.limit - _CRUMB


@dataclass(slots=True)
class _Used:
    """Of one day: units used up, and cap, limit included -> calls refused."""

    units: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Today:
    day: date
    own: _Used = field(default_factory=_Used)
    #: None until they have been read.
    others: _Used | None = None


class Budget:
    """A Guard that refuses calls over a cap. Every method is safe to call from any thread."""

    def __init__(
        self,
        aws: Aws,
        *,
        table: str,
        caps: tuple[Cap, ...],
        prices: Prices,
        writer: str,
        now: Callable[[], datetime],
    ) -> None:
        """`aws` must not be guarded by this budget; `writer` names this process and no other."""
        self._aws, self._table, self._writer, self._now = aws, table, writer, now
        self._caps, self._prices = caps, prices
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._today = _Today(now().date())
        #: Thread -> the call it is making. A call that another guard withheld ends with the thread's next one.
        self._under_way: dict[int, str] = {}
        self._stirred = self._unheard = False

    def before(self, call: str) -> None:
        """Raise Unreadable (`over-budget`) where a cap is reached; Rationed where a rescan is to leave the rest."""
        self._landed()
        detector = self._prices.detector_of(call)
        caps = [cap for cap in self._caps if detector in cap.detectors]
        if not caps or call in PAID_FOR:
            return
        self._know_others()
        with self._lock:
            self._stirred = True
            full = next((cap for cap in caps if self._is_full(cap, call)), None)
            if full is None:
                self._under_way[threading.get_ident()] = call
                return
            first = not self._now_used().own.refused[str(full)]
            self._today.own.refused[str(full)] += 1
        self._refuse(full, call, first=first)

    def after(self, call: str, *, seconds: float, fault: Fault | None) -> None:  # noqa: ARG002  # a Guard's signature
        """The call is over; what it used up is told to `use`."""
        self._landed()

    def use(self, unit: str, amount: float) -> None:
        """So much was used up."""
        if self._prices.detector_of(unit) is None:
            return
        with self._lock:
            self._stirred = True
            self._now_used().own.units[unit] += amount  # type: ignore[assignment]  # minutes come in fractions

    def exchange(self) -> None:
        """Tell the fleet what this process has used up, and hear of the others; nothing where nobody asked."""
        with self._lock:
            stirred, self._stirred = self._stirred, False
        if not stirred:
            return
        try:
            self._tell()
            self._hear()
        except Fault as fault:
            # What is known goes on to count; it is told with the next that stirs.
            if not self._unheard:
                log.warning("budget_not_told", why=str(fault))
            self._unheard = self._stirred = True
        else:
            self._unheard = False

    def states(self) -> list[CapState]:
        """How each cap stands as far as this process knows."""
        with self._lock:
            return [self._state(cap) for cap in self._caps]

    def look(self) -> list[CapState]:
        """How each cap stands in the fleet now. Raises Fault."""
        self._hear()
        return self.states()

    def _landed(self) -> None:
        with self._lock:
            self._under_way.pop(threading.get_ident(), None)

    def _know_others(self) -> None:
        """Read the others' rows before the day's first call: a process that starts has no budget of its own."""
        if not self._knows():
            with self._reading:
                if not self._knows():
                    self._hear()

    def _knows(self) -> bool:
        with self._lock:
            return self._now_used().others is not None

    def _now_used(self) -> _Today:
        """Today's; a new day begins with nothing."""
        if (day := self._now().date()) != self._today.day:
            self._today = _Today(day)
        return self._today

    def _is_full(self, cap: Cap, call: str) -> bool:
        takes = {name: cap.takes(name, self._prices) for name in {call, *self._under_way.values()}}
        under_way = sum(takes[name] for name in self._under_way.values())
        share = RESCAN_SHARE if gives_way() else 1.0
        room = cap.limit * share - self._state(cap).spent - under_way
        return room < max(takes[call] - _CRUMB, _CRUMB)

    def _state(self, cap: Cap) -> CapState:
        today = self._now_used()
        sides = [today.own, *([today.others] if today.others else [])]
        return CapState(
            name=cap.name,
            unit=cap.unit,
            limit=cap.limit,
            spent=sum(cap.spent(side.units, self._prices) for side in sides),
            refused=sum(side.refused[str(cap)] for side in sides),
        )

    def _refuse(self, cap: Cap, call: str, *, first: bool) -> None:
        midnight = datetime.combine(self._now().date() + timedelta(days=1), time(), UTC)
        if first:
            log.error("over_budget", cap=cap.name, limit=cap.limit, unit=cap.unit, until=midnight.isoformat())
        why = f"{cap} are spent"
        if gives_way():
            left = min(ASK_AGAIN, (midnight - self._now()).total_seconds())
            raise Rationed(why, call=call, retry_after=random.uniform(left / 2, left) + 1)  # noqa: S311  # jitter
        raise Unreadable(why, call=call, reason=OVER)

    def _tell(self) -> None:
        with self._lock:
            today = self._now_used()
            units, refused = json.dumps(today.own.units), json.dumps(today.own.refused)
        expires = datetime.combine(today.day + timedelta(days=KEPT_DAYS), time(), UTC).timestamp()
        row = {
            "location": {"S": _location(today.day)},
            "version": {"S": self._writer},
            "units": {"S": units},
            "refused": {"S": refused},
            "expires": {"N": str(round(expires))},
        }
        call_aws(self._aws.store, self._aws.dynamodb.put_item, TableName=self._table, Item=row)

    def _hear(self) -> None:
        day, others = self._now().date(), _Used()
        for row in rows_at(self._aws, self._table, _location(day)):
            if row["version"]["S"] != self._writer:
                others.units.update(json.loads(row["units"]["S"]))
                others.refused.update(json.loads(row["refused"]["S"]))
        with self._lock:
            if self._now_used().day == day:
                self._today.others = others


def _location(day: date) -> str:
    return f"spent#{day.isoformat()}"
