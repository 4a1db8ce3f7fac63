"""Patterns: personal data that is written alike everywhere, found whole, with its checksum, and nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.decide.kinds import PII_TYPES
from tasks.detect.finding import Finding
from tasks.detect.patterns import find_by_pattern
from tasks.ledger import looked, open_ledger

EMAIL, PHONE, CARD = "EMAIL", "PHONE", "CREDIT_DEBIT_NUMBER"
IBAN, IP = "INTERNATIONAL_BANK_ACCOUNT_NUMBER", "IP_ADDRESS"


def found(text: str) -> list[tuple[str, str]]:
    """(type, what stands there)."""
    return [(each.label.removeprefix("pii/"), text[slice(*each.span or ())]) for each in find(text)]


def find(text: str) -> tuple[Finding, ...]:
    return find_by_pattern(text, part="caption")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Schreib an hans.müller@beispiel.de oder 0170 1234567!",
            [(EMAIL, "hans.müller@beispiel.de"), (PHONE, "0170 1234567")],
        ),
        ("联系a@b.example吧", [(EMAIL, "a@b.example")]),
        ("писать на ivan@почта нет, на ivan@mail.example да", [(EMAIL, "ivan@mail.example")]),
        ("Mail: 👩‍👧e\u0301@x.example", [(EMAIL, "e\u0301@x.example")]),
        ("DE89 3704 0044 0532 0130 00 bitte", [(IBAN, "DE89 3704 0044 0532 0130 00")]),
        ("请汇款到DE89370400440532013000谢谢", [(IBAN, "DE89370400440532013000")]),
        ("gb82 west 1234 5698 7654 32", [(IBAN, "gb82 west 1234 5698 7654 32")]),
        ("DE88 3704 0044 0532 0130 00", []),
        (
            "карта 4111 1111 1111 1111, тел. +7 912 345-67-89",
            [(CARD, "4111 1111 1111 1111"), (PHONE, "+7 912 345-67-89")],
        ),
        ("Zimmer 5 0170 1234567", [(PHONE, "0170 1234567")]),
        ("4111-1111-1111-1112 0000 0000 0000 0000", []),
        ("tél. 06 12 34 56 78", [(PHONE, "06 12 34 56 78")]),
        ("(030) 901820 oder +49 (0)30 901820", [(PHONE, "(030) 901820"), (PHONE, "+49 (0)30 901820")]),
        ("電話は090-1234-5678です", [(PHONE, "090-1234-5678")]),
        ("전화 010-1234-5678", [(PHONE, "010-1234-5678")]),
        ("اتصل ٠١٢٣٤٥٦٧٨٩", [(PHONE, "٠١٢٣٤٥٦٧٨٩")]),
        ("फ़ोन ०९८७६५४३२१०", [(PHONE, "०९८७६५४३२१०")]),
        ("415-555-0134", [(PHONE, "415-555-0134")]),
        ("Server 10.0.0.1 und 2001:db8::1", [(IP, "10.0.0.1"), (IP, "2001:db8::1")]),
    ],
)
def test_what_is_written_alike_everywhere_is_found_whole(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "am 12.03.2024 um 10:30 Uhr",
        "01.02.2024",
        "2024-01-02",
        "kostet 1.234.567 €",
        "Version 1.2.3",
        "300.1.1.1",
        "5:3 und 10:20:30",
        "::",
        "me@home",
        "@everyone",
        "12 34 56",
        "ISO 9001",
        "0 0 0",
    ],
)
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert found(text) == []


def test_a_finding_says_what_the_policy_knows_and_who_has_looked() -> None:
    with open_ledger():
        (finding,) = find("x@y.example")
        assert looked() == {"patterns": "1"}
    assert (finding.detector, finding.detector_version, finding.part) == ("patterns", "1", "caption")
    assert finding.confidence > 60
    assert {EMAIL, PHONE, CARD, IBAN, IP} <= set(PII_TYPES)


@given(st.text(alphabet=st.sampled_from("a1@.+ -():é👋漢\u0301")))
def test_places_are_in_order_in_the_text_and_never_one_over_another(text: str) -> None:
    end = 0
    for finding in find(text):
        assert finding.span is not None
        assert end <= finding.span[0] < finding.span[1] <= len(text)
        end = finding.span[1]


@pytest.mark.parametrize("before", ["", "👋🏽", "e\u0301 ", "漢字", "\U0001d4b3 ", "שלום ", "👩‍👩‍👧"])
@pytest.mark.parametrize("behind", ["", " 👋", "漢", "\u0301", "。"])
def test_what_stands_around_shifts_nothing(before: str, behind: str) -> None:
    assert found(f"{before}a.b@mail.example{behind}") == [(EMAIL, "a.b@mail.example")]


@pytest.mark.parametrize(
    "piece", ["@", "a@", "a@a.", "1 ", "0 ", "AA00 ", "1.1.1 ", "a:a:", ":", "0(", "+1-", "12-", "a" * 100 + "@a.de "]
)
def test_a_hostile_text_costs_linear_time(piece: str) -> None:
    started = time.process_time()
    find(piece * (100_000 // len(piece)))
    assert time.process_time() - started < 2.0
