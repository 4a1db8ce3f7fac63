"""Comprehend: DetectPiiEntities, with offsets in code points, and DetectToxicContent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.local.ai.cards import TOXIC, Card, CardError, Faults, take_card
from deploy.local.ai.pii import find_pii
from deploy.local.ai.protocol import Refusal
from deploy.local.ai.words import Judgement, judge

#: Comprehend's "100 KB" counts 1,000 bytes to the KB, as its own error messages do.
MOST_BYTES = 100_000
LANGUAGES = ("en", "es")
#: A pattern either matches or not; Comprehend's sure answers score like this.
SCORE = 0.999

#: https://docs.aws.amazon.com/comprehend/latest/APIReference/API_DetectToxicContent.html
MOST_SEGMENTS, SEGMENT_BYTES, LIST_BYTES = 10, 1_000, 10_000
#: Every type has a score in every segment, most of them next to nothing.
HARMLESS = 0.01
_SCORES = {"LOW": 0.4, "MEDIUM": 0.75, "HIGH": 0.98}
#: A guardrail's category by the name of Comprehend's type.
_TYPES = {"HATE": "HATE_SPEECH", "INSULTS": "INSULT", "SEXUAL": "SEXUAL", "VIOLENCE": "VIOLENCE_OR_THREAT"}


class Comprehend:
    """DetectPiiEntities, by real patterns; DetectToxicContent, by word lists."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def detect_pii_entities(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """{Text, LanguageCode} -> {Entities: [{Score, Type, BeginOffset, EndOffset}]}."""
        size = len(params["Text"].encode())
        if size > MOST_BYTES:
            raise Refusal(
                "TextSizeLimitExceededException",
                f"Input text size exceeds limit. Max length of request text allowed is {MOST_BYTES} bytes "
                f"while in this request the text size is {size} bytes",
            )
        if params["LanguageCode"] not in LANGUAGES:
            raise Refusal("UnsupportedLanguageException", f"the language must be one of {', '.join(LANGUAGES)}")
        _, text = self._take(params["Text"])
        return {
            "Entities": [
                {"Score": SCORE, "Type": pii.kind, "BeginOffset": pii.begin, "EndOffset": pii.end}
                for pii in find_pii(text)
            ]
        }

    def detect_toxic_content(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """{TextSegments: [{Text}], LanguageCode} -> {ResultList: [{Labels: [{Name, Score}], Toxicity}]}."""
        texts = [segment["Text"] for segment in params["TextSegments"]]
        sizes = [len(text.encode()) for text in texts]
        if len(texts) > MOST_SEGMENTS:
            raise Refusal("InvalidRequestException", f"a request takes at most {MOST_SEGMENTS} text segments")
        if max(sizes) > SEGMENT_BYTES or sum(sizes) > LIST_BYTES:
            raise Refusal("TextSizeLimitExceededException", f"a segment takes {SEGMENT_BYTES} bytes")
        if params["LanguageCode"] != "en":
            raise Refusal("UnsupportedLanguageException", "the language must be en")
        return {"ResultList": [_toxic_labels(*self._take(text)) for text in texts]}

    def _take(self, text: str) -> tuple[Card | None, str]:
        try:
            card, bare = take_card(text)
        except CardError as error:
            raise Refusal("InvalidRequestException", str(error)) from None
        self._faults.strike(card)
        return card, bare


def _toxic_labels(card: Card | None, text: str) -> dict[str, Any]:
    seen = _toxicity(judge(text))
    if card is not None and card.toxicity is not None:
        seen = {kind: percent / 100 for kind, percent in card.toxicity.items()}
    labels = [{"Name": kind, "Score": seen.get(kind, HARMLESS)} for kind in TOXIC]
    return {"Labels": labels, "Toxicity": max(seen.values(), default=HARMLESS)}


def _toxicity(judgement: Judgement) -> dict[str, float]:
    seen = {_TYPES[name]: _SCORES[level] for name, level in judgement.categories.items() if name in _TYPES}
    if judgement.profanity:
        seen["PROFANITY"] = _SCORES["HIGH"]
    if judgement.custom_words:
        seen["HATE_SPEECH"] = _SCORES["HIGH"]
    return seen
