"""Personal data: offsets in code points, across every cut, and no letter masked that should not be."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from tasks.aws.faults import Unreadable
from tasks.aws.session import Aws
from tasks.detect.chunks import Chunk, split
from tasks.detect.finding import Finding
from tasks.detect.pii import MAX_TEXT_BYTES, find_pii, looks_like_pii, merge, read_pii

Stub = Callable[[object], Stubber]
Recorded = Callable[[str], dict[str, Any]]
PII = "comprehend.DetectPiiEntities."
EMAIL = re.compile(r"[a-z]+@[a-z]+\.example")


def entities(text: str) -> dict[str, Any]:
    """What a Comprehend that knows only these addresses would answer."""
    found = [match.span() for match in EMAIL.finditer(text)]
    return {
        "Entities": [{"Score": 0.99, "Type": "EMAIL", "BeginOffset": begin, "EndOffset": end} for begin, end in found]
    }


@contextmanager
def answering(aws: Aws) -> Iterator[list[str]]:
    """Let the real client answer by `entities`, after it checked and wrote the request; the texts it was sent."""
    sent: list[str] = []

    def answer(params: dict[str, Any], **_: object) -> tuple[SimpleNamespace, dict[str, Any]]:
        sent.append(json.loads(params["body"])["Text"])
        return SimpleNamespace(status_code=200), entities(sent[-1])

    events = cast("Any", aws.comprehend).meta.events
    events.register("before-call.comprehend.DetectPiiEntities", answer)
    try:
        yield sent
    finally:
        events.unregister("before-call.comprehend.DetectPiiEntities", answer)


def test_offsets_are_code_points_behind_an_emoji(recorded: Recorded) -> None:
    text = "🎉🎉 ask someone@example.com now"
    (finding,) = read_pii(recorded(PII + "email-after-emoji"), Chunk(0, text), part="caption")
    assert finding.span is not None
    assert text[slice(*finding.span)] == "someone@example.com"
    assert (finding.label, finding.detector, finding.part) == ("pii/EMAIL", "comprehend-pii", "caption")
    assert finding.confidence == pytest.approx(99.91)


def test_offsets_that_count_utf_16_are_not_believed(recorded: Recorded) -> None:
    with pytest.raises(Unreadable) as caught:
        read_pii(recorded(PII + "shifted-by-utf16"), Chunk(0, "🎉🎉 ask someone@example.com now"), part="body")
    assert caught.value.reason == "pii-offsets"
    assert "someone" not in str(caught.value)


@pytest.mark.parametrize("text", ["short", "x" * 57, "x" * 50 + " " * 8])
def test_offsets_outside_of_the_text_or_on_nothing_are_not_believed(recorded: Recorded, text: str) -> None:
    with pytest.raises(Unreadable):
        read_pii(recorded(PII + "canned"), Chunk(0, text), part="body")


def test_offsets_up_to_the_very_end_are_believed(recorded: Recorded) -> None:
    (finding,) = read_pii(recorded(PII + "canned"), Chunk(100, "x" * 58), part="body")
    assert finding.span == (150, 158)


def test_an_address_beside_letters_of_a_script_without_spaces_is_believed() -> None:
    text = "🎉联系a@b.example吧"
    (finding,) = read_pii(entities(text), Chunk(0, text), part="body")
    assert text[slice(*finding.span or ())] == "a@b.example"


def test_one_call_takes_a_short_text(offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
    stub(offline_aws.comprehend).add_response(
        "detect_pii_entities", recorded(PII + "nothing"), {"Text": "hello", "LanguageCode": "en"}
    )
    assert find_pii(offline_aws, "hello", part="body") == ()


@pytest.mark.parametrize(
    ("language", "asked", "version"),
    [
        ("en", "en", "unversioned"),
        ("es", "es", "unversioned"),
        ("de", "en", "en-fallback:de"),
        ("und", "en", "en-fallback:und"),
    ],
)
def test_each_language_is_asked_about_as_comprehend_reads_it_and_the_version_says_how(
    offline_aws: Aws, stub: Stub, *, language: str, asked: str, version: str
) -> None:
    found = {"Entities": [{"Score": 0.9, "Type": "NAME", "BeginOffset": 0, "EndOffset": 4}]}
    stub(offline_aws.comprehend).add_response("detect_pii_entities", found, {"Text": "Anna", "LanguageCode": asked})
    (finding,) = find_pii(offline_aws, "Anna", part="body", language=language)
    assert finding.detector_version == version


@pytest.mark.parametrize(("kind", "score"), [("EMAIL", 0.2), ("NAME", 0.99)])
def test_a_pattern_stands_by_itself_whatever_comprehend_takes_it_for(
    offline_aws: Aws, stub: Stub, kind: str, score: float
) -> None:
    text = "mail: a@b.example"
    found = {"Entities": [{"Score": score, "Type": kind, "BeginOffset": 6, "EndOffset": 17}]}
    stub(offline_aws.comprehend).add_response("detect_pii_entities", found)
    (email,) = [one for one in find_pii(offline_aws, text, part="body", language="de") if one.label == "pii/EMAIL"]
    assert (email.span, email.confidence) == ((6, 17), 99.0)


def test_a_text_of_nothing_but_space_is_not_sent(offline_aws: Aws, stub: Stub) -> None:
    stub(offline_aws.comprehend)
    assert find_pii(offline_aws, " \n", part="body") == ()
    assert find_pii(offline_aws, "", part="body") == ()


def test_a_long_text_is_sent_in_pieces_and_every_address_found_once(offline_aws: Aws) -> None:
    filler = "naïve 👋🏽 words "
    text = "".join(f"{filler * 40}{'abc'[n % 3]}x@mail.example " for n in range(500))
    with answering(offline_aws) as sent:
        findings = find_pii(offline_aws, text, part="body")
    assert len(sent) > 3
    assert max(len(piece.encode()) for piece in sent) <= MAX_TEXT_BYTES
    assert [finding.span for finding in findings] == [match.span() for match in EMAIL.finditer(text)]


@given(st.lists(st.sampled_from(["ab@cd.example", "👋🏽", "é", "漢字", " ", "\n", "word"]), max_size=60))
def test_an_address_at_any_cut_is_found_whole_and_once(parts: list[str]) -> None:
    text = " ".join(parts)
    pieces = split(text, limit=256, overlap=32)
    findings = merge(finding for chunk in pieces for finding in read_pii(entities(chunk.text), chunk, part="body"))
    assert [finding.span for finding in findings] == [match.span() for match in EMAIL.finditer(text)]


def seen(begin: int, end: int, label: str = "pii/PHONE", confidence: float = 90.0) -> Finding:
    """A finding with a span."""
    return Finding(
        detector="comprehend-pii", detector_version="-", label=label, confidence=confidence, span=(begin, end)
    )


def test_two_halves_of_one_entity_become_one_with_the_better_confidence() -> None:
    assert merge([seen(5, 12, confidence=95.0), seen(0, 8)]) == (seen(0, 12, confidence=95.0),)


def test_an_entity_within_another_of_its_kind_does_not_shorten_it() -> None:
    assert merge([seen(0, 12), seen(3, 8)]) == (seen(0, 12),)


def test_neighbours_and_other_kinds_stay_apart() -> None:
    apart = [seen(0, 8), seen(8, 12), seen(9, 11, label="pii/PIN")]
    assert merge(apart) == tuple(apart)


@pytest.mark.parametrize(
    "text",
    [
        "write to jane.doe+x@mail.example.com",
        "call +1 (415) 555-0134",
        "call 555 0134",
        "١٢٣٤٥٦٧",
        "GB82 WEST 1234 5698 7654 32",
        "DE89370400440532013000",
        "host 10.0.0.1",
        "2001:db8:0:0:0:0:0:1",
        "00:1b:63:84:45:e6",
        "AKIAIOSFODNN7EXAMPLE",
        "my Password is swordfish",
        "078-05-1120",
    ],
)
def test_a_likely_text_is_worth_asking_about(text: str) -> None:
    assert looks_like_pii(text)


@pytest.mark.parametrize(
    "text",
    ["", "hello world", "at 10:30 we meet", "version 1.2.3", "a @ b", "me@home", "12 34 56", "$1,000,000", "ISO 9001"],
)
def test_an_unlikely_text_is_not(text: str) -> None:
    assert not looks_like_pii(text)


@pytest.mark.parametrize("text", ["@", "a@", "a@a", "1 1 1 1 1 1 a ", "AA00 ", "1.1.1 ", "a:a:a ", "1     ", "a@-"])
def test_a_hostile_text_costs_linear_time(text: str) -> None:
    started = time.process_time()
    looks_like_pii(text * (500_000 // len(text)))
    assert time.process_time() - started < 2.0
