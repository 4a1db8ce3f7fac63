"""A list of terms as one regular expression that reads a text once, however many terms there are (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

#: What letters are also written as.
_LEET = {"a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!|", "l": "1|", "o": "0", "s": "5$", "t": "7", "z": "2"}
#: Letters whose other spellings are shared: each must be ready to leave some of them to the next one.
_SHARED = "il"
#: A letter three times in a row is drawn out; languages write it twice at most.
_DRAWN_OUT = 3
#: How often a shared letter is read in a row, so that giving back costs no more than a few steps.
_MOST_SHARED = 8
#: Letters of a term from which even a doubled letter is read as one: few words differ only in that.
_LONG = 6
#: Between the words of a term.
_BETWEEN = r"[\W_]{1,4}+"

_NOTHING = r"(?!)"
#: After the first letter of a term, and after its last: that no word goes on there.
_STARTS_WORD, _ENDS_WORD = r"(?<![^\W_](?s:.))", r"(?![^\W_])"

#: A letter or a space, how often it stands in a row, whether its term is a long one, and whether it is a whole word.
_Step = tuple[str, int, bool, bool]


@dataclass(slots=True)
class _Node:
    #: Whether a term may end here: in the middle of a word, or only where the word ends.
    ends: set[bool] = field(default_factory=set)
    after: dict[_Step, _Node] = field(default_factory=dict)


def pattern(words: Iterable[str], pieces: Iterable[str] = ()) -> re.Pattern[str]:
    """An expression for any of some terms: words stand by themselves, pieces also inside of longer words.

    Terms are folded, in letters, digits and single spaces. The time it takes is linear in the text.
    """
    root = _Node()
    for terms, is_word in ((words, True), (pieces, False)):
        for term in terms:
            node, is_long = root, len(term.replace(" ", "")) >= _LONG
            for char, row in groupby(term):
                node = node.after.setdefault((char, len([*row]), is_long, is_word), _Node())
            node.ends.add(is_word)
    return re.compile(_either(_chain(step, node, is_first=True) for step, node in sorted(root.after.items())))


def _chain(step: _Step, node: _Node, *, is_first: bool = False) -> str:
    """A step and what follows it, without a group where there is no fork: terms are longer than groups may be deep."""
    parts = [_step(step, is_first=is_first)]
    while len(node.after) == 1 and not node.ends:
        ((step, node),) = node.after.items()
        parts.append(_step(step))
    longer = [_chain(step, after) for step, after in sorted(node.after.items())]
    return "".join(parts) + _either([*longer, *(_ENDS_WORD if is_word else "" for is_word in node.ends)])


def _either(ways: Iterable[str]) -> str:
    known = [*ways]
    return known[0] if len(known) == 1 else f"(?:{'|'.join(known)})" if known else _NOTHING


def _step(step: _Step, *, is_first: bool = False) -> str:
    """One letter, then what makes it a row of them: an expression that begins with a letter is tried only there."""
    char, count, is_long, is_word = step
    if char == " ":
        return _BETWEEN
    one = f"[{char}{_LEET[char]}]" if char in _LEET else re.escape(char)
    # Deep inside of a row of the same letter, each place would have the row read on to its end.
    guard = (_STARTS_WORD if is_word else f"(?<!{one}{{3}})") if is_first else ""
    return f"{one}{guard}{_more(char, one, count, is_long=is_long)}"


def _more(char: str, one: str, count: int, *, is_long: bool) -> str:
    least, most = count - 1, _MOST_SHARED if char in _SHARED else ""
    if char.isdigit():
        return f"{one}{{{least}}}"
    at_once = "" if char in _SHARED else "+"
    if is_long or count > 1:
        return f"{one}{{{least},{most}}}{at_once}"
    return f"(?:{one}{{{_DRAWN_OUT - 1},{most}}}{at_once})?{at_once}"
