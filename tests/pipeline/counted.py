"""Moderating in this process, and counting what is asked of the detectors meanwhile."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from fleet import Fleet, Put, desk_on
from interrupted import later

from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done
from tasks.record.seen import Seen
from tasks.record.seen_rows import SeenRows
from tasks.record.standing import Standing


def told(fleet: Fleet) -> dict[str, Any]:
    """What the stand-in has counted by itself: `calls`, and the `units` that AWS would bill."""
    endpoint = fleet.cloud.environment["AWS_ENDPOINT_URL_REKOGNITION"]
    with urllib.request.urlopen(f"{endpoint}/_calls", timeout=10) as answer:
        counts: dict[str, Any] = json.load(answer)
    return counts


def calls_of(fleet: Fleet) -> Counter[str]:
    """Calls of the stand-in so far, by operation, refused ones too."""
    calls = told(fleet)["calls"]
    return Counter({call.split(".")[1]: n["answered"] + n["refused"] for call, n in calls.items()})


@contextmanager
def asked(fleet: Fleet) -> Iterator[Counter[str]]:
    """Calls of the stand-in made meanwhile."""
    before, made = calls_of(fleet), Counter[str]()
    yield made
    made.update(calls_of(fleet) - before)


def judged(fleet: Fleet, put: Put, desk: Desk | None = None) -> Standing:
    """Moderate an upload in this process."""
    outcome = handle(desk or fleet.desk, fleet.event_of(put), attempt=1)
    assert isinstance(outcome, Done), outcome
    standing = fleet.standing(put)
    assert standing is not None
    return standing


def elsewhere(fleet: Fleet, *, seconds: float = 0.0) -> Desk:
    """The desk of another process, so many seconds later."""
    desk = desk_on(fleet.cloud)
    then = later(desk, seconds=seconds)
    return replace(then, seen=seen_by(then))


def seen_by(desk: Desk) -> Seen:
    """What is recalled at a desk, by its clock."""
    table = desk.settings.items_table
    return Seen(SeenRows(aws=desk.aws, table=table, now=desk.now, keep_days=90, lease_seconds=60))
