"""Bedrock Converse: a classifier that answers by a forced tool, from a card or from the word lists.

It can be persuaded, by whoever speaks from outside of what it was told is data: see `obedience`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from deploy.local.ai.cards import Card, CardError, Faults, take_card
from deploy.local.ai.obedience import obeys
from deploy.local.ai.protocol import Refusal
from deploy.local.ai.words import judge

Params = Mapping[str, Any]

#: Category -> (decision, severity, names that a rule list may have for it).
_VERDICTS: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "HATE": ("reject", 3, ("hate", "hate-speech")),
    "VIOLENCE": ("reject", 3, ("threat", "violence", "harassment")),
    "SEXUAL": ("hold", 2, ("sexual",)),
    "MISCONDUCT": ("reject", 3, ("misconduct",)),
    "PROMPT_ATTACK": ("hold", 2, ("prompt-attack", "spam-scam")),
    "INSULTS": ("hold", 1, ("harassment", "insults")),
}
_OBEDIENT = {"decision": "allow", "severity": 0, "rule": "none", "reason": "as it was told"}
_CUSTOM_WORD = ("reject", 3, ("harassment", "hate"))
#: Rough English: four characters a token.
_TOKEN = 4


class Converse:
    """Converse, for classification only."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def converse(self, params: Params) -> dict[str, Any]:
        """{modelId, messages, system?, toolConfig?, ...} -> {output, stopReason, usage, metrics}."""
        text = _user_text(params)
        try:
            card, bare = take_card(text)
        except CardError as error:
            raise Refusal("ValidationException", str(error)) from None
        self._faults.strike(card)
        verdict = _of_card(card, params)
        if verdict is not None and "stop_reason" in verdict:
            return _answer(params, text, content=[], stop_reason=str(verdict["stop_reason"]))
        tool = _forced_tool(params)
        if verdict is None and obeys(bare, system=_system_text(params)):
            verdict = dict(_OBEDIENT)
        if tool is None:
            said = json.dumps(verdict or _verdict(bare, {}))
            return _answer(params, text, content=[{"text": said}], stop_reason="end_turn")
        schema = tool["inputSchema"].get("json", {})
        use = {
            "toolUseId": f"tooluse_{uuid.uuid4().hex}",
            "name": tool["name"],
            "input": _fitted(verdict or _verdict(bare, schema), schema),
        }
        return _answer(params, text, content=[{"toolUse": use}], stop_reason="tool_use")


def _of_card(card: Card | None, params: Params) -> dict[str, Any] | None:
    """The card's answer: the first one, then the second one in a conversation that has an answer already..."""
    if card is None or card.classifier is None:
        return None
    turns = sum(message["role"] == "assistant" for message in params["messages"])
    return dict(card.classifier[min(turns, len(card.classifier) - 1)])


def _system_text(params: Params) -> str:
    return "\n".join(block.get("text", "") for block in params.get("system", []))


def _user_text(params: Params) -> str:
    """All text of the user's messages; the system prompt is not under review."""
    messages = params.get("messages", [])
    if not messages:
        raise Refusal("ValidationException", "A conversation must start with a user message")
    blocks = [block for message in messages if message["role"] == "user" for block in message["content"]]
    texts = [block.get("text") or block.get("guardContent", {}).get("text", {}).get("text", "") for block in blocks]
    return "\n".join(texts)


def _forced_tool(params: Params) -> Params | None:
    """The tool that must be used: the one named, or under `any` the first; None where none is forced."""
    config = params.get("toolConfig", {})
    specs = [tool["toolSpec"] for tool in config.get("tools", []) if "toolSpec" in tool]
    choice = config.get("toolChoice", {})
    if "any" in choice and specs:
        return dict(specs[0])
    if "tool" not in choice:
        return None
    for spec in specs:
        if spec["name"] == choice["tool"]["name"]:
            return dict(spec)
    raise Refusal("ValidationException", "toolChoice names a tool that toolConfig does not have")


def _verdict(text: str, schema: Params) -> dict[str, Any]:
    """The strictest that the lists say; where they say nothing, allow."""
    judgement = judge(text)
    found = [_VERDICTS[category] for category in judgement.categories]
    if judgement.custom_words:
        found.append(_CUSTOM_WORD)
    if not found:
        return {"decision": "allow", "severity": 0, "reason": "nothing on the stand-in's word lists"}
    decision, severity, rules = max(found, key=lambda verdict: verdict[1])
    known = schema.get("properties", {}).get("rule", {}).get("enum", rules)
    rule = next((rule for rule in rules if rule in known), known[0])
    return {"decision": decision, "severity": severity, "rule": rule, "reason": "on the stand-in's word lists"}


def _fitted(verdict: Params, schema: Params) -> dict[str, Any]:
    """The verdict as the tool wants it: required fields filled in, and no unknown ones where it forbids them."""
    properties = schema.get("properties", {})
    closed = schema.get("additionalProperties") is False
    kept = {name: value for name, value in verdict.items() if name in properties or not closed}
    missing = [name for name in schema.get("required", ()) if name not in kept]
    return kept | {name: _filler(properties.get(name, {})) for name in missing}


def _filler(schema: Params) -> Any:  # whatever JSON the schema asks for
    """The least value that fits a JSON schema of the kind that tools have."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "string")
    if kind == "object":
        return _fitted({}, schema)
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    least = "-" * schema.get("minLength", 0)
    return {"boolean": False, "array": [], "null": None}.get(kind, least)


def _answer(params: Params, text: str, *, content: list[dict[str, Any]], stop_reason: str) -> dict[str, Any]:
    system = sum(len(block.get("text", "")) for block in params.get("system", []))
    read, written = (len(text) + system) // _TOKEN + 1, len(json.dumps(content)) // _TOKEN + 1
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason,
        "usage": {"inputTokens": read, "outputTokens": written, "totalTokens": read + written},
        "metrics": {"latencyMs": 1},
    }
