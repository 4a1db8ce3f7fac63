"""The texts in a body and where each stands: a plain text is one, JSON and NDJSON have one in each string (pure).

Strings are judged as they read, without their escapes; what is found is told by its place in the source, so that
a mask changes nothing around it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate
from typing import Any

from jsonpath_ng.parser import parse as parse_path

from tasks.detect.finding import Finding
from tasks.intake.json_tree import Form, Text, read_roots, texts_of, written

#: Between the texts of one document where they are judged together.
BETWEEN = "\n"


@dataclass(frozen=True, slots=True)
class Document:
    """A body and its texts, the names of fields among them.

    `roots` are the JSON values that it consists of, with a Text behind each scalar; none for a plain text.
    """

    source: str
    texts: tuple[Text, ...]
    roots: tuple[Any, ...] = ()
    #: Where the characters of the texts asked about so far are written.
    _edges: dict[Text, Sequence[int]] = field(default_factory=dict, compare=False)

    def texts_at(self, paths: Iterable[str]) -> tuple[Text, ...]:
        """The texts at some JSON paths, in their order; of a value in which no path leads to any, all there are."""
        finders = [_finder(path) for path in paths]
        found = (text for root in self.roots for text in _found(root, finders) or texts_of(root))
        return tuple(found) if self.roots else self.texts

    def place(self, findings: Iterable[Finding], texts: Sequence[Text]) -> tuple[Finding, ...]:
        """Findings in `joined(texts)` with their spans in the source; one that reaches over texts becomes several."""
        begins = [0, *accumulate(len(text.says) + len(BETWEEN) for text in texts)]
        return tuple(placed for finding in findings for placed in self._placed(finding, texts, begins))

    def pieces(self, begin: int, end: int) -> list[tuple[Text, int, int]]:
        """(text, its piece [begin, end)) of every text that touches [begin, end) of the source."""
        first = max(bisect_right(self.texts, begin, key=lambda text: text.begin) - 1, 0)
        last = bisect_left(self.texts, end, key=lambda text: text.begin)
        touched = ((text, *self._piece(text, begin, end)) for text in self.texts[first:last])
        return [(text, piece_begin, piece_end) for text, piece_begin, piece_end in touched if piece_begin < piece_end]

    def written_at(self, text: Text, begin: int, end: int) -> tuple[int, int]:
        """Where in the source a piece [begin, end) of a text is written. A number is one piece."""
        if text.form is Form.NUMBER:
            return text.begin, text.end
        edges = self._edges_of(text)
        return edges[begin], edges[end]

    def _piece(self, text: Text, begin: int, end: int) -> tuple[int, int]:
        if text.form is Form.NUMBER:
            return 0, len(text.says) if begin < text.end else 0
        edges = self._edges_of(text)
        return max(bisect_right(edges, begin) - 1, 0), min(bisect_left(edges, end), len(text.says))

    def _edges_of(self, text: Text) -> Sequence[int]:
        if text not in self._edges:
            self._edges[text] = written(self.source, text)
        return self._edges[text]

    def _placed(self, finding: Finding, texts: Sequence[Text], begins: Sequence[int]) -> Iterator[Finding]:
        if finding.span is None or not self.roots:
            yield finding
            return
        begin, end = finding.span
        reached = range(max(bisect_right(begins, begin) - 1, 0), min(bisect_left(begins, end), len(texts)))
        pieces = [(texts[n], max(begin - begins[n], 0), min(end - begins[n], len(texts[n].says))) for n in reached]
        spans = [self.written_at(text, first, last) for text, first, last in pieces if first < last]
        if not spans:
            # Nothing but what stands between texts, which cannot be masked.
            yield replace(finding, span=None)
        for span in spans:
            yield replace(finding, span=span)


def read_document(source: str) -> Document:
    """The document in a decoded body. Raises Unreadable (`text-json`) for JSON that nobody would want to read."""
    roots = read_roots(source)
    texts = tuple(text for root in roots for text in texts_of(root)) if roots else (Text(source, 0, len(source)),)
    return Document(source, texts, roots)


def joined(texts: Iterable[Text]) -> str:
    """Texts as one, for detectors that read one at a time."""
    return BETWEEN.join(text.says for text in texts)


def _found(root: Any, finders: Iterable[Callable[[Any], Any]]) -> tuple[Text, ...]:
    texts = {text for find in finders for match in find(root) for text in texts_of(match.value)}
    return tuple(sorted(texts, key=lambda text: text.begin))


@lru_cache(maxsize=256)
def _finder(path: str) -> Callable[[Any], Any]:
    find: Callable[[Any], Any] = parse_path(path).find
    return find
