"""Cut a text into pieces that a service takes, none of which hides what stands at a cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SPACES = " \n\t"
#: The most bytes one character takes in any encoding we cut by.
_WIDEST = 4


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a text, and where it begins there, in code points."""

    begin: int
    text: str


def split(text: str, *, limit: int, overlap: int, encoding: str = "utf-8") -> Iterator[Chunk]:
    """Pieces of at most `limit` bytes in `encoding`, cut at spaces where there are some.

    Neighbours share up to `overlap` code points and at least half of that, so whatever is shorter than half
    of `overlap` is whole in some piece (as long as `limit` is a good deal larger). Lone surrogates, which no
    service takes, become `?`: offsets stay true.
    """
    if limit < _WIDEST:
        raise ValueError(f"a limit of {limit} bytes cannot hold one character")
    text = text.encode("utf-8", "replace").decode("utf-8")
    begin = 0
    while begin < len(text):
        end = begin + len(text[begin : begin + limit].encode(encoding)[:limit].decode(encoding, "ignore"))
        if end == len(text):
            yield Chunk(begin, text[begin:])
            return
        end = _end_at_space(text, begin, end, overlap)
        yield Chunk(begin, text[begin:end])
        begin = max(begin + 1, _begin_at_space(text, end, overlap))


def _end_at_space(text: str, begin: int, end: int, overlap: int) -> int:
    """Just after the last space near the end, so that no word is cut."""
    reach = min(overlap, (end - begin) // 2)
    space = max(text.rfind(char, end - reach, end) for char in _SPACES)
    return end if space < 0 else space + 1


def _begin_at_space(text: str, end: int, overlap: int) -> int:
    """Just after the first space of the overlap's first half: a word's tail must not pass for a word."""
    start = end - overlap
    if start < 0:
        return 0
    spaces = [at for char in _SPACES if (at := text.find(char, start, start + overlap // 2)) >= 0]
    return min(spaces) + 1 if spaces else start
