"""The guardrail's answer is read by its assessments, never by its summary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tasks.detect.guardrail import GuardrailAnswer, read_guardrail

Recorded = Callable[[str], dict[str, Any]]


def read(recorded: Recorded, case: str) -> GuardrailAnswer:
    """The reading of one recorded answer."""
    return read_guardrail(recorded(f"bedrock-runtime.ApplyGuardrail.{case}"), version="3")


def seen(answer: GuardrailAnswer) -> list[tuple[str, float, str]]:
    """What matters of its findings."""
    return [(finding.label, finding.confidence, finding.rule) for finding in answer.findings]


def test_nothing_detected_is_no_finding(recorded: Recorded) -> None:
    assert read(recorded, "nothing") == GuardrailAnswer(findings=(), suggests_pii=False)


def test_an_intervention_that_only_masked_personal_data_is_no_finding_but_a_suggestion(recorded: Recorded) -> None:
    assert read(recorded, "only-pii") == GuardrailAnswer(findings=(), suggests_pii=True)


def test_what_was_detected_below_the_filters_strength_is_a_finding_all_the_same(recorded: Recorded) -> None:
    answer = read(recorded, "low-not-acted-on")
    assert seen(answer) == [("guardrail/INSULTS", 30.0, "")]
    assert {(finding.detector, finding.detector_version) for finding in answer.findings} == {("guardrail", "3")}


def test_filters_topics_and_words_are_findings_and_quote_nothing(recorded: Recorded) -> None:
    answer = read(recorded, "high-and-medium")
    assert seen(answer) == [
        ("guardrail/HATE", 90.0, ""),
        ("guardrail/VIOLENCE", 60.0, ""),
        ("guardrail/topic/Medical advice", 100.0, ""),
        ("guardrail/topic/Investment", 100.0, ""),
        ("guardrail/word/custom", 100.0, "BLOCKED"),
        ("guardrail/word/PROFANITY", 100.0, "NONE"),
    ]
    assert "xxxx" not in repr(answer)
    assert not answer.suggests_pii


def test_an_older_answer_without_detected_is_read_by_action_and_confidence(recorded: Recorded) -> None:
    assert seen(read(recorded, "without-detected")) == [
        ("guardrail/SEXUAL", 60.0, ""),
        ("guardrail/word/custom", 100.0, "BLOCKED"),
    ]


def test_the_operators_own_pattern_that_blocks_is_a_finding(recorded: Recorded) -> None:
    assert seen(read(recorded, "own-pattern")) == [("guardrail/word/custom", 100.0, "BLOCKED")]


def test_the_operators_own_pattern_that_masks_is_a_suggestion(recorded: Recorded) -> None:
    answer = recorded("bedrock-runtime.ApplyGuardrail.own-pattern")
    answer["assessments"][0]["sensitiveInformationPolicy"]["regexes"][0]["action"] = "ANONYMIZED"
    assert read_guardrail(answer, version="3") == GuardrailAnswer(findings=(), suggests_pii=True)


def test_an_intervention_that_we_cannot_explain_is_held(recorded: Recorded) -> None:
    assert seen(read(recorded, "unexplained")) == [("unreadable/guardrail-answer", 100.0, "")]


def test_a_text_that_was_only_partly_looked_at_is_held(recorded: Recorded) -> None:
    assert seen(read(recorded, "half-covered")) == [("unreadable/guardrail-coverage", 100.0, "")]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"confidence": "NONE", "action": "BLOCKED", "detected": True}, [90.0]),
        ({"confidence": "EXTREME", "action": "NONE", "detected": True}, [90.0]),
        ({"confidence": "HIGH", "action": "NONE", "detected": False}, []),
        ({"confidence": "HIGH", "action": "BLOCKED", "detected": False}, [90.0]),
    ],
)
def test_an_answer_that_contradicts_itself_is_read_strictly(entry: dict[str, Any], expected: list[float]) -> None:
    answer = {"action": "NONE", "assessments": [{"contentPolicy": {"filters": [{"type": "HATE", **entry}]}}]}
    assert [finding.confidence for finding in read_guardrail(answer, version="1").findings] == expected
