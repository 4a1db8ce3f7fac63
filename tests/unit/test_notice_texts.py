"""What uploaders are told: a text for every rule, in their language, with facts that are safe and no others."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from config.settings import CONFIG
from tasks.decide.difference import differences
from tasks.decide.kinds import CATEGORIES, PII_TYPES, TOXIC_TYPES
from tasks.decide.notices import OCCASIONS, Notices
from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.decide.policy_text import policy_text
from tasks.decide.retention import Retention
from tasks.decide.rule_path import DEFAULT, above, path_of, paths_of
from tasks.decide.taxonomy import PATHS
from tasks.detect.finding import Finding
from tests.unit.test_decide_rules import TEXT

SHIPPED = parse_policy((CONFIG / "policy.yaml").read_text("utf-8"))
OLDER = parse_policy(TEXT)
SAID = """
notices:
  language: de
  removed: {en: "Gone from {surface}: {reasons}, {appeal_until}.", de: "Weg: {reasons}."}
  masked: {en: masked, de: maskiert}
  hidden: {en: "hidden, maybe {reasons}", de: verborgen}
  back: {en: back, de: zurück}
  rules:
    default: {en: rules, de: Regeln}
    moderation/Violence: {en: violence, de: Gewalt}
    moderation/Weapons: {de: Waffen}
    rules/doxxing: {en: "{rule} on {surface}", de: Adressen}
