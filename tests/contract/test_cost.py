"""`modfleet cost`, and the daily caps in `top` and `doctor`, as somebody types them on the local cloud."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from command import Said, run

from deploy.local.run import LocalCloud

Modfleet = Callable[..., Said]
LOOK = "rekognition.DetectModerationLabels"


@pytest.fixture
def audit(clients: SimpleNamespace, unique: str) -> str:
    """An audit log of three runs and some requests; its bucket."""
    clients.s3.create_bucket(Bucket=unique)
    now = datetime.now(UTC)
    about = {"item": {"bucket": "b", "key": "cat.png", "version": "v"}, "surface": "feed"}
    lines: list[dict[str, Any]] = [
        {"event": "spent", "at": now.isoformat(), "units": {LOOK: 2}, **about},
        {"event": "spent", "at": now.isoformat(), "units": {"guardrail-content-unit": 1000}, **about},
        {"event": "spent", "at": now.isoformat(), "units": {"s3.GetObject": 1000}},
        {"event": "decided", "at": now.isoformat(), "units": {LOOK: 2}, **about},
    ]
    body = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    clients.s3.put_object(Bucket=unique, Key=f"log/{now:%Y/%m/%d/%H}/w-1.jsonl", Body=body)
    return unique


@pytest.fixture
def modfleet(cloud: LocalCloud, audit: str) -> Modfleet:
    """Run `modfleet WORDS` on the local cloud with that log; keywords change its environment."""
    return lambda *words, **changes: run(cloud.environment | {"MODFLEET_AUDIT_BUCKET": audit} | changes, *words)


def test_it_is_a_table_with_bars_and_a_sum(modfleet: Modfleet) -> None:
    done = modfleet("cost")
    assert done.code == 0
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines() if line.strip()}
    assert rows["guardrail"][:2] == ["0", "$0.15"]
    assert rows["rekognition-image"][:2] == ["2", "$0.002"]
    assert rows["s3"][:2] == ["1,000", "$0.0004"]
    assert rows["$0.152"][0] == "since"
    assert "━" in rows["guardrail"][-1]


@pytest.mark.parametrize("by", ["detector", "day", "surface", "item"])
def test_whatever_it_is_by_the_sum_is_the_same(modfleet: Modfleet, by: str) -> None:
    told = modfleet("cost", "--by", by, "--since", "24h", "--json").json
    assert told["usd"] == pytest.approx(0.1524)
    assert sum(row["usd"] for row in told["rows"]) == pytest.approx(0.1524)
    assert told["units"] == {"guardrail-content-unit": 1000, LOOK: 2, "s3.GetObject": 1000}


def test_it_can_be_drawn(modfleet: Modfleet, tmp_path: Path) -> None:
    plot = tmp_path / "cost.svg"
    assert modfleet("cost", "--plot", str(plot)).code == 0
    texts = list(ET.parse(plot).getroot().itertext())
    assert {"guardrail", "$0.15"} <= set(texts)


def test_it_can_be_reckoned_by_other_prices(modfleet: Modfleet, tmp_path: Path) -> None:
    prices = tmp_path / "mine.yaml"
    one = f"{LOOK}: {{for: rekognition-image, usd: 3, source: contract}}"
    prices.write_text(f"as_of: 2027-01-01\nregion: eu-west-1\nprices:\n  {one}\n")
    told = modfleet("cost", "--prices", str(prices), "--json").json
    assert (told["usd"], told["prices"]["region"]) == (6, "eu-west-1")
    assert told["unpriced"] == ["guardrail-content-unit", "s3.GetObject"]
    prices.write_text("as_of: lately\n")
    done = modfleet("cost", "--prices", str(prices))
    assert (done.code, "mine.yaml is no table of prices" in done.err) == (2, True)


MISUSED = {
    "--by colour: there are detector": ("--by", "colour"),
    "--since lately: neither a day nor": ("--since", "lately"),
}


@pytest.mark.parametrize(("says", "options"), MISUSED.items(), ids=list(MISUSED))
def test_it_says_what_it_does_not_know(modfleet: Modfleet, says: str, options: tuple[str, ...]) -> None:
    done = modfleet("cost", *options)
    assert (done.code, says in done.err) == (2, True), done.err


def test_a_log_that_is_not_there_is_told_in_a_sentence(modfleet: Modfleet, unique: str) -> None:
    done = modfleet("cost", MODFLEET_AUDIT_BUCKET=f"{unique}-none")
    assert done.code == 1
    assert done.err.startswith("modfleet: s3.ListObjectsV2 NoSuchBucket")


class TestCaps:
    """The fleet's rows of today, seen by an engineer."""

    @pytest.fixture
    def caps(self, cloud: LocalCloud, clients: SimpleNamespace, unique: str) -> dict[str, str]:
        table = cloud.environment["MODFLEET_ITEMS_TABLE"]
        key = {"location": {"S": f"spent#{datetime.now(UTC).date().isoformat()}"}, "version": {"S": unique}}
        told = {
            "units": {"S": json.dumps({LOOK: 2})},
            "refused": {"S": json.dumps({"0.0025 USD a day for rekognition": 3})},
        }
        clients.dynamodb.put_item(TableName=table, Item={**key, **told})
        yield {"MODFLEET_DAILY_CAPS": '{"rekognition": "0.0025 USD", "guardrail": 10}'}  # type: ignore[misc]
        clients.dynamodb.delete_item(TableName=table, Key=key)

    def test_top_shows_them(self, modfleet: Modfleet, caps: dict[str, str]) -> None:
        rekognition, guardrail = modfleet("top", "--json", **caps).json["caps"]
        assert (rekognition["spent"], rekognition["refused"], rekognition["over"]) == (0.002, 3, True)
        assert (guardrail["spent"], guardrail["over"]) == (0, False)
        assert "rekognition 0.002 of 0.0025 USD, 3 refused" in modfleet("top", "--once", **caps).out

    def test_without_caps_top_says_nothing_of_them(self, modfleet: Modfleet) -> None:
        assert modfleet("top", "--json").json["caps"] == []

    def test_the_doctor_finds_one_that_holds_content_back(self, modfleet: Modfleet, caps: dict[str, str]) -> None:
        done = modfleet("doctor", "--json", **caps)
        (found,) = [finding for finding in done.json if finding["check"] == "daily caps"]
        assert (done.code, found["ok"]) == (1, False)
        assert "calls refused today: 3" in found["detail"]

    def test_one_that_means_nothing_is_told_at_once(self, modfleet: Modfleet) -> None:
        done = modfleet("top", "--once", MODFLEET_DAILY_CAPS='{"recognition": 5}')
        assert (done.code, "MODFLEET_DAILY_CAPS" in done.err) == (2, True)
        assert "no such detector or service" in done.err
