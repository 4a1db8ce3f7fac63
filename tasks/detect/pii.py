"""Find personal data in a text: Comprehend DetectPiiEntities, with offsets in code points of the whole text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.faults import Unreadable
from tasks.detect.chunks import Chunk, split
from tasks.detect.finding import Finding
from tasks.detect.patterns import find_by_pattern
from tasks.ledger import note_looked, note_used

if TYPE_CHECKING:
    from tasks.aws.session import Aws

DETECTOR = "comprehend-pii"
#: Comprehend states no model version.
VERSION = "unversioned"
#: The languages that DetectPiiEntities reads; any other is asked about as ENGLISH, which finds what is written alike
#: everywhere, and by pattern.
#: https://docs.aws.amazon.com/comprehend/latest/APIReference/API_DetectPiiEntities.html
LANGUAGES = ("en", "es")
ENGLISH = "en"

#: Bytes of UTF-8 that one call takes: https://docs.aws.amazon.com/comprehend/latest/dg/guidelines-and-limits.html
MAX_TEXT_BYTES = 100_000
#: Code points; half of it is longer than any postal address.
OVERLAP = 1_000

#: Something that looks like personal data. Every repetition is bounded or has no second way to match, so a
#: hostile text costs linear time.
_SUGGESTIONS = re.compile(
    r"""
      \w@[\w-]{1,63}\.\w                                  # an e-mail address
    | (?:\d[\s().+/-]{0,3}){7}                            # a phone, card, account or social security number
    | \b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}             # an IBAN
    | \b\d{1,3}(?:\.\d{1,3}){3}\b                         # an IPv4 address
    | \b(?:[0-9A-Fa-f]{1,4}:){4,7}[0-9A-Fa-f]{1,4}\b      # an IPv6 or a MAC address
    | \bA[KS]IA[0-9A-Z]{16}\b                             # an AWS access key
    | \b(?i:password|passport|iban|ssn)\b
    """,
    re.VERBOSE,
)

#: What entities of these types cannot be without: how a shifted offset shows.
_TELLTALE = {
    "EMAIL": re.compile("@"),
    "PHONE": re.compile(r"\d"),
    "SSN": re.compile(r"\d"),
    "CREDIT_DEBIT_NUMBER": re.compile(r"\d"),
    "IP_ADDRESS": re.compile(r"[\d:]"),
}


def looks_like_pii(text: str) -> bool:
    """Whether a call to Comprehend is worth its price: a cheap local suggestion, never a finding."""
    return _SUGGESTIONS.search(text) is not None


def find_pii(aws: Aws, text: str, *, part: str, language: str = ENGLISH) -> tuple[Finding, ...]:
    """Personal data in a text of any length, by span, without duplicates.

    `language` is an ISO 639 code. In one that Comprehend does not read the detector's version says so
    (`en-fallback:de`), and the detector `patterns` looks too.

    Raises Unreadable (`pii-offsets`) when an answer's offsets do not fit the text, and what every call raises.
    """
    read = language in LANGUAGES
    code, version = (language, VERSION) if read else (ENGLISH, f"en-fallback:{language}")
    found: list[Finding] = []
    for chunk in split(text, limit=MAX_TEXT_BYTES, overlap=OVERLAP):
        if not chunk.text.strip():
            continue
        answer = call(aws.detect, aws.comprehend.detect_pii_entities, Text=chunk.text, LanguageCode=code)
        note_looked(DETECTOR, version)
        note_used("pii-unit", pii_units(chunk.text))
        found += read_pii(answer, chunk, part=part, version=version)
    # Whatever Comprehend has made of it, and however sure it was, a pattern stands by itself.
    return merge(found if read else [*found, *find_by_pattern(text, part=part)])


def pii_units(text: str) -> int:
    """What Comprehend bills for one request: units of 100 characters, three at least."""
    return max(3, -(-len(text) // 100))


def read_pii(answer: Mapping[str, Any], chunk: Chunk, *, part: str, version: str = VERSION) -> list[Finding]:
    """One finding per entity in the answer about one chunk, its span in the whole text.

    Raises Unreadable (`pii-offsets`): masking the wrong letters would both destroy and publish.
    """
    # Only characters beyond 16 bits can tell code points from what else may have been counted.
    is_wide = max(chunk.text, default="") > "\uffff"
    return [
        Finding(
            detector=DETECTOR,
            detector_version=version,
            label=f"pii/{entity['Type']}",
            confidence=float(entity["Score"]) * 100,
            span=_span(entity, chunk, is_wide=is_wide),
            part=part,
        )
        for entity in answer.get("Entities", ())
    ]


def merge(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings in order, where two of one label that overlap (seen from both sides of a cut) are one."""
    merged: list[Finding] = []
    last: dict[str, int] = {}
    for finding in sorted(findings, key=lambda each: (each.span or (0, 0), each.label)):
        at = last.get(finding.label)
        begin, end = finding.span or (0, 0)
        if at is not None and begin < (known := merged[at].span or (0, 0))[1]:
            confidence = max(merged[at].confidence, finding.confidence)
            merged[at] = replace(merged[at], span=(known[0], max(known[1], end)), confidence=confidence)
            continue
        last[finding.label] = len(merged)
        merged.append(finding)
    return tuple(merged)


def _span(entity: Mapping[str, Any], chunk: Chunk, *, is_wide: bool) -> tuple[int, int]:
    kind, begin, end = str(entity["Type"]), int(entity["BeginOffset"]), int(entity["EndOffset"])
    fits = 0 <= begin < end <= len(chunk.text) and chunk.text[begin:end].strip()
    if not fits or (is_wide and _is_shifted(kind, chunk.text, begin, end)):
        detail = f"{kind} [{begin}, {end}) of {len(chunk.text)}"
        raise Unreadable(detail, call="comprehend.DetectPiiEntities", reason="pii-offsets")
    return chunk.begin + begin, chunk.begin + end


def _is_shifted(kind: str, text: str, *edges: int) -> bool:
    """Whether a span looks like one counted in something else than code points: it cuts a word, or lacks its sign."""
    cuts = any(_is_letter(text[max(edge - 1, 0) : edge]) and _is_letter(text[edge : edge + 1]) for edge in edges)
    return cuts or (kind in _TELLTALE and not _TELLTALE[kind].search(text, *edges))


def _is_letter(char: str) -> bool:
    # Of ASCII only: scripts without spaces put letters right beside an address.
    return char.isascii() and char.isalnum()
