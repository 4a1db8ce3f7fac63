"""What was spent, read back: each entry once, by day, surface, detector and item; and what `--since` means."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from config.prices import Prices
from tasks.aws.faults import Denied
from tasks.aws.session import Aws
from tasks.record.audit import AuditLog
from tasks.record.costs import By, Costs, calls_in, spent_between
from worker.cost import since_when, summary
from worker.plot import Bar, draw_bars

BUCKET = "audit-example"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LOOK, ASK, TOKENS = "rekognition.DetectModerationLabels", "bedrock-runtime.ApplyGuardrail", "input-token/some.model"
PRICES = Prices(
    date(2026, 1, 1),
    "us-east-1",
    {LOOK: 0.001, ASK: 0, "guardrail-content-unit": 0.00015, "s3.GetObject": 0.0000004},
    {LOOK: "rekognition-image", ASK: "guardrail", "guardrail-content-unit": "guardrail", "input-token": "classifier"},
)


def spent(at: datetime, *, surface: str = "", key: str = "k", **units: float) -> dict[str, Any]:
    names = {"look": LOOK, "ask": ASK, "units": "guardrail-content-unit", "get": "s3.GetObject", "tokens": TOKENS}
    about = {"item": {"bucket": "b", "key": key, "version": "v"}, "surface": surface} if surface else {}
    named = {names.get(name, name): amount for name, amount in units.items()}
    return {"entry_id": "x", "event": "spent", "at": at.isoformat(), "units": named, "usd": 0, **about}


@pytest.fixture
def aws(moto_aws: Aws) -> Aws:
    """An AWS that has the audit bucket."""
    moto_aws.s3.create_bucket(Bucket=BUCKET)
    return moto_aws


def write(aws: Aws, *entries: dict[str, Any], at: datetime = NOW, writer: str = "w") -> None:
    AuditLog(aws, bucket=BUCKET, writer=writer, now=lambda: at).append(entries)


def costs(aws: Aws, by: By = "detector", *, since: datetime = NOW - timedelta(days=7)) -> Costs:
    found = Costs(PRICES, by)
    for entry in spent_between(aws, BUCKET, since, NOW + timedelta(seconds=1)):
        found.add(entry)
    return found


@pytest.fixture
def written(aws: Aws) -> Aws:
    """Two days, two surfaces, three items, and requests that were nobody's alone."""
    yesterday = NOW - timedelta(days=1)
    write(aws, {"entry_id": "1", "event": "decided", "at": NOW.isoformat(), "units": {LOOK: 1}})
    write(aws, spent(yesterday, surface="feed", key="a", look=1), at=yesterday, writer="x")
    write(aws, spent(NOW, surface="feed", key="b", look=2), spent(NOW, get=5), writer="y")
    write(aws, spent(NOW, surface="avatars", key='"event":"spent"', ask=1, units=3, tokens=7), writer="z")
    return aws


BY: dict[By, dict[str, float]] = {
    "day": {"2026-01-01": 0.001, "2026-01-02": 0.002452},
    "surface": {"feed": 0.003, "avatars": 0.00045, "requests": 0.000002},
    "detector": {"rekognition-image": 0.003, "guardrail": 0.00045, "s3": 0.000002, "classifier": 0},
    "item": {"s3://b/b v": 0.002, "s3://b/a v": 0.001, 's3://b/"event":"spent" v': 0.00045, "requests": 0.000002},
}


@pytest.mark.parametrize(("by", "wanted"), BY.items(), ids=list(BY))
def test_it_adds_up_by(written: Aws, by: By, wanted: dict[str, float]) -> None:
    found = costs(written, by)
    assert {name: found.dollars(name) for name in found.names} == pytest.approx(wanted)
    assert found.names == list(wanted)
    assert found.usd == pytest.approx(sum(wanted.values()))


def test_what_has_no_price_and_what_got_no_answer_is_told(aws: Aws) -> None:
    write(aws, spent(NOW, surface="feed", tokens=7, **{f"lost/{LOOK}": 2}))
    found = costs(aws)
    assert (found.unpriced, found.lost, found.usd) == ([TOKENS], 2, 0)


def test_only_what_was_spent_since_then_counts(written: Aws) -> None:
    assert costs(written, since=NOW - timedelta(minutes=5)).usd == pytest.approx(0.002452)


def test_what_was_written_hours_late_counts_where_it_belongs(aws: Aws) -> None:
    """S3 was down for a while: the entry stands under a later hour than its own."""
    early = NOW - timedelta(hours=5)
    write(aws, spent(early, surface="feed", look=1), at=NOW - timedelta(hours=3))
    found = list(spent_between(aws, BUCKET, early - timedelta(minutes=1), early + timedelta(minutes=1)))
    assert [entry["units"] for entry in found] == [{LOOK: 1}]


def test_many_objects_are_all_read(aws: Aws) -> None:
    for number in range(300):
        write(aws, spent(NOW, surface="feed", key=str(number), look=1), writer=f"w{number}")
    assert costs(aws, "item").usd == pytest.approx(0.3)


def test_a_log_that_cannot_be_read_is_no_empty_one(moto_aws: Aws) -> None:
    with pytest.raises(Denied):
        costs(moto_aws)


def test_an_operation_is_a_unit_of_its_own_name() -> None:
    assert calls_in({LOOK: 3, "guardrail-content-unit": 9, "input-token/us.some.model": 5, f"lost/{LOOK}": 1}) == 3


WHEN = {
    "7d": NOW - timedelta(days=7),
    "24h": NOW - timedelta(hours=24),
    "2026-01-01": datetime(2026, 1, 1, tzinfo=UTC),
    "7": None,
    "0d": None,
    "yesterday": None,
    "2026-13-01": None,
}


@pytest.mark.parametrize(("said", "when"), WHEN.items(), ids=list(WHEN))
def test_since_is_a_day_or_so_long_ago(said: str, when: datetime | None) -> None:
    assert since_when(said, now=NOW) == when


def test_the_summary_is_json_and_has_every_row(written: Aws) -> None:
    told = json.loads(json.dumps(summary(costs(written, "item"), NOW - timedelta(days=7), NOW)))
    assert told["prices"] == {"as_of": "2026-01-01", "region": "us-east-1"}
    assert [row["calls"] for row in told["rows"]] == [2, 1, 1, 5]
    assert told["units"][LOOK] == 3


class TestPlot:
    def test_bars_are_as_long_as_what_they_stand_for(self) -> None:
        drawn = ET.fromstring(draw_bars("title", [Bar("a", 2, "$2"), Bar("b", 1, "$1"), Bar("c", 0, "$0")]))
        widths = [float(rect.attrib["width"]) for rect in drawn.iter("{http://www.w3.org/2000/svg}rect")][1:]
        assert widths == pytest.approx([widths[0], widths[0] / 2, 1], abs=0.1)

    def test_without_bars_it_is_a_picture_all_the_same(self) -> None:
        assert ET.fromstring(draw_bars("nothing", []))

    def test_a_key_may_be_called_anything(self) -> None:
        hostile = "<script>\x00\x1b[2J&\u202e\ud800"
        drawn = ET.fromstring(draw_bars("t", [Bar(hostile, 1, "$1")]))
        assert "<script>��[2J&��" in list(drawn.itertext())

    def test_of_a_long_key_the_end_is_shown(self) -> None:
        drawn = ET.fromstring(draw_bars("t", [Bar("x" * 100 + "/end.png", 1, "$1")]))
        assert any(text.startswith("…x") and text.endswith("x/end.png") for text in drawn.itertext())
