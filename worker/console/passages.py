"""Passages: a text as it is shown, in pieces, with what was flagged in it marked (pure).

What is shown has a code point for each code point of the text: letters that are masked and characters that nobody sees
are replaced one for one, so that whoever marks a stretch of it means the same stretch of the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tasks.detect.finding import Finding
from tasks.intake.document import Document, read_document
from tasks.intake.json_tree import Form, Text, texts_of
from worker.console.wording import group_of

#: Code points of a text up to which all of it is shown at once; of a longer one its beginning, and what is around hits.
WHOLE, BEGINNING, AROUND = 20_000, 4_000, 300
#: Texts of one document that are shown at once; those with hits come in any case.
MOST_TEXTS = 200
#: What cannot be seen, or turns the order of what can: shown as a sign in its stead.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_BLANKED = "•"
_SIGN = "□"
#: How a mark is drawn, by the kind of its label.
_DRAWN = {"pii": "pii", "toxicity": "toxic", "guardrail": "toxic", "classifier": "toxic"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some characters in a row that are shown alike."""

    says: str
    #: The first one's place in the source, in code points; None where the source writes them otherwise.
    begin: int | None
    #: The number of the hit that it is of; 0 where nothing was flagged.
    hit: int = 0
    #: `policy`, `pii` or `toxic` of a hit; `unseen` of what could not be seen; else empty.
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One text: all of a plain one, or a value of a JSON document."""

    #: Where it stands in the document; empty for a plain text.
    name: str
    pieces: tuple[Piece, ...]
    #: Code points that are not shown.
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A body of text as it is shown."""

    passages: tuple[Passage, ...]
    #: The broad group of each hit, from number 1 on.
    hits: tuple[str, ...]
    #: Whether something of it is masked, and whether something was left out.
    masked: bool
    cut: bool
    #: Places that detectors named and that are not in this text.
    misplaced: int = 0


@dataclass(slots=True)
class _Page:
    """What is gathered while a text is taken apart."""

    severe: bool
    whole: bool
    hits: list[str] = field(default_factory=list)
    masked: bool = False
    cut: bool = False


def shown_text(
    source: str, findings: Iterable[Finding], *, plain: bool = False, masked: bool, severe: bool, whole: bool
) -> Shown:
    """A decoded text with the findings that are about it; a `plain` one is no JSON, whatever it looks like.

    `masked` shows only the first letter of banned words, and of every hit where the case is `severe`; `whole` leaves
    nothing out. Raises Unreadable (`text-json`), as it did when it was looked at.
    """
    document = Document(source, (Text(source, 0, len(source)),)) if plain else read_document(source)
    spans = {(*one.span, one.label): one for one in findings if one.span is not None}
    flagged, misplaced = _by_text(document, [spans[place] for place in sorted(spans)])
    page = _Page(severe=severe, whole=whole)
    # Names of fields say where a value stands; where one was flagged, it is shown as what it is.
    texts = [(name, text) for name, text, is_name in _named(document) if not is_name or text in flagged]
    chosen = [one for number, one in enumerate(texts) if whole or number < MOST_TEXTS or one[1] in flagged]
    page.cut = len(chosen) < len(texts)
    passages = [
        _passage(document, name, text, flagged.get(text, ()), page=page, masked=masked) for name, text in chosen
    ]
    return Shown(passages=tuple(passages), hits=tuple(page.hits), masked=page.masked, cut=page.cut, misplaced=misplaced)


Flag = tuple[int, int, Finding]


def _by_text(document: Document, findings: Sequence[Finding]) -> tuple[Mapping[Text, list[Flag]], int]:
    """What was flagged in each text, and how many findings point to nothing in it."""
    flagged: dict[Text, list[Flag]] = {}
    misplaced = 0
    for finding in findings:
        begin, end = finding.span or (0, 0)
        pieces = document.pieces(begin, end) if 0 <= begin < end <= len(document.source) else []
        misplaced += not pieces
        for text, first, last in pieces:
            flagged.setdefault(text, []).append((first, last, finding))
    return flagged, misplaced


def _named(document: Document) -> Iterator[tuple[str, Text, bool]]:
    """Each text with where it stands, and whether it is itself a name of a field."""
    if not document.roots:
        yield "", document.texts[0], False
        return
    for number, root in enumerate(document.roots, 1):
        yield from _walk(root, f"{number}" if len(document.roots) > 1 else "")


