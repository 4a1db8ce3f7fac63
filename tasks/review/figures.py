"""How review does: rulings an hour, how long they took, and how often people overturn which rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import quantiles

from tasks.decide.rule_path import path_of
from tasks.desk import Desk
from tasks.review.asked import OVERTURNED, outcome_of
from tasks.review.case import BY_QUEUE, CLOSED, Ask, Case, Kind
from tasks.review.rows import Listing, cases_of, count_of
from tasks.review.severity import moment

#: Closed cases that one look goes through, the newest first: more are not needed to tell a share.
MOST = 10_000
#: An hour's rulings are counted no further.
COUNTED = 10_000
#: By what a person overturns the machine: it had held what may stay.
LET_GO = (Kind.ALLOW, Kind.RESTORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRule:
    """What became of cases of one rule."""

    ruled: int
    overturned: int

    @property
    def rate(self) -> float:
        """The share that was overturned, 0-1."""
        return self.overturned / self.ruled if self.ruled else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Rulings that were carried out in some hours. Times are seconds from the case's opening to the ruling."""

    hours: int
    #: Cases that it tells of; `capped` where there were more.
    ruled: int
    capped: bool
    by_kind: Mapping[str, int] = field(default_factory=dict)
    #: Severity -> (median, 90th percentile).
    seconds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    #: Of those, ruled after they were due.
    late: int = 0
    #: By path of rule, the most often overturned first; appeals and reports aside.
    rules: Mapping[str, OfRule] = field(default_factory=dict)
    #: What came of appeals: outcome -> how many, and by path of the rule that was appealed.
    appeals: Mapping[str, int] = field(default_factory=dict)
    appealed_rules: Mapping[str, OfRule] = field(default_factory=dict)


def figures(desk: Desk, *, hours: int = 24, most: int = MOST) -> Figures:
    """What people have ruled in the last hours: a Query for each hour, at most so many cases. Raises Fault."""
    closed = [case for case in _closed(desk, hours=hours, most=most) if case.ruling]
    asked = [(case, outcome_of(case.appeal, case.result)) for case in closed if is_appeal(case) and case.appeal]
    return Figures(
        hours=hours,
        ruled=len(closed),
        capped=len(closed) >= most,
        by_kind=Counter(case.ruling.kind.value for case in closed if case.ruling),
        seconds={severity: _middle_and_most(times) for severity, times in _times(closed).items()},
        late=sum(bool(case.ruling and case.due_at and case.ruling.at > case.due_at) for case in closed),
        rules=_by_rule((case, is_overturned(case)) for case in closed if not case.appeal),
        appeals=Counter(outcome for _, outcome in asked if outcome),
        appealed_rules=_by_rule((case, outcome == OVERTURNED) for case, outcome in asked),
    )


def rulings_in(desk: Desk, hour: datetime) -> int:
    """Cases that were closed in an hour (UTC), counted up to COUNTED. Raises Fault."""
    return count_of(desk, _hour(hour), most=COUNTED)


def _hour(hour: datetime, *, newest_first: bool = False) -> Listing:
    return Listing(index=BY_QUEUE, name=f"{CLOSED}{moment(hour)[:13]}", newest_first=newest_first)


def _closed(desk: Desk, *, hours: int, most: int) -> Iterator[Case]:
    """The newest first."""
    left = most
    for back in range(hours):
        for case in cases_of(desk, _hour(desk.now() - timedelta(hours=back), newest_first=True), most=left, page=500):
            left -= 1
            yield case
        if left <= 0:
            return


def _times(closed: list[Case]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    for case in closed:
        assert case.ruling is not None  # they were chosen by it
        took = datetime.fromisoformat(case.ruling.at) - datetime.fromisoformat(case.opened_at)
        times.setdefault(case.severity, []).append(took.total_seconds())
    return times


def _middle_and_most(times: list[float]) -> tuple[float, float]:
    deciles = quantiles(times, n=10, method="inclusive") if len(times) > 1 else times * 9
    return round(deciles[4], 3), round(deciles[8], 3)


def is_appeal(case: Case) -> bool:
    """Whether somebody asked for another look at what was decided."""
    return case.appeal is not None and case.appeal.ask is Ask.APPEAL


def is_overturned(case: Case) -> bool:
    """Whether a person has let go what the machine had held."""
    return case.ruling is not None and case.ruling.kind in LET_GO


def _by_rule(closed: Iterable[tuple[Case, bool]]) -> dict[str, OfRule]:
    """Of cases and whether each was overturned."""
    ruled, overturned = Counter[str](), Counter[str]()
    for case, is_so in closed:
        paths = {path_of(rule) for rule in case.rules}
        ruled.update(paths)
        if is_so:
            overturned.update(paths)
    found = {path: OfRule(ruled=count, overturned=overturned[path]) for path, count in ruled.items()}
    return dict(sorted(found.items(), key=lambda one: (-one[1].rate, -one[1].ruled, one[0])))
