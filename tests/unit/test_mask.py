"""Masking: what a span covers is gone, and nothing else has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tasks.act.redact import mask

#: Beside letters: emoji outside the BMP, a family of several code points, combining marks, CRLF, right-to-left.
ATOMS = [*"ab [].\r\n", "🌴", "👩\u200d👧", "e\u0301", "ש", "\U0010ffff", "é"]
TEXTS = st.lists(st.sampled_from(ATOMS), max_size=20).map("".join)


@st.composite
def masked_texts(draw: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """Pieces to keep, and between each two of them a piece to mask."""
    hidden = draw(st.lists(TEXTS.filter(bool), max_size=5))
    return [draw(TEXTS) for _ in range(len(hidden) + 1)], hidden


@given(masked_texts(), st.randoms(use_true_random=False))
def test_each_span_becomes_its_kind_and_the_rest_stays(pieces: tuple[list[str], list[str]], order: Any) -> None:
    kept, hidden = pieces
    text, expected, spans = kept[0], kept[0], []
    for number, (secret, after) in enumerate(zip(hidden, kept[1:], strict=True)):
        spans.append((len(text), len(text) + len(secret), f"KIND_{number}"))
        text, expected = text + secret + after, f"{expected}[KIND_{number}]{after}"
    order.shuffle(spans)
    assert mask(text, spans) == expected


def test_spans_count_code_points_and_not_utf16_units() -> None:
    text = "🌴🌴 mail me: ann@example.com 🌴"
    begin = text.index("ann")
    assert mask(text, [(begin, begin + 15, "EMAIL")]) == "🌴🌴 mail me: [EMAIL] 🌴"


def test_neighbours_are_both_masked() -> None:
    assert mask("abcdef", [(2, 4, "B"), (0, 2, "A")]) == "[A][B]ef"


def test_a_text_without_spans_is_untouched() -> None:
    assert mask("a\r\nb\u2028c", []) == "a\r\nb\u2028c"
