"""The text chain: who is asked, in which order, and about what."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from tasks.aws.faults import Denied
from tasks.aws.session import Aws
from tasks.detect.finding import Finding
from tasks.detect.text import TextChain, look_at_text, strongest

Stub = Callable[[object], Stubber]
Recorded = Callable[[str], dict[str, Any]]
GUARD = "bedrock-runtime.ApplyGuardrail."
CONVERSE = "bedrock-runtime.Converse."


def is_gray(findings: tuple[Finding, ...]) -> bool:
    """A policy for these tests: whatever the guardrail is not sure of."""
    return any(finding.label.startswith("guardrail/") and finding.confidence < 90 for finding in findings)


CHAIN = TextChain(
    guardrail_id="gr1",
    guardrail_version="3",
    classifier_model="amazon.nova-lite-v1:0",
    prompt="You are a content moderator.",
    is_gray=is_gray,
    pii="suggested",
    part="caption",
    item_id="i" * 64,
    policy_version="p(1)",
)


def guard_request(text: str) -> dict[str, Any]:
    """What the guardrail should be asked about a text."""
    return {
        "guardrailIdentifier": "gr1",
        "guardrailVersion": "3",
        "source": "INPUT",
        "outputScope": "FULL",
        "content": [{"text": {"text": text}}],
    }


def labels(findings: tuple[Finding, ...]) -> list[str]:
    """Labels in order."""
    return [finding.label for finding in findings]


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_nothing_but_space_costs_no_call(offline_aws: Aws, stub: Stub, text: str) -> None:
    stub(offline_aws.bedrock)
    stub(offline_aws.comprehend)
    assert look_at_text(offline_aws, text, chain=replace(CHAIN, pii="always")) == ()


def test_a_clean_text_costs_one_call(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stub(offline_aws.comprehend)
    stub(offline_aws.bedrock).add_response("apply_guardrail", recorded(GUARD + "nothing"), guard_request("hello"))
    assert look_at_text(offline_aws, "hello", chain=CHAIN) == ()


def test_the_classifier_is_asked_in_the_gray_zone_with_the_text_in_the_users_turn_only(
    offline_aws: Aws, stub: Stub, recorded: Recorded
) -> None:
    text = "you lot again"
    stubber = stub(offline_aws.bedrock)
    stubber.add_response("apply_guardrail", recorded(GUARD + "low-not-acted-on"), guard_request(text))
    mark = hashlib.sha256(text.encode()).hexdigest()[:32]
    user = f"Text under review, between the two lines that say {mark}:\n{mark}\n{text}\n{mark}\nGive your verdict."
    stubber.add_response(
        "converse",
        recorded(CONVERSE + "reject"),
        {
            "modelId": "amazon.nova-lite-v1:0",
            "system": [{"text": "You are a content moderator."}],
            "messages": [{"role": "user", "content": [{"text": user}]}],
            "inferenceConfig": {"maxTokens": 400, "temperature": 0.0},
            "toolConfig": {"tools": ANY, "toolChoice": {"tool": {"name": "verdict"}}},
            "requestMetadata": {"item": "i" * 64, "policy": "p-1-"},
        },
    )
    findings = look_at_text(offline_aws, text, chain=CHAIN)
    assert labels(findings) == ["guardrail/INSULTS", "classifier/reject"]
    assert {finding.part for finding in findings} == {"caption"}


def test_a_text_that_is_plainly_bad_is_not_argued_about(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    plain = replace(CHAIN, is_gray=lambda _: False)
    stub(offline_aws.bedrock).add_response("apply_guardrail", recorded(GUARD + "high-and-medium"))
    assert "guardrail/HATE" in labels(look_at_text(offline_aws, "bad words", chain=plain))


@pytest.mark.parametrize(
    ("pii", "text", "case", "asked"),
    [
        ("suggested", "hello", "nothing", False),
        ("suggested", "hello", "only-pii", True),
        ("suggested", "mail me: a@b.example", "nothing", True),
        ("always", "hello", "nothing", True),
        ("never", "mail me: a@b.example", "only-pii", False),
    ],
)
def test_comprehend_is_asked_where_the_surface_or_a_suggestion_says_so(
    offline_aws: Aws, stub: Stub, recorded: Recorded, *, pii: Any, text: str, case: str, asked: bool
) -> None:
    stub(offline_aws.bedrock).add_response("apply_guardrail", recorded(GUARD + case))
    comprehend = stub(offline_aws.comprehend)
    if asked:
        found = {"Entities": [{"Score": 0.9, "Type": "NAME", "BeginOffset": 0, "EndOffset": 4}]}
        comprehend.add_response("detect_pii_entities", found, {"Text": text, "LanguageCode": "en"})
    findings = look_at_text(offline_aws, text, chain=replace(CHAIN, pii=pii))
    assert labels(findings) == (["pii/NAME"] if asked else [])


def test_a_long_text_is_read_in_pieces_and_only_the_gray_one_is_argued_about(
    offline_aws: Aws, stub: Stub, recorded: Recorded
) -> None:
    text = "word " * 7_000
    stubber = stub(offline_aws.bedrock)
    stubber.add_response("apply_guardrail", recorded(GUARD + "nothing"))
    stubber.add_response("apply_guardrail", recorded(GUARD + "low-not-acted-on"))
    stubber.add_response("converse", recorded(CONVERSE + "allow"))
    assert labels(look_at_text(offline_aws, text, chain=CHAIN)) == ["guardrail/INSULTS", "classifier/allow"]


def test_a_bad_answer_of_the_classifier_is_held(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stubber = stub(offline_aws.bedrock)
    stubber.add_response("apply_guardrail", recorded(GUARD + "low-not-acted-on"))
    stubber.add_response("converse", recorded(CONVERSE + "bad-content-filtered"))
    assert labels(look_at_text(offline_aws, "x", chain=CHAIN)) == ["guardrail/INSULTS", "unreadable/classifier"]


def test_a_missing_guardrail_is_an_engineers_problem_and_no_clearance(offline_aws: Aws, stub: Stub) -> None:
    stub(offline_aws.bedrock).add_client_error("apply_guardrail", "ResourceNotFoundException")
    with pytest.raises(Denied):
        look_at_text(offline_aws, "hello", chain=CHAIN)


def test_of_the_same_finding_in_two_pieces_the_more_confident_is_kept() -> None:
    low, high = (
        Finding(detector="guardrail", detector_version="1", label="guardrail/HATE", confidence=confidence)
        for confidence in (30.0, 60.0)
    )
    assert strongest([low, high, low]) == (high,)
    assert strongest([high, replace(low, rule="other")]) == (high, replace(low, rule="other"))
