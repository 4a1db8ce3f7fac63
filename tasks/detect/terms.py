"""Find an operator's banned terms in a text, however they are dressed up: no call, linear time.

Case, accents, look-alike letters and what cannot be seen are folded away (`tasks.detect.fold`); digits for letters,
letters drawn out, and letters set apart ("v i a g r a") are read as what they stand for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from tasks.detect.finding import Finding
from tasks.detect.fold import Folded
from tasks.detect.kind import unreadable
from tasks.detect.trie import pattern
from tasks.ledger import note_looked

DETECTOR = "terms"
#: Findings of one list in one text. More would not fit where findings are kept, and nobody would read them.
MAX_FINDINGS = 200
#: Letters of a term from which it is also found inside a row of single letters, as long as that may be.
_LEAST_IN_ROW = 4

#: A single letter, or what stands for one, and what such are set apart by.
_SINGLE = r"(?:[^\W_]|[@$!|])"
_APART = "[\\s.,;:·•*_~'\"\u2019+/\\\\()\\[\\]<>\u2013\u2014-]{1,3}+"
#: Three or more single letters, set apart.
_ROW = re.compile(rf"{_SINGLE}(?<![^\W_@$](?s:.))(?<![@$](?s:.))(?:{_APART}{_SINGLE}(?![^\W_]|[@$])){{2,}}+")
_LETTER = re.compile(_SINGLE)
_REAL_LETTER = re.compile(r"[^\W\d_]")
#: Scripts without spaces, or whose words take endings: boundaries say nothing there.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")


@dataclass(frozen=True)
class TermList:
    """A list of terms, folded. `anywhere`: also in the middle of a word."""

    name: str
    terms: tuple[str, ...]
    anywhere: bool = False

    def spans(self, letters: str) -> Iterator[tuple[int, int]]:
        """Where in folded letters terms stand, [begin, end)."""
        for found in self._everywhere.finditer(letters):
            says = found[0].rstrip("!|")
            # Digits stand for letters only beside letters: a number is a number.
            if (says.isdigit() and says in self._known) or _REAL_LETTER.search(says):
                yield found.start(), found.start() + len(says)

    def spans_in_row(self, letters: str, row: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Where in a row of single letters terms stand."""
        at = [letter.start() for letter in _LETTER.finditer(letters, *row)]
        together = "".join(letters[one] for one in at)
        for found in self._inside.finditer(together):
            is_all = len(found[0]) == len(together)
            if _REAL_LETTER.search(found[0]) and (is_all or len(found[0]) >= _LEAST_IN_ROW):
                yield at[found.start()], at[found.end() - 1] + 1

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.terms)

    @cached_property
    def _everywhere(self) -> re.Pattern[str]:
        pieces = {term for term in self.terms if self.anywhere or _UNSPACED.search(term)}
        return pattern(self._known - pieces, pieces)

    @cached_property
    def _inside(self) -> re.Pattern[str]:
        return pattern((), (term.replace(" ", "") for term in self.terms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """All lists, and a hash of what they say; empty where there are none."""

    lists: tuple[TermList, ...] = ()
    version: str = ""

    def find(self, text: str, *, part: str) -> tuple[Finding, ...]:
        """A finding for each place of each list's terms, with its span; `unreadable/term-count` for too many."""
        if not self.lists:
            return ()
        note_looked(DETECTOR, self.version)
        folded = Folded(text)
        rows = [row.span() for row in _ROW.finditer(folded.letters)]
        read = Read(folded, rows)
        return tuple(finding for one in self.lists for finding in _found(one, read, _sign(one, self, part)))


NO_TERMS = Terms()


@dataclass(frozen=True)
class Read:
    """A folded text, and the rows of single letters in it."""

    folded: Folded
    rows: list[tuple[int, int]]

    def spans(self, one: TermList) -> Iterator[tuple[int, int]]:
        """Where in the folded letters a list's terms stand."""
        yield from one.spans(self.folded.letters)
        for row in self.rows:
            yield from one.spans_in_row(self.folded.letters, row)
        if self.rows:
            # Words of a term beside another one that is set apart: "double your b.i.t.c.o.i.n".
            for begin, end in one.spans("".join(self.folded.letters[at] for at in self._together)):
                yield self._together[begin], self._together[end - 1] + 1

    @cached_property
    def _together(self) -> list[int]:
        """Where the letters stand of which the text is left once nothing stands between those of a row."""
        letters, kept, last = self.folded.letters, [], 0
        for begin, end in self.rows:
            kept += [*range(last, begin), *(letter.start() for letter in _LETTER.finditer(letters, begin, end))]
            last = end
        return [*kept, *range(last, len(letters))]


def _found(one: TermList, read: Read, sign: Finding) -> Iterator[Finding]:
    spans = sorted({*islice(read.spans(one), MAX_FINDINGS + 1)})
    for span in spans[:MAX_FINDINGS]:
        yield replace(sign, span=read.folded.place(*span))
    if len(spans) > MAX_FINDINGS:
        yield unreadable("term-count", detector=DETECTOR, detector_version=sign.detector_version, part=sign.part)


def _sign(one: TermList, terms: Terms, part: str) -> Finding:
    return Finding(
        detector=DETECTOR, detector_version=terms.version, label=f"term/{one.name}", confidence=100.0, part=part
    )
