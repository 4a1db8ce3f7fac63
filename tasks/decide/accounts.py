"""Accounts: what violations come to for the one who uploads them: strikes that count for a while (pure).

An account is a log of marks in the order in which they were written: strikes, and what takes strikes back. All else is
read from the log: how many strikes count at a time, where the account stands, and which mark led where.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from tasks.decide.rule_path import paths_of, said_of
from tasks.detect.finding import Finding

#: Where an account can come to, each further than the one before.
STEPS = ("warn", "limit", "suspend")
#: Below all of them.
CLEAR = "none"
#: Marks that one account remembers, and how many are left of them once there are more: a DynamoDB row holds 400 KB.
MOST_MARKS, LEFT_MARKS = 100, 50
#: As long as a message can wait on its queue and then on its dead-letter queue, so long may a mark be asked for again:
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
SETTLED = timedelta(days=28)
#: Why strikes are taken back: what was taken down is there again, or a person has said so.
RESTORED, FORGIVEN = "restored", "forgiven"
#: The id of the strike that stands for all those that are not remembered one by one.
OLDER = "older"
_OF_PARTS = "part/"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRules:
    """The `accounts` section."""

    #: By the path of a rule, or `default`, whole numbers; what is below a path inherits.
    strikes: Mapping[str, int]
    #: Days that a strike counts.
    decay: int
    #: Of STEPS, those that there are: the strikes from which an account stands there, ascending.
    thresholds: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One takedown, as its uploader's account remembers it."""

    #: Names the decision: the same decision gives one strike, however often it is acted on.
    id: str
    #: `s3://BUCKET/KEY` and the version, of what was taken down.
    location: str
    version: str
    rules: tuple[str, ...] = ()
    #: How many strikes it is; at least one.
    points: int
    #: When it was decided, and until when it counts.
    at: datetime
    until: datetime
    #: Of a post: its parts, by `place`. A part's own strike does not count as long as that of its post stands.
    instead_of: tuple[str, ...] = ()
    #: The policy's, of that time.
    thresholds: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """Strikes that were taken back: all that stood in the log before it and that it is about."""

    id: str
    #: Of this item; of all versions where it is empty, of all items where the location is.
    location: str
    version: str
    #: RESTORED or FORGIVEN.
    why: str
    at: datetime
    thresholds: Mapping[str, int] = field(default_factory=dict)

    def covers(self, strike: Strike) -> bool:
        """Whether it is about a strike."""
        here = self.location in ("", strike.location)
        return here and self.version in ("", strike.version)


Mark = Strike | Lift
Log = Sequence[Mark]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Where a mark has brought an account."""

    mark: Mark
    #: STEPS or CLEAR.
    before: str
    after: str
    #: All that count after it.
    strikes: int
    #: When the account stands lower by itself, if nothing more happens; None where it cannot.
    expires_at: datetime | None

    @property
    def event(self) -> str:
        """What the application is told."""
        return self.after if _height(self.after) > _height(self.before) else "lifted"


#: Nobody is given a strike.
NO_ACCOUNTS = AccountRules(strikes=MappingProxyType({}), decay=90, thresholds=MappingProxyType({}))


def strikes_for(rules: Iterable[str], findings: Iterable[Finding], accounts: AccountRules) -> int:
    """How many strikes a takedown is, by the names of the rules that led to it: those of the worst of them.

    That a part of a post was taken down says nothing beside what was seen in that part.
    """
    paths = paths_of(rules, findings)
    own = [path for path in paths if not path.startswith(_OF_PARTS)]
    return max((said_of(path, accounts.strikes) or 0 for path in own or paths), default=0)


def counting(log: Log, at: datetime) -> tuple[Strike, ...]:
    """The strikes that count at a time: not taken back, not decayed, and those of a post instead of its parts'."""
    standing: list[Strike] = []
    for mark in log:
        if isinstance(mark, Strike):
            standing.append(mark)
        else:
            standing = _left(standing, mark)
    parts = {part for number in range(len(standing)) for part in _parts_of(standing, number)}
    return tuple(strike for strike in standing if strike.until > at and strike.id not in parts)


def place(location: str) -> str:
    """16 hex digits that stand for a location, which can be a thousand bytes long."""
    return hashlib.sha256(location.encode()).hexdigest()[:16]


