"""The text chain: who is asked, in which order, and about what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from tasks.aws.faults import Denied, Fault, Unreadable
from tasks.aws.session import Aws
from tasks.detect.classifier import Question, fence
from tasks.detect.finding import Finding
from tasks.detect.guardrail_checks import ATTACKS, CONTENT
from tasks.detect.term_file import parse_terms
from tasks.detect.text import TextChain, look_at_text, strongest
from tasks.detect.verdict import complain
from tasks.ledger import looked, open_ledger

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


ABOUT = "# This place\n\nIts operator says of the place where the text stands:\n\nHomework help."


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
    text = "you lot are here again"
    stubber = stub(offline_aws.bedrock)
    stubber.add_response("apply_guardrail", recorded(GUARD + "low-not-acted-on"), guard_request(text))
    user = fence(Question(text=text, language="en"))
    stubber.add_response(
        "converse",
        recorded(CONVERSE + "reject"),
        {
            "modelId": "amazon.nova-lite-v1:0",
            "system": [{"text": "You are a content moderator."}, {"text": ABOUT}],
            "messages": [{"role": "user", "content": [{"text": user}]}],
            "inferenceConfig": {"maxTokens": 400, "temperature": 0.0},
            "toolConfig": {"tools": ANY, "toolChoice": {"tool": {"name": "verdict"}}},
            "requestMetadata": {"item": "i" * 64, "policy": "p-1-"},
        },
    )
    findings = look_at_text(offline_aws, text, chain=replace(CHAIN, about=" Homework help.\n"))
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
    assert [label for label in labels(findings) if label != "pii/EMAIL"] == (["pii/NAME"] if asked else [])


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


def converse_answer(**changes: object) -> dict[str, Any]:
    """A verdict to allow, with changes."""
    verdict = {"decision": "allow", "severity": 0, "rule": "none", "reason": "harmless"} | changes
    use = {"toolUseId": "t1", "name": "verdict", "input": verdict}
    return {
        "stopReason": "tool_use",
        "output": {"message": {"role": "assistant", "content": [{"toolUse": use}]}},
        "usage": {"inputTokens": 100, "outputTokens": 10, "totalTokens": 110},
        "metrics": {"latencyMs": 1},
    }


def asked_again(answer: dict[str, Any], complaint: str) -> dict[str, Any]:
    """The request with which the classifier should be asked a second time."""
    told = {"toolUseId": "t1", "content": [{"text": complaint}], "status": "error"}
    messages = [ANY, answer["output"]["message"], {"role": "user", "content": [{"toolResult": told}]}]
    rest = ("modelId", "system", "inferenceConfig", "toolConfig", "requestMetadata")
    return {"messages": messages, **dict.fromkeys(rest, ANY)}


@pytest.mark.parametrize(
    ("first", "second", "label"),
    [
        ({"severity": "0"}, {"decision": "hold"}, "classifier/hold"),
        ({"reason": 7}, {}, "classifier/allow"),
        ({"reason": 7}, {"reason": 7}, "unreadable/classifier"),
        ({"decision": "block", "severity": 3}, {}, "unreadable/classifier"),
    ],
    ids=["bettered", "bettered to allow", "no better", "not bettered to allow what it meant to block"],
)
def test_an_answer_that_is_no_verdict_is_sent_back_once_and_both_are_metered(
    offline_aws: Aws, stub: Stub, recorded: Recorded, *, first: dict[str, Any], second: dict[str, Any], label: str
) -> None:
    stubber = stub(offline_aws.bedrock)
    stubber.add_response("apply_guardrail", recorded(GUARD + "low-not-acted-on"))
    wrong = converse_answer(**first)
    complaint = complain(wrong)
    assert complaint is not None
    said = complaint["content"][0]["toolResult"]["content"][0]["text"]
    stubber.add_response("converse", wrong)
    stubber.add_response("converse", converse_answer(**second), asked_again(wrong, said))
    with open_ledger() as ledger:
        findings = look_at_text(offline_aws, "x", chain=CHAIN)
    assert labels(findings) == ["guardrail/INSULTS", label]
    assert ledger.used["input-token/amazon.nova-lite-v1:0"] == 200
    assert ledger.used["output-token/amazon.nova-lite-v1:0"] == 20


@pytest.mark.parametrize(("case", "kept"), [("nothing", True), ("attack", False), ("half-covered", False)])
def test_context_goes_to_the_classifier_unless_it_gives_orders(
    offline_aws: Aws, stub: Stub, recorded: Recorded, *, case: str, kept: bool
) -> None:
    chain = replace(CHAIN, context=("they said", "we said"))
    stubber = stub(offline_aws.bedrock)
    stubber.add_response("apply_guardrail", recorded(GUARD + "low-not-acted-on"), guard_request("x"))
    attack = {"type": "PROMPT_ATTACK", "confidence": "LOW", "action": "NONE", "detected": True}
    answer = recorded(GUARD + ("nothing" if case == "attack" else case))
    if case == "attack":
        answer["assessments"] = [{"contentPolicy": {"filters": [attack]}}]
    stubber.add_response("apply_guardrail", answer, guard_request("they said\nwe said"))
    user = fence(Question(text="x", context=chain.context if kept else ()))
    rest = ("modelId", "system", "inferenceConfig", "toolConfig", "requestMetadata")
    stubber.add_response(
        "converse",
        recorded(CONVERSE + "allow"),
        {"messages": [{"role": "user", "content": [{"text": user}]}], **dict.fromkeys(rest, ANY)},
    )
    assert labels(look_at_text(offline_aws, "x", chain=chain)) == ["guardrail/INSULTS", "classifier/allow"]


def test_context_costs_nothing_where_the_classifier_is_not_asked(
    offline_aws: Aws, stub: Stub, recorded: Recorded
) -> None:
    stub(offline_aws.bedrock).add_response("apply_guardrail", recorded(GUARD + "nothing"), guard_request("hello"))
    assert look_at_text(offline_aws, "hello", chain=replace(CHAIN, context=("before",))) == ()


GERMAN = "Schreib mir an hans@beispiel.de oder ruf mich morgen wieder an."
ENGLISH = "This is what people say to each other all day."


def toxic_answer(score: float) -> dict[str, Any]:
    """What Comprehend answers about one segment."""
    return {"ResultList": [{"Labels": [{"Name": "INSULT", "Score": score}], "Toxicity": score}]}


@pytest.mark.parametrize("text", [ENGLISH, "x"], ids=["English", "nobody can tell"])
def test_toxic_content_is_looked_for_where_the_surface_asks(
    offline_aws: Aws, stub: Stub, recorded: Recorded, text: str
) -> None:
    stub(offline_aws.bedrock).add_response("apply_guardrail", recorded(GUARD + "nothing"))
    request = {"TextSegments": [{"Text": text}], "LanguageCode": "en"}
    stub(offline_aws.comprehend).add_response("detect_toxic_content", toxic_answer(0.75), request)
    (finding,) = look_at_text(offline_aws, text, chain=replace(CHAIN, toxicity="always", pii="never"))
    assert (finding.label, finding.confidence, finding.part) == ("toxicity/INSULT", 75.0, "caption")


def test_where_comprehend_does_not_read_the_language_the_record_names_the_fallback(
    offline_aws: Aws, stub: Stub, recorded: Recorded
) -> None:
    stub(offline_aws.bedrock).add_response("apply_guardrail", recorded(GUARD + "nothing"))
    stub(offline_aws.comprehend).add_response(
        "detect_pii_entities", {"Entities": []}, {"Text": GERMAN, "LanguageCode": "en"}
    )
    with open_ledger():
        findings = look_at_text(offline_aws, GERMAN, chain=replace(CHAIN, toxicity="always", pii="always"))
        named = looked()
    assert named["comprehend-toxicity"] == "unsupported:de"
    assert named["comprehend-pii"] == "en-fallback:de"
    (email,) = findings
    assert (email.label, email.detector) == ("pii/EMAIL", "patterns")
    assert GERMAN[slice(*email.span or ())] == "hans@beispiel.de"


def test_spanish_is_asked_about_in_spanish(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    text = "Escríbeme mañana a la dirección que te di, por favor."
    stub(offline_aws.bedrock).add_response("apply_guardrail", recorded(GUARD + "nothing"))
    request = {"Text": text, "LanguageCode": "es"}
    stub(offline_aws.comprehend).add_response("detect_pii_entities", {"Entities": []}, request)
    with open_ledger():
        assert look_at_text(offline_aws, text, chain=replace(CHAIN, pii="always")) == ()
        assert looked()["comprehend-pii"] == "unversioned"


def test_the_inline_checks_stand_in_for_the_guardrail(offline_aws: Aws, stub: Stub) -> None:
    categories = {"contentFilter": CONTENT, "promptAttack": ATTACKS}
    results = {
        check: {"results": [{"category": name, "severityScore": 0.95 if name == "HATE" else 0.0} for name in names]}
        for check, names in categories.items()
    }
    checks = {check: {"categories": [{"category": name} for name in names]} for check, names in categories.items()}
    stub(offline_aws.bedrock).add_response(
        "invoke_guardrail_checks",
        {"results": results, "usage": {"contentFilter": {"textUnits": 1}}},
        {"messages": [{"role": "user", "content": [{"text": "x"}]}], "checks": checks},
    )
    with open_ledger() as ledger:
        findings = look_at_text(offline_aws, "x", chain=replace(CHAIN, guardrail_checks=True, pii="never"))
    assert [(finding.label, finding.confidence) for finding in findings] == [("guardrail/HATE", 95.0)]
    assert ledger.looked == {"guardrail": "checks"}
    assert ledger.used == {"guardrail-check-content-unit": 1.0}


def test_banned_terms_stand_beside_what_the_guardrail_saw_each_at_its_place(
    offline_aws: Aws, stub: Stub, recorded: Recorded
) -> None:
    terms = parse_terms("spam: {words: [grumble]}")
    stub(offline_aws.bedrock).add_response("apply_guardrail", recorded(GUARD + "high-and-medium"))
    chain = replace(CHAIN, find_terms=terms.find, terms_version=terms.version, is_gray=lambda _: False)
    with open_ledger() as ledger:
        findings = look_at_text(offline_aws, "grumble, Grumble", chain=chain)
    assert [(one.label, one.span) for one in findings[:2]] == [("term/spam", (0, 7)), ("term/spam", (9, 16))]
    assert "guardrail/HATE" in labels(findings)
    assert ledger.looked["terms"] == terms.version


def test_what_a_banned_term_rejects_is_not_argued_about(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stub(offline_aws.bedrock).add_response("apply_guardrail", recorded(GUARD + "low-not-acted-on"))

    def gray(findings: tuple[Finding, ...]) -> bool:
        return is_gray(findings) and "term/spam" not in labels(findings)

    chain = replace(CHAIN, find_terms=parse_terms("spam: {words: [grumble]}").find, is_gray=gray)
    assert labels(look_at_text(offline_aws, "grumble", chain=chain)) == ["term/spam", "guardrail/INSULTS"]


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


class Refusing:
    """A guard that lets no call of one service be made, as a daily cap does."""

    def __init__(self, service: str) -> None:
        self._service = service

    def before(self, call: str) -> None:
        if call.startswith(self._service):
            raise Unreadable("spent", call=call, reason="over-budget")

    def after(self, call: str, *, seconds: float, fault: Fault | None) -> None:
        """Nothing to do."""


def test_what_may_not_be_asked_today_takes_nothing_away_that_others_saw(
    offline_aws: Aws, stub: Stub, recorded: Recorded
) -> None:
    aws = replace(offline_aws, detect=offline_aws.detect.guarded((Refusing("comprehend"),)))
    stub(aws.bedrock).add_response("apply_guardrail", recorded(f"{GUARD}high-and-medium"))
    findings = look_at_text(aws, "text", chain=replace(CHAIN, pii="always", is_gray=lambda _: False))
    assert "guardrail/HATE" in labels(findings)
    assert labels(findings)[-1] == "unreadable/over-budget"


def test_a_text_that_nobody_may_look_at_today_is_unreadable_once(offline_aws: Aws) -> None:
    aws = replace(offline_aws, detect=offline_aws.detect.guarded((Refusing(""),)))
    findings = look_at_text(aws, "text", chain=replace(CHAIN, pii="always", toxicity="always"))
    assert [(finding.label, finding.part) for finding in findings] == [("unreadable/over-budget", "caption")]
