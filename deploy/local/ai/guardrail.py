"""Bedrock Guardrails: ApplyGuardrail, by word lists, real PII patterns and test cards.

The guardrail it plays: content filters at strength MEDIUM (MEDIUM and HIGH are blocked, LOW is only
detected), the managed PROFANITY list and a custom word list (blocked), PII (anonymised).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.local.ai.cards import CATEGORIES, Card, CardError, Faults, take_card
from deploy.local.ai.pii import GUARDRAIL_KINDS, find_pii
from deploy.local.ai.protocol import Refusal
from deploy.local.ai.words import Judgement, judge, reaches, strongest

BLOCKED_MESSAGE = "Sorry, this text was blocked by the guardrail."
STRENGTH = "MEDIUM"
#: One text unit is up to this many characters. https://aws.amazon.com/bedrock/pricing/
UNIT = 1000


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in one text block."""

    text: str
    card: Card | None
    judgement: Judgement
    #: (guardrail's type, match, begin, end), in order.
    pii: tuple[tuple[str, str, int, int], ...]

    @property
    def masked(self) -> str:
        """The text with its personal data named instead."""
        text = self.text
        for kind, _, begin, end in reversed(self.pii):
            text = f"{text[:begin]}{{{kind}}}{text[end:]}"
        return text


class Guardrail:
    """ApplyGuardrail; any identifier and version name the same guardrail."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def apply_guardrail(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """{guardrailIdentifier, guardrailVersion, source, content, outputScope?} -> assessment, usage, outputs."""
        readings = [self._read(block) for block in params["content"]]
        if not readings:
            raise Refusal("ValidationException", "content must not be empty")
        filters = _filters(readings, everything=params.get("outputScope") == "FULL")
        words = _words(readings)
        pii = [_pii_entity(kind, match) for reading in readings for kind, match, _, _ in reading.pii]
        blocked = any(part["action"] == "BLOCKED" for part in filters) or any(words.values())
        units = sum(-(-len(reading.text) // UNIT) for reading in readings)
        usage = _usage(units)
        return {
            "usage": usage,
            **_verdict(readings, blocked=blocked, masked=bool(pii)),
            "assessments": [
                {
                    **({"contentPolicy": {"filters": filters}} if filters else {}),
                    **({"wordPolicy": words} if any(words.values()) else {}),
                    **({"sensitiveInformationPolicy": {"piiEntities": pii, "regexes": []}} if pii else {}),
                    "invocationMetrics": {"guardrailProcessingLatency": 1, "usage": usage},
                }
            ],
            "guardrailCoverage": {"textCharacters": _coverage(readings)},
        }

    def _read(self, block: Mapping[str, Any]) -> Reading:
        if "text" not in block:
            raise Refusal("ValidationException", "the stand-in's guardrail reads text only")
        return read_text(block["text"]["text"], self._faults)


def read_text(text: str, faults: Faults) -> Reading:
    """What the lists, the patterns and a card say of one text. Raises Refusal, for a card too."""
    try:
        card, bare = take_card(text)
    except CardError as error:
        raise Refusal("ValidationException", str(error)) from None
    faults.strike(card)
    entities = ((GUARDRAIL_KINDS.get(p.kind), text[p.begin : p.end], p.begin, p.end) for p in find_pii(bare))
    pii = tuple((kind, match, begin, end) for kind, match, begin, end in entities if kind)
    return Reading(text, card, judge(bare), pii)


def _filters(readings: list[Reading], *, everything: bool) -> list[dict[str, Any]]:
    """One entry per detected category, and with `everything` (outputScope FULL) the others too."""
    entries = []
    for category in CATEGORIES:
        confidence = strongest([confidence_in(reading, category) for reading in readings])
        if everything or confidence != "NONE":
            entries.append(_filter(category, confidence, "LOW" if _is_gray(readings, category) else STRENGTH))
    return entries


def confidence_in(reading: Reading, category: str) -> str:
    """Its level, or NONE. A card's word is final for its text; a classifier's card wants the gray zone reached."""
    card = reading.card
    if card is not None and card.guardrail is not None:
        return card.guardrail.get(category, "NONE")
    if card is not None and card.classifier is not None and category == "INSULTS":
        return "MEDIUM"
    return reading.judgement.categories.get(category, "NONE")


def _is_gray(readings: list[Reading], category: str) -> bool:
    """Whether a classifier's card brought this up: at strength LOW, MEDIUM is detected and not blocked."""
    return category == "INSULTS" and any(
        reading.card is not None and reading.card.classifier is not None and reading.card.guardrail is None
        for reading in readings
    )


def _filter(category: str, confidence: str, strength: str) -> dict[str, Any]:
    """A filter of strength MEDIUM blocks MEDIUM and HIGH, one of strength LOW only HIGH."""
    least = {"LOW": "HIGH", "MEDIUM": "MEDIUM"}[strength]
    return {
        "type": category,
        "confidence": confidence,
        "filterStrength": strength,
        "action": "BLOCKED" if reaches(confidence, least) else "NONE",
        "detected": confidence != "NONE",
    }


def _words(readings: list[Reading]) -> dict[str, list[dict[str, Any]]]:
    custom = _distinct(word for reading in readings for word in reading.judgement.custom_words)
    profane = _distinct(word for reading in readings for word in reading.judgement.profanity)
    blocked = {"action": "BLOCKED", "detected": True}
    return {
        "customWords": [{"match": word, **blocked} for word in custom],
        "managedWordLists": [{"match": word, "type": "PROFANITY", **blocked} for word in profane],
    }


def _distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _pii_entity(kind: str, match: str) -> dict[str, Any]:
    return {"type": kind, "match": match, "action": "ANONYMIZED", "detected": True}


def _verdict(readings: list[Reading], *, blocked: bool, masked: bool) -> dict[str, Any]:
    """The summary: a blocked text's output is the guardrail's message, a masked one's the masked text."""
    if blocked:
        outputs, reason = [BLOCKED_MESSAGE], "Guardrail blocked."
    elif masked:
        outputs, reason = [reading.masked for reading in readings], "Guardrail masked."
    else:
        return {"action": "NONE", "actionReason": "No action.", "outputs": []}
    return {
        "action": "GUARDRAIL_INTERVENED",
        "actionReason": reason,
        "outputs": [{"text": output} for output in outputs],
    }


def _usage(units: int) -> dict[str, int]:
    return {
        "topicPolicyUnits": 0,
        "contentPolicyUnits": units,
        "wordPolicyUnits": units,
        "sensitiveInformationPolicyUnits": units,
        "sensitiveInformationPolicyFreeUnits": 0,
        "contextualGroundingPolicyUnits": 0,
        "contentPolicyImageUnits": 0,
    }


def _coverage(readings: list[Reading]) -> dict[str, int]:
    characters = sum(len(reading.text) for reading in readings)
    return {"guarded": characters, "total": characters}
