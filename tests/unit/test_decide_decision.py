"""Decisions at their edges: just below, at and above each kind of threshold, and labels that nobody knows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from verdicts import Verdicts, seen

from tasks.decide.decision import Decision, Rule, Tier, decide
from tasks.decide.policy import Policy, Surface
from tasks.decide.policy_file import parse_policy
from tasks.detect.finding import Finding

ALLOW, _, HOLD, REJECT = Tier
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


decided, outcome = Verdicts(POLICY).decided, Verdicts(POLICY).outcome


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
        # it is never rejected
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
        ("guardrail/topic/drink/drive", 100, HOLD, "guardrail/topic/drink/drive"),
        # the classifier: severity 1 and 2 of 3
        ("classifier/allow", 0, ALLOW, None),
        ("classifier/hold", 0, HOLD, "classifier/hold"),
        ("classifier/reject", 100 / 3, HOLD, "classifier/reject below severity 2"),
        ("classifier/reject", 33.3, HOLD, "classifier/reject below severity 2"),
        ("classifier/reject", 200 / 3, REJECT, "classifier/reject"),
        # between two severities, the nearer
        ("classifier/reject", 49.99, HOLD, "classifier/reject below severity 2"),
        ("classifier/reject", 50.01, REJECT, "classifier/reject"),
        ("classifier/reject", 66.6, REJECT, "classifier/reject"),
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
        ("guardrail/list/PROFANITY", 1, HOLD, "unknown-label/guardrail/list/PROFANITY"),
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
    (rule,) = decided(seen(label, confidence)).rules
    assert (rule.label, rule.confidence, rule.threshold) == (label, 0.0, None)
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


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (seen("pii/AGE"), seen("pii/NAME")),
        (seen("pii/NAME", part="body"), seen("pii/NAME", part="caption")),
        (seen("pii/NAME", detector="a"), seen("pii/NAME", detector="b")),
        (seen("pii/NAME"), replace(seen("pii/NAME"), detector_version="9")),
        (seen("pii/NAME", 1), seen("pii/NAME", 2)),
        (seen("pii/NAME"), seen("pii/NAME", span=(1, 2))),
        (seen("pii/NAME", span=(1, 2)), seen("pii/NAME", span=(1, 3))),
        (seen("pii/NAME"), seen("pii/NAME", time_ms=(1, 2))),
        (seen("pii/NAME", rule="a"), seen("pii/NAME", rule="b")),
    ],
)
def test_a_decision_keeps_its_findings_in_one_order_however_they_came(less: Finding, more: Finding) -> None:
    assert decided(more, less).findings == (less, more)
    assert decided(less, more).findings == (less, more)


@pytest.mark.parametrize(
    ("key", "name"), [("quiet/a", "quiet"), ("quiet", "feed"), ("Quiet/a", "feed"), ("a/quiet/", "feed"), ("", "feed")]
)
def test_a_key_belongs_to_the_surface_with_the_longest_prefix(key: str, name: str) -> None:
    surface: Surface = POLICY.surface_for(key)
    assert surface.name == name


def test_a_mask_names_a_kind_of_personal_data_but_of_a_banned_term_no_more_than_that() -> None:
    policy = parse_policy(POLICY_TEXT + "terms: {swearing: redact}\n")
    findings = [seen("term/swearing", span=(0, 4)), seen("pii/EMAIL", span=(5, 9))]
    decision = decide(findings, policy, policy.surface_for("post.txt"))
    assert decision.tier is Tier.REDACT
    assert [(span.begin, span.end, span.kind) for span in decision.spans] == [(0, 4, "TERM"), (5, 9, "EMAIL")]


def test_spans_that_overlap_are_one_and_those_before_them_stay_as_they_are() -> None:
    places = ((0, 2), (5, 9), (7, 12), (8, 10), (20, 21))
    decision = decided(*(seen("pii/EMAIL", 99.0, span=place) for place in places))
    assert [(span.begin, span.end) for span in decision.spans] == [(0, 2), (5, 12), (20, 21)]


def test_a_banned_term_in_a_caption_cannot_be_masked() -> None:
    policy = parse_policy(POLICY_TEXT + "terms: {swearing: redact}\n")
    decision = decide([seen("term/swearing", span=(0, 4), part="caption")], policy, policy.surface_for("post.txt"))
    assert (decision.tier, decision.spans) == (HOLD, ())
