"""Verdict: what the classifier must answer, and how its answer is read (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tasks.detect.finding import Finding
from tasks.detect.kind import unreadable

DETECTOR = "classifier"
TOOL = "verdict"
DECISIONS = ("allow", "hold", "reject")
MOST_SEVERE = 3
MAX_RULE = 64
MAX_REASON = 300
FIELDS = ("decision", "severity", "rule", "reason")
#: The rule of a text that breaks none.
NO_RULE = "none"

#: How an answer may have ended that is worth sending back.
REPAIRABLE = ("tool_use", "end_turn")
CONTRADICTION = "decision and severity contradict each other."

_RULES_SECTION = re.compile(r"^# Rules$(.*?)(?=^# |\Z)", re.MULTILINE | re.DOTALL)
_RULE_LINE = re.compile(r"^- `([a-z][a-z0-9-]{0,63})`:", re.MULTILINE)
_RULE = re.compile(r"[a-z][a-z0-9-]*")


def verdict_schema(prompt: str) -> dict[str, Any]:
    """JSON schema of the only answer that the model can give, with the rules that the prompt names."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(FIELDS),
        "properties": {
            "decision": {"type": "string", "enum": list(DECISIONS)},
            "severity": {"type": "integer", "minimum": 0, "maximum": MOST_SEVERE},
            "rule": {"type": "string", "enum": [NO_RULE, *rules_of(prompt)]},
            "reason": {"type": "string", "maxLength": MAX_REASON},
        },
    }


def rules_of(prompt: str) -> list[str]:
    """The slugs listed as "- `slug`: ..." in the prompt's section "# Rules"."""
    section = _RULES_SECTION.search(prompt)
    return _RULE_LINE.findall(section[1]) if section else []


def complain(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """The turn that asks for a better answer; None where there is nothing to better or nobody to ask.

    A filter that stepped in, or tokens that ran out, are the answer. So is a contradiction: whoever finds a text
    severe and allows it has not made a slip of form, and is not asked which half to believe.
    """
    if answer.get("stopReason") not in REPAIRABLE or not _content(answer):
        return None
    uses = _uses(answer)
    wrong = _wrong_with(uses)
    if not wrong or wrong == CONTRADICTION:
        return None
    if not uses:
        return {"role": "user", "content": [{"text": wrong}]}
    told = [{"toolUseId": use["toolUseId"], "content": [{"text": wrong}], "status": "error"} for use in uses]
    return {"role": "user", "content": [{"toolResult": result} for result in told]}


def leans_to_allow(answer: Mapping[str, Any]) -> bool:
    """Whether an answer that is no verdict named no decision but to allow, and nothing severe."""
    said = [use["input"] for use in _uses(answer) if isinstance(use.get("input"), dict)]
    return all(one.get("decision") in ("allow", None) and one.get("severity") in (0, 1, None) for one in said)


def read_verdict(answer: Mapping[str, Any], *, model: str, part: str = "body") -> Finding:
    """`classifier/DECISION`, its rule, and its severity scaled to 0-100; else `unreadable/classifier`.

    Whatever is not exactly one valid verdict is no verdict: a model that filtered its answer, ran out of
    tokens, answered in prose or contradicted itself has cleared nothing.
    """
    verdict = _verdict(answer)
    if verdict is None:
        return unreadable("classifier", detector=DETECTOR, detector_version=model, part=part)
    return Finding(
        detector=DETECTOR,
        detector_version=model,
        label=f"classifier/{verdict['decision']}",
        confidence=verdict["severity"] / MOST_SEVERE * 100,
        rule=verdict["rule"],
        part=part,
    )


def _verdict(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    if answer.get("stopReason") != "tool_use":
        return None
    uses = _uses(answer)
    return None if _wrong_with(uses) else uses[0]["input"]


def _uses(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [block["toolUse"] for block in _content(answer) if "toolUse" in block]


def _content(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = answer.get("output", {}).get("message", {}).get("content", [])
    return content


def _wrong_with(uses: list[dict[str, Any]]) -> str:
    """What keeps the uses of the tool from being one valid verdict, in words of ours alone; "" where nothing does."""
    if len(uses) != 1 or uses[0].get("name") != TOOL:
        return f"Call the tool {TOOL}, exactly once."
    verdict = uses[0].get("input")
    if not isinstance(verdict, dict) or set(verdict) != set(FIELDS):
        return f"The verdict must have exactly these fields: {', '.join(FIELDS)}."
    if wrong := " ".join(_wrong_fields(**verdict)):
        return wrong
    return CONTRADICTION if _contradicts(verdict["decision"], verdict["severity"]) else ""


def _wrong_fields(*, decision: object, severity: object, rule: object, reason: object) -> Iterator[str]:
    if decision not in DECISIONS:
        yield f"decision must be one of {', '.join(DECISIONS)}."
    if type(severity) is not int or not 0 <= severity <= MOST_SEVERE:  # not bool, which is an int
        yield f"severity must be a whole number from 0 to {MOST_SEVERE}."
    if not isinstance(rule, str) or len(rule) > MAX_RULE or not _RULE.fullmatch(rule):
        yield "rule must be the slug of a rule."
    if not isinstance(reason, str):
        yield "reason must be a text."


def _contradicts(decision: str, severity: int) -> bool:
    """Allowed although severe, or rejected for nothing."""
    return (decision == "allow" and severity > 1) or (decision == "reject" and severity == 0)
