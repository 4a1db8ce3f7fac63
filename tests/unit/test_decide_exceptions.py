"""Exceptions: children that silence their parents, a classifier that clears, data that can or cannot be masked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from verdicts import Verdicts, seen

from config.settings import CONFIG
from tasks.decide.decision import Span, Tier
from tasks.decide.policy import Policy
from tasks.decide.policy_file import parse_policy
from tasks.decide.rule import Ladder
from tasks.detect.finding import Finding

ALLOW, REDACT, HOLD, REJECT = Tier
SHIPPED: Policy = parse_policy((CONFIG / "policy.yaml").read_text(encoding="utf-8"))
QUIET = replace(SHIPPED.surfaces[0], name="quiet", prefix="quiet/", pii="never")

GRAY = {
    "HATE": Ladder(gray=60, hold=None, reject=90),
    "SEXUAL": Ladder(gray=30, hold=60, reject=None),
    "VIOLENCE": Ladder(hold=None, reject=None),
    "MISCONDUCT": Ladder(gray=30, hold=None, reject=None),
    "PROMPT_ATTACK": Ladder(hold=60, reject=None),
}
POLICY = replace(
    SHIPPED,
    surfaces=(QUIET, *SHIPPED.surfaces),
    labels={
        **SHIPPED.labels,
        "Violence": Ladder(hold=50, reject=90),
        "Violence/Weapons": Ladder(hold=80, reject=90),
        "Violence/Graphic Violence/Explosions and Blasts": Ladder(hold=80, reject=None),
    },
    guardrail=replace(SHIPPED.guardrail, categories=GRAY, words={"PROFANITY": HOLD, "custom": REJECT}),
    reject_from_severity=2,
    pii=replace(SHIPPED.pii, tiers={**SHIPPED.pii.tiers, "SSN": HOLD}, min_confidence=60),
    unreadable=replace(SHIPPED.unreadable, reasons={"malware": REJECT}),
)


decided, outcome = Verdicts(POLICY).decided, Verdicts(POLICY).outcome


# Rekognition reports each label with its ancestors, so an exception for a child has to silence them.

NUDITY = "moderation/Non-Explicit Nudity of Intimate parts and Kissing"
BLAST = "moderation/Violence/Graphic Violence/Explosions and Blasts"
NIPPLE = f"{NUDITY}/Non-Explicit Nudity/Exposed Male Nipple"


def test_an_ignored_child_silences_the_parents_that_were_reported_because_of_it() -> None:
    assert outcome(seen(NUDITY, 98), seen(f"{NUDITY}/Non-Explicit Nudity", 98), seen(NIPPLE, 98)) == (ALLOW, ())


def test_a_parent_stays_when_it_is_surer_than_the_ignored_child() -> None:
    assert outcome(seen(NUDITY, 98.01), seen(NIPPLE, 98))[0] is HOLD
    assert outcome(seen(NUDITY, 97.99), seen(NIPPLE, 98))[0] is ALLOW


@pytest.mark.parametrize("sure", [0.2, 1, 98])
def test_a_parent_stays_when_it_is_surer_than_its_child_however_unsure_both_are(sure: float) -> None:
    policy = replace(POLICY, labels={**POLICY.labels, "Violence": Ladder(hold=0, reject=None)})
    weapons = seen("moderation/Violence/Weapons", sure / 2)
    assert Verdicts(policy).outcome(seen("moderation/Violence", sure), weapons) == (HOLD, ("labels/Violence>=0",))
    assert Verdicts(policy).outcome(seen("moderation/Violence", sure / 2), weapons) == (ALLOW, ())


def test_an_ignored_child_does_not_silence_its_siblings() -> None:
    breast = f"{NUDITY}/Non-Explicit Nudity/Partially Exposed Female Breast"
    assert outcome(seen(NUDITY, 98), seen(NIPPLE, 98), seen(breast, 85)) == (
        HOLD,
        (f"labels/{breast.removeprefix('moderation/')}>=80",),
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


def test_only_a_moderation_label_silences_a_moderation_label() -> None:
    violence = seen("moderation/Violence", 95)
    assert outcome(violence, seen("content-type/Weapons", 99))[0] is REJECT


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


def test_a_confidence_that_cannot_be_is_not_gray() -> None:
    assert outcome(seen("guardrail/MISCONDUCT", 100), ALLOWED) == (ALLOW, ())
    for impossible in (100.1, float("inf"), float("nan")):
        assert outcome(seen("guardrail/MISCONDUCT", impossible), ALLOWED)[0] is HOLD


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
        ([HATE, seen("moderation/Explicit", 85)], False),
        ([HATE, seen("moderation/Explicit", 84.9)], True),
        ([HATE, seen("unreadable/malware")], False),
        # The parent rejects nothing: it is the echo of a child that is only held.
        ([HATE, seen("moderation/Violence", 95)], False),
        ([HATE, seen("moderation/Violence", 95), seen(BLAST, 95)], True),
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
