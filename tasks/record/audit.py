"""The audit log: append-only JSON lines in S3, chained by hash, written in groups before a message is deleted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Fault, Moved
from tasks.aws.session import Aws
from tasks.record.chain import GENESIS, Head, compact, key_of, line_hash
from tasks.record.heads import Heads

__all__ = ["GENESIS", "AuditLog", "line_hash"]

Entry = Mapping[str, Any]


@dataclass(slots=True)
class _Group:
    """Entries that go into one object, and how it went."""

    entries: list[Entry] = field(default_factory=list)
    written: threading.Event = field(default_factory=threading.Event)
    #: Cleared once the object is in S3, and by nothing else.
    fault: Fault | None = field(default_factory=lambda: Fault("the audit group was not written"))


class AuditLog:
    """One writer's chain of objects `log/YYYY/MM/DD/HH/WRITER-SEQ.jsonl`.

    Each line is an entry with `writer`, `line` (a count), `prev` (the hash of the writer's line before it)
    and `hash` (SHA-256 of the line without it, as sorted compact JSON), so that a gap or a change shows; an object's
    first line names the object before it (`after`). How far the chain has come is recorded apart from it, so that a
    lost tail shows too. An entry may be appended twice after a crash; it then has the same `entry_id` both times.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        bucket: str,
        writer: str,
        now: Callable[[], datetime],
        riders: Callable[[], Sequence[Entry]] = tuple,
        heads: Heads | None = None,
    ) -> None:
        """`writer` must be used by one process once: it names a chain.

        `riders` gives, once each, entries for which nobody waits: they go with the next object. `heads` is where
        `record_head` says how far the chain has come.
        """
        self._aws, self._bucket, self._writer, self._now = aws, bucket, writer, now
        self._riders, self._heads = riders, heads
        #: Groups that could not be written since the process began; what waited for them was not acknowledged.
        self.failures = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._heading = threading.Lock()
        self._group = _Group()
        #: What is sealed, what of it is surely in S3, and what of that is recorded.
        self._sealed: Head | None = None
        self._settled: Head | None = None
        self._recorded: Head | None = None
        #: A group whose write failed or may have failed: its exact bytes come first next time.
        self._unsure: tuple[Head, bytes] | None = None

    def append(self, entries: Iterable[Entry]) -> None:
        """Write entries; returns when they are in S3.

        Whoever finds no write under way writes for everybody who waits: one PUT carries all that came in
        while the one before was on its way. Raises Fault; nothing may then be acknowledged.
        """
        with self._lock:
            group = self._group
            group.entries.extend(entries)
        with self._writing:
            if not group.written.is_set():
                self._write(group)
        if group.fault:
            raise group.fault

    def _write(self, group: _Group) -> None:
        with self._lock:
            self._group = _Group()
        try:
            self._settle_unsure()
            # Sealed bytes are written sooner or later, so what rides is in exactly one object.
            if entries := [*group.entries, *self._riders()]:
                self._unsure = self._seal(entries)
            self._settle_unsure()
            group.fault = None
        except Fault as fault:
            group.fault = fault
            self.failures += 1
        finally:
            group.written.set()

    def record_head(self) -> None:
        """Record how far the chain has come: one call where it has grown since, none otherwise. Raises Fault.

        For a ticker, and for the end of a process: never for each item. The first of a day costs one call more. Only
        what is in S3 is recorded, so a crash leaves a head that lags behind, never one that is ahead of its chain.
        """
        with self._heading:
            head = self._settled
            if self._heads and head and head is not self._recorded:
                if not self._recorded or self._recorded.at.date() != head.at.date():
                    self._heads.name_day(head.at.date())
                self._heads.put(head)
                self._recorded = head

    def _seal(self, entries: list[Entry]) -> tuple[Head, bytes]:
        """The next object of the chain: what is then its head, and the object's bytes."""
        before = self._sealed
        count, last_hash = (before.lines, before.hash) if before else (0, GENESIS)
        lines, after = [], {"after": before.key} if before else {}
        for number, entry in enumerate(entries, start=count + 1):
            line = dict(entry) | {"writer": self._writer, "line": number, "prev": last_hash, **after}
            after, last_hash = {}, line_hash(line)
            lines.append(compact(line | {"hash": last_hash}))
        # A clock that is set back does not change the order of the keys.
        at = max(self._now(), before.at) if before else self._now()
        number = before.objects + 1 if before else 1
        key = key_of(self._writer, number, at=at)
        head = Head(writer=self._writer, objects=number, lines=count + len(lines), hash=last_hash, key=key, at=at)
        # Only now: an entry that cannot be written must leave no gap in the chain.
        self._sealed = head
        return head, ("\n".join(lines) + "\n").encode()

    def _settle_unsure(self) -> None:
        if not self._unsure:
            return
        head, body = self._unsure
        said = {"Bucket": self._bucket, "Key": head.key, "Body": body, "ContentType": "application/x-ndjson"}
        # Moved: the key is this writer's alone, so an earlier try did arrive and only its answer was lost.
        with suppress(Moved):
            # A bucket with Object Lock takes nothing without a checksum, whatever the environment tells boto3.
            call(self._aws.store, self._aws.s3.put_object, **said, IfNoneMatch="*", ChecksumAlgorithm="CRC32")
        self._unsure, self._settled = None, head
