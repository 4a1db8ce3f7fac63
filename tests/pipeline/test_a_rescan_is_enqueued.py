"""The enqueuer of a rescan: nothing is lost and nothing counts twice, wherever it dies and however many share a run."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fleet import Fleet, until
from interrupted import Crash, after_write, later, watched

from deploy.local.children import Child
from tasks.aws.rows import rows_at
from tasks.desk import Desk
from tasks.intake.message import read_message
from tasks.rescan.chunk import Chunk
from tasks.rescan.chunk_rows import Chunks, Worked
from tasks.rescan.ending import end_if_over
from tasks.rescan.enqueue import FOREIGN, OVER_BUDGET, Enqueuer, Waits
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
        for index, each in enumerate(self.counts):
            yield Partition(id=f"p{index}", spec={"count": each})

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


def test_two_enqueuers_share_a_run(unserved: Fleet, unique: str) -> None:
    desk, source = unserved.desk, Made(unserved.settings.uploads_bucket, unique, counts=(9, 9, 9, 9, 9, 9))
    run = started(desk)
    with ThreadPoolExecutor(2) as hands:
        for ended in [hands.submit(enqueuer(desk, run, source, me=me, window=2).run) for me in ("one", "two")]:
            run = ended.result()
    chunks = received(unserved, run)
    assert keys(chunks) == expected(source)
    assert len(chunks) == run.chunks  # nobody sent what the other had
    assert (run.state, run.enqueued, run.parts_done) == (RunState.WORKING, 54, 6)
    leases = rows_at(desk.aws, desk.settings.items_table, f"rescan/{run.id}", begins="partition/")
    assert {row["lease_by"]["S"] for row in leases} == {"one", "two"}


def test_whoever_has_lost_its_lease_writes_nothing_more(unserved: Fleet, unique: str) -> None:
    """It was not dead, only slow; another has gone on meanwhile."""
    desk, source = unserved.desk, Made(unserved.settings.uploads_bucket, unique, counts=(6,))
    run, looks = started(desk), iter([False, True])

    def overtaken() -> str:
        if next(looks, False):
            enqueuer(later(desk), run, source, me="other", window=3).run()
        return ""

    ended = enqueuer(desk, run, source, me="slow", window=3, behind=overtaken).run()
    chunks = received(unserved, run)
    assert (keys(chunks), len(chunks)) == (expected(source), 2 + 1)  # what the slow one sent last came once more
    assert (ended.state, ended.enqueued, ended.chunks) == (RunState.WORKING, 6, 2)


def test_nothing_is_sent_while_live_lanes_are_behind_and_the_run_says_so(unserved: Fleet, unique: str) -> None:
    desk, source = unserved.desk, Made(unserved.settings.uploads_bucket, unique, counts=(6,))
    run, seen = started(desk), list[tuple[str, int]]()
    told = iter(["uploads is behind", "uploads is behind", ""])

    def idle(_: float) -> None:
        now = runs(desk).find(run.id)
        assert now
        seen.append((now.waits_for, now.enqueued))

    ended = enqueuer(desk, run, source, window=6, behind=lambda: next(told, ""), idle=idle).run()
    assert seen == [("uploads is behind", 0)] * 2
    assert (ended.waits_for, ended.enqueued) == ("", 6)


def test_a_pause_holds_and_a_cancellation_ends_it_in_the_midst(unserved: Fleet, unique: str) -> None:
    desk, source = unserved.desk, Made(unserved.settings.uploads_bucket, unique, counts=(9,))
    run, paused = started(desk), list[tuple[RunState, str, int]]()

    def meanwhile() -> str:
        now = runs(desk).find(run.id)
        if now and now.enqueued == 3 and not paused:
            runs(desk).pause(run.id, by="tester", why="lunch", at=desk.now())
        elif now and now.enqueued == 6:
            runs(desk).cancel(run.id, at=desk.now())
        return ""

    def idle(_: float) -> None:
        now = runs(desk).find(run.id)
        assert now
        paused.append((now.state, now.paused_why, now.enqueued))
        runs(desk).resume(run.id)

    ended = enqueuer(desk, run, source, window=3, behind=meanwhile, idle=idle).run()
    assert paused == [(RunState.PAUSED, "lunch", 3)]
    assert (ended.state, ended.enqueued) == (RunState.CANCELLED, 6)
    assert keys(received(unserved, run)) == expected(source)[:6]
    with pytest.raises(NotNow, match="is cancelled"):
        runs(desk).resume(run.id)


def test_a_run_sends_no_more_objects_than_it_may(unserved: Fleet, unique: str) -> None:
    desk, source = unserved.desk, Made(unserved.settings.uploads_bucket, unique, counts=(9, 9, 9))
    run = started(desk, max_items=13)
    with ThreadPoolExecutor(3) as hands:
        for ended in [hands.submit(enqueuer(desk, run, source, me=me, window=4).run) for me in "abc"]:
            run = ended.result()
    chunks = received(unserved, run)
    assert len(keys(chunks)) == run.enqueued == 13
    assert (run.state, run.parts_done) == (RunState.WORKING, 3)


def test_nothing_that_may_cost_is_sent_once_the_budget_is_spent(unserved: Fleet, unique: str) -> None:
    desk, source = unserved.desk, Made(unserved.settings.uploads_bucket, unique, counts=(9,))
    run, chunks = started(desk, max_cost_usd=0.5), Chunks(desk.aws, desk.settings.items_table)

    def idle(_: float) -> None:
        """A worker ends one message, at what was put aside for it."""
        row = next(row for row in chunks.all(run.id) if row.body)
        assert chunks.close(run.id, row.id, Worked(at=desk.now(), spent_micros=500_000, released_micros=500_000))

    def behind() -> str:
        now = runs(desk).find(run.id)
        if now and now.enqueued == 3 and not now.committed_micros:
            runs(desk).add(run.id, committed_micros=500_000)
        return ""

    ended = enqueuer(desk, run, source, window=3, idle=idle, behind=behind).run()
    assert (ended.enqueued, ended.skipped, ended.usd) == (3, {OVER_BUDGET: 6}, 0.5)
    assert not chunks.close(run.id, next(chunks.all(run.id)).id, Worked(at=desk.now(), tally={"detected": 3}))


@pytest.mark.long
def test_an_enqueuer_killed_ten_times_at_random_points_sends_everything_once(
    unserved: Fleet, unique: str, tmp_path: Path
) -> None:
    """Real processes, as somebody types them, each killed (SIGKILL) after some more was sent."""
    named, chance = [f"{unique}/{number:06d}.jpg" for number in range(60_000)], random.Random(7)
    (tmp_path / "keys").write_text("\n".join(named), "utf-8")
    before, words = set(runs(unserved.desk).ids()), ("--keys", str(tmp_path / "keys"), "--yes")
    for kill in range(10):
        process = typed(unserved, tmp_path, *words)
        ids = until(lambda: set(runs(unserved.desk).ids()) - before, what="a run")
        (run_id,) = ids
        sent = found(unserved, run_id).enqueued
        more = min(sent + chance.randrange(9_000), 5_500 * (kill + 1))
        until(lambda: found(unserved, run_id).enqueued >= more, what=f"{more} objects sent")  # noqa: B023
        os.kill(process.pid, signal.SIGKILL)
        process.end()
        words = ("resume", run_id)
    assert found(unserved, run_id).parts_done < 2
    process = typed(unserved, tmp_path, *words)
    until(lambda: found(unserved, run_id).state is RunState.WORKING, what="all is sent", within=120)
    process.end()
    run = found(unserved, run_id)
    chunks = received(unserved, run)
    assert (run.read, run.enqueued, run.parts_done) == (60_000, 60_000, 2)
    assert len({chunk.id for chunk in chunks}) == run.chunks
    assert keys(chunks) == named


def typed(fleet: Fleet, tmp_path: Path, *words: str) -> Child:
    """`modfleet rescan WORDS`, in a process of its own, whose leases are short."""
    environment = {**fleet.cloud.child_environment(), "MODFLEET_RESCAN_LIVE_SECONDS": "0"}
    environment |= {"MODFLEET_RESCAN_LEASE_SECONDS": "2"}
    command = [str(Path(sys.executable).parent / "modfleet"), "rescan", *words]
    return Child(command, log=tmp_path / "rescan.log", environment=environment, announces=False)


def found(fleet: Fleet, run_id: str) -> Run:
    run = runs(fleet.desk).find(run_id)
    assert run
    return run


def test_a_run_ends_once_after_its_last_answer_wherever_whoever_ends_it_dies(unserved: Fleet, unique: str) -> None:
    desk, number, died = unserved.desk, 0, True
    while died:
        source = Made(unserved.settings.uploads_bucket, f"{unique}{number}", counts=(2, 2))
        run, died = enqueuer(desk, started(desk), source).run(), False
        first, last = (chunk.id for chunk in received(unserved, run))
        worked(desk, run, first, tally={"redecided": 2}, spent_micros=7)
        worked(desk, run, first, tally={"redecided": 2}, spent_micros=7)  # a second delivery
        assert not end_if_over(desk, run.id)
        worked(desk, run, last, tally={"redecided": 1}, waiting=1)
        assert not end_if_over(desk, run.id)  # an answer is still to come
        Chunks(desk.aws, desk.settings.items_table).close_late(
            run.id, f"{last}+late", Worked(at=desk.now(), waiting=-1)
        )
        try:
            assert end_if_over(watched(desk, after_write(number)), run.id)
        except Crash:
            died = True
            assert number == 2 or not end_if_over(desk, run.id)  # whoever is at it may be alive
            assert end_if_over(later(desk), run.id) is (number < 2)
        number += 1
        now = found(unserved, run.id)
        assert (now.state, now.chunks_done, now.waiting) == (RunState.DONE, 2, 0)
        assert (now.tally, now.spent_micros) == ({"redecided": 3}, 7)
        told = [line for line in unserved.audit_lines() if line.get("run") == run.id]
        assert len({line["entry_id"] for line in told}) == 1
        assert (told[0]["command"], told[0]["at"]) == ("rescan done", now.ended_at and now.ended_at.isoformat())
    assert number - 1 == 3  # the lease, the entry, and the state


def worked(desk: Desk, run: Run, chunk_id: str, **came_of_it: Any) -> None:
    """As a worker does at a message's end."""
    Chunks(desk.aws, desk.settings.items_table).close(run.id, chunk_id, Worked(at=desk.now(), **came_of_it))
