"""Cutting a text: nothing too long, nothing lost, nothing hidden at a cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.detect.chunks import split

TEXTS = st.text(alphabet=st.sampled_from("ab é\n👋🏽漢\ud800"), max_size=300)
OVERLAP = 8
LIMIT = 8 * OVERLAP


@given(TEXTS, st.sampled_from(["utf-8", "utf-16-le"]))
def test_no_piece_is_longer_than_the_limit_and_each_stands_where_it_says(text: str, encoding: str) -> None:
    clean = text.replace("\ud800", "?")
    covered = 0
    for chunk in split(text, limit=LIMIT, overlap=OVERLAP, encoding=encoding):
        assert 0 < len(chunk.text.encode(encoding)) <= LIMIT
        assert clean[chunk.begin : chunk.begin + len(chunk.text)] == chunk.text
        assert chunk.begin <= covered
        covered = chunk.begin + len(chunk.text)
    assert covered == len(text)


@given(st.text(alphabet=st.sampled_from("ab é👋漢"), min_size=60, max_size=120))
def test_what_is_short_is_whole_in_some_piece(text: str) -> None:
    pieces = [(chunk.begin, chunk.begin + len(chunk.text)) for chunk in split(text, limit=LIMIT, overlap=OVERLAP)]
    for begin in range(len(text) - OVERLAP // 2 + 1):
        end = begin + OVERLAP // 2
        assert any(first <= begin and end <= last for first, last in pieces)


@given(st.lists(st.sampled_from(["one", "two", "three"]), min_size=1, max_size=100))
def test_no_piece_begins_or_ends_within_a_word(words: list[str]) -> None:
    text = " ".join(words)
    for chunk in split(text, limit=64, overlap=16):
        assert set(chunk.text.split()) <= {"one", "two", "three"}


def test_a_text_that_fits_is_one_piece_and_an_empty_one_none() -> None:
    assert [chunk.text for chunk in split("x" * 64, limit=64, overlap=8)] == ["x" * 64]
    assert list(split("", limit=64, overlap=8)) == []


def test_an_overlap_longer_than_a_piece_comes_to_an_end() -> None:
    assert [chunk.begin for chunk in split("x" * 10, limit=4, overlap=100)] == [0, 1, 2, 3, 4, 5, 6]


def test_a_limit_below_one_character_is_refused() -> None:
    with pytest.raises(ValueError, match="one character"):
        list(split("👋", limit=3, overlap=0))
