"""Each item of a real worker has one line and one trace, from its message to its entries, and is counted."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from fleet import Fleet, Put, card, said, until

from worker.heartbeat import read_beats

#: Counts of one AWS call, and what it costs: a rough check that the numbers are the run's own.
FEW, MANY = 2, 40


def lines_of(fleet: Fleet) -> list[dict[str, Any]]:
    """Every JSON line that workers wrote so far, logs and EMF."""
    text = "\n".join(worker.log.read_text(errors="replace") for worker in fleet.workers)
    return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]


def item_line(fleet: Fleet, put: Put) -> dict[str, Any]:
    """The one line about an upload, once it is there."""
    standing = fleet.ended(put)

    def look() -> list[dict[str, Any]]:
        return [line for line in lines_of(fleet) if line.get("event") == "item" and line["id"] == standing.item.id[:16]]

    (line,) = until(look, what=f"the line about {put.key}")
    return line


@pytest.fixture
def puts(served: Fleet, media: SimpleNamespace, unique: str) -> dict[str, Put]:
    """One upload of each kind."""
    bodies = {
        "image": media.picture("PNG", card={"labels": {"Weapons": 99.0}}),
        "text": b"hm " + card(guardrail={"HATE": "HIGH"}, note=unique),
        "video": media.video([media.picture()], seconds_each=0.2) + unique.encode(),
        "unknown": b"\x00\x01" * 40,
    }
    return {kind: served.put(f"feed/{unique}-{kind}", body) for kind, body in bodies.items()}


def test_each_item_has_one_line_that_says_all(served: Fleet, puts: dict[str, Put]) -> None:
    for kind, put in puts.items():
        line, standing = item_line(served, put), served.ended(put)
        assert (line["kind"], line["status"], line["tier"]) == (kind, standing.status.value, standing.tier)
        assert (line["surface"], line["outcome"], line["attempt"]) == ("feed", "done", 1)
        assert line["lane"] == ("video" if kind == "video" else "uploads")
        assert line["takedown_ms"] == standing.time_to_takedown_ms
        assert FEW < line["aws_calls"] < MANY
        assert 0 < line["usd"] < 0.1
        assert line["queue_age_ms"] >= 0
        assert line["decision_ms"] >= 0
        assert put.key not in json.dumps(line)


def test_a_trace_leads_from_the_message_to_the_history_and_the_audit_log(served: Fleet, puts: dict[str, Put]) -> None:
    audit = served.audit_lines
    for put in puts.values():
        trace = item_line(served, put)["trace"]
        standing = served.ended(put)
        assert standing.trace == trace
        assert {entry["trace"] for entry in standing.history} == {trace}
        assert [entry["trace"] for entry in said(audit(), put, "ended")] == [trace]


def test_a_video_that_is_waited_for_has_the_trace_of_its_upload(served: Fleet, puts: dict[str, Put]) -> None:
    trace = item_line(served, puts["video"])["trace"]
    waits = [line for line in lines_of(served) if line.get("trace") == trace and line["event"] == "done"]
    assert {line["lane"] for line in waits} >= {"uploads"}
    assert all("video" in line["why"] for line in waits)


def test_the_fleet_can_read_how_its_worker_does_and_nothing_was_allowed_unseen(
    served: Fleet, puts: dict[str, Put]
) -> None:
    for put in puts.values():
        served.ended(put)

    def look() -> list[Any]:
        beats = read_beats(served.aws, served.settings.items_table)
        return [beat for beat in beats if sum(beat.items.values()) >= len(puts)]

    (beat,) = until(look, what="a heartbeat that counts the items")
    assert beat.fail_open == 0
    assert {"uploads", "video", "rulings"} <= set(beat.lanes)
    assert beat.calls["s3"].calls > 0
    assert beat.takedown.count >= 1
    assert beat.usd > 0
