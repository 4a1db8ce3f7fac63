"""Test cards, the EICAR string of moderation: every label, tier and failure, shown with harmless content.

The bytes `MODERATION-TEST-CARD{...}` anywhere in an object or a text, where `{...}` is one JSON object:

- `{"labels": {"Weapons": 97.5}}`, for images and videos (v7 names; in a video it lasts from 0 to 1,000 ms),
  or `{"labels": [{"label": "Weapons", "confidence": 97.5, "start_ms": 0, "end_ms": 1500}]}`;
- `{"guardrail": {"HATE": "HIGH"}}`: what ApplyGuardrail detects, LOW, MEDIUM or HIGH;
- `{"classifier": {"decision": "reject", "severity": 3, "rule": "harassment"}}`: what Converse answers, word for
  word, so that wrong answers can be shown too; `{"classifier": {"stop_reason": "content_filtered"}}` answers
  without a verdict, and a list answers in turn when it is asked again. Without a `guardrail` beside it the guardrail
  reports INSULTS MEDIUM and blocks nothing;
- `{"toxicity": {"HATE_SPEECH": 97.5}}`: what DetectToxicContent sees in the segment that holds it;
- `{"text": ["SELLING", "call 555-0100"]}`: the lines that DetectText reads in an image;
- `{"fault": "ThrottlingException", "times": 3}`: the next N calls about it raise that error, then all is normal;
- `"note": "..."` beside any of these tells two cards apart.

A card speaks for its content: no model looks at an object whose card has labels, and a picture with one may be tiny.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.local.ai.protocol import Refusal
from deploy.local.taxonomy import CHAINS

MARKER = "MODERATION-TEST-CARD"
#: A card is found by its marker and read at most this far, in bytes or characters.
LONGEST = 65_536

CATEGORIES = ("HATE", "INSULTS", "SEXUAL", "VIOLENCE", "MISCONDUCT", "PROMPT_ATTACK")
TOXIC = ("GRAPHIC", "HARASSMENT_OR_ABUSE", "HATE_SPEECH", "INSULT", "PROFANITY", "SEXUAL", "VIOLENCE_OR_THREAT")
_KEYS = {"labels", "guardrail", "classifier", "toxicity", "text", "fault", "times", "note"}
_CONFIDENCES = ("NONE", "LOW", "MEDIUM", "HIGH")
_PERCENT = 100.0


class CardError(Exception):
    """A test card is not what it should be; the message says how."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One label seen for a while: confidence 0-100, times in milliseconds (both 0 in an image)."""

    label: str
    confidence: float
    start_ms: int = 0
    end_ms: int = 0


@dataclass(frozen=True, slots=True)
class Card:
    """One parsed card; `source` is its JSON as written."""

    source: str
    labels: tuple[Sighting, ...] | None = None
    guardrail: Mapping[str, str] | None = None
    #: One answer for each time that it is asked within a conversation; the last one stays.
    classifier: tuple[Mapping[str, Any], ...] | None = None
    toxicity: Mapping[str, float] | None = None
    text: tuple[str, ...] = ()
    fault: str = ""
    times: int = 1


def find_card(content: bytes) -> Card | None:
    """The first card in an object's bytes, or None. Raises CardError where a card is wrong."""
    start = content.find(f"{MARKER}{{".encode())
    if start < 0:
        return None
    return _parse(content[start : start + LONGEST].decode("utf-8", "replace"))


def take_card(text: str) -> tuple[Card | None, str]:
    """The first card in a text, and the text with spaces in its place, so that offsets hold. Raises CardError."""
    start = text.find(f"{MARKER}{{")
    if start < 0:
        return None, text
    card = _parse(text[start : start + LONGEST])
    end = start + len(MARKER) + len(card.source)
    return card, text[:start] + " " * (end - start) + text[end:]


@dataclass(slots=True)
class Faults:
    """Counts the faults that cards have caused, by what the card is about."""

    _raised: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def strike(self, card: Card | None, *, about: str = "") -> None:
        """Raise the card's fault as long as it has some left for this object (`about`) or this card."""
        if card is None or not card.fault:
            return
        with self._lock:
            subject = f"{about}\0{card.source}"
            if self._raised[subject] >= card.times:
                return
            self._raised[subject] += 1
        raise Refusal(card.fault, "a test card asked for this")


def _parse(text: str) -> Card:
    """`text` starts with the marker and a brace."""
    body = text[len(MARKER) :]
    try:
        document, end = json.JSONDecoder().raw_decode(body)
    except ValueError as error:
        raise CardError(f"a test card is not one JSON object: {error}") from None
    unknown = sorted(set(document) - _KEYS)
    if unknown:
        raise CardError(f"a test card has no {unknown[0]!r}; it has {', '.join(sorted(_KEYS))}")
    return Card(
        source=body[:end],
        labels=_labels(document["labels"]) if "labels" in document else None,
        guardrail=_guardrail(document["guardrail"]) if "guardrail" in document else None,
        classifier=_answers(document["classifier"]) if "classifier" in document else None,
        toxicity=_toxicity(document["toxicity"]) if "toxicity" in document else None,
        text=_lines(document.get("text", [])),
        fault=str(document.get("fault", "")),
        times=int(document.get("times", 1)),
    )


def _labels(given: object) -> tuple[Sighting, ...]:
    if isinstance(given, list):
        return tuple(_sighting(entry) for entry in given)
    pairs = _object(given, "labels").items()
    return tuple(_sighting({"label": name, "confidence": percent, "end_ms": 1000}) for name, percent in pairs)


def _sighting(entry: object) -> Sighting:
    given = {"start_ms": 0, "end_ms": 0, **_object(entry, "labels")}
    try:
        sighting = Sighting(
            str(given["label"]), float(given["confidence"]), int(given["start_ms"]), int(given["end_ms"])
        )
    except (KeyError, TypeError, ValueError):
        raise CardError("a test card's label needs label, confidence, start_ms and end_ms") from None
    if sighting.label not in CHAINS:
        raise CardError(f"a test card names {sighting.label!r}, which the v7 taxonomy does not have")
    if not (0 <= sighting.confidence <= _PERCENT and 0 <= sighting.start_ms <= sighting.end_ms):
        raise CardError(f"a test card's {sighting.label!r} needs 0-100 and start_ms <= end_ms")
    return sighting


def _guardrail(given: object) -> Mapping[str, str]:
    pairs = _object(given, "guardrail")
    for category, confidence in pairs.items():
        if category not in CATEGORIES or confidence not in _CONFIDENCES:
            raise CardError(f"a test card's guardrail maps {', '.join(CATEGORIES)} to {', '.join(_CONFIDENCES)}")
    return pairs


def _lines(given: object) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(line, str) and line.strip() for line in given):
        raise CardError("a test card's text is a list of lines")
    return tuple(given)


def _answers(given: object) -> tuple[Mapping[str, Any], ...]:
    answers = given if isinstance(given, list) and given else [given]
    return tuple(_object(answer, "classifier") for answer in answers)


def _toxicity(given: object) -> Mapping[str, float]:
    pairs = _object(given, "toxicity")
    for kind, percent in pairs.items():
        if kind not in TOXIC or not isinstance(percent, int | float) or not 0 <= percent <= _PERCENT:
            raise CardError(f"a test card's toxicity maps {', '.join(TOXIC)} to 0-100")
    return pairs


def _object(given: object, name: str) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise CardError(f"a test card's {name!r} is not a JSON object")
    return given
