"""Accounts: strikes count for a while, their order never matters, and each mark has led to one place for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.decide.accounts import (
    CLEAR,
    FORGIVEN,
    LEFT_MARKS,
    MOST_MARKS,
    NO_ACCOUNTS,
    OLDER,
    RESTORED,
    SETTLED,
    Lift,
    Log,
    Mark,
    Strike,
    change_by,
    changes,
    counting,
    falls_at,
    lifted_by,
    place,
    points,
    step_at,
    strikes_for,
    tidied,
)
from tasks.decide.difference import differences
from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.decide.policy_text import policy_text
from tasks.detect.finding import Finding
from tests.unit.test_policy_file import TEXT

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
THRESHOLDS = {"warn": 2, "limit": 4, "suspend": 8}


def day(number: float) -> datetime:
    return NOON + timedelta(days=number)


def strike(name: str, *, at: float = 0, worth: int = 1, instead_of: Sequence[str] = ()) -> Strike:
    """A strike for what is under a key of that name, on a day; it counts for 90 days."""
    return Strike(
        id=f"{name}@{at}",
        location=f"s3://b/{name}",
        version="v1",
        points=worth,
        at=day(at),
        until=day(at + 90),
        instead_of=tuple(place(f"s3://b/{part}") for part in instead_of),
        thresholds=THRESHOLDS,
    )


def lift(name: str = "", *, at: float = 1) -> Lift:
    return Lift(
        id=f"lift {name}@{at}",
        location=f"s3://b/{name}" if name else "",
        version="",
        why="restored",
        at=day(at),
        thresholds=THRESHOLDS,
    )


def events(log: Log) -> list[tuple[str, str, str, int]]:
    return [(change.event, change.before, change.after, change.strikes) for change in changes(log)]


strikes = st.builds(
    lambda name, at, worth: strike(f"k{name}", at=at, worth=worth),
    st.integers(),
    st.integers(0, 200),
    st.integers(1, 9),
)
logs = st.lists(strikes, max_size=12, unique_by=lambda one: one.id)


# ---- laws ----


@given(logs, st.integers(0, 400), st.randoms())
def test_the_order_of_strikes_never_matters(log: list[Strike], at: int, chance: object) -> None:
    shuffled = list(log)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert points(counting(log, day(at))) == points(counting(shuffled, day(at)))
    assert falls_at(log, THRESHOLDS) == falls_at(shuffled, THRESHOLDS)


@given(logs, st.integers(0, 400), st.integers(0, 400))
def test_without_another_strike_it_only_gets_better(log: list[Strike], at: int, later: int) -> None:
    assert points(counting(log, day(at + later))) <= points(counting(log, day(at)))


@given(logs, strikes, st.integers(0, 400))
def test_one_more_strike_never_counts_for_less(log: list[Strike], one: Strike, at: int) -> None:
    assert points(counting([*log, one], day(at))) >= points(counting(log, day(at)))


@given(logs, st.lists(strikes, max_size=3))
def test_what_a_mark_has_led_to_is_the_same_whatever_came_later(log: list[Strike], more: list[Strike]) -> None:
    for mark in log:
        assert change_by([*log, *more], mark.id) == change_by(log, mark.id)


@given(st.lists(st.integers(1, 3), max_size=12))
def test_every_threshold_is_crossed_upward_once(worths: list[int]) -> None:
    log = [strike(f"k{number}", at=number, worth=worth) for number, worth in enumerate(worths)]
    told = [change.event for change in changes(log)]
    assert len(told) == len(set(told))
    assert (told or [CLEAR])[-1] == step_at(sum(worths), THRESHOLDS)


@given(logs)
def test_it_falls_when_it_is_said_to_fall(log: list[Strike]) -> None:
    falls = falls_at(log, THRESHOLDS)
    here = step_at(points(log), THRESHOLDS)
    assert (falls is None) == (here == CLEAR)
    if falls:
        moment = timedelta(microseconds=1)
        assert step_at(points(counting(log, falls - moment)), THRESHOLDS) == here
        assert step_at(points(counting(log, falls)), THRESHOLDS) != here


@given(
    st.lists(st.one_of(strikes, st.builds(lambda at: lift(at=at), st.integers(0, 200))), max_size=12),
    st.integers(0, 500),
)
def test_what_is_dropped_did_not_count_any_more(log: list[Mark], now: int) -> None:
    log = [replace(mark, id=str(number)) for number, mark in enumerate(log)]
    left = tidied(log, day(now))
    since = day(now) - SETTLED
    assert counting(left, since) == counting(log, since)
    assert [mark for mark in log if mark in left] == list(left)


# ---- edges ----


def test_a_strike_counts_until_its_last_day_is_over_and_not_then() -> None:
    log = [strike("a")]
    assert counting(log, day(90) - timedelta(microseconds=1)) == tuple(log)
    assert counting(log, day(90)) == ()


@pytest.mark.parametrize(
    ("count", "step"),
    [(0, CLEAR), (1, CLEAR), (2, "warn"), (3, "warn"), (4, "limit"), (7, "limit"), (8, "suspend"), (99, "suspend")],
)
def test_an_account_stands_where_its_strikes_reach(count: int, step: str) -> None:
    assert step_at(count, THRESHOLDS) == step
    assert step_at(count, {}) == CLEAR


def test_where_an_account_is_led_is_told_upward_and_downward_and_once() -> None:
    log: list[Mark] = [strike("a"), strike("b"), strike("c"), strike("d"), lift("d"), lift("c"), lift("b"), lift("a")]
    assert events(log) == [
        ("warn", "none", "warn", 2),
        ("limit", "warn", "limit", 4),
        ("lifted", "limit", "warn", 3),
        ("lifted", "warn", "none", 1),
    ]


def test_one_that_is_bad_enough_leads_past_several_thresholds_in_one_word() -> None:
    assert events([strike("a", worth=10)]) == [("suspend", "none", "suspend", 10)]


def test_what_has_decayed_in_silence_can_be_crossed_again() -> None:
    log = [strike("a"), strike("b"), strike("c", at=100), strike("d", at=101)]
    assert events(log) == [("warn", "none", "warn", 2), ("warn", "none", "warn", 2)]


def test_a_lift_is_of_what_stood_before_it_and_of_what_it_names() -> None:
    log: list[Mark] = [strike("a"), strike("b"), lift("a"), strike("a", at=2)]
    assert counting(log, day(3)) == (log[1], log[3])
    assert counting([*log, lift(at=3)], day(3)) == ()
    assert counting([strike("a"), replace(lift("a"), version="v2")], day(3)) == (log[0],)


def test_a_post_counts_instead_of_its_parts_and_they_again_without_it() -> None:
    parts = [strike("a"), strike("a", at=1), strike("b")]
    log = [*parts, strike("post", at=2, worth=2, instead_of=["a", "b"])]
    assert counting(log, day(3)) == (parts[0], log[3])
    assert events(log)[-1] == ("warn", "none", "warn", 2)
    assert points(counting([*log, lift("post", at=3)], day(3))) == 3
    # What is struck after the post is another violation.
    another = strike("a", at=4)
    assert counting([*log, another], day(4)) == (parts[0], log[3], another)


def test_a_post_is_forgiven_with_its_parts() -> None:
    log: list[Mark] = [strike("a"), strike("post", at=1, instead_of=["a"]), replace(lift("post", at=2), why=FORGIVEN)]
    assert counting(log, day(3)) == ()
    assert [one.id for one in lifted_by(log, log[2].id)] == ["post@1"]
    assert tidied(log, day(2) + SETTLED) == tuple(log)
    assert tidied(log, day(2.1) + SETTLED) == ()


def test_a_strike_goes_once_it_has_decayed_and_nobody_can_bring_it_back() -> None:
    log = [strike("a"), strike("b", at=20)]
    assert tidied(log, day(90) + SETTLED) == tuple(log)
    assert tidied(log, day(90.1) + SETTLED) == (log[1],)


def test_an_old_lift_goes_with_what_it_took_back_and_with_nothing_else() -> None:
    log: list[Mark] = [strike("a"), strike("b", at=20), lift("a", at=21)]
    assert tidied(log, day(21.1) + SETTLED) == (log[1],)
    assert len(place("s3://b/a")) == 16


@pytest.mark.parametrize("older", [lift("b", at=2), replace(lift(at=2), why=FORGIVEN)], ids=["another", "all"])
def test_a_lift_that_still_matters_stays_though_one_written_after_it_is_older(older: Lift) -> None:
    log: list[Mark] = [strike("a"), lift("a", at=40), older]
    left = tidied(log, day(2.1) + SETTLED)
    assert log[1] in left
    assert counting(left, day(41)) == ()


def test_what_is_forgiven_beside_a_post_leaves_the_parts_of_the_post() -> None:
    log: list[Mark] = [strike("a"), strike("post", at=1, instead_of=["a"]), strike("b", at=1)]
    log += [replace(lift("b", at=2), why=FORGIVEN), lift("post", at=3)]
    assert counting(log, day(4)) == (log[0],)


def test_each_lift_tells_of_what_it_took_back_and_of_nothing_that_others_did() -> None:
    log: list[Mark] = [strike("a"), strike("b"), strike("c"), lift("a"), lift("b"), strike("a", at=2)]
    assert [[one.id for one in lifted_by(log, mark.id)] for mark in log[3:5]] == [["a@0"], ["b@0"]]
    assert lifted_by(log, "no such lift") == ()


def test_a_long_log_keeps_its_newest_marks_and_the_count_of_all() -> None:
    log = [strike(f"k{number}", at=number / 100) for number in range(MOST_MARKS + 1)]
    assert tidied(log[1:], day(2)) == tuple(log[1:])
    left = tidied(log, day(2))
    assert len(left) == LEFT_MARKS + 1
    assert (left[0].at, left[1].at) == (log[-LEFT_MARKS - 1].at, log[-LEFT_MARKS].at)
    assert left[0].id == OLDER
    assert left[1:] == tuple(log[-LEFT_MARKS:])
    assert points(counting(left, day(2))) == len(log)
    again = tidied([*left, *(strike(f"m{number}", at=3) for number in range(LEFT_MARKS))], day(4))
    assert points(counting(again, day(4))) == len(log) + LEFT_MARKS
    assert [mark.id for mark in again].count(OLDER) == 1
    assert change_by(left, left[1].id) is None


def test_a_mark_is_remembered_for_as_long_as_sqs_can_keep_a_message_on_a_queue_and_on_its_dead_letter_queue() -> None:
    most = timedelta(seconds=1_209_600)
    assert most * 2 == SETTLED


def test_the_strike_that_stands_for_all_older_ones_is_about_no_item_and_goes_with_none_of_them() -> None:
    log = [
        replace(strike(f"k{number}", at=number / 100, instead_of=["part"]), rules=("labels/Violence>=90",))
        for number in range(MOST_MARKS + 1)
    ]
    left = tidied(log, day(2))
    older = left[0]
    assert isinstance(older, Strike)
    assert (older.location, older.version, older.rules, older.instead_of) == ("", "", (), ())
    newest_of_them = log[-LEFT_MARKS - 1].location.removeprefix("s3://b/")
    assert older in counting([*left, lift(newest_of_them, at=3)], day(4))


def test_a_long_log_whose_older_marks_were_taken_back_keeps_nothing_in_their_place() -> None:
    early = [strike(f"k{number}") for number in range(MOST_MARKS)]
    recent = [strike(f"m{number}", at=2) for number in range(LEFT_MARKS)]
    assert tidied([*early, lift(at=1), *recent], day(3)) == tuple(recent)


def test_a_mark_that_is_not_there_has_changed_nothing() -> None:
    assert change_by([strike("there", at=1)], "elsewhere") is None


# ---- what a takedown is worth ----


RULES = """\
rules:
  minors: {when: {all of: {classifier/reject/minor-safety: seen, guardrail/SEXUAL: LOW}}, then: reject}
