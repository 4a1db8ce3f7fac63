"""Personal data in text: real patterns, no test cards. Names and most street addresses are beyond them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import datafog_core

#: datafog's entity types by Comprehend's name; what is left out is no Comprehend type or too loose (ZIP codes).
_KINDS = {
    "CREDIT_CARD": "CREDIT_DEBIT_NUMBER",
    "CREDENTIAL_URI": "PASSWORD",
    "DATE": "DATE_TIME",
    "EMAIL": "EMAIL",
    "IP_ADDRESS": "IP_ADDRESS",
    "PHONE": "PHONE",
    "SSN": "SSN",
}

#: What datafog does not find.
_PATTERNS = {
    "ADDRESS": re.compile(
        r"\b\d{1,5} (?:[A-Z][a-z]{1,20} ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Boulevard|Blvd)\b"
    ),
    "AWS_ACCESS_KEY": re.compile(r"\bA(?:KIA|SIA)[0-9A-Z]{16}\b"),
    "INTERNATIONAL_BANK_ACCOUNT_NUMBER": re.compile(r"\b[A-Z]{2}\d{2}(?: ?[0-9A-Z]{4}){3,7}(?: ?[0-9A-Z]{1,3})?\b"),
    "URL": re.compile(r"\bhttps?://[^\s<>\"']{3,2000}"),
}

#: Guardrails call some of Comprehend's types by other names; those not listed keep theirs, or have none.
GUARDRAIL_KINDS = {
    "ADDRESS": "ADDRESS",
    "AWS_ACCESS_KEY": "AWS_ACCESS_KEY",
    "CREDIT_DEBIT_NUMBER": "CREDIT_DEBIT_CARD_NUMBER",
    "EMAIL": "EMAIL",
    "INTERNATIONAL_BANK_ACCOUNT_NUMBER": "INTERNATIONAL_BANK_ACCOUNT_NUMBER",
    "IP_ADDRESS": "IP_ADDRESS",
    "PASSWORD": "PASSWORD",
    "PHONE": "PHONE",
    "SSN": "US_SOCIAL_SECURITY_NUMBER",
}


@dataclass(frozen=True, slots=True, order=True)
class Pii:
    """One entity: code points [begin, end), and Comprehend's type name."""

    begin: int
    end: int
    kind: str


def find_pii(text: str) -> list[Pii]:
    """Entities in order, none overlapping: of two that do, the longer."""
    found = [
        Pii(finding.codepoint_range.start, finding.codepoint_range.end, _KINDS[finding.entity_type])
        for finding in datafog_core.scan(text)
        if finding.entity_type in _KINDS
    ]
    for kind, pattern in _PATTERNS.items():
        found += [Pii(*match.span(), kind) for match in pattern.finditer(text)]
    kept: list[Pii] = []
    for one in sorted(found, key=lambda p: (p.begin - p.end, p.begin)):
        if all(one.end <= other.begin or other.end <= one.begin for other in kept):
            kept.append(one)
    return sorted(kept)
