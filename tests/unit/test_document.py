"""Documents: every text in a body is found, and whatever is found in one has its place in the body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.aws.faults import Unreadable
from tasks.detect.finding import Finding
from tasks.intake.document import joined, read_document

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)
CONTAINERS = VALUES.filter(lambda value: isinstance(value, dict | list))


def seen(span: tuple[int, int]) -> Finding:
    """Something in a text."""
    return Finding(detector="d", detector_version="1", label="pii/EMAIL", confidence=99.0, span=span)


def strings(value: Any) -> list[str]:
    """Every name, string and number of a value, in order."""
    if isinstance(value, dict):
        return [text for name, inner in value.items() for text in (name, *strings(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner)]
    return [] if value is None or isinstance(value, bool) else [str(value)]


def says(source: str, *paths: str) -> list[str]:
    """What the texts at some paths say."""
    return [text.says for text in read_document(source).texts_at(paths)]


@given(CONTAINERS, st.booleans(), st.sampled_from([None, 2]))
def test_every_string_and_number_of_json_is_a_text_at_its_place(value: Any, ascii_only: bool, indent: int) -> None:
    source = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    document = read_document(source)
    assert [text.says for text in document.texts] == strings(value)
    assert [str(json.loads(source[text.begin : text.end])) for text in document.texts] == strings(value)
    assert says(source, "no.such.path") == strings(value)


@given(st.text(min_size=1, max_size=12), st.booleans(), st.data())
def test_a_place_in_a_string_goes_to_the_source_and_back(text: str, ascii_only: bool, data: st.DataObject) -> None:
    source = json.dumps({"a": "x", "text": text}, ensure_ascii=ascii_only)
    document = read_document(source)
    (one,) = document.texts_at(["text"])
    begin = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(begin + 1, len(text)))
    (placed,) = document.place([seen((begin, end))], [one])
    assert placed.span
    assert json.loads('"' + source[slice(*placed.span)] + '"') == text[begin:end]
    assert document.pieces(*placed.span) == [(one, begin, end)]


def test_texts_are_read_where_the_surface_says_and_in_their_order() -> None:
    source = '{"comments": [{"by": "ann", "body": "one"}, {"body": "two"}], "title": "zero"}'
    assert says(source, "title", "$.comments[*].body") == ["one", "two", "zero"]
    assert says(source, "$.comments") == ["by", "ann", "body", "one", "body", "two"]
    assert says(source, "title", "$.title", "$..title") == ["zero"]


def test_a_line_in_which_no_path_leads_anywhere_is_judged_whole() -> None:
    assert says('{"text": "one", "id": 1}\r\n\n{"txet": "two"}\n', "text") == ["one", "txet", "two"]
    assert says('{"text": null, "x": "seen"}', "text") == ["text", "x", "seen"]


def test_escapes_are_read_as_what_they_stand_for() -> None:
    assert says(r'{"text": "\u006bill \ud83d\ude00 \/ \n"}', "text") == ["kill 😀 / \n"]


@pytest.mark.parametrize(
    "source", ["", "plain", "[sic] no JSON", "{curly}", '{"a": 1}{"b": 2}', '{"a": NaN}', '{"a": 1}\nno', '"text"', "1"]
)
def test_what_is_not_json_is_one_text_as_it_stands(source: str) -> None:
    document = read_document(source)
    assert [text.says for text in document.texts_at(["text"])] == [source]
    assert document.place([seen((0, 1))], document.texts) == (seen((0, 1)),)


def test_what_reaches_over_several_texts_is_found_in_each() -> None:
    source = '[{"text": "my \\u0061nn"}, {"by": "me"}, {"text": "@x.yz"}]'
    document = read_document(source)
    texts = document.texts_at(["[*].text"])
    assert joined(texts) == "my ann\n@x.yz"
    placed = document.place([seen((3, 12)), seen((6, 7))], texts)
    assert [source[slice(*finding.span)] if finding.span else None for finding in placed] == [
        "\\u0061nn",
        "@x.yz",
        None,
    ]


@pytest.mark.parametrize(
    "source",
    [
        "[" * 100_000,
        "[" * 100 + "]" * 100,
        '{"text": "good", "text": "bad"}',
        "[" + "1," * 250_000 + "1]",
        '{"a":' * 70 + "1" + "}" * 70,
    ],
    ids=["open", "deep", "twice", "many", "deeper"],
)
def test_json_that_is_made_to_hurt_or_to_deceive_is_not_read(source: str) -> None:
    with pytest.raises(Unreadable) as why:
        read_document(source)
    assert why.value.reason == "text-json"
