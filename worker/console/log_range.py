"""Hours of the audit log: what a form asks for, and as much of it as a page holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.record.chain import Problem
from tasks.record.heads import Heads
from tasks.record.log_objects import bodies, objects_between
from tasks.record.verify import verify
from worker.console.refusal import Refused

#: Entries of one page; and objects that are read for it, in which there may be none that are wanted.
ROWS, OBJECTS = 300, 200
#: Hours that one click verifies.
DAY = 24
#: Problems that are shown of an hour.
PROBLEMS = 20

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """From the beginning of one hour to the end of another. UTC."""

    since: datetime
    #: The beginning of the last one.
    until: datetime

    def __iter__(self) -> Iterator[datetime]:
        """The beginning of each."""
        count = (self.until - self.since) // HOUR + 1
        return (self.since + HOUR * number for number in range(count))

    def __len__(self) -> int:
        """How many there are."""
        return (self.until - self.since) // HOUR + 1

    @property
    def name(self) -> str:
        """For a file: `20261122T06-20261122T07`."""
        return f"{self.since:%Y%m%dT%H}-{self.until:%Y%m%dT%H}"


@dataclass(slots=True)
class Part:
    """Some entries of the log."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    #: Objects that were read for them.
    read: int = 0
    #: The last of them, where there are more behind it.
    after: str = ""


@dataclass(slots=True)
class Proof:
    """How verifying went, as far as it has come."""

    lines: int = 0
    objects: int = 0
    found: int = 0
    #: Why it went no further.
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class ProvedHour:
    """One hour of the log."""

    hour: datetime
    lines: int
    objects: int
    writers: int
    found: int
    problems: tuple[Problem, ...]


def hours_of(since: str, until: str, *, now: datetime, most: int = 0) -> Hours:
    """The hours that a form names (`2026-11-22T06:00`, UTC); the last two where it names none. Raises Refused (422).

    `most` is how many there may be at once; 0 is any number.
    """
    end = min(_hour(until) if until else now, now).replace(minute=0, second=0, microsecond=0)
    begin = _hour(since) if since else end - HOUR
    if begin > end:
        raise Refused(422, "No such time", "The time from which to read is after the time until which to read.")
    hours = Hours(begin, end)
    if most and len(hours) > most:
        raise Refused(
            422, "Too much at once", f"At most {most} hours here; `modfleet audit` in a terminal reads any number."
        )
    return hours


def part_of(desk: Desk, hours: Hours, *, wanted: Callable[[dict[str, Any]], bool], after: str = "") -> Part:
    """The first entries in some hours that are `wanted`, or those behind an object. Raises Fault.

    Bounded, whatever the log holds: a few pages' worth of objects.
    """
    part, last = Part(), ""
    bucket = desk.settings.audit_bucket
    objects = objects_between(desk.aws, bucket, hours.since, hours.until, after=after)
    for one, body in bodies(desk.aws, bucket, islice(objects, OBJECTS)):
        part.read, last = part.read + 1, one.key
        part.entries += filter(wanted, map(json.loads, filter(None, (body or b"").split(b"\n"))))
        if len(part.entries) >= ROWS:
            break
    part.after = last if len(part.entries) >= ROWS or part.read == OBJECTS else ""
    return part


def prove(desk: Desk, hours: Iterable[datetime], proof: Proof) -> Iterator[ProvedHour]:
    """Verify hour by hour, and tell of each as soon as it is read; `proof` adds up."""
    bucket = desk.settings.audit_bucket
    heads = Heads(desk.aws, desk.settings.items_table, bucket)
    for hour in hours:
        try:
            said = verify(desk.aws, bucket=bucket, heads=heads, since=hour, until=hour)
        except Fault as fault:
            proof.stopped = str(fault)
            return
        proof.lines, proof.objects = proof.lines + said.lines, proof.objects + said.objects
        proof.found += said.found
        problems = tuple(said.problems[:PROBLEMS])
        yield ProvedHour(hour, said.lines, said.objects, said.writers, said.found, problems)


def in_chunks(lines: Iterable[str], *, size: int = 500) -> Iterator[str]:
    """So many lines at a time: each chunk that is sent costs as much as a line."""
    left = iter(lines)
    while chunk := "".join(islice(left, size)):
        yield chunk


def _hour(said: str) -> datetime:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise Refused(422, "No such time", "A time is written as 2026-11-22T06:00, in UTC.") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