"""
POLICY = parse_policy(TEXT + SAID)


def problems(old: str, new: str) -> list[str]:
    assert old in SAID
    with pytest.raises(PolicyError) as refused:
        parse_policy(TEXT + SAID.replace(old, new), source="p")
    return [re.sub(r"^p:\d+: ", "", problem) for problem in refused.value.problems]


#: Every rule that the shipped policy can lead to, but for labels that nobody knows.
NAMEABLE = (
    *(f"labels/{path}>=90" for path in PATHS if any((SHIPPED.labels[path].hold, SHIPPED.labels[path].reject))),
    *(f"guardrail/{category}>=HIGH" for category in CATEGORIES),
    *("guardrail/word/custom", "guardrail/word/PROFANITY", "guardrail/topic/finance", "classifier/hold"),
    *("classifier/reject", "classifier/reject below severity 2", "term/slurs", "term/slurs cannot be masked"),
    *(f"pii/{kind} cannot be masked" for kind in PII_TYPES),
    *(f"toxicity/{kind}>=80" for kind in TOXIC_TYPES),
    *("known/confirmed-violating/0123", "unreadable/empty", "part/held", "part/rejected", "brake/overall"),
    *(f"rules/{rule.name}" for rule in (*SHIPPED.rules.combinations, *SHIPPED.rules.exemptions)),
)


@pytest.mark.parametrize("rule", NAMEABLE)
def test_each_rule_that_the_shipped_policy_can_name_has_words_of_its_own_in_each_language(rule: str) -> None:
    rules = SHIPPED.notices.rules
    named = next(rules[one] for one in above(path_of(rule)) if one in rules)
    assert named is not rules[DEFAULT]
    assert set(named) == set(SHIPPED.notices.languages) == {"en", "de", "fr", "es"}


@pytest.mark.parametrize("occasion", OCCASIONS)
@pytest.mark.parametrize("language", ["", "de"])
def test_each_notice_is_said_in_the_language_that_is_known_and_the_default_one_or_in_all(
    occasion: str, language: str
) -> None:
    texts = SHIPPED.notices.texts(
        occasion, paths=["moderation/Explicit"], surface="feed", language=language, appeal_until="2027-05-25"
    )
    assert list(texts) == (["de", "en"] if language else ["en", "de", "fr", "es"])
    assert all("{" not in text and text.endswith(".") for text in texts.values())
    if occasion in ("removed", "hidden"):
        assert "sexual content" in texts["en"]
        assert all("2027-05-25" in text for text in texts.values())


@pytest.mark.parametrize(
    ("language", "known"),
    [("de", "de"), ("DE-at", "de"), ("en", "en"), ("pt", ""), ("", ""), ("deutsch", ""), ("de-CH-1996", "de")],
)
def test_a_language_is_known_by_its_first_part(language: str, known: str) -> None:
    assert POLICY.notices.known(language) == known


@pytest.mark.parametrize(
    ("language", "known"),
    {"zh-Hant-TW": "zh-Hant", "zh-hant": "zh-Hant", "zh-Hans-CN": "zh", "zh-Han": "zh", "zhu": "", "-": ""}.items(),
)
def test_of_what_a_reader_says_of_a_language_the_last_is_dropped_until_one_of_ours_fits(
    language: str, known: str
) -> None:
    own = replace(POLICY.notices, rules={"default": dict.fromkeys(("zh", "zh-Hant"), "")}, language="zh")
    assert own.known(language) == known


def test_a_language_is_known_however_it_is_spelled_and_a_bad_part_is_a_reason_where_there_is_no_other() -> None:
    own = replace(POLICY.notices, rules={"default": {"pt-BR": "by {rule}"}}, language="pt-BR")
    assert [own.known(one) for one in ("pt-br", "PT-BR", "pt")] == ["pt-BR", "pt-BR", ""]
    assert own.reasons(["part/feed"], surface="feed") == ("by part/feed",)
    assert own.reasons(["part/feed", "pii/NAME"], surface="feed") == ("by pii/NAME",)
    assert own.reasons([], surface="feed") == ("by default",)


def test_the_words_of_a_rule_are_those_of_the_nearest_path_that_has_them_in_that_language() -> None:
    def said(*paths: str, language: str = "en") -> str:
        return POLICY.notices.texts("removed", paths=paths, surface="feed", language=language, appeal_until="D")[
            language
        ]

    weapons = "moderation/Violence/Weapons"
    assert said(weapons) == "Gone from feed: violence, D."
    assert said(weapons, language="de") == "Weg: Waffen."
    assert said("moderation/Explicit", "rules/doxxing") == "Gone from feed: rules; rules/doxxing on feed, D."
    assert said(weapons, "moderation/Violence", "part/rejected") == "Gone from feed: violence, D."
    assert said("part/rejected") == said() == "Gone from feed: rules, D."


def test_a_rule_becomes_its_path_and_the_classifier_says_which_rule_it_means() -> None:
    finding = Finding(detector="c", detector_version="1", label="classifier/reject", confidence=100.0, rule="hate")
    assert paths_of(["labels/Violence/Weapons>=90", "pii/EMAIL cannot be masked"]) == (
        "moderation/Violence/Weapons",
        "pii/EMAIL",
    )
    assert paths_of(["classifier/reject"], [finding]) == ("classifier/reject/hate",)
    assert paths_of(["classifier/reject below severity 2"]) == ("classifier/reject",)
    # What it held for is no rule of what it rejected, and a verdict without a rule names none.
    assert paths_of(["classifier/hold"], [finding]) == ("classifier/hold",)
    assert paths_of(["classifier/reject"], [replace(finding, rule="")]) == ("classifier/reject",)
    # Nobody else's finding makes a path longer.
    assert paths_of(["pii/NAME"], [replace(finding, label="pii/NAME")]) == ("pii/NAME",)
    assert list(above("a/b")) == ["a/b", "a", "default"]


def test_the_rules_that_the_classifier_named_stand_in_one_order_whatever_that_of_its_verdicts() -> None:
    verdict = Finding(detector="c", detector_version="1", label="classifier/reject", confidence=100.0)
    verdicts = [replace(verdict, rule=rule) for rule in "hgfedcbaa"]
    assert paths_of(["classifier/reject"], verdicts) == tuple(f"classifier/reject/{rule}" for rule in "abcdefgh")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("language: de", "language: 7", "language: must be text, in quotes if need be"),
        ("language: de", "language: d", 'language: "d" is no language; they look like en or pt-BR'),
        ("language: de", "language: fr", 'notices: the default language is "fr", and rules: default has no text'),
        ("de: Regeln", "de: 7", "de: must be text, in quotes if need be"),
        ("de: Regeln", "d: Regeln", 'd: "d" is no language; they look like en or pt-BR'),
        ("default: {en: rules, de: Regeln}", "default: 7", "default: must be a mapping of names to values"),
        ("default: {en: rules, de: Regeln}", "default: {}", "default: has no text"),
        ("    default: {en: rules, de: Regeln}\n", "", 'rules: "default" is missing'),
        (SAID[SAID.index("  rules:") :], "", 'notices: "rules" is missing'),
        ("de: maskiert", "de: 7", "de: must be text, in quotes if need be"),
        ("{en: masked, de: maskiert}", "masked", "masked: must be a mapping of names to values"),
        ("{en: masked, de: maskiert}", "''", "masked: must be a mapping of names to values"),
        ("{en: masked, de: maskiert}", "[]", "masked: must be a mapping of names to values"),
        ("{de: Waffen}", "{d: Waffen}", 'd: "d" is no language; they look like en or pt-BR'),
        (
            "rules/doxxing",
            "guardrail/word/PROFANTY",
            'rules: "guardrail/word/PROFANTY" names no rule; the nearest is "guardrail/word/PROFANITY"',
        ),
        ("rules/doxxing", "pii/", 'rules: "pii/" names no rule; nothing stands behind its last "/"'),
        ("rules/doxxing", "known/bad/", 'rules: "known/bad/" names no rule; nothing stands behind its last "/"'),
    ],
)
def test_one_mistake_in_the_notices_is_one_message(old: str, new: str, expected: str) -> None:
    assert problems(old, new) == [expected]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "{reasons}.",
            "{reason}.",
            'de: unknown placeholder "{reason}"; here can stand {reasons} or {surface} or {appeal_until}',
        ),
        ("{rule} on", "{reasons} on", 'en: unknown placeholder "{reasons}"; here can stand {rule} or {surface}'),
        ("de: Regeln", "de: '{rule!r:>999999}'", "de: say {rule}, without a format"),
        ("de: Regeln", "de: '{rule!r}'", "de: say {rule}, without a format"),
        ("de: Regeln", "de: '{rule:>9}'", "de: say {rule}, without a format"),
        ("de: Regeln", "de: '{{written}} twice {who}'", 'de: unknown placeholder "{who}"'),
        ("de: Regeln", "de: '{'", "de: a brace too many or too few (a brace itself is written twice); here can stand"),
        ("{en: masked, de: maskiert}", "{en: masked}", 'masked: has no text in "de", as rules: default has'),
        (
            "{de: Waffen}",
            "{dee: Waffen}",
            'moderation/Weapons: "dee" is no language of rules: default; the nearest is "de"',
        ),
        ("{de: Waffen}", "{}", "moderation/Weapons: has no text"),
        ("moderation/Weapons", "moderation/Weapon", 'rules: unknown label "Weapon"'),
        (
            "moderation/Weapons",
            "moderatoin/Weapons",
            'rules: "moderatoin/Weapons" names no rule; the nearest is "moderation"',
        ),
        ("moderation/Weapons", "moderatoin", 'rules: "moderatoin" names no rule; the nearest is "moderation"'),
        ("rules/doxxing", "rules/doxing", 'rules: "rules/doxing" names no rule; the nearest is "rules/doxxing"'),
        ("rules/doxxing", "qqqq", 'rules: "qqqq" names no rule; they look like moderation/Weapons or guardrail/HATE'),
        ("rules/doxxing", "pii/EMIAL", 'rules: "pii/EMIAL" names no rule; the nearest is "pii/EMAIL"'),
        (
            "rules/doxxing",
            "moderation/Violence/Weapons",
            '"moderation/Violence/Weapons" stands twice, once by its full path',
        ),
        ("moderation/Weapons", "moderation/Violence", '"moderation/Violence" stands twice; first in line'),
        ("  back: {en: back, de: zurück}\n", "", 'notices: "back" is missing'),
        ("  rules:\n", "  ruels:\n", 'notices: "rules" is missing'),
        ("default: {en: rules, de: Regeln}", "pii: {en: x, de: y}", 'rules: "default" is missing'),
    ],
)
def test_a_mistake_is_told(old: str, new: str, expected: str) -> None:
    assert any(problem.startswith(expected) for problem in problems(old, new)), problems(old, new)


@pytest.mark.parametrize(
    "path",
    [
        *("guardrail/topic/weather", "classifier/hold/minor-safety", "classifier/reject/minor-safety", "term/slurs"),
        *("guardrail/word", "guardrail/topic", "pii", "rules", "known/bad/1", "brake/overall", "part/held"),
        *("part/rejected", "guardrail/word/custom"),
        *(
            "unknown-label",
            "impossible-confidence",
            "moderation",
            "unreadable/empty",
            "toxicity/INSULT",
            "brake",
            "part",
        ),
    ],
)
def test_rules_of_a_chosen_name_and_whole_kinds_of_rules_can_have_words(path: str) -> None:
    rules = parse_policy(TEXT + SAID.replace("rules/doxxing", path)).notices.rules
    assert rules[path]["de"] == "Adressen"


def test_two_rules_that_nobody_knows_are_two_mistakes_and_no_third() -> None:
    assert problems("rules/doxxing", "pii/EMIAL: {de: x}\n    rules/doxing") == [
        'rules: "pii/EMIAL" names no rule; the nearest is "pii/EMAIL"',
        'rules: "rules/doxing" names no rule; the nearest is "rules/doxxing"',
    ]


def test_a_mistake_is_told_with_its_line() -> None:
    line = 1 + (TEXT + SAID).partition("{rule} on")[0].count("\n")
    with pytest.raises(PolicyError, match=rf"^policy.yaml:{line}: en: unknown placeholder"):
        parse_policy(TEXT + SAID.replace("{rule} on", "{who} on"))


@given(st.text(max_size=8), st.sampled_from(["en", "de"]))
def test_a_surface_of_any_name_is_said_as_it_is_called(surface: str, language: str) -> None:
    texts = POLICY.notices.texts("removed", paths=["rules/doxxing"], surface=surface, language=language)
    assert language == "de" or f"Gone from {surface}: " in texts["en"]


def test_who_names_no_language_means_english() -> None:
    assert parse_policy(TEXT + SAID.replace("  language: de\n", "")).notices.language == "en"


def test_an_older_policy_says_it_plainly_and_keeps_its_version() -> None:
    assert (OLDER.notices, OLDER.retention) == (Notices(), Retention())
    assert parse_policy(TEXT + "\nretention: {appeals: 184 days}\n").version == OLDER.version
    assert parse_policy(TEXT + "\nretention: {appeals: 200 days}\n").version != OLDER.version
    assert POLICY.version != OLDER.version


def test_who_has_no_texts_of_their_own_says_what_happened_why_and_what_can_be_done() -> None:
    said = {
        occasion: Notices().texts(occasion, paths=["pii/NAME"], surface="feed", language="fr", appeal_until="June 1")
        for occasion in OCCASIONS
    }
    again = "Reason: it breaks our rules. You can ask until June 1 to have it looked at again."
    assert said == {
        "removed": {"en": f"What you posted was taken down. {again}"},
        "masked": {"en": f"Part of what you posted was masked. {again}"},
        "hidden": {
            "en": "What you posted is hidden until a person has looked at it. Possible reason: it breaks our rules."
        },
        "back": {"en": "What you posted can be seen again. We are sorry for the trouble."},
    }


def test_what_is_printed_is_what_was_said() -> None:
    again = parse_policy(policy_text(POLICY))
    assert (again.version, again.notices, again.retention) == (POLICY.version, POLICY.notices, POLICY.retention)


def test_a_difference_in_them_is_told_in_words() -> None:
    new = parse_policy(TEXT + SAID.replace("de: Waffen", "de: Pistolen") + "retention: {appeals: 200 days}\n")
    assert set(differences(POLICY, new)) == {
        "notices: rules moderation/Violence/Weapons de is Pistolen, was Waffen",
        "retention: appeals is 200 days, was 184 days",
    }


def test_ten_years_and_their_leap_days_are_the_longest() -> None:
    kept = parse_policy(f"{TEXT}\nretention: {{originals: 3653 days}}\n").retention
    assert (kept.originals, kept.appeals) == (3653, 184)
    with pytest.raises(PolicyError, match="up to 3653"):
        parse_policy(f"{TEXT}\nretention: {{originals: 3654 days}}\n")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("appeals: 90 days", "appeals: at least 184 days, the six months that the DSA gives uploaders"),
        ("originals: 183 days", "originals: must be kept as long as a decision can be appealed, 184 days"),
        ("{appeals: 400 days}", "originals: must be kept as long as a decision can be appealed, 400 days"),
        ("appeals: 200", 'appeals: must be a number of days up to 3653, such as 200 days (it is "200")'),
        ("appeals: 99999 days", 'appeals: must be a number of days up to 3653, such as 200 days (it is "99999 days")'),
        ("originals: 0 days", 'originals: must be a number of days up to 3653, such as 200 days (it is "0 days")'),
        ("originals: [200 days]", "originals: must be a number of days up to 3653, such as 200 days"),
        ("originals: 1 days", "originals: must be kept as long as a decision can be appealed, 184 days"),
        ("apeals: 200 days", 'retention: unknown key "apeals"; the nearest is "appeals"'),
    ],
)
def test_nothing_is_kept_too_short(said: str, expected: str) -> None:
    wrapped = said if said.startswith("{") else f"{{{said}}}"
    with pytest.raises(PolicyError) as refused:
        parse_policy(f"{TEXT}\nretention: {wrapped}\n")
    assert [problem.partition(": ")[2] for problem in refused.value.problems] == [expected]


@pytest.mark.parametrize(("said", "line"), [("originals: 190 days\n  appeals: 200 days", 2), ("appeals: 400 days", 1)])
def test_originals_that_go_too_soon_are_blamed_where_that_is_said(said: str, line: int) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy(f"{TEXT}\nretention:\n  {said}\n", source="p")
    assert refused.value.problems[0].startswith(f"p:{TEXT.count(chr(10)) + 1 + line}: originals: ")


def test_an_original_may_go_when_the_last_appeal_can() -> None:
    kept = parse_policy(f"{TEXT}\nretention: {{appeals: 200 days, originals: 200 days}}\n").retention
    assert kept == Retention(appeals=200, originals=200)


def test_the_window_of_an_appeal_begins_with_the_decision() -> None:
    decided = datetime(2026, 1, 1, tzinfo=UTC)
    assert Retention().appeal_until(decided).isoformat() == "2026-07-04T00:00:00+00:00"


def test_the_shipped_texts_stand_for_what_the_classifier_is_told_to_name() -> None:
    prompt = (CONFIG / "classifier.md").read_text("utf-8")
    slugs = set(re.findall(r"^- `([a-z-]+)`: [a-z]", prompt.partition("Not violations")[0], re.MULTILINE))
    written = yaml.safe_load((CONFIG / "policy.yaml").read_text("utf-8"))["notices"]["rules"]
    assert {f"classifier/reject/{slug}" for slug in slugs} == {name for name in written if "reject/" in name}
