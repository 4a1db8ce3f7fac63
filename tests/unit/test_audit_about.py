"""What the log says of one item is found where it must be, and next to nothing else is read for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tasks.aws.session import Aws
from tasks.item import Item
from tasks.record.about import About, about
from tasks.record.audit import AuditLog
from tasks.record.entries import command_entry, entries_of
from tasks.record.standing import Standing, Status

BUCKET = "audit-example"
#: S3 tells its own time of an object, and moto's S3 that of this machine.
NOW = datetime.now(UTC)
ITEM = Item(bucket="b", key='feed/"é.png', version_id="v1", etag="e", size=1, sequencer="", event_time=NOW)


def taken_down(at: datetime) -> Standing:
    receipts = {name: {"at": at.isoformat()} for name in ("hide", "remove")}
    return Standing(
        item=ITEM, status=Status.REJECTED, tier=3, decided_at=at, plan=("hide", "remove"), receipts=receipts
    )


class Log:
    def __init__(self, aws: Aws) -> None:
        self.aws, self.now = aws, NOW
        aws.s3.create_bucket(Bucket=BUCKET)
        self._log = AuditLog(aws, bucket=BUCKET, writer="w", now=lambda: self.now)

    def write(self, *standings: Standing) -> None:
        self._log.append(entry for standing in standings for entry in entries_of(standing))

    def viewed(self) -> None:
        self._log.append([command_entry(command="view case", by="ada", at=self.now, item=ITEM)])

    def about(self, standing: Standing, *, until: datetime | None = None) -> About:
        return about(self.aws, BUCKET, standing, until=until)


@pytest.fixture
def log(moto_aws: Aws) -> Log:
    return Log(moto_aws)


def events(found: About) -> list[str]:
    return [entry["event"] for entry in found.entries]


def test_its_entries_are_found_once_each_and_in_order_and_no_others(log: Log) -> None:
    down = taken_down(NOW)
    others = replace(down, item=replace(ITEM, key="feed/b.png")), replace(down, item=replace(ITEM, version_id="v2"))
    log.write(*others, down)
    log.write(down)  # again, after a crash
    found = log.about(down)
    assert (events(found), found.lacking) == (["decided", "did:hide", "did:remove", "ended"], [])


def test_hours_in_which_nothing_was_done_to_it_are_not_read(log: Log) -> None:
    log.now = NOW - timedelta(days=2)
    for _ in range(5):
        log.write(replace(taken_down(log.now), item=replace(ITEM, key="feed/b.png")))
    log.now = NOW
    log.write(taken_down(NOW))
    assert log.about(taken_down(NOW)).read == 1


def test_what_was_written_hours_late_is_found_all_the_same(log: Log) -> None:
    down = taken_down(NOW - timedelta(hours=2))
    log.write(down)
    found = log.about(down)
    assert (len(found.entries), found.lacking) == (4, [])


def test_what_the_log_does_not_hold_is_named(log: Log) -> None:
    down = taken_down(NOW)
    log.write(replace(down, receipts={"hide": down.receipts["hide"]}))
    assert log.about(down).lacking == ["did:remove"]


def test_who_looked_at_it_days_later_is_found_by_reading_everything(log: Log) -> None:
    down = taken_down(NOW - timedelta(days=3))
    log.now = NOW - timedelta(days=3)
    log.write(down)
    log.now = NOW
    log.viewed()
    assert events(log.about(down)) == ["decided", "did:hide", "did:remove", "ended"]
    assert events(log.about(down, until=NOW))[-1] == "command"
