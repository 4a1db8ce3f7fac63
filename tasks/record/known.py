"""Known content: lists of exact digests that people have confirmed, as violating or as fine.

An entry is matched by the SHA-256 of the bytes and by nothing else; the ETag and size that may stand with it only say
of which uploads the digest is to be taken (`tasks.record.seen_rows`). What a list means, the policy says.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from tasks.aws.calls import call
from tasks.aws.faults import Fault, Moved
from tasks.aws.rows import row_at, rows_at
from tasks.aws.session import Aws
from tasks.detect.finding import Finding
from tasks.record.gather import Gathering
from tasks.record.seen_rows import LOOKUP_SECONDS, MOST_KEYS

log = structlog.get_logger("modfleet.known")

DETECTOR = "known"
#: 64 hex digits.
SHA256 = re.compile(r"[0-9a-f]{64}")
#: A list's name, as the policy and the label have it.
LIST_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
#: Digits of a digest that name an entry.
ENTRY_DIGITS = 16
#: Seconds until a process hears that a list has got its first entry ever. All others are heard of at once.
LISTS_SECONDS = 5.0
#: Digests in one lookup, each of which is looked for on every list.
MOST_DIGESTS = 25

#: The row that names the lists which have ever had an entry: where there are none, nobody looks.
_LISTS = {"location": {"S": "known#"}, "version": {"S": "lists"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One content on a list. Times are ISO 8601, UTC."""

    list: str
    sha256: str
    reason: str
    added_by: str
    added_at: str
    #: Where it came from: an item's location, a file's name, or nothing.
    source: str = ""
    #: `ETAG-SIZE` of the uploads whose digest is to be taken; empty where they are not known.
    hint: str = ""

    @property
    def name(self) -> str:
        """The entry's name in findings: the beginning of its digest."""
        return self.sha256[:ENTRY_DIGITS]


class Known:
    """The lists, in the items table. Methods raise the faults of `tasks.aws.faults`, except `find`."""

    def __init__(self, aws: Aws, *, table: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._aws, self._table, self._clock = aws, table, clock
        self._find = Gathering[str, list[str]](self._read, most=MOST_DIGESTS)
        self._lists: frozenset[str] = frozenset()
        self._lists_at = float("-inf")

    def find(self, sha256: str, *, lists: Collection[str], hinted: bool = False) -> tuple[Finding, ...]:
        """`known/LIST/ENTRY` for each of these lists that the content is on; none where the table fails.

        `hinted` says that it is on one, or was.
        """
        try:
            found = self._find(sha256) if self._used(hinted=hinted) & set(lists) else None
        except Fault as fault:
            log.warning("not_recalled", code=fault.code, call=fault.call)
            return ()
        names = [f"known/{name}/{sha256[:ENTRY_DIGITS]}" for name in found or () if name in lists]
        return tuple(
            Finding(detector=DETECTOR, detector_version="sha256", label=name, confidence=100.0) for name in names
        )

    def add(self, entry: Entry) -> bool:
        """Put content on a list; False where it is on it already, which changes nothing."""
        row = {name: {"S": getattr(entry, name)} for name in Entry.__dataclass_fields__ if name != "list"}
        try:
            call(
                self._aws.store,
                self._aws.dynamodb.put_item,
                TableName=self._table,
                Item={**row, **_key(entry.list, entry.sha256)},
                ConditionExpression="attribute_not_exists(sha256)",
            )
        except Moved:
            return False
        return True

    def name_lists(self, names: Collection[str]) -> None:
        """These lists have entries from now on."""
        call(
            self._aws.store,
            self._aws.dynamodb.update_item,
            TableName=self._table,
            Key=_LISTS,
            UpdateExpression="ADD lists :lists",
            ExpressionAttributeValues={":lists": {"SS": sorted(names)}},
        )

    def remove(self, name: str, sha256: str) -> Entry | None:
        """Take content off a list; None where it is not on it."""
        answer = call(
            self._aws.store,
            self._aws.dynamodb.delete_item,
            TableName=self._table,
            Key=_key(name, sha256),
            ReturnValues="ALL_OLD",
        )
        return _entry(answer["Attributes"]) if "Attributes" in answer else None

    def lists(self) -> frozenset[str]:
        """Every list that has ever had an entry."""
        row = row_at(self._aws, self._table, _LISTS) or {}
        return frozenset(row.get("lists", {"SS": []})["SS"])

    def entries(self, name: str, *, begins: str = "") -> Iterator[Entry]:
        """A list's entries by digest, all or those whose digest begins so."""
        return map(_entry, rows_at(self._aws, self._table, _location(name), begins=begins))

    def _used(self, *, hinted: bool) -> frozenset[str]:
        if hinted or self._clock() - self._lists_at > LISTS_SECONDS:
            self._lists, self._lists_at = self.lists(), self._clock()
        return self._lists

    def _read(self, digests: Sequence[str]) -> dict[str, list[str]]:
        """Digest -> the lists that it is on."""
        found: dict[str, list[str]] = {}
        keys = [_key(name, sha256) for sha256 in digests for name in sorted(self._lists)]
        for start in range(0, len(keys), MOST_KEYS):
            answer = call(
                self._aws.store.within(LOOKUP_SECONDS),
                self._aws.dynamodb.batch_get_item,
                RequestItems={self._table: {"Keys": keys[start : start + MOST_KEYS], "ConsistentRead": True}},
            )
            for row in answer.get("Responses", {}).get(self._table, ()):
                found.setdefault(row["sha256"]["S"], []).append(_entry(row).list)
        return found


def _location(name: str) -> str:
    return f"known#{name}"


def _key(name: str, sha256: str) -> dict[str, Any]:
    return {"location": {"S": _location(name)}, "version": {"S": sha256}}


def _entry(row: dict[str, Any]) -> Entry:
    said = {name: row[name]["S"] for name in Entry.__dataclass_fields__ if name != "list"}
    return Entry(list=row["location"]["S"].removeprefix("known#"), **said)
