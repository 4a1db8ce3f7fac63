"""A plan's numbers are those that somebody with a pencil would come to."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from config.prices import Prices, parse_prices
from config.settings import Settings
from tasks.decide.policy_file import parse_policy
from tasks.detect.kind import Kind
from tasks.rescan.classify import Way
from tasks.rescan.estimate import Estimate, exactly
from tasks.rescan.kinds import kind_by_name
from tasks.rescan.needs import Looks, Seen, needs_of
from tasks.rescan.plan import Plan, plan_of
from tasks.rescan.reckoning import Assumed, subjects_a_message
from tasks.rescan.survey import Found, Sampled, Survey

BILLION = 10**9
PICTURE, CLIP, TEXT = (Kind.IMAGE, "feed"), (Kind.VIDEO, "feed"), (Kind.TEXT, "feed")
POLICY = parse_policy(Settings.model_fields["policy_file"].default.read_text("utf-8"))
FEED = replace(POLICY.surface_for("feed/x"), pii="never")


@pytest.fixture(scope="module")
def prices() -> Prices:
    return parse_prices(Settings.model_fields["prices_file"].default.read_text("utf-8"))


@pytest.fixture
def assumed(prices: Prices) -> Assumed:
    looks = Looks(classifier_model="amazon.nova-lite-v1:0", prompt=3_600)
    return Assumed(prices=prices, surfaces={"feed": FEED}, looks=looks)


def surveyed(found: dict[Found, int], *, times: int = 1, **more: object) -> Survey:
    """Of these subjects, all were asked about; or each was and stands for so many."""
    counts = Counter[tuple[Kind, str]]()
    for (_, _, sort), number in found.items():
        counts[sort] += number * times
    size = counts.total()
    part = Sampled(size=size, asked=size // times, found=found)
    return Survey(counts=counts, parts=(part,), **{"key_bytes": 60 * size, **more})  # type: ignore[arg-type]


def test_a_billion_pictures_that_nobody_has_seen_cost_what_a_pencil_says(assumed: Assumed) -> None:
    reading = {"s3.ListObjectVersions": BILLION / 1_000}
    survey = surveyed({(Way.DETECT, "never-seen", PICTURE): BILLION}, reading=reading)
    plan = plan_of(survey, replace(assumed, quotas={"rekognition.DetectModerationLabels": 1_000}, workers=50))
    assert plan.exact
    # $1.00 for 1,000, without the discount of more than a million a month.
    assert plan.usd_by["rekognition-image"] == exactly(1_000_000)
    # Messages of a hundred: 10 million, each sent, received and deleted at $0.40 a million, and two transactions.
    assert plan.messages == exactly(10_000_000)
    requests = {name: each.expected for name, each in plan.requests.items()}
    assert requests == {
        "s3.ListObjectVersions": 1_000_000,
        "dynamodb.BatchGetItem": 20_000_000,
        "dynamodb.TransactWriteItems": 1_020_000_000,
        "sqs.SendMessage": 10_000_000,
        "sqs.ReceiveMessage": 10_000_000,
        "sqs.DeleteMessageBatch": 10_000_000,
        "s3.GetObject": BILLION,
    }
    # 5 listing + 12 SQS + 250 for two billion rows read + 3,825 for transactions + 400 for heads of objects.
    assert plan.usd_by["requests"].expected == pytest.approx(5 + 12 + 250 + 3_825 + 400)
    assert plan.hours_by["rekognition.DetectModerationLabels"].expected == pytest.approx(BILLION / 1_000 / 3_600)
    assert plan.hours_by["workers"].expected == pytest.approx(BILLION * 0.5 / (50 * 8) / 3_600)
    assert plan.limited_by == "workers"
    # While uploads ask all the time, a rescan has a fifth of the calls.
    assert plan.hours.high == pytest.approx(5 * BILLION / 1_000 / 3_600)


def test_a_billion_that_are_only_decided_again_ask_no_detector(assumed: Assumed) -> None:
    plan = plan_of(surveyed({(Way.REDECIDE, "policy", PICTURE): BILLION}), assumed)
    assert plan.usd_by.keys() == {"requests"}
    assert plan.detect == {}
    # 65,024 bytes of subjects, each of 60 + 95.
    assert subjects_a_message(60) == 419
    assert plan.messages == exactly(-(-BILLION // 419))
    # 250 for rows read, 1,250 for rows written, about 3 for SQS, and two transactions a message.
    messages = plan.messages.expected
    assert plan.usd.expected == pytest.approx(250 + 1_250 + messages * (3 * 0.40 + 2 * 3.75) / 1e6)
    assert "s3.GetObject" not in plan.requests


def test_a_sample_gives_every_number_its_interval(assumed: Assumed) -> None:
    found = {
        (Way.SKIP, "unchanged", PICTURE): 700,
        (Way.REDECIDE, "policy", PICTURE): 250,
        (Way.DETECT, "never-seen", PICTURE): 50,
    }
    plan = plan_of(surveyed(found, times=1_000_000), assumed)
    assert (plan.items, plan.sampled, plan.exact) == (BILLION, 1_000, False)
    # Wilson's interval for 50 of 1,000.
    looked = plan.ways[Way.DETECT]
    assert looked.expected == pytest.approx(50_000_000)
    assert looked.low == pytest.approx(38_150_000, rel=1e-3)
    assert looked.high == pytest.approx(65_300_000, rel=1e-3)
    assert plan.usd_by["rekognition-image"].expected == pytest.approx(50_000)
    assert plan.usd_by["rekognition-image"].high == pytest.approx(65_300, rel=1e-3)
    assert plan.whys["unchanged"] == plan.ways[Way.SKIP]
    assert any("1,000 of 1,000,000,000 objects" in said for said in plan.assumptions)


def test_a_video_costs_by_its_length_and_waits_for_a_job(assumed: Assumed) -> None:
    survey = surveyed({(Way.DETECT, "never-seen", CLIP): 1_000}, bytes={CLIP: 1_000 * 18_750_000})
    plan = plan_of(survey, assumed)
    # 18.75 MB at 2.5 Mbit/s are a minute, at a dime.
    assert plan.usd_by["rekognition-video"].expected == pytest.approx(100)
    assert plan.usd_by["rekognition-video"].low < 25
    assert plan.usd_by["rekognition-video"].high == pytest.approx(500)
    # Half a minute for each, twenty at once; four looks at each job, five a second.
    assert plan.hours_by["video jobs"].expected == pytest.approx(1_000 / 2 / 20 / 60)
    assert plan.hours_by["rekognition.GetContentModeration"].expected == pytest.approx(4_000 / 5 / 3_600)


def test_a_text_costs_by_its_units(assumed: Assumed) -> None:
    survey = surveyed({(Way.UNKNOWN, "version-unknown", TEXT): 1_000}, bytes={TEXT: 1_000 * 2_500})
    plan = plan_of(survey, assumed)
    # Three units of 1,000 characters: content and topics at $0.15, personal data at $0.10 for 1,000.
    spent = plan.usd_by["guardrail"]
    assert (spent.low, spent.expected, spent.high) == pytest.approx((0.45, 1.20, 1.20))
    # One in twenty is gray: (3,600 + 2,500) / 4 tokens in, 120 out.
    assert plan.usd_by["classifier"].expected == pytest.approx(50 * (1_525 * 0.06 + 120 * 0.24) / 1e6)
    assert "comprehend-pii" not in plan.usd_by
    watched = {"feed": replace(FEED, pii="always", toxicity="always")}
    plan = plan_of(survey, replace(assumed, surfaces=watched))
    assert plan.usd_by["comprehend-pii"] == exactly(1_000 * 25 * 0.0001)
    assert plan.usd_by["comprehend-toxicity"] == exactly(1_000 * 25 * 0.0001)


def test_what_the_fleets_own_items_took_is_believed_before_what_is_assumed(assumed: Assumed) -> None:
    seen = Seen()
    for number in range(40):
        seen.add({"rekognition.DetectModerationLabels": 1.0 if number % 2 else 0.0})
    survey = surveyed({(Way.DETECT, "version:guardrail", PICTURE): 1_000}, seen={Kind.IMAGE: seen})
    plan = plan_of(survey, assumed)
    spent = plan.usd_by["rekognition-image"]
    # Half of them were uploads of the same bytes.
    assert spent.expected == pytest.approx(0.50)
    assert spent.low == pytest.approx(0.50 - 1.96 * 0.5 / 39**0.5)
    few = Seen()
    few.add({})
    assert needs_of(Kind.IMAGE, FEED, size=1, looks=Looks(), seen=few)["rekognition.DetectModerationLabels"] == exactly(
        1
    )


def test_words_in_pictures_are_paid_for_where_the_surface_reads_them() -> None:
    plain = needs_of(Kind.IMAGE, FEED, size=1, looks=Looks())
    read = needs_of(Kind.IMAGE, replace(FEED, text_in_images=True), size=1, looks=Looks())
    assert set(plain) == {"rekognition.DetectModerationLabels"}
    assert read["rekognition.DetectText"] == exactly(1)
    assert read["guardrail-content-unit"] == Estimate(low=0, expected=0.25, high=1)
    checks = needs_of(Kind.TEXT, FEED, size=10, looks=Looks(guardrail_checks=True))
    assert "bedrock-runtime.InvokeGuardrailChecks" in checks
    assert "guardrail-content-unit" not in checks


@pytest.mark.parametrize("kind", [Kind.EMPTY, Kind.FILM, Kind.SOUND])
def test_what_no_detector_reads_costs_nothing(kind: Kind) -> None:
    assert needs_of(kind, FEED, size=1_000, looks=Looks()) == {}


def test_of_an_unknown_kind_the_dearest_is_possible() -> None:
    needs = needs_of(Kind.UNKNOWN, FEED, size=1_000, looks=Looks())
    assert needs["rekognition.DetectModerationLabels"] == Estimate(low=0, expected=0.6, high=5)
    assert all(each.low == 0 for each in needs.values())


@pytest.mark.parametrize(
    ("key", "size", "kind"),
    [
        ("feed/a.JPG", 1, Kind.IMAGE),
        ("feed/a.jpg/b", 1, Kind.UNKNOWN),
        ("feed/a.tar.webp", -1, Kind.PICTURE),
        ("clip.mp4", 1, Kind.VIDEO),
        ("mp4", 1, Kind.UNKNOWN),
        ("feed/a.mp4", 0, Kind.EMPTY),
        ("feed/a", 1, Kind.UNKNOWN),
    ],
)
def test_a_kind_is_told_by_the_end_of_a_key(key: str, size: int, kind: Kind) -> None:
    assert kind_by_name(key, size) is kind


def test_a_plan_is_json_and_an_empty_source_has_one(assumed: Assumed) -> None:
    plan: Plan = plan_of(Survey(counts={}), assumed)
    said = json.loads(json.dumps(plan.summary()))
    assert said["items"] == said["to_send"] == said["gigabytes_copied"] == 0
    assert said["usd"] == {"low": 0, "expected": 0, "high": 0}
    assert said["exact"] is True


def test_the_shipped_policys_surfaces_can_all_be_planned(assumed: Assumed) -> None:
    surfaces = {surface.name: surface for surface in POLICY.surfaces}
    found: dict[Found, int] = {(Way.DETECT, "never-seen", (kind, name)): 1 for kind in Kind for name in surfaces}
    plan = plan_of(surveyed(found), replace(assumed, surfaces=surfaces))
    assert not assumed.prices.missing(
        tuple(unit for unit in plan.requests if unit not in ("dynamodb.BatchGetItem", "s3.ListObjectVersions"))
    )
    assert plan.usd.low < plan.usd.expected < plan.usd.high
