"""Masks over parts of a text, in the style of a surface, never through the middle of a character (pure)."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tasks.decide.policy import Mask
from tasks.intake.document import Document
from tasks.intake.json_tree import Form, Text

#: What masks of the style `blocks` are made of.
BLOCK = "█"
_JOINER = "\u200d"
_FLAG = range(0x1F1E6, 0x1F200)
_TONES = range(0x1F3FB, 0x1F400)
#: What the flags of England, Scotland and Wales are spelled with.
_TAGS = range(0xE0020, 0xE0080)
#: Leading, vowel and trailing letters of which Korean syllables can be composed.
_LEADING, _VOWELS, _TRAILING = range(0x1100, 0x1160), range(0x1160, 0x11A8), range(0x11A8, 0x1200)
_SYLLABLES = range(0xAC00, 0xD7A4)

Span = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Patch:
    """What stands in place of [begin, end) of a text."""

    begin: int
    end: int
    mask: str


def mask(text: str, spans: Iterable[Span], style: Mask = "label") -> str:
    """Mask spans ([begin, end) in code points, and a kind) of a text."""
    return patched(text, patches(text, spans, style))


def mask_document(document: Document, spans: Iterable[Span], style: Mask = "label") -> str:
    """Mask spans of a document's source. JSON stays JSON: only what stands inside its strings and numbers changes.

    Raises ValueError for a span that touches no text: it would be left to be seen.
    """
    asked: dict[Text, list[Span]] = {}
    for begin, end, kind in sorted(spans):
        pieces = document.pieces(begin, end)
        if not pieces:
            raise ValueError(f"no text at [{begin}, {end})")
        for text, first, last in pieces:
            asked.setdefault(text, []).append((first, last, kind))
    found = (
        _written(document, text, patch) for text, spans in asked.items() for patch in patches(text.says, spans, style)
    )
    return patched(document.source, found)


def patches(text: str, spans: Iterable[Span], style: Mask) -> list[Patch]:
    """What masking changes in a text, in order. Spans are widened to whole characters, as readers count them."""
    found: list[Span] = []
    for begin, end, kind in sorted(_widened(text, *span) for span in spans):
        if found and begin < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]), found[-1][2])
        else:
            found.append((begin, end, kind))
    return [Patch(begin, end, _mask_of(text[begin:end], kind, style)) for begin, end, kind in found]


def patched(text: str, changes: Iterable[Patch]) -> str:
    """The text with its patches, which do not overlap."""
    parts, at = [], 0
    for patch in sorted(changes, key=lambda patch: patch.begin):
        parts += [text[at : patch.begin], patch.mask]
        at = patch.end
    return "".join((*parts, text[at:]))


def characters(text: str) -> Iterator[str]:
    """The characters of a text as readers count them: letters with their accents, whole emoji, flags, syllables.

    Nearly https://www.unicode.org/reports/tr29/ for what is in the standard library; a line break is two.
    """
    begin = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or not _belongs(text, at):
            yield text[begin:at]
            begin = at


def _written(document: Document, text: Text, patch: Patch) -> Patch:
    """The patch of what a text says, as a patch of the source."""
    begin, end = document.written_at(text, patch.begin, patch.end)
    if text.form is Form.PLAIN:
        return Patch(begin, end, patch.mask)
    quoted = json.dumps(patch.mask)
    return Patch(begin, end, quoted if text.form is Form.NUMBER else quoted[1:-1])


def _widened(text: str, begin: int, end: int, kind: str) -> Span:
    while begin > 0 and _belongs(text, begin):
        begin -= 1
    # A mark after a line break belongs to nothing, and would join the mask that takes the break's place.
    while end < len(text) and (_belongs(text, end) or _joins(text[end])):
        end += 1
    return begin, end, kind


def _mask_of(piece: str, kind: str, style: Mask) -> str:
    if style == "label":
        return f"[{kind}]"
    seen = list(characters(piece))
    if style == "first" and len(seen) > 1:
        return seen[0] + "*" * (len(seen) - 1)
    return (BLOCK if style == "blocks" else "*") * len(seen)


def _belongs(text: str, at: int) -> bool:
    """Whether the code point at `at` is part of the character before it."""
    before, here = ord(text[at - 1]), ord(text[at])
    if here < 0x300:
        return False
    if _joins(text[at]):
        return before >= 0x20
    if text[at - 1] == _JOINER:
        return unicodedata.category(text[at]) == "So" and text[at] != BLOCK
    if here in _FLAG and before in _FLAG:
        return _flags_before(text, at) % 2 == 1
    return _composes(before, here)


def _joins(char: str) -> bool:
    """Whether a code point is drawn as part of what stands before it."""
    code = ord(char)
    return char == _JOINER or code in _TONES or code in _TAGS or unicodedata.category(char) in ("Mn", "Me", "Mc")


def _flags_before(text: str, at: int) -> int:
    count = 0
    while count < at and ord(text[at - 1 - count]) in _FLAG:
        count += 1
    return count


def _composes(before: int, here: int) -> bool:
    """Whether two code points are parts of one Korean syllable."""
    if before in _LEADING:
        return here in _LEADING or here in _VOWELS or here in _SYLLABLES
    if before in _VOWELS or before in _SYLLABLES:
        is_open = before in _VOWELS or (before - _SYLLABLES.start) % 28 == 0
        return here in _TRAILING or (is_open and here in _VOWELS)
    return before in _TRAILING and here in _TRAILING