def _walk(value: Any, name: str) -> Iterator[tuple[str, Text, bool]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ((f"{name} (name of a field)".strip(), text, True) for text in texts_of(key))
            yield from _walk(inner, f"{name}.{key}".strip("."))
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from _walk(inner, f"{name}[{number}]")
    else:
        yield from ((name, text, False) for text in texts_of(value))


def _passage(document: Document, name: str, text: Text, flags: Sequence[Flag], *, page: _Page, masked: bool) -> Passage:
    numbers = {}
    for flag in flags:
        page.hits.append(group_of(flag[2].label))
        numbers[id(flag)] = len(page.hits)
    kept = _kept(text.says, flags, whole=page.whole)
    pieces: list[Piece] = []
    for begin, end in kept:
        for place, over in _stretches(begin, end, flags):
            hit = numbers[id(over[0])] if over else 0
            pieces += _pieces(document, text, place, over=over, hit=hit, page=page, masked=masked)
    left = len(text.says) - sum(end - begin for begin, end in kept)
    page.cut = page.cut or left > 0
    return Passage(name=name, pieces=tuple(pieces), left_out=left)


def _kept(says: str, flags: Sequence[Flag], *, whole: bool) -> list[tuple[int, int]]:
    """The stretches of a text that are shown."""
    if whole or len(says) <= WHOLE:
        return [(0, len(says))]
    wanted = [(0, BEGINNING), *((max(b - AROUND, 0), min(e + AROUND, len(says))) for b, e, _ in flags)]
    kept: list[tuple[int, int]] = []
    for begin, end in sorted(wanted):
        if kept and begin <= kept[-1][1]:
            kept[-1] = (kept[-1][0], max(end, kept[-1][1]))
        else:
            kept.append((begin, end))
    return kept


def _stretches(begin: int, end: int, flags: Sequence[Flag]) -> Iterator[tuple[tuple[int, int], list[Flag]]]:
    """Stretches between which something begins or ends to be flagged, and by what: hits that overlap are split."""
    edges = sorted({begin, end} | {edge for b, e, _ in flags for edge in (b, e) if begin < edge < end})
    coming, over = sorted(flags, key=lambda flag: flag[:2]), list[Flag]()
    at = 0
    for first, last in pairwise(edges):
        while at < len(coming) and coming[at][0] <= first:
            over.append(coming[at])
            at += 1
        over = [flag for flag in over if flag[1] > first]
        yield (first, last), over


def _pieces(  # noqa: PLR0913  # one piece of many
    document: Document,
    text: Text,
    place: tuple[int, int],
    *,
    over: Sequence[Flag],
    hit: int,
    page: _Page,
    masked: bool,
) -> Iterator[Piece]:
    """The pieces of one stretch: what cannot be seen stands apart."""
    first, last = place
    says = text.says[first:last]
    label = over[0][2].label if over else ""
    if masked and any(page.severe or flag[2].label.startswith("term/") for flag in over):
        page.masked = True
        starts = any(flag[0] == first for flag in over)
        says = (says[:1] if starts else _blanked(says[:1])) + _blanked(says[1:])
    kind = _DRAWN.get(label.partition("/")[0], "policy") if label else ""
    at = 0
    for unseen in _UNSEEN.finditer(says):
        if at < unseen.start():
            yield _piece(document, text, first + at, says[at : unseen.start()], hit=hit, kind=kind)
        yield _piece(document, text, first + unseen.start(), _SIGN, hit=hit, kind="unseen")
        at = unseen.end()
    if at < len(says):
        yield _piece(document, text, first + at, says[at:], hit=hit, kind=kind)


def _piece(document: Document, text: Text, at: int, says: str, *, hit: int, kind: str) -> Piece:
    return Piece(says=says, begin=_place(document, text, at, len(says)), hit=hit, kind=kind)


def _place(document: Document, text: Text, at: int, length: int) -> int | None:
    """Where a piece begins in the source; None where the source has escapes in it, or is a number."""
    if text.form is Form.PLAIN:
        return text.begin + at
    begin, end = document.written_at(text, at, at + length)
    return begin if text.form is Form.STRING and end - begin == length else None


def _blanked(letters: str) -> str:
    return "".join(one if one.isspace() else _BLANKED for one in letters)
