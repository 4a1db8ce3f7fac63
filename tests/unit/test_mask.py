"""Masking: what a span covers is gone, no character is cut, and nothing else has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.act.mask import Span, characters, mask, mask_document, patches
from tasks.act.redact import masked_body
from tasks.decide.policy import Mask
from tasks.intake.document import read_document

#: Beside letters: emoji outside the BMP, a family of several code points, combining marks, CRLF, right-to-left.
ATOMS = [*"ab [].\r\n", "🌴", "👩\u200d👧", "e\u0301", "ש", "\U0010ffff", "é"]
TEXTS = st.lists(st.sampled_from(ATOMS), max_size=20).map("".join)
STYLES: tuple[Mask, ...] = get_args(Mask)
SCRIPTS = st.text(st.sampled_from("ab\u0301\u200d👩👧🇩🇪👋🏽한ᄒ\u1161ᆫ\ufe0f❤ 1\u20e3नि\n"), max_size=25)


@st.composite
def masked_texts(draw: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """Pieces to keep, and between each two of them a piece to mask."""
    hidden = draw(st.lists(TEXTS.filter(bool), max_size=5))
    return [draw(TEXTS) for _ in range(len(hidden) + 1)], hidden


@st.composite
def spanned(draw: Callable[..., Any]) -> tuple[str, list[Span]]:
    """A text and spans of it that may cut characters, and each other."""
    text = draw(SCRIPTS.filter(bool))
    edges = draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, len(text))), max_size=3))
    return text, [(min(edge), max(edge), f"KIND_{n}") for n, edge in enumerate(edges) if edge[0] != edge[1]]


@given(masked_texts(), st.randoms(use_true_random=False))
def test_each_span_becomes_its_kind_and_the_rest_stays(pieces: tuple[list[str], list[str]], order: Any) -> None:
    kept, hidden = pieces
    text, expected, spans = kept[0], kept[0], []
    for number, (secret, after) in enumerate(zip(hidden, kept[1:], strict=True)):
        spans.append((len(text), len(text) + len(secret), f"KIND_{number}"))
        text, expected = text + secret + after, f"{expected}[KIND_{number}]{after}"
    order.shuffle(spans)
    assert mask(text, spans) == expected


@given(spanned(), st.sampled_from(STYLES))
def test_a_mask_covers_whole_characters_and_nothing_outside_them_changes(
    drawn: tuple[str, list[Span]], style: Mask
) -> None:
    text, spans = drawn
    edges = {0}
    for char in characters(text):
        edges.add(max(edges) + len(char))
    changes = patches(text, spans, style)
    assert all({patch.begin, patch.end} <= edges for patch in changes)
    assert all(any(patch.begin <= at < patch.end for patch in changes) for b, e, _ in spans for at in range(b, e))
    at, kept = 0, ""
    for patch in changes:
        kept, at = kept + text[at : patch.begin] + patch.mask, patch.end
    assert mask(text, spans, style) == kept + text[at:]


@given(spanned())
def test_nothing_of_what_is_masked_remains(drawn: tuple[str, list[Span]]) -> None:
    text, spans = drawn
    assert {char for patch in patches(text, spans, "asterisks") for char in patch.mask} <= {"*"}
    assert {char for patch in patches(text, spans, "blocks") for char in patch.mask} <= {"█"}
    assert all(patch.mask in {f"[{kind}]" for *_, kind in spans} for patch in patches(text, spans, "label"))


@given(spanned(), st.sampled_from(STYLES))
@example(("11\n🏽", [(0, 3, "KIND_0")]), "label")
@example(("👩\u200da", [(2, 3, "KIND_0")]), "blocks")
@example(("1111\u0301", [(0, 5, "KIND_0"), (0, 4, "KIND_1")]), "label")
def test_masking_what_is_masked_changes_nothing(drawn: tuple[str, list[Span]], style: Mask) -> None:
    text, spans = drawn
    shift, again = 0, []
    for patch in patches(text, spans, style):
        kind = patch.mask.strip("[]") if style == "label" else "KIND"
        again.append((patch.begin + shift, patch.begin + shift + len(patch.mask), kind))
        shift += len(patch.mask) - (patch.end - patch.begin)
    masked = mask(text, spans, style)
    assert mask(masked, again, style) == masked


@pytest.mark.parametrize(
    ("style", "masked"),
    [
        ("label", "to [EMAIL] 👋🏽"),
        ("asterisks", "to ******* 👋🏽"),
        ("blocks", "to ███████ 👋🏽"),
        ("first", "to é****** 👋🏽"),
    ],
)
def test_each_style_looks_as_the_policy_says(style: Mask, masked: str) -> None:
    assert (
        mask("to e\u0301n@x.yz 👋🏽".replace("é", "e\u0301"), [(3, 11, "EMAIL")], style).replace("e\u0301", "é")
        == masked
    )


@pytest.mark.parametrize(
    "char",
    [
        "e\u0301",
        "👩\u200d👧",
        "🇩🇪",
        "👋🏽",
        "❤\ufe0f\u200d🔥",
        "1\ufe0f\u20e3",
        "\u1112\u1161\u11ab",
        "नि",
        "🏴\U000e0067\U000e007f",
    ],
)
def test_what_readers_see_as_one_character_is_one(char: str) -> None:
    assert list(characters(f"a{char}b")) == ["a", char, "b"]
    for at in range(1, len(char) + 1):
        assert mask(f"a{char}b", [(at, at + 1, "X")], "asterisks") == "a*b"


def test_flags_in_a_row_are_told_apart() -> None:
    assert mask("🇩🇪🇫🇷🇮🇹", [(3, 4, "X")], "asterisks") == "🇩🇪*🇮🇹"


def test_a_mask_of_one_character_does_not_show_it() -> None:
    assert mask("x7y", [(1, 2, "PIN")], "first") == "x*y"


def test_spans_count_code_points_and_not_utf16_units() -> None:
    text = "🌴🌴 mail me: ann@example.com 🌴"
    begin = text.index("ann")
    assert mask(text, [(begin, begin + 15, "EMAIL")]) == "🌴🌴 mail me: [EMAIL] 🌴"


def test_neighbours_are_both_masked() -> None:
    assert mask("abcdef", [(2, 4, "B"), (0, 2, "A")]) == "[A][B]ef"


def test_a_text_without_spans_is_untouched() -> None:
    assert mask("a\r\nb\u2028c", []) == "a\r\nb\u2028c"


@given(spanned(), st.sampled_from(STYLES), st.booleans())
def test_masked_json_says_the_masked_text_and_keeps_all_else_as_it_was(
    drawn: tuple[str, list[Span]], style: Mask, ascii_only: bool
) -> None:
    text, spans = drawn
    source = '{ "n":1.50e3, "text" :' + json.dumps(text, ensure_ascii=ascii_only) + ' ,"x":[null,"\\u0041"] }'
    document = read_document(source)
    says = next(one for one in document.texts if one.says == text)
    placed = [(*document.written_at(says, begin, end), kind) for begin, end, kind in spans]
    masked = mask_document(document, placed, style)
    assert json.loads(masked)["text"] == mask(text, spans, style)
    assert masked.startswith('{ "n":1.50e3, "text" :"')
    assert masked.endswith('" ,"x":[null,"\\u0041"] }')


def test_a_masked_number_becomes_a_string() -> None:
    source = '{"call": 4155552671}'
    assert mask_document(read_document(source), [(11, 14, "PHONE")]) == '{"call": "[PHONE]"}'


def test_a_span_that_touches_no_text_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="no text"):
        mask_document(read_document('{"a": null}'), [(6, 10, "X")])


def test_a_masked_text_stays_in_its_encoding() -> None:
    body = "メールは ann@example.com です。よろしくお願いします".encode("cp932")
    masked = masked_body(body, [(5, 20, "EMAIL")], style="label", content_type="text/plain")
    assert masked.body.decode("cp932") == "メールは [EMAIL] です。よろしくお願いします"
    assert (masked.content_type, masked.encoding) == ("text/plain", "cp932")


def test_a_mask_that_an_encoding_lacks_is_written_in_utf8_and_said_so() -> None:
    body = "Grüße an ann@example.com, schöne Tage".encode("cp1252")
    masked = masked_body(body, [(9, 24, "EMAIL")], style="blocks", content_type="text/plain; charset=iso-8859-1; x=y")
    assert masked.body.decode() == f"Grüße an {'█' * 15}, schöne Tage"
    assert masked.content_type == "text/plain; x=y; charset=utf-8"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_stays(encoding: str) -> None:
    masked = masked_body("ann@x.yz 🌴".encode(encoding), [(0, 8, "EMAIL")], style="blocks", content_type="")
    assert masked.body == ("█" * 8 + " 🌴").encode(encoding)
