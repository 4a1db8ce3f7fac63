"""The audit log: append-only JSON lines in S3, chained by hash, written in groups before a message is deleted."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Fault, Moved
from tasks.aws.session import Aws

#: What the first line of a writer's chain names as the line before it.
GENESIS = "0" * 64

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
    and `hash` (SHA-256 of the line without it, as sorted compact JSON), so that a gap or a change shows.
    An entry may be appended twice after a crash; it then has the same `entry_id` both times.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        bucket: str,
        writer: str,
        now: Callable[[], datetime],
        riders: Callable[[], Sequence[Entry]] = tuple,
    ) -> None:
        """`writer` must be used by one process once: it names a chain.

        `riders` gives, once each, entries for which nobody waits: they go with the next object.
        """
        self._aws, self._bucket, self._writer, self._now = aws, bucket, writer, now
        self._riders = riders
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._group = _Group()
        self._objects = self._lines = 0
        self._last_hash = GENESIS
        #: A group whose write failed or may have failed: its exact bytes come first next time.
        self._unsure: tuple[str, bytes] | None = None

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
        finally:
            group.written.set()

    def _seal(self, entries: list[Entry]) -> tuple[str, bytes]:
        """The next object of the chain: its key and its bytes."""
        lines, last_hash = [], self._last_hash
        for number, entry in enumerate(entries, start=self._lines + 1):
            line = dict(entry) | {"writer": self._writer, "line": number, "prev": last_hash}
            last_hash = line_hash(line)
            lines.append(_compact(line | {"hash": last_hash}))
        key = f"log/{self._now():%Y/%m/%d/%H}/{self._writer}-{self._objects + 1:08d}.jsonl"
        body = ("\n".join(lines) + "\n").encode()
        # Only now: an entry that cannot be written must leave no gap in the chain.
        self._objects, self._lines, self._last_hash = self._objects + 1, self._lines + len(lines), last_hash
        return key, body

    def _settle_unsure(self) -> None:
        if not self._unsure:
            return
        key, body = self._unsure
        said = {"Bucket": self._bucket, "Key": key, "Body": body, "ContentType": "application/x-ndjson"}
        # Moved: the key is this writer's alone, so an earlier try did arrive and only its answer was lost.
        with suppress(Moved):
            call(self._aws.store, self._aws.s3.put_object, **said, IfNoneMatch="*")
        self._unsure = None


def line_hash(line: Entry) -> str:
    """The hash of a log line: SHA-256 of its sorted compact JSON without `hash`."""
    return hashlib.sha256(_compact({k: v for k, v in line.items() if k != "hash"}).encode()).hexdigest()


def _compact(line: Entry) -> str:
    return json.dumps(line, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
