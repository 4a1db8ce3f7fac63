"""The brake: which takedowns count, how the hour is counted, and what becomes of one above the quota."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tasks.aws.session import Aws
from tasks.decide.brake import held_by_brake, is_braked, scope_in
from tasks.decide.decision import Decision
from tasks.decide.difference import differences
from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.decide.policy_text import policy_text
from tasks.decide.rule import Rule, Tier
from tasks.record.brake import Takedowns
from tests.unit.test_policy_file import TEXT

NOON = datetime(2026, 11, 1, 12, 2, 30, tzinfo=UTC)
QUOTAS = {"overall": 5, "avatars": 2}


def decision(*rules: str, tier: Tier = Tier.REJECT, **more: str) -> Decision:
    reached = tuple(Rule(name, tier, name.partition(">")[0], 90.0, 85.0) for name in rules)
    return Decision(tier=tier, rules=reached, policy_version="sha256:0", findings=(), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "braked"),
    [
        (decision("labels/Explicit>=85"), True),
        (decision("labels/Explicit>=85", "terms/slurs"), True),
        (decision("labels/Explicit>=85", "known/confirmed-violating/1"), False),
        (decision("rules/minors-and-nudity", priority="top"), False),
        (decision("part/rejected", "labels/Explicit>=85"), False),
        (decision("rendition/rejected"), False),
        (decision("labels/Explicit>=60", tier=Tier.HOLD), False),
        (decision("pii/EMAIL", tier=Tier.REDACT), False),
        (decision(tier=Tier.ALLOW), False),
    ],
    ids=["machine", "two rules", "known", "top priority", "post", "rendition", "hold", "redact", "allow"],
)
def test_only_takedowns_that_no_person_vouches_for_are_braked(made: Decision, braked: bool) -> None:
    assert is_braked(made) is braked


def test_a_takedown_above_the_quota_is_a_hold_whose_rule_says_which_quota() -> None:
    held = held_by_brake(decision("labels/Explicit>=85", "terms/slurs"), "avatars")
    assert (held.tier, [rule.name for rule in held.rules]) == (Tier.HOLD, ["brake/avatars"])
    assert scope_in(rule.name for rule in held.rules) == "avatars"
    assert scope_in(["labels/Explicit>=85"]) is None


def test_the_hold_tells_of_the_rule_that_was_surest() -> None:
    rules = tuple(
        Rule(f"labels/{label}>=85", Tier.REJECT, f"moderation/{label}", sure, 85.0)
        for label, sure in {"Explicit": 86.0, "Gambling": 97.0, "Violence": 91.0}.items()
    )
    (held,) = held_by_brake(replace(decision(), rules=rules), "overall").rules
    assert (held.label, held.confidence, held.threshold) == ("moderation/Gambling", 97.0, None)


# ---- the count ----


@pytest.fixture
def takedowns(moto_aws: Aws, items_table: str) -> Takedowns:
    return Takedowns(moto_aws, items_table)


def count(takedowns: Takedowns, *names: str, at: datetime = NOON, surface: str = "feed", **quotas: int) -> list[object]:
    return [takedowns.count(name * 12, surface=surface, quotas=quotas or QUOTAS, at=at) for name in names]


def test_above_a_surface_s_quota_others_go_on_until_the_fleet_s_is_used_up(takedowns: Takedowns) -> None:
    assert count(takedowns, "a", "b", "c", surface="avatars") == [None, None, "avatars"]
    assert count(takedowns, "d", "e", "f", "g") == [None, None, None, "overall"]
    assert takedowns.counted(NOON) == {"overall": 5, "avatars": 2}


def test_an_item_is_counted_once_in_an_hour_however_often_it_is_delivered(takedowns: Takedowns) -> None:
    later = NOON + timedelta(minutes=20)
    assert count(takedowns, "a", "a", "b") == [None, None, None]
    assert count(takedowns, "a", "b", at=later) == [None, None]
    assert takedowns.counted(later) == {"overall": 2}
    assert count(takedowns, "c", "d", "e", "f", at=later) == [None, None, None, "overall"]
    # What was let through stays so when the quota is used up.
    assert count(takedowns, "a", at=later) == [None]


@pytest.mark.parametrize("second", [0, 1, 149, 299, 300])
def test_no_hour_has_more_than_the_quota_and_after_it_there_is_room_again(takedowns: Takedowns, second: int) -> None:
    begin = NOON.replace(minute=0, second=0) + timedelta(seconds=second)
    assert count(takedowns, "a", "b", at=begin, overall=2) == [None, None]
    assert count(takedowns, "c", at=begin + timedelta(hours=1), overall=2) == ["overall"]
    # Its row counts until the last of its five minutes is an hour old.
    assert count(takedowns, "c", at=begin + timedelta(minutes=65), overall=2) == [None]


def test_a_quota_of_none_holds_everything_and_no_quota_asks_nobody(takedowns: Takedowns, offline_aws: Aws) -> None:
    assert count(takedowns, "a", overall=0) == ["overall"]
    assert takedowns.counted(NOON) == {}
    nobody = Takedowns(offline_aws, "there is no such table")
    assert count(nobody, "a", surface="feed", avatars=0) == [None]


# ---- the policy's section ----


def with_brake(section: str) -> str:
    return f"{TEXT}\nbrake:\n  {section}\n"


def test_the_section_is_read_and_printed_and_no_section_is_no_brake() -> None:
    policy = parse_policy(with_brake("takedowns_per_hour: {overall: 500, feed: 0}"))
    assert policy.brake == {"overall": 500, "feed": 0}
    assert parse_policy(policy_text(policy)).brake == policy.brake
    assert parse_policy(policy_text(policy)) == policy
    without = parse_policy(TEXT)
    assert without.brake == {}
    assert without != policy
    assert parse_policy(with_brake("takedowns_per_hour: {}")) == without


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("takedowns_per_hour: {overal: 5}", 'brake: no surface is called "overal"; the nearest is "overall"'),
        ("takedowns_per_hour: {overall: 10001}", 'overall: must be from 0 to 10000 (it is "10001")'),
        ("takedowns_per_hour: {overall: 1.5}", "overall: must be a whole number"),
        ("takedowns_per_hour: 500", "takedowns_per_hour: must be a mapping of names to values"),
        (
            "takedowns_an_hour: {overall: 5}",
            'brake: unknown key "takedowns_an_hour"; the nearest is "takedowns_per_hour"',
        ),
        ("overall: 5", 'brake: "takedowns_per_hour" is missing'),
    ],
)
def test_a_mistake_is_told_with_its_line(section: str, problem: str) -> None:
    with pytest.raises(PolicyError) as error:
        parse_policy(with_brake(section), source="p")
    line = with_brake(section).splitlines().index(f"  {section}") + 1
    assert any(said in (f"p:{line}: {problem}", f"p:{line - 1}: {problem}") for said in error.value.problems)


def test_a_surface_must_not_be_called_overall() -> None:
    text = with_brake("takedowns_per_hour: {overall: 5}").replace("  feed:", "  overall:")
    with pytest.raises(PolicyError) as error:
        parse_policy(text, source="p")
    said = 'brake: a surface is called "overall" too; give that one another name'
    assert error.value.problems == (f"p:{text.count(chr(10))}: {said}",)


@pytest.mark.parametrize("text", [TEXT, with_brake("takedowns_per_hour: {}")], ids=["no section", "no quota"])
def test_where_there_is_no_quota_a_surface_may_be_called_overall(text: str) -> None:
    assert parse_policy(text.replace("  feed:", "  overall:")).surface_for("a").name == "overall"


def test_a_change_of_a_quota_is_told_in_words() -> None:
    old, new = "takedowns_per_hour: {overall: 500}", "takedowns_per_hour: {overall: 50, feed: 10}"
    said = differences(parse_policy(with_brake(old)), parse_policy(with_brake(new)))
    assert said == ("brake: overall is 50, was 500", "brake: feed is new: 10")
