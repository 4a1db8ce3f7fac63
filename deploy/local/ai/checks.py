"""Bedrock's inline guardrail checks: InvokeGuardrailChecks, by what the guardrail goes by, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.local.ai.cards import Faults
from deploy.local.ai.guardrail import UNIT, Reading, confidence_in, read_text
from deploy.local.ai.protocol import Refusal

Params = Mapping[str, Any]

#: The lists know four strengths; AWS's scores are anything from 0 to 1.
SEVERITY = {"NONE": 0.0, "LOW": 0.3, "MEDIUM": 0.6, "HIGH": 0.9}
#: A pattern either matches or not.
CONFIDENCE = 0.99
#: The lists know one kind of attack.
ATTACK = "PROMPT_INJECTION"
#: (message's index, content's index, what was read there)
Placed = tuple[int, int, Reading]


class Checks:
    """InvokeGuardrailChecks."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def invoke_guardrail_checks(self, params: Params) -> dict[str, Any]:
        """{messages, checks} -> {results, usage}, for each check that was asked for."""
        checks = params["checks"]
        if not checks:
            raise Refusal("ValidationException", "checks must hold at least one check")
        read = [
            (at, within, read_text(block["text"], self._faults))
            for at, message in enumerate(params["messages"])
            for within, block in enumerate(message["content"])
        ]
        units = sum(-(-len(reading.text) // UNIT) for _, _, reading in read)
        results = {name: _CHECKS[name](config, read) for name, config in checks.items()}
        return {"results": results, "usage": {name: {"textUnits": units} for name in checks}}


def _content(config: Params, read: list[Placed]) -> dict[str, Any]:
    wanted = [each["category"] for each in config["categories"]]
    return {"results": [{"category": name, "severityScore": _worst(read, name)} for name in wanted]}


def _attack(config: Params, read: list[Placed]) -> dict[str, Any]:
    wanted = [each["category"] for each in config["categories"]]
    seen = {ATTACK: _worst(read, "PROMPT_ATTACK")}
    return {"results": [{"category": name, "severityScore": seen.get(name, 0.0)} for name in wanted]}


def _worst(read: list[Placed], category: str) -> float:
    return max(SEVERITY[confidence_in(reading, category)] for _, _, reading in read)


def _personal(config: Params, read: list[Placed]) -> dict[str, Any]:
    wanted = {each["type"] for each in config["entities"]}
    found = [
        {
            "type": kind,
            "confidenceScore": CONFIDENCE,
            "beginOffset": begin,
            "endOffset": end,
            "messageIndex": at,
            "contentIndex": within,
        }
        for at, within, reading in read
        for kind, _, begin, end in reading.pii
        if kind in wanted
    ]
    return {"results": found, "truncated": False}


_CHECKS = {"contentFilter": _content, "promptAttack": _attack, "sensitiveInformation": _personal}
