"""Decisions at their edges: just below, at and above each kind of threshold, and each exception."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.decide.decision import Decision, Rule, Span, Tier, decide
from tasks.decide.policy import Policy, Surface
from tasks.decide.policy_file import parse_policy
from tasks.detect.finding import Finding

ALLOW, REDACT, HOLD, REJECT = Tier
POLICY_TEXT = """
surfaces:
  quiet: {prefix: quiet/, visibility: after, hold: flag, pii: never}
  feed: {prefix: "", visibility: after, hold: flag}
labels:
  Explicit: {hold: 60, reject: 85.5}
  Non-Explicit Nudity of Intimate parts and Kissing: {hold: 70, reject: never}
  Exposed Male Nipple: {ignore: true}
  Swimwear or Underwear: {ignore: true}
  Violence: {hold: 50, reject: 90}
  Weapons: {hold: 80}
  Visually Disturbing: {reject: 90}
  Drugs & Tobacco: {ignore: true}
  Pills: {hold: 75}
  Alcohol: {ignore: true}
  Rude Gestures: {ignore: true}
  Gambling: {ignore: true}
  Hate Symbols: {hold: 50, reject: 80}
guardrail:
  default: {gray: MEDIUM, reject: HIGH}
  SEXUAL: {gray: LOW, hold: MEDIUM, reject: never}
  VIOLENCE: {gray: never, hold: never, reject: never}
  words: {PROFANITY: hold, custom: reject}
  topics: {default: hold, weather: allow, gambling tips: reject}
classifier: {reject_from_severity: 2}
pii:
  min_confidence: 60
  default: hold
  types: {EMAIL: redact, PHONE: redact, SSN: hold, NAME: allow}
