"""Ask a language model about a text that the guardrail neither cleared nor condemned."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.detect.chain import TextChain
from tasks.detect.finding import Finding
from tasks.detect.kind import unreadable
from tasks.ledger import note_looked, note_used

if TYPE_CHECKING:
    from tasks.aws.session import Aws

DETECTOR = "classifier"
TOOL = "verdict"
DECISIONS = ("allow", "hold", "reject")
MOST_SEVERE = 3
MAX_RULE = 64
MAX_REASON = 300

#: Room for one verdict. Bedrock reserves this much of the token quota as each request starts.
MAX_TOKENS = 400

FIELDS = ("decision", "severity", "rule", "reason")
#: The rule of a text that breaks none.
NO_RULE = "none"
_RULES_SECTION = re.compile(r"^# Rules$(.*?)(?=^# |\Z)", re.MULTILINE | re.DOTALL)
_RULE_LINE = re.compile(r"^- `([a-z][a-z0-9-]{0,63})`:", re.MULTILINE)
_RULE = re.compile(r"[a-z][a-z0-9-]*")
#: What Bedrock's requestMetadata may not hold.
_NOT_METADATA = re.compile(r"[^a-zA-Z0-9\s:_@$#=/+,.-]")
_MAX_METADATA = 256


def classify(aws: Aws, text: str, *, chain: TextChain) -> Finding:
    """The model's verdict on one text that fits its context. Raises what every call raises.

    The item and the policy version name the call in Bedrock's invocation log.
    """
    answer = call(
        aws.detect,
        aws.bedrock.converse,
        modelId=chain.classifier_model,
        system=[{"text": chain.prompt}],
        messages=[{"role": "user", "content": [{"text": fence(text)}]}],
        inferenceConfig={"maxTokens": MAX_TOKENS, "temperature": 0.0},
        toolConfig={
            "tools": [
                {
                    "toolSpec": {
                        "name": TOOL,
                        "description": "Give the verdict on the text under review.",
                        "inputSchema": {"json": verdict_schema(chain.prompt)},
                    }
                }
            ],
            "toolChoice": {"tool": {"name": TOOL}},
        },
        requestMetadata={"item": _metadata(chain.item_id), "policy": _metadata(chain.policy_version)},
    )
    note_looked(DETECTOR, chain.classifier_model)
    for unit, counted in (("input-token", "inputTokens"), ("output-token", "outputTokens")):
        note_used(f"{unit}/{chain.classifier_model}", float(answer.get("usage", {}).get(counted, 0)))
    return read_verdict(answer, model=chain.classifier_model, part=chain.part)


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


def fence(text: str) -> str:
    """The text between two marks that it cannot hold itself: to forge them, it would have to name its own hash."""
    mark = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
    return f"Text under review, between the two lines that say {mark}:\n{mark}\n{text}\n{mark}\nGive your verdict."


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
    blocks = answer.get("output", {}).get("message", {}).get("content", [])
    uses = [block["toolUse"] for block in blocks if "toolUse" in block]
    if len(uses) != 1 or uses[0].get("name") != TOOL:
        return None
    verdict = uses[0].get("input")
    return verdict if isinstance(verdict, dict) and _is_valid(verdict) else None


def _is_valid(verdict: dict[str, Any]) -> bool:
    if set(verdict) != set(FIELDS):
        return False
    decision, severity, rule, reason = (verdict[name] for name in FIELDS)
    return (
        decision in DECISIONS
        and type(severity) is int  # not bool, which is an int
        and 0 <= severity <= MOST_SEVERE
        and isinstance(rule, str)
        and len(rule) <= MAX_RULE
        and _RULE.fullmatch(rule) is not None
        and isinstance(reason, str)
        and not _contradicts(decision, severity)
    )


def _contradicts(decision: str, severity: int) -> bool:
    """Allowed although severe, or rejected for nothing."""
    return (decision == "allow" and severity > 1) or (decision == "reject" and severity == 0)


def _metadata(value: str) -> str:
    return _NOT_METADATA.sub("-", value)[:_MAX_METADATA]