"""


def worth(*rules: str, said: str = "") -> int:
    seen = [Finding(detector="d", detector_version="1", label="classifier/reject", confidence=100.0, rule=said)]
    return strikes_for(rules, seen if said else (), WORTH)


WORTH = parse_policy(
    TEXT
    + RULES
    + """\
accounts:
  strikes:
    default: 1
    moderation/Weapons: 3
    moderation/Explicit: 2
    moderation/Sex Toys: 0
    classifier/reject/minor-safety: 10
    guardrail: 0
    guardrail/topic/drugs: 4
    rules/minors: 20
    known/bad: 5
  thresholds: {limit: 3, suspend: 9}
"""
).accounts


@pytest.mark.parametrize(
    ("strikes", "rules"),
    [
        (3, ["labels/Violence/Weapons>=80"]),
        (1, ["labels/Violence>=90"]),
        (2, ["labels/Explicit/Explicit Nudity>=85"]),
        (0, ["labels/Explicit/Sex Toys>=85"]),
        (0, ["guardrail/HATE>=HIGH"]),
        (4, ["guardrail/topic/drugs"]),
        (20, ["rules/minors"]),
        (5, ["known/bad/0123456789abcdef"]),
        (1, ["known/others/0123456789abcdef"]),
        (3, ["labels/Explicit>=85", "labels/Violence/Weapons>=80", "guardrail/HATE>=HIGH"]),
        (1, ["part/rejected"]),
        (0, ["part/rejected", "guardrail/HATE>=HIGH"]),
        (0, []),
    ],
    ids=str,
)
def test_a_takedown_is_as_many_strikes_as_the_worst_of_its_rules(strikes: int, rules: list[str]) -> None:
    assert worth(*rules) == strikes


def test_what_no_entry_names_is_as_many_strikes_as_the_default() -> None:
    accounts = parse_policy(TEXT + "accounts: {strikes: {default: 3, known: 5}}\n").accounts
    assert [strikes_for([rule], (), accounts) for rule in ("labels/Violence>=90", "known/bad/1")] == [3, 5]


def test_the_classifiers_verdict_counts_by_the_rule_that_it_named() -> None:
    assert worth("classifier/reject", said="minor-safety") == 10
    assert worth("classifier/reject", said="harassment") == 1
    assert worth("classifier/reject") == 1


def test_without_the_section_nothing_is_a_strike_and_the_version_is_what_it_was() -> None:
    policy = parse_policy(TEXT)
    assert policy.accounts == NO_ACCOUNTS
    assert strikes_for(["labels/Violence>=90"], (), policy.accounts) == 0
    assert "accounts" not in policy_text(policy)


def test_the_words_that_a_log_is_stored_with_stay() -> None:
    assert (RESTORED, FORGIVEN, OLDER) == ("restored", "forgiven", "older")


# ---- the section ----


def test_what_is_not_said_is_one_strike_for_90_days_that_lead_nowhere() -> None:
    rules = parse_policy(TEXT + "accounts: {}\n").accounts
    assert (dict(rules.strikes), rules.decay, dict(rules.thresholds)) == ({"default": 1}, 90, {})


@pytest.mark.parametrize(
    "section",
    [
        "accounts: {}",
        "accounts: {strikes: {default: 0}}",
        "accounts: {decay: 1 day, thresholds: {suspend: 5}}",
        "accounts: {decay: 3653 days}",
        "accounts: {strikes: {guardrail: 0, classifier: 2, rules: 3, moderation: 4, toxicity: 5, unreadable: 6}}",
        "accounts: {strikes: {guardrail/word: 1, guardrail/topic: 2, toxicity/INSULT: 3, unreadable/empty: 4}}",
        "accounts: {strikes: {moderation/Weapons: 2, term/slurs: 3, guardrail/topic/a b: 4}, thresholds: {warn: 1}}",
    ],
)
def test_what_is_printed_is_the_same_section(section: str) -> None:
    policy = parse_policy(TEXT + section + "\n")
    again = parse_policy(policy_text(policy))
    assert (again, again.accounts) == (policy, policy.accounts)
    assert policy.version != parse_policy(TEXT).version


MISTAKES = {
    "strikes: {default: 1.5}": "p:42: default: must be a whole number from 0 to 1000",
    "strikes: {default: -1}": 'p:42: default: must be from 0 to 1000 (it is "-1")',
    "strikes: {moderation/Wepons: 1}": 'p:42: strikes: unknown label "Wepons"; the nearest is "Weapons"',
    "strikes: {moderation/Weapons: 1, moderation/Violence/Weapons: 2}": (
        'p:42: "moderation/Violence/Weapons" stands twice, once by its full path'
    ),
    "strikes: {pii/EMAIL: 1}": (
        'p:42: strikes: "pii/EMAIL" names no rule that takes something down; they look like moderation/Weapons or '
        "guardrail/HATE"
    ),
    "strikes: {gaurdrail/HATE: 1}": (
        'p:42: strikes: "gaurdrail/HATE" names no rule that takes something down; the nearest is "guardrail"'
    ),
    "strikes: {guardrail/HATEE: 1}": (
        'p:42: strikes: "guardrail/HATEE" names no rule that takes something down; the nearest is "guardrail/HATE"'
    ),
    **{
        f"strikes: {{{name}: 1}}": f'p:42: strikes: "{name}" names no rule that takes something down'
        '; nothing stands behind its last "/"'
        for name in ("term/", "known/bad/")
    },
    "strikes: {guardrail/topic/: 1}": (
        'p:42: strikes: "guardrail/topic/" names no rule that takes something down; nothing stands behind its last "/"'
    ),
    "strikes: {classifier/reject/: 1}": (
        'p:42: strikes: "classifier/reject/" names no rule that takes something down; nothing stands behind its '
        'last "/"'
    ),
    "strikes: {classifier/hold/spam: 1}": (
        'p:42: strikes: "classifier/hold/spam" names no rule that takes something down'
    ),
    "strikes: {part/rejected: 1}": (
        'p:42: strikes: "part/rejected" names no rule that takes something down; they look like moderation/Weapons or '
        "guardrail/HATE"
    ),
    "strikes: {rules/doxing: 1}": 'p:42: strikes: "rules/doxing" names no rule that takes something down',
    "decay: 3 months": 'p:42: decay: must be a number of days up to 3653, such as 90 days (it is "3 months")',
    "decay: [90 days]": "p:42: decay: must be a number of days up to 3653, such as 90 days",
    "decay: 0 days": 'p:42: decay: must be a number of days up to 3653, such as 90 days (it is "0 days")',
    "decay: 3654 days": 'p:42: decay: must be a number of days up to 3653, such as 90 days (it is "3654 days")',
    "thresholds: {warn: 0}": "p:42: warn: must be a whole number from 1 to 1000",
    "thresholds: {warn: 0, limit: 4}": "p:42: warn: must be a whole number from 1 to 1000",
    "thresholds: {warn: 4, suspend: 4}": "p:42: thresholds: suspend at 4 must be above warn at 4",
    "thresholds: {supend: 4}": 'p:42: thresholds: unknown key "supend"; the nearest is "suspend"',
    "decai: 1 day": 'p:42: accounts: unknown key "decai"; the nearest is "decay"',
}


@pytest.mark.parametrize(("section", "message"), MISTAKES.items(), ids=str)
def test_every_mistake_is_one_message_with_its_line(section: str, message: str) -> None:
    line = TEXT.count("\n") + 1
    with pytest.raises(PolicyError) as error:
        parse_policy(f"{TEXT}accounts: {{{section}}}\n", source="p")
    assert list(error.value.problems) == [message.replace("p:42:", f"p:{line}:")]


def test_two_labels_that_nobody_knows_are_two_mistakes_and_not_one_named_twice() -> None:
    with pytest.raises(PolicyError) as error:
        parse_policy(f"{TEXT}accounts: {{strikes: {{moderation/Wepons: 1, moderation/Violense: 1}}}}\n")
    assert [problem.partition("; ")[2] for problem in error.value.problems] == [
        'the nearest is "Violence"',
        'the nearest is "Weapons"',
    ]


def test_a_change_is_told_in_words() -> None:
    old = parse_policy(TEXT + "accounts: {decay: 90 days, thresholds: {warn: 2}}\n")
    new = parse_policy(TEXT + "accounts: {strikes: {known: 3}, decay: 30 days, thresholds: {warn: 3}}\n")
    assert differences(old, new) == (
        "accounts: strikes known is new: 3",
        "accounts: decay is 30 days, was 90 days",
        "accounts: thresholds warn is 3, was 2",
    )
