"""A text as reviewers see it: what was flagged, what is masked, and that no character changes its place."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tasks.detect.finding import Finding
from worker.console.passages import WHOLE, Piece, Shown, shown_text


def flagged(begin: int, end: int, label: str = "pii/EMAIL") -> Finding:
    return Finding(detector="d", detector_version="1", label=label, confidence=90.0, span=(begin, end))


def show(source: str, *findings: Finding, **wanted: Any) -> Shown:
    return shown_text(source, findings, **{"masked": True, "severe": False, "whole": False} | wanted)


def pieces(shown: Shown) -> list[Piece]:
    return [piece for passage in shown.passages for piece in passage.pieces]


def test_what_was_flagged_is_marked_with_its_group_and_the_rest_is_as_it_was() -> None:
    shown = show("write to a@b.example now", flagged(9, 20), flagged(0, 5, "toxicity/INSULT"))
    assert [(one.says, one.kind, one.hit) for one in pieces(shown)] == [
        ("write", "toxic", 1),
        (" to ", "", 0),
        ("a@b.example", "pii", 2),
        (" now", "", 0),
    ]
    assert shown.hits == ("Abusive or unsafe text", "Personal data")


def test_banned_words_show_their_first_letter_until_they_are_asked_for_and_all_hits_of_a_severe_case_do() -> None:
    word, mail = flagged(0, 4, "term/slurs"), flagged(5, 8)
    assert [one.says for one in pieces(show("slur a@b", word, mail))] == ["s•••", " ", "a@b"]
    assert [one.says for one in pieces(show("slur a@b", word, mail, severe=True))] == ["s•••", " ", "a••"]
    assert [one.says for one in pieces(show("slur a@b", word, mail, severe=True, masked=False))] == ["slur", " ", "a@b"]


def test_hits_that_overlap_are_split_and_neither_is_lost() -> None:
    shown = show("abcdef", flagged(0, 4), flagged(2, 6, "term/x"), masked=False)
    assert [(one.says, one.hit) for one in pieces(shown)] == [("ab", 1), ("cd", 1), ("ef", 2)]
    assert len(shown.hits) == 2


def test_what_turns_the_order_of_letters_or_is_not_seen_is_shown_as_a_sign() -> None:
    shown = show("a\u202eb\x00c\nd")
    assert [(one.says, one.kind) for one in pieces(shown)] == [
        ("a", ""),
        ("□", "unseen"),
        ("b", ""),
        ("□", "unseen"),
        ("c\nd", ""),
    ]


def test_values_of_json_are_shown_by_where_they_stand_and_a_name_only_where_it_was_flagged() -> None:
    source = json.dumps({"post": {"body": "hello"}, "tags": ["x"]})
    assert [(one.name, one.pieces[0].says) for one in show(source).passages] == [
        ("post.body", "hello"),
        ("tags[1]", "x"),
    ]
    at = source.index("tags")
    named = show(source, flagged(at, at + 4))
    assert "(name of a field)" in [one.name for one in named.passages]


def test_of_a_long_text_the_beginning_and_what_is_around_hits_is_shown_and_all_where_asked() -> None:
    source = "x" * WHOLE + "found" + "y" * WHOLE
    shown = show(source, flagged(WHOLE, WHOLE + 5), masked=False)
    assert "found" in [one.says for one in pieces(shown)]
    assert shown.cut
    assert shown.passages[0].left_out == len(source) - sum(len(one.says) for one in pieces(shown))
    assert not show(source, flagged(WHOLE, WHOLE + 5), whole=True).cut


def test_a_place_that_is_not_in_the_text_is_told_and_marks_nothing() -> None:
    shown = show("short", flagged(90, 99))
    assert (shown.misplaced, [one.says for one in pieces(shown)]) == (1, ["short"])


@given(
    st.text(max_size=60),
    st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70), st.sampled_from(["pii/EMAIL", "term/a"])), max_size=6),
    st.booleans(),
)
def test_each_shown_character_stands_for_the_one_at_its_place(
    source: str, spans: list[tuple[int, int, str]], masked: bool
) -> None:
    findings = [flagged(begin, end, label) for begin, end, label in spans if begin < end]
    shown = shown_text(source, findings, plain=True, masked=masked, severe=False, whole=True)
    seen = pieces(shown)
    assert [one.begin for one in seen] == [sum(len(before.says) for before in seen[:at]) for at in range(len(seen))]
    said = "".join(one.says for one in seen)
    assert len(said) == len(source)
    assert all(new in (old, "•", "□") for new, old in zip(said, source, strict=True))
