"""A whole audit log in S3: whatever is taken away, put in or rewritten is found, and what is being written is not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tasks.aws.session import Aws
from tasks.record.audit import AuditLog
from tasks.record.heads import Heads
from tasks.record.log_objects import LogObject
from tasks.record.verify import MOST, Verified, verify

BUCKET = "audit-example"
NOW = datetime(2026, 1, 31, 22, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Log:
    """An audit log of writers "a" and "b", an object each in every hour for four hours, over midnight."""

    def __init__(self, aws: Aws, table: str) -> None:
        self.aws, self.heads = aws, Heads(aws, table, BUCKET)
        aws.s3.create_bucket(Bucket=BUCKET)
        self.now = NOW
        self.writers = {
            name: AuditLog(aws, bucket=BUCKET, writer=name, now=self.time, heads=self.heads) for name in "ab"
        }
        for _ in range(4):
            self.write()
            self.now += HOUR

    def time(self) -> datetime:
        return self.now

    def write(self, names: Iterable[str] = "ab", *, record: bool = True) -> None:
        for name in names:
            self.writers[name].append([{"entry_id": f"{self.now}{name}{n}", "event": "decided"} for n in range(3)])
            if record:
                self.writers[name].record_head()

    def keys(self, writer: str = "") -> list[str]:
        found = self.aws.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [entry["Key"] for entry in found if f"/{writer}" in entry["Key"]]

    def delete(self, key: str) -> None:
        self.aws.s3.delete_object(Bucket=BUCKET, Key=key)

    def put(self, key: str, body: bytes) -> None:
        self.aws.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def body(self, key: str) -> bytes:
        return bytes(self.aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def verify(self, since: datetime | None = None, **more: Any) -> Verified:
        return verify(self.aws, bucket=BUCKET, heads=self.heads, since=since, until=self.now, **more)

    def problems(self, since: datetime | None = None) -> list[str]:
        return [f"{problem.writer} {problem.what}" for problem in self.verify(since).problems]


@pytest.fixture
def log(moto_aws: Aws, items_table: str) -> Log:
    return Log(moto_aws, items_table)


def test_what_nobody_touched_is_whole(log: Log) -> None:
    said = log.verify()
    assert (said.problems, said.found, said.without_head) == ([], 0, [])
    assert (said.objects, said.lines, said.writers) == (8, 24, 2)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_an_object_that_is_gone_is_named_wherever_it_stood(log: Log, number: int) -> None:
    log.delete(log.keys("b")[number - 1])
    (problem,) = log.problems()
    lines = f"lines {number * 3 - 2} to {number * 3}"
    assert problem.startswith(f"b object {number} ({lines}) missing")
    assert ("tail" in problem) == (number == 4)


def test_a_chain_that_is_gone_as_a_whole_is_named(log: Log) -> None:
    for key in log.keys("a"):
        log.delete(key)
    (problem,) = log.problems()
    assert problem == "a objects 1 to 4 (lines 1 to 12) missing: the tail is lost"


def test_an_object_that_was_added_is_named(log: Log) -> None:
    log.put("log/2026/01/31/23/notes.txt", b"hello")
    log.put(log.keys("a")[2].replace("/2026/02/01/00/", "/2026/02/01/01/"), log.body(log.keys("a")[2]))
    said = log.verify()
    assert [problem.key for problem in said.problems] == [
        "log/2026/01/31/23/notes.txt",
        "log/2026/02/01/01/a-00000003.jsonl",
    ]
    assert all("added" in problem.what for problem in said.problems)


def test_a_chain_that_was_forged_as_a_whole_has_no_head(log: Log) -> None:
    AuditLog(log.aws, bucket=BUCKET, writer="forged", now=log.time).append([{"entry_id": "1"}])
    said = log.verify()
    assert (said.found, said.without_head) == (0, ["forged"])


def test_a_crash_between_the_object_and_its_head_is_no_problem(log: Log) -> None:
    log.write(record=False)
    assert log.problems() == []


def test_some_hours_are_verified_with_how_they_follow_on_those_before(log: Log) -> None:
    third = NOW + 2 * HOUR
    said = log.verify(third)
    assert (said.objects, said.found) == (4, 0)
    log.put(log.keys("a")[1], log.body(log.keys("a")[1]).replace(b"decided", b"allowed"))
    assert log.problems(third) == []  # that is the business of whoever verifies the hours before
    log.delete(log.keys("b")[1])
    assert log.problems(third) == ["b objects 1 to 2 (lines 1 to 6) missing"]


def test_a_tail_that_was_lost_before_these_hours_is_none_of_theirs(log: Log) -> None:
    log.delete(log.keys("b")[3])
    log.now += 48 * HOUR
    log.write("a")
    assert log.problems(log.now - HOUR) == []
    assert len(log.problems()) == 1


def test_what_is_written_meanwhile_is_never_suspected(log: Log) -> None:
    """An object came late, after its hour was listed: the next one says that it is there."""
    late = log.keys("a")[1]
    body = log.body(late)
    log.delete(late)

    def comes_now(one: LogObject) -> None:
        if one.key == log.keys("a")[0]:
            log.put(late, body)

    said = log.verify(seen=comes_now)
    assert (said.problems, said.objects) == ([], 8)


def test_memory_holds_some_problems_and_counts_them_all(log: Log) -> None:
    log.put(log.keys("a")[3], b"rubbish\n" * (MOST + 7))
    said = log.verify()
    assert (len(said.problems), said.found) == (MOST, MOST + 7)