def points(strikes: Iterable[Strike]) -> int:
    """Strikes in all."""
    return sum(strike.points for strike in strikes)


def step_at(strikes: int, thresholds: Mapping[str, int]) -> str:
    """Where an account stands with so many strikes."""
    return next((step for step in reversed(STEPS) if strikes >= thresholds.get(step, strikes + 1)), CLEAR)


def change_by(log: Log, mark_id: str) -> Change | None:
    """Where a mark has brought the account when it was written; None where that was nowhere, or there is no such mark.

    It is the same answer whenever it is asked for: what was written later does not matter.
    """
    number = next((number for number, mark in enumerate(log) if mark.id == mark_id), None)
    if number is None:
        return None
    mark = log[number]
    earlier, now = counting(log[:number], mark.at), counting(log[: number + 1], mark.at)
    before, after = (step_at(points(strikes), mark.thresholds) for strikes in (earlier, now))
    if before == after:
        return None
    expires_at = falls_at(now, mark.thresholds)
    return Change(mark=mark, before=before, after=after, strikes=points(now), expires_at=expires_at)


def lifted_by(log: Log, lift_id: str) -> tuple[Strike, ...]:
    """The strikes that counted until a lift was written; none where there is no such lift."""
    number = next((number for number, mark in enumerate(log) if mark.id == lift_id), None)
    if number is None:
        return ()
    earlier, now = (counting(part, log[number].at) for part in (log[:number], log[: number + 1]))
    return tuple(strike for strike in earlier if strike not in now)


def changes(log: Log) -> Iterator[Change]:
    """Every mark that has brought the account somewhere else, in their order."""
    return (change for mark in log if (change := change_by(log, mark.id)))


def falls_at(strikes: Iterable[Strike], thresholds: Mapping[str, int]) -> datetime | None:
    """When an account with these strikes stands lower than now, if nothing more happens; None where it stands low."""
    left = sorted(strikes, key=lambda strike: strike.until)
    here = step_at(points(left), thresholds)
    if here == CLEAR:
        return None
    return next(
        strike.until for number, strike in enumerate(left) if step_at(points(left[number + 1 :]), thresholds) != here
    )


def tidied(log: Log, now: datetime) -> tuple[Mark, ...]:
    """The log without what cannot matter any more; the oldest marks of one that is too long are merged into one."""
    left = _unsettled(log, now - SETTLED)
    if len(left) <= MOST_MARKS:
        return left
    merged = {mark.id for mark in left[:-LEFT_MARKS]}
    counted = [strike for strike in counting(left, now) if strike.id in merged]
    recent = left[-LEFT_MARKS:]
    return (_merged(counted), *recent) if counted else recent


def _unsettled(log: Log, since: datetime) -> tuple[Mark, ...]:
    """Without strikes that decayed before then, and what was taken back before then."""
    left: list[Mark] = []
    for mark in log:
        if isinstance(mark, Lift) and mark.at < since:
            kept = _left([one for one in left if isinstance(one, Strike)], mark)
            left = [one for one in left if isinstance(one, Lift) or one in kept]
        elif isinstance(mark, Lift) or mark.until >= since:
            left.append(mark)
    return tuple(left)


def _merged(strikes: Sequence[Strike]) -> Strike:
    """The newest of them, which counts for all: they are older than every strike that is remembered."""
    last = max(strikes, key=lambda strike: strike.until)
    return replace(last, id=OLDER, location="", version="", rules=(), points=points(strikes), instead_of=())


def _left(standing: Sequence[Strike], lift: Lift) -> list[Strike]:
    """What a lift leaves. With a post, its parts are forgiven; where it alone was restored, they are what they were."""
    lifted = {strike.id for strike in standing if lift.covers(strike)}
    if lift.why == FORGIVEN:
        posts = [number for number, strike in enumerate(standing) if strike.id in lifted]
        lifted |= {part for number in posts for part in _parts_of(standing, number)}
    return [strike for strike in standing if strike.id not in lifted]


def _parts_of(strikes: Sequence[Strike], number: int) -> Iterator[str]:
    """The ids of the strikes that one of a post stands for: the last before it of each part."""
    for part in strikes[number].instead_of:
        own = [strike.id for strike in strikes[:number] if place(strike.location) == part]
        yield from own[-1:]


def _height(step: str) -> int:
    return STEPS.index(step) + 1 if step in STEPS else 0
