"""Comprehend: DetectPiiEntities, with offsets in code points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.local.ai.cards import CardError, Faults, take_card
from deploy.local.ai.pii import find_pii
from deploy.local.ai.protocol import Refusal

#: Comprehend's "100 KB" counts 1,000 bytes to the KB, as its own error messages do.
MOST_BYTES = 100_000
LANGUAGES = ("en", "es")
#: A pattern either matches or not; Comprehend's sure answers score like this.
SCORE = 0.999


class Comprehend:
    """DetectPiiEntities, by real patterns."""

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
        try:
            card, text = take_card(params["Text"])
        except CardError as error:
            raise Refusal("InvalidRequestException", str(error)) from None
        self._faults.strike(card)
        return {
            "Entities": [
                {"Score": SCORE, "Type": pii.kind, "BeginOffset": pii.begin, "EndOffset": pii.end}
                for pii in find_pii(text)
            ]
        }
