"""What must be true once the dust has settled, read from S3, DynamoDB, SNS and the audit log: no worker is asked."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from fleet import Fleet, Put, assert_chains_hold, until
from load import ADDRESS, MASK, Ends

from config.lanes import LANES
from tasks.record.spending import SPENT
from tasks.record.standing import Standing, Status

#: How a line hangs in its writer's chain; all else is the entry.
_CHAINED = ("writer", "line", "prev", "hash", "after")
#: Tiers about which the uploader is told.
_TOLD = (Status.REJECTED, Status.REDACTED)

Line = dict[str, Any]


def assert_everything_once(fleet: Fleet, ends: Ends, *, within: float, parked: int = 0) -> None:
    """Wait for the ends, and hold everything that the world can see against them."""
    standings = all_ended(fleet, list(ends), within=within)
    assert_nothing_left(fleet, parked=parked)
    wrong = {put.key: standings[put].status.value for put, status in ends.items() if standings[put].status != status}
    assert wrong == {}
    lines = fleet.audit_lines()
    assert_chains_hold(lines)
    about = _by_version(lines)
    for put, status in ends.items():
        _assert_recorded_once(standings[put])
        _assert_told_once(about[put.version], standings[put])
        assert len({notice["notice_id"] for notice in fleet.notices(put)}) == _is_told(standings[put]), put.key
        _LOOKS[status](fleet, put)


def _is_told(standing: Standing) -> bool:
    """Of a hold the uploader is told only where it hides."""
    return standing.status in _TOLD or (standing.status is Status.HELD and "hide" in standing.plan)


def all_ended(fleet: Fleet, puts: list[Put], *, within: float) -> dict[Put, Standing]:
    """Where each stands, once each has come to its end."""
    left, started, standings = list(puts), time.monotonic(), {}
    while left:
        patience = max(0.0, within - (time.monotonic() - started))
        standings[left[-1]] = fleet.ended(left[-1], within=patience)
        left.pop()
    return standings


def assert_nothing_left(fleet: Fleet, *, parked: int = 0) -> None:
    """Every queue runs empty, and nothing but what is expected was parked."""
    settings = fleet.settings
    for lane in LANES:
        until(lambda lane=lane: not fleet.depth(settings.queue_url(lane)), what=f"the end of {lane}")  # type: ignore[misc]
    letters = [letter for lane in LANES for letter in fleet.take(settings.dead_letter_url(lane))]
    assert len(letters) == parked, [letter.get("MessageAttributes") for letter in letters]


def _by_version(lines: Iterable[Line]) -> dict[str, list[Line]]:
    about: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line["event"] != SPENT:
            about[line["item"]["version"]].append(line)
    return about


def _assert_recorded_once(standing: Standing) -> None:
    """One decision; each planned action has its receipt; it came to one end."""
    key, events = standing.item.key, [entry["event"] for entry in standing.history]
    assert events.count("decided") == 1, key
    assert events.count("finished") == bool(standing.plan), (key, events)
    assert standing.to_do == (), key
    assert set(standing.receipts) == set(standing.plan), key


def _assert_told_once(lines: list[Line], standing: Standing) -> None:
    """The audit log says each thing once; written again after a crash it is the same entry, to the letter."""
    by_id: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        entry = {name: said for name, said in line.items() if name not in _CHAINED}
        if entry not in by_id[line["entry_id"]]:
            by_id[line["entry_id"]].append(entry)
    assert {len(entries) for entries in by_id.values()} == {1}, (standing.item.key, by_id)
    told = sorted(entries[0]["event"] for entries in by_id.values())
    assert told == sorted(["decided", "ended", *(f"did:{action}" for action in standing.plan)]), standing.item.key


def _assert_shown(fleet: Fleet, put: Put) -> None:
    assert fleet.public(put.key) == (200, put.body), put.key
    assert versions(fleet, put) == ([put.version], 0), put.key


def _assert_gone(fleet: Fleet, put: Put) -> None:
    """Nobody can see it, there is one marker over nothing, and the evidence is there."""
    assert fleet.public(put.key)[0] != 200, put.key
    assert versions(fleet, put) == ([], 1), put.key
    assert set(fleet.quarantined(put)) == {put.body}, put.key


def _assert_masked(fleet: Fleet, put: Put) -> None:
    """The public reads the masked text; the only copy of what it said is the evidence."""
    status, body = fleet.public(put.key)
    assert (status, body) == (200, put.body.replace(ADDRESS, MASK)), put.key
    current, markers = versions(fleet, put)
    assert (len(current), put.version in current, markers) == (1, False, 0), put.key
    assert set(fleet.quarantined(put)) == {put.body}, put.key


def versions(fleet: Fleet, put: Put) -> tuple[list[str], int]:
    """The versions that are left under an upload's key, and how many delete markers."""
    listed = fleet.aws.s3.list_object_versions(Bucket=put.bucket, Prefix=put.key)
    mine = [entry["VersionId"] for entry in listed.get("Versions", []) if entry["Key"] == put.key]
    return mine, sum(marker["Key"] == put.key for marker in listed.get("DeleteMarkers", []))


_LOOKS = {Status.ALLOWED: _assert_shown, Status.REJECTED: _assert_gone, Status.REDACTED: _assert_masked}
