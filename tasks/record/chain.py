"""A writer's chain of audit lines (pure): how a line is sealed, and what is wrong with what is read back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: What the first line of a writer's chain names as the line before it.
GENESIS = "0" * 64

_KEY = re.compile(r"log/\d{4}/\d\d/\d\d/\d\d/(?P<writer>[^/]+)-(?P<number>\d{8,})\.jsonl")


def line_hash(line: Mapping[str, Any]) -> str:
    """The hash of a log line: SHA-256 of its sorted compact JSON without `hash`."""
    return hashlib.sha256(compact({k: v for k, v in line.items() if k != "hash"}).encode()).hexdigest()


def compact(line: Mapping[str, Any]) -> str:
    """A line as it stands in the log."""
    return json.dumps(line, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def key_of(writer: str, number: int, *, at: datetime) -> str:
    """The key of a writer's object: sorted by hours, then by writers, then by their numbers."""
    return f"log/{at:%Y/%m/%d/%H}/{writer}-{number:08d}.jsonl"


def writer_and_number(key: str) -> tuple[str, int] | None:
    """Whose object this is, and which of theirs; None where no writer would call one so."""
    named = _KEY.fullmatch(key)
    return (named["writer"], int(named["number"])) if named else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A writer's last object: its number, key and time of sealing, and the number and hash of its last line."""

    writer: str
    objects: int
    lines: int
    hash: str
    key: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something in the log that its writer did not leave so.

    `line` is the writer's count, `place` the line's number in the object; None where it is about more than one line.
    """

    what: str
    writer: str
    key: str
    line: int | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of an object. `hash` and `prev` are None where the line is not what was written."""

    place: int
    number: int
    prev: str | None
    hash: str | None


class Chain:
    """One writer's chain, as far as it has been read. `take` its objects in order."""

    def __init__(self, writer: str, *, heads: Iterable[Head] = ()) -> None:
        """`heads` are what was recorded of it at any time."""
        self.writer = writer
        #: The last object and line that were read; None before any.
        self.objects: int | None = None
        self.lines = 0
        self.hash: str | None = GENESIS
        #: Lines that were read.
        self.read = 0
        self._heads = {head.objects: head for head in heads}

    @property
    def has_head(self) -> bool:
        """Whether how far it has come was ever recorded, in the time that is looked at."""
        return bool(self._heads)

    def begin_with(self, body: bytes, *, number: int, before: bytes | None) -> None:
        """Begin in the middle: `body` and `number` are the next object's, `before` the bytes of the one before it.

        Where that one is not known, or its last line is not what was written, nothing is said of how this follows it.
        """
        last = _read((before or b"").rstrip(b"\n").rsplit(b"\n", 1)[-1], place=0, expected=0)
        first = _read(body.split(b"\n", 1)[0], place=1, expected=last.number + 1)
        self.objects, self.lines, self.hash = number - 1, last.number if last.hash else first.number - 1, last.hash

    def take(self, key: str, body: bytes, *, number: int) -> list[Problem]:
        """What is wrong with the next object, by its key and bytes, and with how it follows on the one before."""
        before = self.objects or 0
        if number <= before:
            return [self._problem(f"an object that was added: number {number} comes after {before}", key)]
        problems, lines = self._lines_of(key, body)
        if number > before + 1:
            problems.insert(0, self._problem(_missing(before + 1, number - 1, lines=self._gap(lines)), key))
            self.hash, self.lines = None, lines[0].number - 1 if lines else self.lines
        problems += self._follow(key, lines)
        self.objects = number
        self.read += len(lines)
        if (head := self._heads.get(number)) and self.hash is not None and head.hash != self.hash:
            what = f"not what was recorded of it at {head.at.isoformat()}: it was rewritten, or lines were cut off"
            problems.append(self._problem(what, key, line=head.lines))
        return problems

    def lost(self) -> list[Problem]:
        """What was recorded as written and has not been read: the tail of the chain, or all of it."""
        last = max(self._heads.values(), key=lambda head: head.objects, default=None)
        if last is None or last.objects <= (self.objects or 0):
            return []
        what = (
            f"{_missing((self.objects or 0) + 1, last.objects, lines=(self.lines + 1, last.lines))}: the tail is lost"
        )
        return [self._problem(what, last.key, line=last.lines)]

    def _lines_of(self, key: str, body: bytes) -> tuple[list[Problem], list[_Line]]:
        """The object's lines by number, each once, and what is wrong with single ones and their order."""
        rows = body.split(b"\n")
        problems = [] if rows[-1] == b"" else [self._problem("it does not end with a whole line", key)]
        read: list[_Line] = []
        highest = self.lines
        for place, row in enumerate(rows if rows[-1] else rows[:-1], start=1):
            line = _read(row, place=place, expected=highest + 1, writer=self.writer)
            highest = max(highest, line.number)
            read.append(line)
            if line.hash is None:
                problems.append(self._problem("the line was changed, or added", key, line=line.number, place=place))
        if not read:
            problems.append(self._problem("it has no line", key))
        return [*problems, *self._disorder(key, read)], _each_once(read)

    def _disorder(self, key: str, read: Sequence[_Line]) -> list[Problem]:
        highest, problems = 0, []
        seen: set[int] = set()
        for line in (line for line in read if line.hash is not None and line.number > self.lines):
            if line.number in seen:
                what = "the line was added: it is there twice"
                problems.append(self._problem(what, key, line=line.number, place=line.place))
            elif line.number < highest:
                what = f"the lines were reordered: it stands after line {highest}"
                problems.append(self._problem(what, key, line=line.number, place=line.place))
            seen.add(line.number)
            highest = max(highest, line.number)
        return problems

    def _follow(self, key: str, lines: Sequence[_Line]) -> list[Problem]:
        """What is wrong with how sorted lines follow on what was read before, which they then are."""
        problems = []
        for line in lines:
            if line.number > self.lines + 1:
                what = f"{_span('line', self.lines + 1, line.number - 1)} before it was removed"
                problems.append(self._problem(what, key, line=line.number, place=line.place))
            elif line.number <= self.lines:
                what = f"the line was added: line {self.lines} came before"
                problems.append(self._problem(what, key, line=line.number, place=line.place))
                continue
            elif line.prev is not None and self.hash is not None and line.prev != self.hash:
                what = "it does not follow on the line before it: one of both was rewritten"
                problems.append(self._problem(what, key, line=line.number, place=line.place))
            self.lines, self.hash = line.number, line.hash
        return problems

    def _gap(self, lines: Sequence[_Line]) -> tuple[int, int] | None:
        return (self.lines + 1, lines[0].number - 1) if lines else None

    def _problem(self, what: str, key: str, *, line: int | None = None, place: int | None = None) -> Problem:
        return Problem(what=what, writer=self.writer, key=key, line=line, place=place)


