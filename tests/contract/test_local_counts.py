"""The stand-in counts what it is asked, and what AWS would bill for it, by itself."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

Counted = dict[str, Any]


def counts_of(client: Any) -> Counted:
    with urllib.request.urlopen(f"{client.meta.endpoint_url}/_calls", timeout=10) as answer:
        told: Counted = json.load(answer)
    return told


@pytest.fixture
def fresh(stand_in: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    return stand_in()


def test_before_any_call_there_is_nothing(fresh: SimpleNamespace) -> None:
    assert counts_of(fresh.rekognition) == {"calls": {}, "units": {}}


def test_an_answer_is_counted_and_a_refusal_apart(fresh: SimpleNamespace, plain_image: Callable[..., bytes]) -> None:
    fresh.rekognition.detect_moderation_labels(Image={"Bytes": plain_image()})
    with pytest.raises(ClientError):
        fresh.rekognition.detect_moderation_labels(Image={"Bytes": b"no picture"})
    counted = counts_of(fresh.rekognition)
    assert counted["calls"] == {"rekognition.DetectModerationLabels": {"answered": 1, "refused": 1}}
    assert counted["units"] == {"rekognition.DetectModerationLabels": 1}


def test_texts_are_billed_by_their_length(fresh: SimpleNamespace) -> None:
    fresh.comprehend.detect_pii_entities(Text="short", LanguageCode="en")
    fresh.comprehend.detect_pii_entities(Text="x" * 401, LanguageCode="en")
    fresh.bedrock.apply_guardrail(
        guardrailIdentifier="g", guardrailVersion="1", source="INPUT", content=[{"text": {"text": "x" * 1001}}]
    )
    units = counts_of(fresh.comprehend)["units"]
    assert units["pii-unit"] == 3 + 5
    assert (units["guardrail-content-unit"], units["guardrail-pii-unit"]) == (2, 2)


def test_a_model_is_billed_by_its_tokens(fresh: SimpleNamespace) -> None:
    answer = fresh.bedrock.converse(
        modelId="amazon.nova-lite-v1:0", messages=[{"role": "user", "content": [{"text": "hello there"}]}]
    )
    units = counts_of(fresh.bedrock)["units"]
    assert units["input-token/amazon.nova-lite-v1:0"] == answer["usage"]["inputTokens"]
    assert units["output-token/amazon.nova-lite-v1:0"] == answer["usage"]["outputTokens"]
