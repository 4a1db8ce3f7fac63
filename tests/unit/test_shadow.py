"""The shadow policy: decided beside the live one, on record, never acted on, and never in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import CONFIG, Settings
from tasks.aws.session import Aws
from tasks.decide.decision import decide
from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.decide.replay import Tally
from tasks.decide.rule import Tier
from tasks.decide.shadow import compare, shadow_of
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.item import Item
from tasks.ledger import open_ledger
from tasks.pipeline import with_decision
from tasks.record.entries import entries_of
from tasks.record.past import shadowed_since
from tasks.record.standing import Standing, Status, from_row, to_row
from tasks.shadow import shadow_beside
from worker.wiring import wire

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
TEXT = (CONFIG / "policy.yaml").read_text(encoding="utf-8")
MILDER = TEXT.replace("Weapons: {hold: 60, reject: 90}", "Weapons: {hold: 75, reject: 95}")
LIVE, SHADOW = parse_policy(TEXT), parse_policy(MILDER)

anything = st.builds(
    Finding,
    detector=st.text(),
    detector_version=st.text(),
    label=st.text() | st.sampled_from(["moderation/", "moderation/Violence/Weapons", "pii/EMAIL", "rules/x", "//"]),
    confidence=st.floats(),
    span=st.none() | st.tuples(st.integers(), st.integers()),
    time_ms=st.none() | st.tuples(st.integers(), st.integers()),
    part=st.text(),
)


def weapons(confidence: float) -> Finding:
    return Finding(
        detector="rekognition-image", detector_version="7.0", label="moderation/Violence/Weapons", confidence=confidence
    )


def of(*findings: Finding) -> dict[str, object]:
    """What goes on record of these findings on the feed."""
    surface = LIVE.surface_for("feed/x")
    live = decide(findings, LIVE, surface)
    names = tuple(rule.name for rule in live.rules)
    return shadow_of(findings, SHADOW, SHADOW.surface_for("feed/x"), tier=int(live.tier), rules=names)


@given(st.lists(anything, max_size=6), st.text())
def test_no_findings_and_no_key_make_a_decision_fail(findings: list[Finding], key: str) -> None:
    """So a shadow needs no net under it: what it is asked is what the live policy is asked, of any findings at all."""
    said = shadow_of(findings, SHADOW, SHADOW.surface_for(key), tier=0, rules=())
    assert said["policy"] == SHADOW.version


@pytest.mark.parametrize(
    ("confidence", "more"),
    [
        (99.0, {"tier": 3, "rules": ["labels/Violence/Weapons>=95"]}),
        (92.0, {"tier": 2, "rules": ["labels/Violence/Weapons>=75"]}),
        (70.0, {"tier": 0, "rules": []}),
        (10.0, {}),
    ],
    ids=["another threshold", "a milder tier", "allowed", "the same"],
)
def test_its_tier_and_rules_are_on_record_only_where_they_differ(confidence: float, more: dict[str, object]) -> None:
    assert of(weapons(confidence)) == {"policy": SHADOW.version} | more


@pytest.fixture(scope="module")
def desk(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk under the shipped policy, with a milder one beside it."""
    home = tmp_path_factory.mktemp("config")
    (home / "live.yaml").write_text(TEXT, encoding="utf-8")
    (home / "shadow.yaml").write_text(MILDER, encoding="utf-8")
    files = {"policy_file": home / "live.yaml", "shadow_policy": str(home / "shadow.yaml")}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        made = wire(settings.model_copy(update=files))
    # The quotas are counted in a table that is not there.
    return replace(made, policy=replace(made.policy, brake={}), now=lambda: NOON)


def standing(name: str, *, hours: int = 0) -> Standing:
    at = NOON + timedelta(hours=hours)
    item = Item(bucket="b", key=f"feed/{name}", version_id="v", etag="e", size=1, sequencer="", event_time=at)
    return Standing(item=item, status=Status.PENDING, surface="feed")


def decided(desk: Desk, name: str, *findings: Finding) -> Standing:
    with open_ledger():
        return with_decision(desk, standing(name), findings)