unreadable: {default: hold, malware: reject}
"""
POLICY: Policy = parse_policy(POLICY_TEXT)


def seen(label: str, confidence: float = 99.0, **more: Any) -> Finding:
    return Finding(detector=more.pop("detector", "d"), detector_version="1", label=label, confidence=confidence, **more)


def decided(*findings: Finding, key: str = "post.txt") -> Decision:
    return decide(findings, POLICY, POLICY.surface_for(key))


def outcome(*findings: Finding, key: str = "post.txt") -> tuple[Tier, tuple[str, ...]]:
    decision = decided(*findings, key=key)
    return decision.tier, tuple(rule.name for rule in decision.rules)


@pytest.mark.parametrize(
    ("label", "confidence", "tier", "rule"),
    [
        ("moderation/Explicit", 0, ALLOW, None),
        ("moderation/Explicit", 59.99, ALLOW, None),
        ("moderation/Explicit", 60, HOLD, "labels/Explicit>=60"),
        ("moderation/Explicit", 85.49, HOLD, "labels/Explicit>=60"),
        ("moderation/Explicit", 85.5, REJECT, "labels/Explicit>=85.5"),
        ("moderation/Explicit", 100, REJECT, "labels/Explicit>=85.5"),
        # inherited whole from the parent's parent
        ("moderation/Explicit/Explicit Nudity/Exposed Female Nipple", 59.99, ALLOW, None),
        (
            "moderation/Explicit/Explicit Nudity/Exposed Female Nipple",
            60,
            HOLD,
            "labels/Explicit/Explicit Nudity/Exposed Female Nipple>=60",
        ),
        # its own hold, the parent's reject
        ("moderation/Violence/Weapons", 79.99, ALLOW, None),
        ("moderation/Violence/Weapons", 80, HOLD, "labels/Violence/Weapons>=80"),
        ("moderation/Violence/Weapons", 89.99, HOLD, "labels/Violence/Weapons>=80"),
        ("moderation/Violence/Weapons", 90, REJECT, "labels/Violence/Weapons>=90"),
        # reject: never
        ("moderation/Non-Explicit Nudity of Intimate parts and Kissing", 69.99, ALLOW, None),
        (
            "moderation/Non-Explicit Nudity of Intimate parts and Kissing",
            100,
            HOLD,
            "labels/Non-Explicit Nudity of Intimate parts and Kissing>=70",
        ),
        # no hold at all
        ("moderation/Visually Disturbing", 89.99, ALLOW, None),
        ("moderation/Visually Disturbing", 90, REJECT, "labels/Visually Disturbing>=90"),
        # ignored, and a child that is not
        ("moderation/Drugs & Tobacco", 100, ALLOW, None),
        ("moderation/Drugs & Tobacco/Products", 100, ALLOW, None),
        ("moderation/Drugs & Tobacco/Products/Pills", 74.99, ALLOW, None),
        ("moderation/Drugs & Tobacco/Products/Pills", 75, HOLD, "labels/Drugs & Tobacco/Products/Pills>=75"),
        # the guardrail
        ("guardrail/HATE", 59.99, ALLOW, None),
        ("guardrail/HATE", 60, HOLD, "guardrail/HATE>=MEDIUM"),
        ("guardrail/HATE", 89.99, HOLD, "guardrail/HATE>=MEDIUM"),
        ("guardrail/HATE", 90, REJECT, "guardrail/HATE>=HIGH"),
        ("guardrail/SEXUAL", 29.99, ALLOW, None),
        ("guardrail/SEXUAL", 30, HOLD, "guardrail/SEXUAL>=LOW"),
        ("guardrail/SEXUAL", 60, HOLD, "guardrail/SEXUAL>=MEDIUM"),
        ("guardrail/SEXUAL", 90, HOLD, "guardrail/SEXUAL>=MEDIUM"),
        ("guardrail/VIOLENCE", 90, ALLOW, None),
        ("guardrail/PROMPT_ATTACK", 59.99, ALLOW, None),
        ("guardrail/PROMPT_ATTACK", 60, HOLD, "guardrail/PROMPT_ATTACK>=MEDIUM"),
        ("guardrail/word/PROFANITY", 100, HOLD, "guardrail/word/PROFANITY"),
        ("guardrail/word/custom", 100, REJECT, "guardrail/word/custom"),
        ("guardrail/topic/weather", 100, ALLOW, None),
        ("guardrail/topic/gambling tips", 100, REJECT, "guardrail/topic/gambling tips"),
        ("guardrail/topic/anything else", 100, HOLD, "guardrail/topic/anything else"),
        # the classifier: severity 1 and 2 of 3
        ("classifier/allow", 0, ALLOW, None),
        ("classifier/hold", 0, HOLD, "classifier/hold"),
        ("classifier/reject", 100 / 3, HOLD, "classifier/reject below severity 2"),
        ("classifier/reject", 33.3, HOLD, "classifier/reject below severity 2"),
        ("classifier/reject", 200 / 3, REJECT, "classifier/reject"),
        ("classifier/reject", 66.7, REJECT, "classifier/reject"),
        ("classifier/reject", 100, REJECT, "classifier/reject"),
        # personal data
        ("pii/SSN", 59.99, ALLOW, None),
        ("pii/SSN", 60, HOLD, "pii/SSN"),
        ("pii/ADDRESS", 60, HOLD, "pii/ADDRESS"),
        ("pii/NAME", 100, ALLOW, None),
        # what nobody could look at
        ("unreadable/empty", 0, HOLD, "unreadable/empty"),
        ("unreadable/malware", 0, REJECT, "unreadable/malware"),
        # context
        ("content-type/Illustrated", 100, ALLOW, None),
        # what this version does not know
        ("moderation/Astrology", 1, HOLD, "unknown-label/moderation/Astrology"),
        ("moderation/Violence/Swords", 1, HOLD, "unknown-label/moderation/Violence/Swords"),
        ("moderation/Gambling/Weapons", 1, HOLD, "unknown-label/moderation/Gambling/Weapons"),
        ("guardrail/BOREDOM", 1, HOLD, "unknown-label/guardrail/BOREDOM"),
        ("guardrail/word/mild", 1, HOLD, "unknown-label/guardrail/word/mild"),
        ("guardrail/topic/", 1, HOLD, "unknown-label/guardrail/topic/"),
        ("classifier/shrug", 1, HOLD, "unknown-label/classifier/shrug"),
        ("pii/SHOE_SIZE", 1, HOLD, "unknown-label/pii/SHOE_SIZE"),
        ("horoscope/Virgo", 1, HOLD, "unknown-label/horoscope/Virgo"),
        ("moderation", 1, HOLD, "unknown-label/moderation"),
        ("unreadable/", 1, HOLD, "unknown-label/unreadable/"),
        ("", 1, HOLD, "unknown-label/"),
    ],
)
def test_one_finding_reaches_exactly_its_tier(label: str, confidence: float, tier: Tier, rule: str | None) -> None:
    assert outcome(seen(label, confidence)) == (tier, (rule,) if rule else ())


@pytest.mark.parametrize("confidence", [-0.01, 100.01, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("label", ["moderation/Explicit", "moderation/Alcohol", "guardrail/HATE", "pii/NAME"])
def test_a_confidence_that_cannot_be_is_held(label: str, confidence: float) -> None:
    assert outcome(seen(label, confidence)) == (HOLD, (f"impossible-confidence/{label}",))
    # ... and the classifier has no say in it
    assert outcome(seen(label, confidence), seen("classifier/allow"))[0] is HOLD


def test_nothing_seen_is_allowed_and_says_by_which_policy() -> None:
    assert decided() == Decision(tier=ALLOW, rules=(), policy_version=POLICY.version, findings=(), spans=())


def test_a_rule_carries_what_was_seen_and_what_it_took() -> None:
    assert decided(seen("moderation/Violence/Weapons", 97.5)).rules == (
        Rule("labels/Violence/Weapons>=90", REJECT, "moderation/Violence/Weapons", 97.5, 90.0),
    )
    assert decided(seen("pii/SSN", 70)).rules == (Rule("pii/SSN", HOLD, "pii/SSN", 70, 60.0),)
    assert decided(seen("unreadable/empty", 0)).rules == (Rule("unreadable/empty", HOLD, "unreadable/empty", 0, None),)


def test_the_strictest_rule_wins_and_only_rules_of_its_tier_are_named() -> None:
    findings = (seen("guardrail/word/custom"), seen("guardrail/INSULTS", 60), seen("moderation/Hate Symbols", 90))
    assert outcome(*findings) == (REJECT, ("guardrail/word/custom", "labels/Hate Symbols>=80"))


def test_a_rule_that_fired_often_is_named_once_with_its_highest_confidence() -> None:
    found = [seen("moderation/Explicit", confidence, time_ms=(at, at)) for at, confidence in enumerate((91, 99, 95))]
    assert [(rule.name, rule.confidence) for rule in decided(*found).rules] == [("labels/Explicit>=85.5", 99)]


def test_a_decision_keeps_all_findings_also_those_that_changed_nothing() -> None:
    findings = (seen("moderation/Alcohol"), seen("content-type/Animated"), seen("guardrail/word/custom"))
    assert sorted(f.label for f in decided(*findings).findings) == sorted(f.label for f in findings)


# Rekognition reports each label with its ancestors, so an exception for a child has to silence them.

NUDITY = "moderation/Non-Explicit Nudity of Intimate parts and Kissing"
NIPPLE = f"{NUDITY}/Non-Explicit Nudity/Exposed Male Nipple"


def test_an_ignored_child_silences_the_parents_that_were_reported_because_of_it() -> None:
    assert outcome(seen(NUDITY, 98), seen(f"{NUDITY}/Non-Explicit Nudity", 98), seen(NIPPLE, 98)) == (ALLOW, ())


def test_a_parent_stays_when_it_is_surer_than_the_ignored_child() -> None:
    assert outcome(seen(NUDITY, 98.01), seen(NIPPLE, 98))[0] is HOLD
    assert outcome(seen(NUDITY, 97.99), seen(NIPPLE, 98))[0] is ALLOW


def test_an_ignored_child_does_not_silence_its_siblings() -> None:
    breast = f"{NUDITY}/Non-Explicit Nudity/Partially Exposed Female Breast"
    assert outcome(seen(NUDITY, 98), seen(NIPPLE, 98), seen(breast, 75)) == (
        HOLD,
        (f"labels/{breast.removeprefix('moderation/')}>=70",),
    )


def test_a_childs_higher_threshold_counts_although_its_parent_was_reported_too() -> None:
    assert outcome(seen("moderation/Violence", 70), seen("moderation/Violence/Weapons", 70)) == (ALLOW, ())


@pytest.mark.parametrize(
    "elsewhere", [{"part": "caption"}, {"detector": "rekognition-video"}, {"time_ms": (0, 1000)}], ids=str
)
def test_a_child_seen_elsewhere_silences_nothing(elsewhere: dict[str, Any]) -> None:
    assert outcome(seen(NUDITY, 98), seen(NIPPLE, 98, **elsewhere))[0] is HOLD


def test_a_child_with_an_unknown_name_or_an_impossible_confidence_silences_nothing() -> None:
    violence = seen("moderation/Violence", 95)
    assert outcome(violence, seen("moderation/Violence/Swords", 99))[0] is REJECT
    assert outcome(violence, seen("moderation/Violence/Weapons", 101))[0] is REJECT


def test_a_parent_with_an_impossible_confidence_is_not_silenced_into_allow() -> None:
    assert outcome(seen(NUDITY, float("nan")), seen(NIPPLE, 98))[0] is HOLD


# The gray zone.

HATE, ALLOWED = seen("guardrail/HATE", 60), seen("classifier/allow", 0)


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (None, (HOLD, ("guardrail/HATE>=MEDIUM",))),
        (seen("classifier/allow", 0), (ALLOW, ())),
        (seen("classifier/hold", 0), (HOLD, ("classifier/hold", "guardrail/HATE>=MEDIUM"))),
        (seen("classifier/reject", 100), (REJECT, ("classifier/reject",))),
        (seen("unreadable/classifier", 0), (HOLD, ("guardrail/HATE>=MEDIUM", "unreadable/classifier"))),
    ],
    ids=["not asked", "allow", "hold", "reject", "no answer"],
)
def test_a_gray_text_ends_as_the_classifier_says(verdict: Finding | None, expected: tuple[Tier, tuple[str]]) -> None:
    assert outcome(*[HATE, verdict] if verdict else [HATE]) == expected


def test_the_classifier_clears_gray_findings_of_its_own_part_only() -> None:
    caption = seen("guardrail/HATE", 60, part="caption")
    assert outcome(caption, ALLOWED)[0] is HOLD
    assert outcome(HATE, caption, ALLOWED, seen("classifier/allow", 0, part="caption"))[0] is ALLOW


@pytest.mark.parametrize("label", ["guardrail/HATE", "guardrail/word/custom", "guardrail/word/PROFANITY", "pii/SSN"])
def test_the_classifier_clears_nothing_that_is_decided(label: str) -> None:
    assert outcome(seen(label, 90), ALLOWED) == outcome(seen(label, 90))
    assert outcome(seen(label, 90))[0] >= HOLD


def test_a_hold_level_cannot_be_cleared_and_the_gray_below_it_can() -> None:
    assert outcome(seen("guardrail/SEXUAL", 59), ALLOWED) == (ALLOW, ())
    assert outcome(seen("guardrail/SEXUAL", 60), ALLOWED) == (HOLD, ("guardrail/SEXUAL>=MEDIUM",))


def test_the_strictest_of_several_verdicts_counts() -> None:
    assert outcome(HATE, ALLOWED, seen("classifier/hold", 0))[0] is HOLD
    assert outcome(HATE, ALLOWED, seen("classifier/reject", 100))[0] is REJECT
    # A reject that the policy weakens to a hold is still no leave.
    assert outcome(HATE, ALLOWED, seen("classifier/reject", 30))[0] is HOLD


@pytest.mark.parametrize("confidence", [30, 60, 90])
def test_an_attack_on_the_judge_takes_the_classifiers_leave_away(confidence: float) -> None:
    attack = seen("guardrail/PROMPT_ATTACK", confidence)
    assert outcome(HATE, ALLOWED, attack)[0] is HOLD
    # An attack in another part is that part's matter.
    assert "guardrail/HATE>=MEDIUM" not in outcome(HATE, ALLOWED, seen(attack.label, confidence, part="caption"))[1]


@pytest.mark.parametrize(
    ("findings", "asked"),
    [
        ([], False),
        ([seen("guardrail/HATE", 59.99)], False),
        ([seen("guardrail/HATE", 60)], True),
        ([seen("guardrail/HATE", 89.99)], True),
        ([seen("guardrail/HATE", 90)], False),
        ([seen("guardrail/SEXUAL", 30)], True),
        ([seen("guardrail/SEXUAL", 60)], False),
        ([seen("guardrail/VIOLENCE", 60)], False),
        ([seen("guardrail/PROMPT_ATTACK", 60)], False),
        ([seen("guardrail/PROMPT_ATTACK", 60), HATE], True),
        ([seen("guardrail/word/PROFANITY")], False),
        ([HATE, seen("guardrail/word/custom")], False),
        ([HATE, seen("moderation/Explicit", 85.5)], False),
        ([HATE, seen("moderation/Explicit", 85.4)], True),
        ([HATE, seen("unreadable/malware")], False),
        # The parent rejects nothing: it is the echo of a child that is only held.
        ([HATE, seen("moderation/Violence", 89), seen("moderation/Violence/Weapons", 89)], True),
        ([seen("pii/EMAIL")], False),
        ([seen("moderation/HATE", 60)], False),
        ([seen("guardrail/HATE", float("nan"))], False),
    ],
)
def test_the_classifier_is_asked_only_where_its_answer_can_matter(findings: list[Finding], asked: bool) -> None:
    assert POLICY.is_gray(findings) is asked


# Redaction.


def test_personal_data_in_the_body_is_masked_where_it_stands() -> None:
    decision = decided(seen("pii/PHONE", 60, span=(20, 32)), seen("pii/EMAIL", span=(3, 15)), seen("pii/NAME"))
    assert decision.tier is REDACT
    assert [rule.name for rule in decision.rules] == ["pii/EMAIL", "pii/PHONE"]
    assert decision.spans == (Span(3, 15, "EMAIL"), Span(20, 32, "PHONE"))


def test_data_below_the_confidence_is_neither_a_reason_nor_masked() -> None:
    decision = decided(seen("pii/PHONE", 59.99, span=(20, 32)), seen("pii/EMAIL", 60, span=(3, 15)))
    assert decision.spans == (Span(3, 15, "EMAIL"),)
    assert decided(seen("pii/PHONE", 59.99, span=(20, 32))).tier is ALLOW


@pytest.mark.parametrize(
    ("spans", "merged"),
    [
        ([("EMAIL", 0, 5), ("PHONE", 5, 9)], [Span(0, 5, "EMAIL"), Span(5, 9, "PHONE")]),
        ([("EMAIL", 0, 5), ("PHONE", 4, 9)], [Span(0, 9, "EMAIL")]),
        ([("EMAIL", 0, 9), ("PHONE", 4, 6)], [Span(0, 9, "EMAIL")]),
        ([("EMAIL", 4, 6), ("PHONE", 0, 9)], [Span(0, 9, "PHONE")]),
        ([("EMAIL", 1, 3), ("EMAIL", 1, 3)], [Span(1, 3, "EMAIL")]),
        ([("EMAIL", 0, 4), ("EMAIL", 3, 7), ("PHONE", 6, 9)], [Span(0, 9, "EMAIL")]),
        ([("EMAIL", 0, 1)], [Span(0, 1, "EMAIL")]),
    ],
)
def test_overlapping_spans_are_masked_as_one(spans: list[tuple[str, int, int]], merged: list[Span]) -> None:
    findings = [seen(f"pii/{kind}", span=(begin, end)) for kind, begin, end in spans]
    assert list(decided(*findings).spans) == merged


@pytest.mark.parametrize(
    "finding",
    [
        seen("pii/EMAIL"),
        seen("pii/EMAIL", span=(3, 3)),
        seen("pii/EMAIL", span=(5, 3)),
        seen("pii/EMAIL", span=(-1, 3)),
        seen("pii/EMAIL", span=(3, 15), part="caption"),
    ],
    ids=["no span", "empty span", "reversed span", "before the text", "caption"],
)
def test_what_cannot_be_masked_is_held_and_says_so(finding: Finding) -> None:
    fine = seen("pii/PHONE", span=(20, 32))
    decision = decided(finding, fine)
    assert (decision.tier, [rule.name for rule in decision.rules]) == (HOLD, ["pii/EMAIL cannot be masked"])
    assert decision.spans == ()


def test_nothing_is_masked_in_what_a_person_or_nobody_shall_see() -> None:
    email = seen("pii/EMAIL", span=(3, 15))
    assert decided(email, seen("guardrail/word/PROFANITY")).spans == ()
    assert decided(email, seen("guardrail/word/custom")).spans == ()


def test_personal_data_may_stand_where_the_surface_says_never() -> None:
    assert outcome(seen("pii/EMAIL", span=(3, 15)), seen("pii/SSN"), key="quiet/a.txt") == (ALLOW, ())
    assert outcome(seen("guardrail/word/custom"), key="quiet/a.txt")[0] is REJECT


@pytest.mark.parametrize(
    ("key", "name"), [("quiet/a", "quiet"), ("quiet", "feed"), ("Quiet/a", "feed"), ("a/quiet/", "feed"), ("", "feed")]
)
def test_a_key_belongs_to_the_surface_with_the_longest_prefix(key: str, name: str) -> None:
    surface: Surface = POLICY.surface_for(key)
    assert surface.name == name
