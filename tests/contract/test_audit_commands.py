"""`modfleet audit`, as a person types it, on logs of their own: one that is whole, and one that somebody was at."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command import Said, run

from deploy.local.run import LocalCloud
from tasks.aws.session import Aws
from tasks.detect.finding import Finding
from tasks.detect.kind import Kind
from tasks.item import Item
from tasks.record.audit import AuditLog
from tasks.record.dsa import FIELDS
from tasks.record.entries import command_entry, entries_of
from tasks.record.heads import Heads
from tasks.record.standing import Standing, Status
from tasks.record.state import State
from tests.contract.shipped import connected

NOW = datetime.now(UTC)
WROTE = NOW - timedelta(minutes=5)
FOUND = Finding(detector="image", detector_version="7.0", label="moderation/Explicit", confidence=97.5, part="body")


class Log:
    """An audit log in a bucket of its own: an item taken down, held by a person and brought back, among others."""

    def __init__(self, aws: Aws, environment: dict[str, str], name: str) -> None:
        self.aws, self.bucket = aws, name
        self.environment = environment | {"MODFLEET_AUDIT_BUCKET": name}
        aws.s3.create_bucket(Bucket=name)
        self.down = self._item(f"feed/{name}.png")
        table = environment["MODFLEET_ITEMS_TABLE"]
        log = AuditLog(aws, bucket=name, writer=name, now=lambda: NOW, heads=Heads(aws, table, name))
        log.append(entries_of(replace(self.down, history=(), status=Status.REJECTED)))
        log.append(entries_of(replace(self._item("feed/masked.png"), history=(), status=Status.REDACTED)))
        log.append([command_entry(command="hold add", by="ada", at=NOW, why="a court", item=self.down.item)])
        log.append(entries_of(self.down))
        log.record_head()
        State(aws, table).decide(self.down)

    def modfleet(self, *words: str) -> Said:
        return run(self.environment, "audit", *words)

    def keys(self) -> list[str]:
        return [entry["Key"] for entry in self.aws.s3.list_objects_v2(Bucket=self.bucket)["Contents"]]

    def edit(self, key: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
        """Change the lines of an object."""
        rows = self.aws.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().splitlines(keepends=True)
        self.aws.s3.put_object(Bucket=self.bucket, Key=key, Body=b"".join(change(rows)))

    def _item(self, key: str) -> Standing:
        item = Item(bucket="b", key=key, version_id="v1", etag="e", size=1, sequencer="", event_time=WROTE)
        return Standing(
            item=item,
            status=Status.RESTORED,
            surface="feed",
            kind=Kind.IMAGE,
            tier=3,
            rules=("labels/Explicit>=85",),
            policy_version="sha256:0123456789ab",
            detectors={"image": "7.0"},
            findings=(FOUND,),
            plan=("hide", "remove", "put_back"),
            receipts={name: {"at": NOW.isoformat()} for name in ("hide", "remove")},
            history=(
                {"event": "received", "at": WROTE.isoformat()},
                {"event": "restoring", "at": NOW.isoformat(), "by": "eve", "why": "it is art"},
            ),
            decided_at=NOW,
        )


@pytest.fixture
def log(cloud: LocalCloud, unique: str) -> Log:
    aws, _ = connected(cloud)
    return Log(aws, cloud.environment, unique)


def test_show_finds_every_entry_of_what_was_taken_down_held_and_brought_back(log: Log) -> None:
    uri = f"s3://b/{log.down.item.key}"
    done = log.modfleet("show", uri, "--json")
    assert done.code == 0
    events = [entry.get("command") or entry["event"] for entry in done.json["entries"]]
    assert sorted(events) == sorted(["decided", "did:hide", "did:remove", "ended", "hold add", "restore"])
    assert done.json["entries"][-1]["actor"] == "eve"
    assert {entry["item"]["key"] for entry in done.json["entries"]} == {log.down.item.key}
    log.aws.s3.delete_object(Bucket=log.bucket, Key=log.keys()[3])
    lacking = log.modfleet("show", uri, "--all")
    assert lacking.code == 1
    assert "a court" in lacking.out
    assert "does not hold: restore" in lacking.err


def test_verify_passes_a_whole_log_and_names_what_somebody_did_to_it(log: Log) -> None:
    done = log.modfleet("verify", "--strict")
    assert done.code == 0, done.out + done.err
    assert "whole: 13 lines in 4 objects by 1 writers" in done.out
    first, second, _, fourth = log.keys()
    log.edit(first, lambda rows: [rows[0], *rows[2:]])
    log.edit(second, lambda rows: [rows[1], rows[0], rows[2].replace(b"did:remove", b"did:purge"), *rows[3:]])
    log.edit(fourth, lambda rows: [*rows, rows[-1]])
    said = log.modfleet("verify", "--json").json
    assert not said["whole"]
    named = [(problem["line"], problem["key"], problem["place"], problem["what"]) for problem in said["problems"]]
    assert named == [
        (3, first, 2, "line 2 before it was removed"),
        (7, second, 3, "the line was changed, or added"),
        (5, second, 2, "the lines were reordered: it stands after line 6"),
        (13, fourth, 5, "the line was added: it is there twice"),
    ]
    log.aws.s3.delete_object(Bucket=log.bucket, Key=fourth)
    lost = log.modfleet("verify", "--since", "24h")
    assert lost.code == 1
    assert "object 4 (lines 10 to 13) missing: the tail is lost" in " ".join(lost.out.split())


def test_export_gives_every_line_and_a_table_of_them(log: Log, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in log.modfleet("export", "--since", "24h").out.splitlines()]
    assert [line["line"] for line in lines] == list(range(1, 14))
    out = tmp_path / "audit.csv"
    assert log.modfleet("export", "--csv", "-o", str(out)).code == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text("utf-8"))))
    assert [row["entry_id"] for row in rows] == [line["entry_id"] for line in lines]
    assert [(row["command"], row["actor"], row["reason"]) for row in rows if row["command"]] == [
        ("hold add", "ada", "a court")
    ]
    assert list(tmp_path.iterdir()) == [out]


def test_export_for_the_dsa_is_one_statement_for_each_restriction_and_names_nobody(log: Log) -> None:
    done = log.modfleet("export", "--dsa", "--csv")
    table = csv.DictReader(io.StringIO(done.out))
    assert tuple(table.fieldnames or ()) == FIELDS
    assert [(row["decision_visibility"], row["content_type"]) for row in table] == [
        ('["DECISION_VISIBILITY_CONTENT_REMOVED"]', '["CONTENT_TYPE_IMAGE"]'),
        ('["DECISION_VISIBILITY_OTHER"]', '["CONTENT_TYPE_IMAGE"]'),
    ]
    assert "feed/" not in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["verify", "--since", "soon"], "--since soon: neither a day"),
        (["verify", "--since", "1h", "--until", "7d"], "is after"),
    ],
)
def test_what_is_no_time_is_said_plainly(cloud: LocalCloud, words: list[str], said: str) -> None:
    done = run(cloud.environment, "audit", *words)
    assert done.code == 2
    assert said in done.err


def test_a_log_that_is_not_there_is_no_whole_one(cloud: LocalCloud, unique: str) -> None:
    gone = run(cloud.environment | {"MODFLEET_AUDIT_BUCKET": f"{unique}-none"}, "audit", "verify")
    assert gone.code == 1
    assert "NoSuchBucket" in gone.err
