"""How severe a case is, when it is due, and whose turn comes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import CONFIG
from tasks.decide.difference import differences
from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.decide.policy_text import policy_text
from tasks.decide.review import SEVERITIES, USUAL_HOURS, WAITING, ReviewRules
from tasks.decide.rule_name import UnknownRule, rule_path
from tasks.detect.finding import Finding
from tasks.review.case import Case, CaseStatus, Reviewer
from tasks.review.severity import due_at, moment, severity_of, turn
from tests.unit.test_decide_rules import TEXT

SHIPPED = parse_policy((CONFIG / "policy.yaml").read_text("utf-8"))
SILENT = parse_policy(TEXT)
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
VERDICT = Finding(
    detector="classifier", detector_version="1", label="classifier/reject", confidence=100, rule="minor-safety"
)
SEVERITY, REACH = st.sampled_from(SEVERITIES), st.integers(0, 10**12)
MOMENTS = st.integers(-(10**8), 10**8).map(lambda ms: NOW + timedelta(milliseconds=ms))


@pytest.mark.parametrize(
    ("rules", "severity"),
    [
        ((), "normal"),
        (("labels/Violence/Weapons>=60",), "normal"),
        (("labels/Violence/Graphic Violence/Self-Harm>=45",), "critical"),
        (("labels/Violence/Graphic Violence>=55", "labels/Rude Gestures>=85"), "high"),
        (("labels/Rude Gestures>=85",), "low"),
        (("labels/Rude Gestures>=85", "labels/Violence/Weapons>=60"), "normal"),
        (("unreadable/image-format",), "low"),
        (("guardrail/HATE>=LOW",), "high"),
        (("rules/minors-and-nudity", "labels/Gambling>=90"), "top"),
        (("brake/overall", "labels/Explicit>=85"), "high"),
        (("pii/EMAIL cannot be masked",), "normal"),
        (("what/nobody/knows",), "normal"),
    ],
)
def test_the_severest_of_its_rules_is_a_case_s_severity(rules: tuple[str, ...], severity: str) -> None:
    assert severity_of(rules, SHIPPED) == severity


def test_the_rule_that_the_classifier_named_counts_and_a_rule_of_top_priority_needs_no_entry() -> None:
    assert severity_of(("classifier/reject",), SHIPPED) == "normal"
    assert severity_of(("classifier/reject",), SHIPPED, findings=(VERDICT,)) == "top"
    assert severity_of(("rules/minors",), SILENT) == "top"
    assert severity_of(("rules/weak",), SILENT) == "normal"


@given(severity=SEVERITY, less=REACH, more=REACH)
def test_reach_brings_a_deadline_forward_and_never_back(severity: str, less: int, more: int) -> None:
    less, more = sorted((less, more))
    usual, soon = (due_at(NOW, severity, reach=reach, policy=SHIPPED) for reach in (less, more))
    assert NOW < soon <= usual <= NOW + timedelta(hours=USUAL_HOURS[severity])


def test_nine_thousand_views_halve_the_time_and_a_million_quarter_it() -> None:
    def hours(reach: int) -> float:
        return (due_at(NOW, "low", reach=reach, policy=SHIPPED) - NOW).total_seconds() / 3600

    assert [hours(0), hours(9_000), hours(999_000)] == [72, 36, 18]
    assert hours(-5) == 72


@given(st.lists(st.tuples(SEVERITY, MOMENTS), min_size=2, max_size=6), MOMENTS)
def test_nothing_comes_before_top_and_nothing_overtakes_its_own_severity(
    cases: list[tuple[str, datetime]], now: datetime
) -> None:
    order = sorted(cases, key=lambda case: turn(case[0], moment(case[1]), now=moment(now)))
    names = [severity for severity, _ in order]
    assert sorted(names, key=lambda name: name != "top") == names
    for severity in SEVERITIES:
        due = [at for name, at in order if name == severity]
        assert [moment(at) for at in due] == sorted(moment(at) for at in due)


def test_an_overdue_normal_case_comes_before_a_fresh_high_one_and_after_every_critical_one() -> None:
    def place(severity: str, hours: float) -> tuple[int, str]:
        return turn(severity, moment(NOW + timedelta(hours=hours)), now=moment(NOW))

    overdue = place("normal", -1)
    assert place("critical", 100) < overdue < place("high", 0.01)
    assert place("high", -2) < overdue
    assert place("top", 100) < place("critical", -100)


_LAST = 'nothing stands behind its last "/"'
MISTAKES = [
    ("review: {hours: {hihg: 1}}", 'hours: unknown key "hihg"; the nearest is "high"'),
    ("review: {hours: {high: soon}}", 'high: must be a number from 0 to 8760 (it is "soon")'),
    ("review: {severities: {moderation/Wepons: high}}", 'severities: unknown label "Wepons"; the nearest is "Weapons"'),
    (
        "review: {severities: {gardrail/HATE: high}}",
        'severities: "gardrail/HATE" names no rule; the nearest is "guardrail"',
    ),
    (
        "review: {severities: {qqqq: high}}",
        'severities: "qqqq" names no rule; they look like moderation/Weapons or guardrail/HATE',
    ),
    (
        "review: {severities: {guardrail/HAT: high}}",
        'severities: "guardrail/HAT" names no rule; the nearest is "guardrail/HATE"',
    ),
    (
        "review: {severities: {known/bad/: high}}",
        'severities: "known/bad/" names no rule; ' + _LAST,
    ),
    (
        "review: {severities: {guardrail/topic/: high}}",
        'severities: "guardrail/topic/" names no rule; ' + _LAST,
    ),
    (
        "review: {severities: {moderation/Weapons: high, moderation/Violence/Weapons: low}}",
        '"moderation/Violence/Weapons" stands twice, once by its full path',
    ),
    (
        "review: {severities: {moderation/Weapons/: low}}",
        'severities: "moderation/Weapons/" names no rule; ' + _LAST,
    ),
    ("review: {severities: {default/x: low}}", 'severities: "default/x" names no rule'),
    ("review: {severities: {defalt: low}}", 'severities: "defalt" names no rule; the nearest is "default"'),
    (
        "review: {severities: {guardrail/HATE/x: low}}",
        'severities: "guardrail/HATE/x" names no rule; the nearest is "guardrail/HATE"',
    ),
    (
        "review: {severities: {guardrail/word/x: low}}",
        'severities: "guardrail/word/x" names no rule; the nearest is "guardrail/word"',
    ),
    (
        "review: {severities: {rules/doxing: high}}",
        'severities: "rules/doxing" names no rule; the nearest is "rules/doxxing"',
    ),
    (
        "review: {severities: {default: urgent}}",
        'default: must be top or critical or high or normal or low (it is "urgent")',
    ),
    ("review: {order: fifo}", 'review: unknown key "order"'),
    (
        "review: {second_reviewer: [top, urgent]}",
        'second_reviewer: must be top or critical or high or normal or low (it is "urgent")',
    ),
]


@pytest.mark.parametrize(("section", "message"), MISTAKES)
def test_every_mistake_in_the_section_is_told_with_its_line(section: str, message: str) -> None:
    with pytest.raises(PolicyError) as error:
        parse_policy(f"{TEXT}{section}\n")
    assert error.value.problems == (f"policy.yaml:{TEXT.count(chr(10)) + 1}: {message}",)


def test_a_policy_that_says_nothing_of_people_has_hours_for_them_all_the_same() -> None:
    hours = {severity: SILENT.review.within_hours(severity) for severity in WAITING}
    assert hours == {"top": 1, "critical": 1, "high": 4, "appeal": 72, "normal": 24, "low": 72}


def test_a_policy_without_the_section_keeps_its_version_and_one_with_it_is_printed_and_told_apart() -> None:
    said = f"{TEXT}review: {{hours: {{high: 0.5}}, severities: {{default: low, moderation/Weapons: high}}}}\n"
    policy = parse_policy(said)
    assert policy.review == ReviewRules(
        hours={"high": 0.5}, severities={"default": "low", "moderation/Violence/Weapons": "high"}
    )
    assert SILENT.version != policy.version
    assert parse_policy(policy_text(policy)).version == policy.version
    assert parse_policy(f"{TEXT}review: {{}}\n").version == SILENT.version
    told = "\n".join(differences(SILENT, policy))
    assert "review: " in told
    assert differences(policy, policy) == ()


def test_a_whole_kind_of_rules_can_have_a_severity() -> None:
    severities = dict.fromkeys(("moderation", "guardrail", "pii", "rules"), "low")
    assert parse_policy(f"{TEXT}review: {{severities: {severities}}}\n").review.severities == severities


def test_who_wants_two_people_says_of_which_severities_and_who_says_nothing_keeps_the_version() -> None:
    policy = parse_policy(f"{TEXT}review: {{second_reviewer: [critical, top]}}\n")
    assert policy.review.second == ("top", "critical")
    assert policy.version == parse_policy(f"{TEXT}review: {{second_reviewer: [top, critical]}}\n").version
    assert policy.version != SILENT.version
    assert parse_policy(policy_text(policy)).version == policy.version
    assert differences(SILENT, policy) == ("review: second reviewer is top, critical, was none",)
    assert parse_policy(f"{TEXT}review: {{second_reviewer: []}}\n").version == SILENT.version
    said = "review: {hours: {high: 0.5}}\n"
    assert "second" not in policy_text(parse_policy(TEXT + said))


@pytest.mark.parametrize(
    ("name", "says"),
    {
        "qqqq": '"qqqq" names no rule; they look like moderation/Weapons or guardrail/HATE',
        "rules/b": '"rules/b" names no rule',
        "moderation/Wepons": 'unknown label "Wepons"; the nearest is "Weapons"',
        "default": '"default" names no rule',
    }.items(),
)
def test_a_name_that_no_rule_has_is_told_to_whoever_rules(name: str, says: str) -> None:
    with pytest.raises(UnknownRule) as refused:
        rule_path(name, rules=["drawn-weapons"])
    assert str(refused.value).startswith(says)


@pytest.mark.parametrize(
    ("name", "path"),
    {
        "labels/Violence/Weapons>=90": "moderation/Violence/Weapons",
        "moderation/weapons": "moderation/Violence/Weapons",
        "guardrail/HATE>=HIGH": "guardrail/HATE",
        "guardrail/topic/a/b": "guardrail/topic/a/b",
        "classifier/reject/spam": "classifier/reject/spam",
        "rules/drawn-weapons": "rules/drawn-weapons",
        "part/rejected": "part/rejected",
        "moderation": "moderation",
        "term/slurs": "term/slurs",
    }.items(),
)
def test_a_rule_is_its_path_however_somebody_names_it(name: str, path: str) -> None:
    assert rule_path(name, rules=["drawn-weapons"]) == path


CASE = Case(
    case_id="c",
    location="s3://u/k",
    version="v",
    status=CaseStatus.OPEN,
    surface="feed",
    rules=("labels/Explicit>=60", "guardrail/HATE>=LOW"),
)


@pytest.mark.parametrize(
    ("reviewer", "sees"),
    [
        ({}, True),
        ({"surfaces": frozenset({"feed", "chat"})}, True),
        ({"surfaces": frozenset({"chat"})}, False),
        ({"surfaces": frozenset()}, False),
        ({"never": frozenset({"moderation/Explicit"})}, False),
        ({"never": frozenset({"moderation/Exp", "guardrail/HATEFUL"})}, True),
        ({"labels": frozenset({"labels/Explicit"})}, False),
        ({"labels": frozenset({"moderation", "guardrail"})}, True),
    ],
)
def test_a_reviewer_sees_what_their_surfaces_and_rules_allow(reviewer: dict[str, frozenset[str]], sees: bool) -> None:
    who = Reviewer(name="ana", **reviewer)  # type: ignore[arg-type]
    assert who.may_see(CASE) is sees
    assert not who.wants(replace(CASE, skipped_by=frozenset({"ana"})))
    assert not who.may_see(replace(CASE, escalated=True))
    assert replace(who, senior=True).may_see(replace(CASE, escalated=True)) is sees
