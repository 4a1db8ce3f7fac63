"""What a batch is asked, and what its answers are taken for: never for a pass that nobody gave."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tasks.detect.chain import TextChain
from tasks.detect.classifier import Question, request
from tasks.detect.later import AWAITED, answered, put_off, putting_off
from tasks.rescan.batch_answers import read_answer, record_id, takes_batches, write_record

MODEL = "amazon.nova-lite-v1:0"
CHAIN = TextChain(
    guardrail_id="g",
    guardrail_version="1",
    classifier_model=MODEL,
    prompt="Judge.\n# Rules\n- `harassment`: insults.",
    is_gray=lambda _: True,
    pii="never",
    part="body",
    item_id="item",
    policy_version="p",
)
ASKED = Question(text="well", context=("before",), language="en")
USAGE = {"inputTokens": 9, "outputTokens": 4, "totalTokens": 13}


def line(**said: Any) -> bytes:
    return json.dumps({"recordId": "r", "modelInput": {}, **said}).encode()


def output(**verdict: Any) -> dict[str, Any]:
    said = {"decision": "hold", "severity": 2, "rule": "harassment", "reason": "because"} | verdict
    use = {"toolUse": {"toolUseId": "t", "name": "verdict", "input": said}}
    return {"output": {"message": {"role": "assistant", "content": [use]}}, "stopReason": "tool_use", "usage": USAGE}


def test_a_record_asks_in_the_models_own_form_what_converse_would_have_been_asked() -> None:
    said = json.loads(write_record("r", ASKED, chain=CHAIN))
    asked = {"schemaVersion": "messages-v1", **json.loads(json.dumps(request(ASKED, chain=CHAIN)))}
    assert said == {"recordId": "r", "modelInput": asked}
    strange = write_record("r", Question(text="two\nlines\u2028three \ud800"), chain=CHAIN)
    assert strange.isascii(), "half a character, which a JSON document may hold, must not stop the others"
    assert "\n" not in strange


def test_records_have_names_that_no_other_has() -> None:
    names = {record_id(item, index) for item in ("a", "b") for index in range(3)}
    assert len(names) == 6
    assert all(name.isalnum() for name in names)


@pytest.mark.parametrize("model", [MODEL, f"us.{MODEL}", f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"])
def test_novas_form_is_known_and_no_other(model: str) -> None:
    assert takes_batches(model)
    assert not takes_batches("anthropic.claude-3-haiku-20240307-v1:0")


def test_an_answer_is_read_as_converses_is_and_billed_as_a_batchs() -> None:
    answer = read_answer(line(modelOutput=output()), model=MODEL)
    assert answer
    assert (answer.id, answer.finding.label, answer.finding.rule) == ("r", "classifier/hold", "harassment")
    assert answer.used == {f"batch-input-token/{MODEL}": 9.0, f"batch-output-token/{MODEL}": 4.0}


@pytest.mark.parametrize(
    "said",
    [
        output(decision="allow", severity=3),
        output(severity="2"),
        output() | {"stopReason": "content_filtered"},
        output() | {"stopReason": "max_tokens"},
        output() | {"output": None},
        output() | {"output": {"message": {"content": "allow"}}},
        {},
    ],
)
def test_what_is_no_verdict_holds(said: dict[str, Any]) -> None:
    answer = read_answer(line(modelOutput=said), model=MODEL)
    assert answer
    assert answer.finding.label == "unreadable/classifier"


@pytest.mark.parametrize(
    "said",
    [
        line(error={"errorCode": 400, "errorMessage": "bad request"}),
        line(modelOutput=output())[:-20],
        line(modelOutput="allow"),
        b"",
        b"[]",
        b"\xff",
    ],
)
def test_what_is_no_answer_is_none(said: bytes) -> None:
    assert read_answer(said, model=MODEL) is None


def test_only_what_the_item_itself_says_is_put_off_and_meanwhile_it_holds() -> None:
    caption, other = replace(CHAIN, part="caption"), replace(CHAIN, item_id="part of a post")
    with putting_off("item") as later:
        stands = put_off(ASKED, chain=CHAIN)
        assert stands
        assert [put_off(ASKED, chain=chain) for chain in (caption, other)] == [None, None]
    assert put_off(ASKED, chain=CHAIN) is None, "outside of it everything is asked at once"
    assert (later.questions, stands.label) == ([ASKED], AWAITED)
    answer = read_answer(line(modelOutput=output()), model=MODEL)
    assert answer
    assert answered((stands, answer.finding), (answer.finding,)) == (answer.finding,)