@pytest.mark.parametrize("confidence", [99.0, 92.0, 70.0, 10.0])
def test_what_becomes_of_an_item_is_the_same_with_and_without_one(desk: Desk, confidence: float) -> None:
    beside = decided(desk, "x", weapons(confidence))
    alone = decided(replace(desk, shadow=None), "x", weapons(confidence))
    assert alone.shadow == {}
    assert beside.shadow["policy"] == SHADOW.version
    assert replace(beside, shadow={}) == alone


def test_where_the_shadow_policy_has_come_into_force_there_is_nothing_beside_it(desk: Desk) -> None:
    assert decided(replace(desk, policy=SHADOW), "x", weapons(92.0)).shadow == {}


def test_what_the_brake_has_held_is_compared_as_the_takedown_that_it_would_have_been(desk: Desk) -> None:
    rules = ("labels/Violence/Weapons>=95",)
    braked = replace(standing("x"), braked=rules)
    held = replace(decide([weapons(99.0)], LIVE, LIVE.surface_for("feed/x")), tier=Tier.HOLD)
    assert shadow_beside(desk, braked, held) == {"policy": SHADOW.version}


def test_it_is_in_the_row_and_in_the_decisions_entry_and_nowhere_without_one(desk: Desk) -> None:
    one = decided(desk, "x", weapons(70.0))
    assert from_row(to_row(one)) == one
    (entry,) = (entry for entry in entries_of(one) if entry["event"] == "decided")
    assert entry["shadow"] == {"policy": SHADOW.version, "tier": 0, "rules": []}
    none = replace(one, shadow={})
    assert "shadow" not in to_row(none)
    assert all("shadow" not in entry for entry in entries_of(none))


@pytest.mark.parametrize("said", ["surfaces: 3\n", "labels: {Wepons: {hold: 60}}\n"])
def test_a_mistake_in_it_stops_a_start_and_names_the_file_and_the_line(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    path = tmp_path / "shadow.yaml"
    path.write_text(said)
    with pytest.raises(PolicyError, match=rf"MODFLEET_SHADOW_POLICY {path}:1: "):
        wire(settings.model_copy(update={"shadow_policy": str(path)}))


def test_the_report_counts_what_was_decided_under_both_and_names_what_flips(
    desk: Desk, moto_aws: Aws, items_table: str
) -> None:
    sure = {"rejected": 92.0, "held": 70.0, "both": 99.0, "fine": 10.0}
    made = [decided(desk, name, weapons(confidence)) for name, confidence in sure.items()]
    alone = decided(replace(desk, shadow=None), "alone", weapons(92.0))
    before = replace(decided(desk, "before", weapons(92.0)), decided_at=NOON - timedelta(days=1))
    other = decided(desk, "other", weapons(99.0))
    other = replace(other, shadow={"policy": "sha256:of-last-week", "tier": 0, "rules": []})
    for one in (*made, alone, before, other):
        moto_aws.dynamodb.put_item(TableName=items_table, Item=to_row(one))
    tallies: dict[str, Tally] = {}
    pages = shadowed_since(moto_aws, items_table, NOON - timedelta(hours=1), segments=1)
    flips = {flip.past.key: flip for flip in compare((one for page in pages for one in page.decided), tallies)}
    assert {key: (flip.old, flip.new, flip.causes) for key, flip in flips.items()} == {
        "feed/rejected": (Tier.REJECT, Tier.HOLD, ("Violence/Weapons",)),
        "feed/held": (Tier.HOLD, Tier.ALLOW, ("Violence/Weapons",)),
        "feed/other": (Tier.REJECT, Tier.ALLOW, ("Violence/Weapons",)),
    }
    assert {key: (flip.old_rules, flip.new_rules) for key, flip in flips.items()} == {
        "feed/rejected": (("labels/Violence/Weapons>=90",), ("labels/Violence/Weapons>=75",)),
        "feed/held": (("labels/Violence/Weapons>=60",), ()),
        "feed/other": (("labels/Violence/Weapons>=90",), ()),
    }
    mine = tallies[SHADOW.version]
    assert (mine.decided, mine.flips, mine.change(Tier.HOLD), mine.change(Tier.REJECT)) == (4, 2, 0, -1)
    assert tallies["sha256:of-last-week"].decided == 1