def first_after(body: bytes) -> str | None:
    """The key of the object before this one, as its first line names it; None where it names none."""
    try:
        line = json.loads(body.split(b"\n", 1)[0])
    except ValueError:
        return None
    after = line.get("after") if isinstance(line, dict) else None
    return after if isinstance(after, str) else None


def _read(row: bytes, *, place: int, expected: int, writer: str | None = None) -> _Line:
    """A line; without its hash where it is not, to the letter, what a writer wrote."""
    try:
        line = json.loads(row)
        number = line["line"] if type(line["line"]) is int else expected
        said, prev = str(line["hash"]), str(line["prev"])
        whole = compact(line).encode() == row and (writer is None or line["writer"] == writer)
    except (ValueError, TypeError, KeyError, RecursionError):
        return _Line(place, expected, None, None)
    # What was hashed is the row without this: a key in a text has its quotes escaped, so it stands there once.
    true = whole and hashlib.sha256(row.replace(f'"hash":"{said}",'.encode(), b"", 1)).hexdigest() == said
    return _Line(place, number if true else expected, prev if true else None, said if true else None)


def _each_once(read: Sequence[_Line]) -> list[_Line]:
    """Lines by number; of several with one number, the one that is what was written."""
    lines: dict[int, _Line] = {}
    for line in read:
        if line.number not in lines or lines[line.number].hash is None:
            lines[line.number] = line
    return [lines[number] for number in sorted(lines)]


def _missing(first: int, last: int, *, lines: tuple[int, int] | None) -> str:
    of = f" ({_span('line', *lines)})" if lines and lines[0] <= lines[1] else ""
    return f"{_span('object', first, last)}{of} missing"


def _span(what: str, first: int, last: int) -> str:
    return f"{what} {first}" if first == last else f"{what}s {first} to {last}"
