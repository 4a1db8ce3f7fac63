"""The inline checks: numbers are read as they are, and what was not answered is held."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel, StringShape

from tasks.detect.guardrail_checks import ATTACKS, CONTENT, PERSONAL, read_check_usage, read_checks


def answer(
    content: dict[str, float] | None = None, attacks: dict[str, float] | None = None, **personal: Any
) -> dict[str, Any]:
    """An answer in which everything that is not named is harmless."""
    content = dict.fromkeys(CONTENT, 0.0) | (content or {})
    attacks = dict.fromkeys(ATTACKS, 0.0) | (attacks or {})
    return {
        "results": {
            "contentFilter": {"results": [{"category": n, "severityScore": s} for n, s in content.items()]},
            "promptAttack": {"results": [{"category": n, "severityScore": s} for n, s in attacks.items()]},
            "sensitiveInformation": {"results": [], "truncated": False} | personal,
        },
        "usage": {"contentFilter": {"textUnits": 2}, "promptAttack": {"textUnits": 2}},
    }


def entity(confidence: float) -> dict[str, Any]:
    """Something personal."""
    place = {"beginOffset": 0, "endOffset": 1, "messageIndex": 0, "contentIndex": 0}
    return {"type": "EMAIL", "confidenceScore": confidence, **place}


def seen(given: dict[str, Any]) -> list[tuple[str, float, str]]:
    """What matters of the findings."""
    return [(each.label, each.confidence, each.rule) for each in read_checks(given).findings]


@pytest.mark.parametrize(
    ("names", "shape"),
    [
        (CONTENT, "GuardrailChecksContentFilterCategory"),
        (ATTACKS, "GuardrailChecksPromptAttackCategory"),
    ],
)
def test_everything_is_asked_that_the_model_of_the_api_knows(names: tuple[str, ...], shape: str) -> None:
    assert set(names) == set(known(shape))


def test_personal_data_is_asked_about_by_names_that_the_api_knows() -> None:
    assert set(known("GuardrailChecksSensitiveInformationEntityType")) - set(PERSONAL) == {
        *("NAME", "AGE", "URL", "USERNAME", "SWIFT_CODE")
    }
    assert set(PERSONAL) <= set(known("GuardrailChecksSensitiveInformationEntityType"))


def known(shape: str) -> list[str]:
    """The enum of one shape of bedrock-runtime."""
    model = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))
    return cast("StringShape", model.shape_for(shape)).enum


def test_severities_are_confidences_in_percent_and_attacks_say_which() -> None:
    given = answer({"HATE": 0.42, "SEXUAL": 0.09}, {"JAILBREAK": 0.9, "PROMPT_LEAKAGE": 0.2})
    assert seen(given) == [
        ("guardrail/HATE", 42.0, ""),
        ("guardrail/PROMPT_ATTACK", 90.0, "JAILBREAK"),
        ("guardrail/PROMPT_ATTACK", 20.0, "PROMPT_LEAKAGE"),
    ]
    assert {each.detector for each in read_checks(given).findings} == {"guardrail"}


def test_no_number_at_all_reaches_the_policy_which_holds_it() -> None:
    ((label, confidence, _),) = seen(answer({"HATE": math.nan}))
    assert label == "guardrail/HATE"
    assert math.isnan(confidence)


def test_a_category_of_next_year_reaches_the_policy_too() -> None:
    assert seen(answer({"GAMBLING": 0.5})) == [("guardrail/GAMBLING", 50.0, "")]


@pytest.mark.parametrize("check", ["contentFilter", "promptAttack"])
def test_what_was_asked_and_not_answered_is_held(check: str) -> None:
    given = answer()
    del given["results"][check]["results"][0]
    assert seen(given) == [("unreadable/guardrail-coverage", 100.0, "")]
    del given["results"][check]
    assert seen(given) == [("unreadable/guardrail-coverage", 100.0, "")]
    assert seen({}) == [("unreadable/guardrail-coverage", 100.0, "")]


@pytest.mark.parametrize(
    ("personal", "suggested"),
    [
        ({}, False),
        ({"results": [entity(0.29)]}, False),
        ({"results": [entity(0.31)]}, True),
        ({"truncated": True}, True),
    ],
)
def test_personal_data_is_only_a_suggestion(personal: dict[str, Any], *, suggested: bool) -> None:
    reading = read_checks(answer(**personal))
    assert (reading.findings, reading.suggests_pii) == ((), suggested)


def test_each_check_is_billed_by_itself() -> None:
    assert read_check_usage(answer()) == {"guardrail-check-content-unit": 2.0, "guardrail-check-attack-unit": 2.0}
