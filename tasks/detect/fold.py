"""Letters as readers take them: without case, accents, look-alikes and what cannot be seen (pure)."""

from __future__ import annotations

import json
import re
import unicodedata
from bisect import bisect_right
from functools import cache, cached_property
from importlib.resources import files
from itertools import accumulate

#: Marks that letters are read without: accents, the strokes of zalgo, and the vowels that Arabic can leave out.
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u20d0-\u20ff]")
#: What cannot be seen, beside Unicode's format characters (Cf): fillers, variation selectors.
_UNSEEN = re.compile("[\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
#: A Latin letter by its Unicode name: with a stroke, as a small capital, in a square, as half of a flag.
_NAMED = re.compile(
    r"(?:.* )?(?:LATIN (?:SMALL|CAPITAL) LETTER|SMALL CAPITAL|REGIONAL INDICATOR SYMBOL LETTER) ([A-Z])(?: WITH .*)?"
)
#: Letters that look so in one case only, or are at least used so; Unicode's list of look-alikes has their other case.
_ALIKE = dict(zip("вкмнтпияг", "bkmhtnurr", strict=True))
_WORD = re.compile(r"[^\W\d_]+")
_ASCII_LETTER = re.compile(r"[A-Za-z]")
#: Where a word changes from ASCII letters to others, or back.
_MIXED = re.compile(r"[A-Za-z][^\W\d_A-Za-z]|[^\W\d_A-Za-z][A-Za-z]")


class _Fold(dict[int, str]):
    """str.translate's table of folded letters, filled as they come up."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold(chr(code))
        return folded


_FOLDED = _Fold()


class Folded:
    """A text, and its letters as they are compared."""

    def __init__(self, text: str) -> None:
        self._read = text if text.isascii() else without_look_alikes(text)
        self.letters = text.lower() if text.isascii() else self._read.translate(_FOLDED)

    def place(self, begin: int, end: int) -> tuple[int, int]:
        """Where in the text the piece [begin, end) of its letters, which is not empty, comes from."""
        if self._read.isascii() and len(self._read) == len(self.letters):
            return begin, end
        return bisect_right(self._edges, begin) - 1, bisect_right(self._edges, end - 1)

    @cached_property
    def _edges(self) -> list[int]:
        """Where the letters of each character begin. Only texts in which something was found need it."""
        lengths = (len(_FOLDED[ord(char)]) for char in self._read)
        return [*accumulate(lengths, initial=0)]


def without_look_alikes(text: str) -> str:
    """Letters that pass for Latin ones, as Latin ones: in words that mix scripts, and in a text that is mostly Latin.

    Elsewhere they are what they are: a Russian text is full of letters that look Latin. Nothing moves.
    """
    look_alikes = _look_alikes()
    there = look_alikes.keys() & set(map(ord, set(text)))
    is_latin = len(_ASCII_LETTER.findall(text)) > sum(text.count(chr(code)) for code in there)
    if not there or not (is_latin or _MIXED.search(text)):
        return text

    def read(word: re.Match[str]) -> str:
        letters = word[0]
        if letters.isascii() or not (is_latin or _ASCII_LETTER.search(letters)):
            return letters
        return letters.translate(look_alikes)

    return _WORD.sub(read, text)


def _fold(char: str) -> str:
    if unicodedata.category(char) == "Cf" or _UNSEEN.fullmatch(char):
        return ""
    named = _NAMED.fullmatch(unicodedata.name(char, ""))
    if named:
        return named[1].lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    digits = (str(unicodedata.decimal(one, "")) or one for one in _MARKS.sub("", folded))
    return unicodedata.normalize("NFC", "".join(digits))


@cache
def _look_alikes() -> dict[int, str]:
    """Letters of other scripts -> the ASCII letter that they look like, by Unicode's confusables."""
    said = json.loads((files("confusable_homoglyphs") / "confusables.json").read_text("utf-8"))
    found = {
        # What a capital shares with a small l is the shape of a capital I.
        ord(char): "i" if char.isupper() and alike["c"] == "l" else alike["c"].lower()
        for char, others in said.items()
        for alike in others
        if len(char) == 1 and char.isalpha() and not char.isascii() and len(alike["c"]) == 1 and alike["c"].isascii()
    }
    return {code: letter for code, letter in found.items() if letter.isalpha()} | {
        ord(case): letter for char, letter in _ALIKE.items() for case in (char, char.upper()) if ord(case) not in found
    }
