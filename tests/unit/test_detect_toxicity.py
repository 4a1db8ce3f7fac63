"""Toxic content: segments that fit, the worst of them counts, and no segment goes without an answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from tasks.aws.session import Aws
from tasks.detect.toxicity import SEGMENT_BYTES, SEGMENTS, find_toxicity, read_toxicity, toxicity_units
from tasks.ledger import looked, open_ledger

Stub = Callable[[object], Stubber]


def result(**scores: float) -> dict[str, Any]:
    """About one segment."""
    return {"Labels": [{"Name": name, "Score": score} for name, score in scores.items()], "Toxicity": 0.5}


@contextmanager
def answering(aws: Aws) -> Iterator[list[list[str]]]:
    """Let the real client find `vile` an insult, after it checked and wrote the request; the segments it was sent."""
    sent: list[list[str]] = []

    def answer(params: dict[str, Any], **_: object) -> tuple[SimpleNamespace, dict[str, Any]]:
        sent.append([segment["Text"] for segment in json.loads(params["body"])["TextSegments"]])
        results = [result(INSULT=0.9 if "vile" in text else 0.2) for text in sent[-1]]
        return SimpleNamespace(status_code=200), {"ResultList": results}

    events = cast("Any", aws.comprehend).meta.events
    events.register("before-call.comprehend.DetectToxicContent", answer)
    try:
        yield sent
    finally:
        events.unregister("before-call.comprehend.DetectToxicContent", answer)


def test_a_long_text_goes_in_calls_of_ten_segments_and_its_worst_counts(offline_aws: Aws) -> None:
    text = "naïve 👋🏽 words " * 900 + "vile " + "words " * 900
    with open_ledger() as ledger, answering(offline_aws) as sent:
        (finding,) = find_toxicity(offline_aws, text, part="caption")
    assert (finding.label, finding.confidence, finding.part) == ("toxicity/INSULT", 90.0, "caption")
    assert len(sent) > 2
    for segments in sent:
        assert len(segments) <= SEGMENTS
        assert max(len(segment.encode()) for segment in segments) <= SEGMENT_BYTES
    assert ledger.used["toxicity-unit"] == sum(map(toxicity_units, sent))
    assert ledger.used["toxicity-unit"] >= len(text) / 100


@given(st.integers(0, 3_000))
def test_a_word_is_whole_in_some_segment_wherever_it_stands(offline_aws: Aws, at: int) -> None:
    text = "".join(f"{n:x}é" for n in range(1_500))
    with answering(offline_aws):
        (finding,) = find_toxicity(offline_aws, f"{text[:at]}vile{text[at:]}", part="body")
    assert finding.confidence == 90.0


@pytest.mark.parametrize("text", ["", " \n "])
def test_nothing_but_space_is_not_sent(offline_aws: Aws, stub: Stub, text: str) -> None:
    stub(offline_aws.comprehend)
    assert find_toxicity(offline_aws, text, part="body") == ()


def test_another_language_is_left_to_the_guardrail_and_said_so(offline_aws: Aws, stub: Stub) -> None:
    stub(offline_aws.comprehend)
    with open_ledger():
        assert find_toxicity(offline_aws, "Guten Tag", part="body", language="de") == ()
        assert looked() == {"comprehend-toxicity": "unsupported:de"}


def test_next_to_nothing_is_not_told() -> None:
    answer = {"ResultList": [result(INSULT=0.099, SEXUAL=0.1)]}
    assert [(one.label, one.confidence) for one in read_toxicity(answer, segments=1)] == [("toxicity/SEXUAL", 10.0)]


def test_no_number_at_all_reaches_the_policy_which_holds_it() -> None:
    (finding,) = read_toxicity({"ResultList": [result(INSULT=math.nan)]}, segments=1)
    assert math.isnan(finding.confidence)


@pytest.mark.parametrize("answer", [{}, {"ResultList": [result()]}, {"ResultList": [result()] * 3}])
def test_a_segment_without_an_answer_is_held(answer: dict[str, Any]) -> None:
    assert [finding.label for finding in read_toxicity(answer, segments=2)] == ["unreadable/toxicity"]


@pytest.mark.parametrize(("lengths", "units"), [([1], 3), ([300], 3), ([301], 4), ([150, 151], 4), ([1_000] * 10, 100)])
def test_units_are_hundreds_of_characters_and_three_at_least(lengths: list[int], units: int) -> None:
    assert toxicity_units(["x" * length for length in lengths]) == units
