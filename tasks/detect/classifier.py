"""Ask a language model about a text that the guardrail neither cleared nor condemned."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.detect.chain import TextChain
from tasks.detect.finding import Finding
from tasks.detect.language import UNKNOWN
from tasks.detect.verdict import DETECTOR, TOOL, complain, leans_to_allow, read_verdict, verdict_schema
from tasks.ledger import note_looked, note_used

if TYPE_CHECKING:
    from tasks.aws.session import Aws

#: Room for one verdict. Bedrock reserves this much of the token quota as each request starts.
MAX_TOKENS = 400
#: Messages of context, and code points of each: a thread's last words tell what a text means, its first ones rarely.
MAX_CONTEXT, MAX_SAID = 10, 1_000

#: What Bedrock's requestMetadata may not hold.
_NOT_METADATA = re.compile(r"[^a-zA-Z0-9\s:_@$#=/+,.-]")
_MAX_METADATA = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One text to judge, that fits the model's context, and what is known around it."""

    text: str
    #: What stood before it, oldest first; as little to be trusted as the text.
    context: tuple[str, ...] = ()
    #: ISO 639 code.
    language: str = UNKNOWN


def classify(aws: Aws, question: Question, *, chain: TextChain) -> Finding:
    """The model's verdict on one text. Raises what every call raises.

    An answer that is no verdict is sent back once, with what is wrong with it; one that the model or a filter broke
    off is not. The item and the policy version name the call in Bedrock's invocation log.
    """
    asked = request(question, chain=chain)
    answer = _converse(aws, asked, chain=chain)
    verdict = read_verdict(answer, model=chain.classifier_model, part=chain.part)
    if not (complaint := complain(answer)):
        return verdict
    asked["messages"] += [answer["output"]["message"], complaint]
    better = read_verdict(_converse(aws, asked, chain=chain), model=chain.classifier_model, part=chain.part)
    # Still unreadable, where the second answer lets pass what the first, however badly put, did not.
    return verdict if better.label == "classifier/allow" and not leans_to_allow(answer) else better


def request(question: Question, *, chain: TextChain) -> dict[str, Any]:
    """What a model is asked, in the words of Converse but for the model's name: system, messages, inferenceConfig..."""
    spec = {
        "name": TOOL,
        "description": "Give the verdict on the text under review.",
        "inputSchema": {"json": verdict_schema(chain.prompt)},
    }
    return {
        "system": [{"text": text} for text in (chain.prompt, _place(chain.about)) if text],
        "messages": [{"role": "user", "content": [{"text": fence(question)}]}],
        "inferenceConfig": {"maxTokens": MAX_TOKENS, "temperature": 0.0},
        "toolConfig": {"tools": [{"toolSpec": spec}], "toolChoice": {"tool": {"name": TOOL}}},
    }


def _converse(aws: Aws, asked: Mapping[str, Any], *, chain: TextChain) -> dict[str, Any]:
    answer = call(
        aws.detect,
        aws.bedrock.converse,
        modelId=chain.classifier_model,
        **asked,
        requestMetadata={"item": _metadata(chain.item_id), "policy": _metadata(chain.policy_version)},
    )
    note_looked(DETECTOR, chain.classifier_model)
    for unit, counted in (("input-token", "inputTokens"), ("output-token", "outputTokens")):
        note_used(f"{unit}/{chain.classifier_model}", float(answer.get("usage", {}).get(counted, 0)))
    return answer


def _place(about: str) -> str:
    about = about.strip()
    return f"# This place\n\nIts operator says of the place where the text stands:\n\n{about}" if about else ""


def fence(question: Question) -> str:
    """The user's turn: the text, and what stood before it, between marks that neither can hold.

    The marks are made of all that stands between them: to forge one, a text would have to name its own hash.
    """
    material = json.dumps([question.text, *question.context]).encode()
    mark, before = (hashlib.sha256(name + material).hexdigest()[:32] for name in (b"text", b"context"))
    lines = [f"Text under review, between the two lines that say {mark}:", mark, question.text, mark]
    if question.context:
        around = [line for said in question.context for line in (before, said)]
        lines = [f"Context, each message between two lines that say {before}:", *around, before, *lines]
    if question.language != UNKNOWN:
        lines.append(f"Its language, by a machine's guess: {question.language}.")
    return "\n".join([*lines, "Give your verdict."])


def newest(context: Iterable[str]) -> tuple[str, ...]:
    """The context that is worth its tokens: the last MAX_CONTEXT messages, of each the first MAX_SAID code points."""
    said = [message[:MAX_SAID].encode("utf-8", "replace").decode() for message in context if message.strip()]
    return tuple(said[-MAX_CONTEXT:])


def _metadata(value: str) -> str:
    return _NOT_METADATA.sub("-", value)[:_MAX_METADATA]
