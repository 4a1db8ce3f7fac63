"""What the stand-in has been asked, and what AWS would bill for it: `GET /_calls`, for tests, the demo and the curious.

Counted from requests and answers alone, by nothing that modfleet says of itself.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Said = Mapping[str, Any]
#: (unit as config/prices.yaml names it, how much), from a request and its answer.
Units = Iterator[tuple[str, float]]

_CHECKS = {
    "contentFilter": "guardrail-check-content-unit",
    "promptAttack": "guardrail-check-attack-unit",
    "sensitiveInformation": "guardrail-check-pii-unit",
}
_GUARDRAIL = {
    "contentPolicyUnits": "guardrail-content-unit",
    "topicPolicyUnits": "guardrail-topic-unit",
    "sensitiveInformationPolicyUnits": "guardrail-pii-unit",
}


class Counts:
    """Calls by `service.Operation`, and billed units. Safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._units = Counter[str]()
        #: Jobs whose minutes are counted: a job is billed once, however often its answer is fetched.
        self._jobs: set[str] = set()

    def refused(self, call: str) -> None:
        """A call ended in an error, which AWS does not bill."""
        with self._lock:
            self._calls[call]["refused"] += 1

    def answered(self, call: str, params: Said, result: Said) -> None:
        """A call was answered."""
        with self._lock:
            self._calls[call]["answered"] += 1
            self._units[call] += 1
            for unit, amount in self._billed(call, params, result):
                self._units[unit] += amount  # type: ignore[assignment]  # a Counter may count in fractions

    def bill(self, unit: str, amount: float) -> None:
        """Something was used up that no answer tells of."""
        with self._lock:
            self._units[unit] += amount  # type: ignore[assignment]

    def told(self) -> dict[str, Any]:
        """{"calls": {call: {"answered", "refused"}}, "units": {unit: amount}}."""
        with self._lock:
            calls = {call: {"answered": n["answered"], "refused": n["refused"]} for call, n in self._calls.items()}
            return {"calls": calls, "units": dict(self._units)}

    def _billed(self, call: str, params: Said, result: Said) -> Units:
        if call != "rekognition.GetContentModeration":
            yield from _BILLED.get(call, _nothing)(params, result)
        elif result["JobStatus"] == "SUCCEEDED" and result["JobId"] not in self._jobs:
            self._jobs.add(result["JobId"])
            yield "video-minute", result["VideoMetadata"]["DurationMillis"] / 60_000


def _nothing(_params: Said, _result: Said) -> Units:
    yield from ()


def _guardrail(_params: Said, result: Said) -> Units:
    yield from ((unit, result["usage"][name]) for name, unit in _GUARDRAIL.items() if result["usage"][name])


def _checks(_params: Said, result: Said) -> Units:
    yield from ((unit, result["usage"][name]["textUnits"]) for name, unit in _CHECKS.items() if name in result["usage"])


def _tokens(params: Said, result: Said) -> Units:
    for kind in ("input", "output"):
        yield f"{kind}-token/{params['modelId']}", result["usage"][f"{kind}Tokens"]


def _pii(params: Said, _result: Said) -> Units:
    yield "pii-unit", _hundreds(len(params["Text"]))


def _toxicity(params: Said, _result: Said) -> Units:
    yield "toxicity-unit", _hundreds(sum(len(segment["Text"]) for segment in params["TextSegments"]))


def _hundreds(characters: int) -> int:
    """Comprehend's units: https://aws.amazon.com/comprehend/pricing/"""
    return max(3, -(-characters // 100))


_BILLED: dict[str, Callable[[Said, Said], Units]] = {
    "bedrock-runtime.ApplyGuardrail": _guardrail,
    "bedrock-runtime.InvokeGuardrailChecks": _checks,
    "bedrock-runtime.Converse": _tokens,
    "comprehend.DetectPiiEntities": _pii,
    "comprehend.DetectToxicContent": _toxicity,
}
