"""Audit entries: what happened and why, under ids that never change, and never any content."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from tasks.detect.finding import Finding
from tasks.item import Item
from tasks.record.entries import command_entry, entries_of
from tasks.record.standing import Standing, Status

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
UNDECIDED = Standing(
    item=Item(
        bucket="uploads-example",
        key="feed/a.txt",
        version_id="v1",
        etag="e",
        size=10,
        sequencer="",
        event_time=NOW,
    ),
    status=Status.GONE,
    uploader="user-4711",
    history=({"event": "received", "at": NOW.isoformat(), "note": "the history stays in the table"},),
)
DECIDED = replace(
    UNDECIDED,
    status=Status.REJECTED,
    surface="feed",
    tier=3,
    rules=("guardrail/HATE",),
    policy_version="sha256:0123456789ab",
    detectors={"guardrail": "1"},
    units={"guardrail-content-unit": 2.0},
    usd=0.0003,
    findings=(
        Finding(
            detector="guardrail",
            detector_version="1",
            label="guardrail/HATE",
            confidence=90.0,
            span=(3, 9),
            part="caption",
        ),
    ),
    spans=((3, 9, "EMAIL"),),
    plan=("hide", "remove"),
    receipts={"hide": {"at": NOW.isoformat(), "tag": "moderation=blocked"}, "remove": {"at": NOW.isoformat()}},
    decided_at=NOW,
    time_to_takedown_ms=1500,
)


def events(standing: Standing) -> list[str]:
    return [entry["event"] for entry in entries_of(standing)]


def said_by(standing: Standing, event: str) -> dict[str, Any]:
    (entry,) = [entry for entry in entries_of(standing) if entry["event"] == event]
    return entry


def test_a_decision_each_receipt_and_the_end_are_one_entry_each() -> None:
    assert events(DECIDED) == ["decided", "did:hide", "did:remove", "ended"]


def test_a_dry_run_says_so_and_what_would_have_been_done() -> None:
    rehearsed = replace(DECIDED, would=("hide", "remove"), plan=(), receipts={})
    assert events(rehearsed) == ["decided", "ended"]
    assert said_by(rehearsed, "decided")["would"] == ["hide", "remove"]
    assert [entry["dry_run"] for entry in entries_of(rehearsed)] == [True, True]
    assert all("dry_run" not in entry for entry in entries_of(DECIDED))


def test_what_ends_undecided_only_ends() -> None:
    assert events(UNDECIDED) == ["ended"]
    assert said_by(UNDECIDED, "ended")["status"] == "gone"


def test_a_decision_says_who_when_what_and_why() -> None:
    assert (
        said_by(DECIDED, "decided").items()
        >= {
            "actor": "machine",
            "at": NOW.isoformat(),
            "surface": "feed",
            "tier": 3,
            "rules": ["guardrail/HATE"],
            "units": {"guardrail-content-unit": 2.0},
            "usd": 0.0003,
            "policy_version": "sha256:0123456789ab",
            "detectors": {"guardrail": "1"},
            "findings": [["guardrail/HATE", 90.0, "caption"]],
        }.items()
    )


def test_an_action_says_what_its_receipt_says() -> None:
    assert said_by(DECIDED, "did:hide").items() >= DECIDED.receipts["hide"].items()


def test_the_end_says_where_the_item_stands_and_how_long_it_was_public() -> None:
    ended = {"status": "rejected", "time_to_takedown_ms": 1500, "at": NOW.isoformat()}
    assert said_by(DECIDED, "ended").items() >= ended.items()
    assert "at" not in said_by(UNDECIDED, "ended")


def test_every_entry_names_the_exact_item() -> None:
    named = [entry["item"] for entry in entries_of(DECIDED)]
    assert named == [{"bucket": "uploads-example", "key": "feed/a.txt", "version": "v1"}] * 4


def test_an_entry_written_again_has_the_same_id() -> None:
    later = replace(DECIDED, status=Status.SUPERSEDED, history=(), lease_until=99.0)
    assert [entry["entry_id"] for entry in entries_of(later)] == [entry["entry_id"] for entry in entries_of(DECIDED)]


def test_no_two_events_items_or_policies_share_an_id() -> None:
    others = [
        DECIDED,
        replace(DECIDED, policy_version="sha256:ba9876543210"),
        replace(DECIDED, item=replace(DECIDED.item, version_id="v2")),
        replace(DECIDED, item=replace(DECIDED.item, key="feed/b.txt")),
    ]
    ids = [entry["entry_id"] for standing in others for entry in entries_of(standing)]
    assert len(set(ids)) == len(ids) == 16


def test_what_people_do_to_an_item_a_second_time_is_an_entry_of_its_own_and_written_again_the_same() -> None:
    said = {"event": "overruled", "tier": 0, "rules": ["people"], "by": "ana", "why": "it is fine"}
    first, second = (
        replace(DECIDED, history=({**said, "at": at.isoformat()},)) for at in (NOW, NOW + timedelta(days=1))
    )
    assert entries_of(first)[-1]["event"] == "overrule"
    assert entries_of(first)[-1]["entry_id"] != entries_of(second)[-1]["entry_id"]
    assert entries_of(second)[-1] == entries_of(replace(second))[-1]


def test_nothing_is_said_of_the_uploader_or_of_where_in_the_text_something_stood() -> None:
    written = json.dumps(entries_of(DECIDED))
    assert "user-4711" not in written
    assert "span" not in written
    assert "history" not in written


def test_an_entry_has_no_room_for_content() -> None:
    """Whoever adds a field decides here that it can hold none: the log cannot be changed afterwards."""
    assert {name for entry in entries_of(DECIDED) for name in entry} == {
        "entry_id",
        "event",
        "item",
        "actor",
        "at",
        "surface",
        "kind",
        "tier",
        "rules",
        "policy_version",
        "detectors",
        "findings",
        "tag",
        "units",
        "usd",
        "status",
        "time_to_takedown_ms",
    }


class TestCommands:
    """What people do."""

    SAID: ClassVar[dict[str, Any]] = {"command": "hold add", "by": "ada", "at": NOW, "why": "court order"}

    def test_an_entry_says_who_what_when_why_and_under_which_policy(self) -> None:
        entry = command_entry(**self.SAID, item=DECIDED.item, policy_version="sha256:01", until="2027-01-31")
        assert entry.pop("entry_id")
        assert entry == {
            "event": "command",
            "command": "hold add",
            "actor": "ada",
            "at": NOW.isoformat(),
            "reason": "court order",
            "item": {"bucket": "uploads-example", "key": "feed/a.txt", "version": "v1"},
            "policy_version": "sha256:01",
            "until": "2027-01-31",
        }

    def test_it_is_the_same_entry_only_where_it_says_the_same(self) -> None:
        other: list[dict[str, Any]] = [
            {"by": "bob"},
            {"at": NOW + timedelta(seconds=1)},
            {"until": "2027-01-31"},
            {"item": DECIDED.item},
        ]
        entries = [command_entry(**self.SAID | change) for change in ({}, {}, *other)]
        assert entries[0] == entries[1]
        assert len({entry["entry_id"] for entry in entries}) == 1 + len(other)
