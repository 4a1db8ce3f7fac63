"""The enqueuer of a rescan: nothing is lost and nothing counts twice, wherever it dies and however many share a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from fleet import Fleet
from interrupted import Crash, after_write, later, watched

from tasks.desk import Desk
from tasks.intake.message import read_message
from tasks.rescan.chunk import Chunk
from tasks.rescan.chunk_rows import Chunks, Worked
from tasks.rescan.enqueue import FOREIGN, Enqueuer, Waits
from tasks.rescan.run import Brief, Run, RunState
from tasks.rescan.run_rows import NotNow, Runs
from tasks.rescan.subject import Partition, Subject


@dataclass(frozen=True)
class Made:
    """A source of keys that nobody has uploaded, in parts of their own."""

    bucket: str
    prefix: str
    counts: tuple[int, ...] = (30, 17)
    foreign: int = 0
    name: str = "made"
    spec: Mapping[str, Any] = field(default_factory=dict)

    def partitions(self) -> Iterator[Partition]:
        for index, count in enumerate(self.counts):
            yield Partition(id=f"p{index}", spec={"count": count})

    def read(self, partition: Partition, *, after: str = "") -> Iterator[tuple[Subject, str]]:
        for number in range(int(after or -1) + 1, partition.spec["count"]):
            bucket = "elsewhere" if number < self.foreign else self.bucket
            key = f"{self.prefix}/{partition.id}/{number:05d}"
            yield Subject(bucket=bucket, key=key, etag=f"{number:032x}", size=10), str(number)


def started(desk: Desk, **brief: Any) -> Run:
    told = {"source": {}, "policy_version": desk.policy.version, "by": "tester"} | brief
    return runs(desk).start(Brief(**told), at=desk.now())


def runs(desk: Desk) -> Runs:
    return Runs(desk.aws, desk.settings.items_table)


def enqueuer(desk: Desk, run: Run, source: Made, *, me: str = "one", window: int = 8, **waits: Any) -> Enqueuer:
    waiting = Waits(**{"idle": lambda _: None} | waits)
    return Enqueuer(desk=desk, run_id=run.id, source=source, me=me, window=window, waits=waiting)


def received(fleet: Fleet, run: Run) -> list[Chunk]:
    messages = map(read_message, fleet.drain(fleet.settings.queue_url("rescan")))
    return [message for message in messages if isinstance(message, Chunk) and message.run_id == run.id]


def keys(chunks: list[Chunk]) -> list[str]:
    """Of all messages, each once, in order."""
    once = {chunk.id: chunk for chunk in chunks}
    return sorted(subject.key for chunk in once.values() for subject in chunk.subjects)


def expected(source: Made) -> list[str]:
    return [s.key for part in source.partitions() for s, _ in source.read(part) if s.bucket == source.bucket]


def test_every_object_is_sent_once_and_counted(unserved: Fleet, unique: str) -> None:
    desk, source = unserved.desk, Made(unserved.settings.uploads_bucket, unique, foreign=3)
    run = enqueuer(desk, started(desk), source).run()
    chunks = received(unserved, run)
    assert keys(chunks) == expected(source)
    assert (run.state, run.parts_done, run.chunks) == (RunState.WORKING, 2, len(chunks))
    assert (run.read, run.enqueued, run.skipped) == (47, 41, {FOREIGN: 6})


def test_it_may_die_between_any_two_writes(unserved: Fleet, unique: str) -> None:
    desk, number, died = unserved.desk, 0, True
    while died:
        source = Made(unserved.settings.uploads_bucket, f"{unique}{number}", counts=(5, 3))
        run, died = started(desk), False
        try:
            enqueuer(watched(desk, after_write(number)), run, source, me="killed", window=3).run()
        except Crash:
            died = True
        run = enqueuer(later(desk), run, source, me="next", window=3).run()
        chunks = received(unserved, run)
        assert keys(chunks) == expected(source), number
        assert len({chunk.id for chunk in chunks}) == run.chunks, number
        assert (run.state, run.enqueued, run.read) == (RunState.WORKING, 8, 8), number
        number += 1
    # Dividing takes three; each part a lease, a checkpoint and a batch for each window, and its end; and all is sent.
    assert number - 1 == 3 + (1 + 2 * 2 + 1) + (1 + 2 + 1) + 1
