"""What the audit log says of one item, found without reading the whole of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tasks.aws.session import Aws
from tasks.record.entries import entries_of
from tasks.record.log_objects import LogObject, bodies, objects_between
from tasks.record.standing import Standing

#: An entry is written within moments of what it tells of: a group's time, and how far clocks may differ.
EARLY, SOON = timedelta(seconds=10), timedelta(seconds=90)
#: Or, where S3 was down, by hours later.
LATE = timedelta(hours=3)


@dataclass(slots=True)
class About:
    """Entries about an item, in the order in which things happened."""

    #: Each entry once, with the writer and the line where it stands first.
    entries: list[dict[str, Any]] = field(default_factory=list)
    #: Entries that the item's row speaks of and the log does not hold.
    lacking: list[str] = field(default_factory=list)
    #: Objects of the log that were read for it.
    read: int = 0


def about(aws: Aws, bucket: str, standing: Standing, *, until: datetime | None = None) -> About:
    """The entries about an item. Raises Fault.

    The item's row says when something was done: what was written right after those moments is read. Only where that
    does not hold all that the row speaks of, the hours after them are read too. With `until`, everything is read from
    the item's first moment until then: views, and commands that left no trace on the row.
    """
    said, moments = _Gathering(standing), _moments(standing)
    expected = {entry["entry_id"]: entry["event"] for entry in entries_of(standing)}
    if until:
        said.read(aws, bucket, objects_between(aws, bucket, min(moments), until))
    else:
        for begin, end in _spans(moments, before=EARLY, after=SOON):
            said.read(aws, bucket, _taken(objects_between(aws, bucket, begin, end), begin, end))
        if not said.has(expected):
            for begin, end in _spans(moments, before=timedelta(0), after=LATE):
                said.read(aws, bucket, objects_between(aws, bucket, begin, end))
    lacking = [event for entry_id, event in expected.items() if not said.has([entry_id])]
    return About(entries=said.in_order(), lacking=lacking, read=len(said.keys))


class _Gathering:
    """Entries about an item, as objects of the log are read."""

    def __init__(self, standing: Standing) -> None:
        item = standing.item
        self._item = {"bucket": item.bucket, "key": item.key, "version": item.version}
        #: As the log's lines have it: most need no parsing.
        self._mark = json.dumps(item.key, ensure_ascii=False).encode()
        self._found: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self.keys: set[str] = set()

    def read(self, aws: Aws, bucket: str, objects: Iterable[LogObject]) -> None:
        """Look through objects; none is read twice."""
        for one, body in bodies(aws, bucket, (one for one in objects if one.key not in self.keys)):
            self.keys.add(one.key)
            for row in (body or b"").split(b"\n"):
                if self._mark in row:
                    self._take(one, json.loads(row))

    def has(self, entry_ids: Collection[str]) -> bool:
        """Whether all of these have been found."""
        return all(entry_id in self._found for entry_id in entry_ids)

    def in_order(self) -> list[dict[str, Any]]:
        """By when it happened; what has the same moment in the order of the log."""
        found = sorted(self._found.values(), key=lambda one: one[:2])
        return [entry for _, _, entry in found]

    def _take(self, one: LogObject, line: dict[str, Any]) -> None:
        if line.get("item") == self._item and line["entry_id"] not in self._found:
            at = str(line.get("at") or one.modified.isoformat())
            self._found[line["entry_id"]] = (at, len(self._found), line)


def _moments(standing: Standing) -> list[datetime]:
    """When something was done to it, in order."""
    noted = [*standing.history, *standing.receipts.values()]
    at = {datetime.fromisoformat(str(one["at"])) for one in noted if one.get("at")}
    return sorted(at | ({standing.decided_at} if standing.decided_at else {standing.item.event_time}))


def _spans(moments: Iterable[datetime], *, before: timedelta, after: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """The times around the moments, those that overlap as one."""
    begin = end = None
    for moment in moments:
        if begin is None or end is None or moment - before > end:
            if begin and end:
                yield begin, end
            begin = moment - before
        end = moment + after
    if begin and end:
        yield begin, end


def _taken(objects: Iterable[LogObject], begin: datetime, end: datetime) -> Iterator[LogObject]:
    """Those that S3 took in this time."""
    # S3 tells the time by whole seconds.
    return (one for one in objects if begin - timedelta(seconds=1) <= one.modified <= end)
