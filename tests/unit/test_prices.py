"""Prices: every mistake in the table is told, and whatever modfleet calls has a price in the shipped one."""

from __future__ import annotations

import re
from pathlib import Path

import boto3
import pytest

from config.prices import UNPRICED, Prices, PricesError, parse_prices
from config.settings import Settings
from tasks.detect.guardrail import BILLED

ROOT = Path(__file__).parents[2]
GOOD = "as_of: 2026-11-01\nregion: us-east-1\nprices:\n  image: {usd: 1.0, per: 1000, source: somewhere}\n"
CLIENTS = {"bedrock": "bedrock-runtime", "batches": "bedrock", "polling": "sqs"}
NAMES = "s3|sqs|polling|dynamodb|sns|rekognition|bedrock|batches|comprehend|cloudfront"
CALLED = re.compile(rf"aws\.({NAMES})\.([a-z_]+)\b")
#: Free, or made by commands and checks alone.
NOT_BY_RUNS = re.compile(
    r"\.(HeadBucket|GetBucket\w+|GetObjectLockConfiguration|Describe\w+|GetQueueAttributes|GetTopicAttributes|GetDistribution)"
)


@pytest.fixture(scope="module")
def shipped(settings: Settings) -> Prices:
    return parse_prices(settings.prices_file.read_text("utf-8"))


def calls_in_the_code() -> set[str]:
    """`service.Operation` of every client method that a run can call."""
    found = set()
    for path in [*ROOT.glob("tasks/**/*.py"), *ROOT.glob("worker/*.py")]:
        for client, method in CALLED.findall(path.read_text("utf-8")):
            service = CLIENTS.get(client, client)
            meta = boto3.client(service, region_name="us-east-1").meta
            found.add(f"{service}.{meta.method_to_api_mapping.get(method, method)}")
    return found


def test_every_call_that_a_run_makes_has_a_price(shipped: Prices) -> None:
    called = {call for call in calls_in_the_code() if not NOT_BY_RUNS.search(call)}
    assert len(called) > 15
    assert shipped.missing(tuple(called)) == []


def test_everything_that_is_metered_has_a_price(shipped: Prices, settings: Settings) -> None:
    kinds = ("input", "output", "batch-input", "batch-output")
    tokens = [f"{kind}-token/{settings.classifier_model}" for kind in kinds]
    assert shipped.missing(("video-minute", "pii-unit", *BILLED.values(), *tokens)) == []


def test_a_million_images_cost_a_thousand_dollars(shipped: Prices) -> None:
    assert shipped.cost({"rekognition.DetectModerationLabels": 1e6}) == pytest.approx(1000)


@pytest.mark.parametrize(
    "model",
    [
        "amazon.nova-lite-v1:0",
        "us.amazon.nova-lite-v1:0",
        "apac.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
    ],
)
def test_a_model_costs_the_same_by_whatever_name_it_is_called(shipped: Prices, model: str) -> None:
    assert shipped.cost({f"input-token/{model}": 1e6}) == pytest.approx(0.06)


def test_what_has_no_price_costs_nothing_and_is_named() -> None:
    assert UNPRICED.cost({"image": 5}) == 0
    assert UNPRICED.missing({"image": 5}) == ["image"]


def test_a_price_is_for_so_many() -> None:
    assert parse_prices(GOOD).usd == {"image": 0.001}


def test_every_unit_of_the_ai_services_is_some_detectors(shipped: Prices) -> None:
    ai = ("rekognition.", "bedrock-runtime.", "bedrock.", "comprehend.")
    units = [unit for unit in shipped.usd if unit.startswith(ai) or "." not in unit or "/" in unit]
    assert [unit for unit in units if not shipped.detector_of(unit)] == []
    assert shipped.detector_of("s3.GetObject") is None


def test_tokens_of_a_model_without_a_price_are_the_classifiers_all_the_same(shipped: Prices) -> None:
    assert shipped.detector_of("input-token/some.new-model") == "classifier"


def test_a_detector_a_service_and_all_of_them_can_be_capped(shipped: Prices) -> None:
    scopes = shipped.scopes()
    assert scopes["guardrail"] == {"guardrail"}
    assert {"rekognition-image", "rekognition-video"} <= scopes["rekognition"]
    assert scopes["bedrock"] == {"classifier"}
    assert scopes["rekognition"] | scopes["bedrock-runtime"] | scopes["comprehend"] == scopes["all"]


BAD = {
    "as_of must be": GOOD.replace("2026-11-01", "lately"),
    "region must": GOOD.replace("us-east-1", "7"),
    "currency is unknown": f"{GOOD}currency: EUR\n",
    "prices must map": GOOD.split("prices", maxsplit=1)[0],
    "image: must be {usd": GOOD.replace("{usd: 1.0, per: 1000, source: somewhere}", "1.0"),
    "image: usd must": GOOD.replace("usd: 1.0", "usd: free"),
    "image: usd must be a number of dollars": GOOD.replace("usd: 1.0", "usd: -1"),
    "image: usd": GOOD.replace("usd: 1.0", "usd: .nan"),
    "image: per must": GOOD.replace("per: 1000", "per: 0"),
    "image: source must": GOOD.replace(", source: somewhere", ""),
    "image: for must name": GOOD.replace("usd: 1.0", "for: 7, usd: 1.0"),
    "image: each is unknown": GOOD.replace("per:", "each:"),
    "is no YAML": "a: [",
    "it must have as_of": "- 1",
}


@pytest.mark.parametrize(("said", "text"), BAD.items(), ids=list(BAD))
def test_a_mistake_is_named(said: str, text: str) -> None:
    with pytest.raises(PricesError, match=re.escape(said)):
        parse_prices(text)


def test_every_mistake_is_told_at_once() -> None:
    text = "as_of: lately\nregion: us-east-1\nprices:\n  a: {usd: x, source: s}\n  b: {usd: 1}\n"
    with pytest.raises(PricesError) as caught:
        parse_prices(text, source="mine.yaml")
    headline, *lines = str(caught.value).splitlines()
    assert headline == "mine.yaml is no table of prices:"
    assert [line.split()[0] for line in lines] == ["as_of", "a:", "b:"]
