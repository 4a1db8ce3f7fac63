"""JSON and NDJSON read with the place of every string and number in the source (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Any, NoReturn

from tasks.aws.faults import Unreadable

#: Levels of nesting, and values, names and brackets together. Real posts have few of either.
MAX_DEPTH, MAX_TOKENS = 64, 200_000

_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]++|\\.)*+")|(?P<number>-?[0-9][0-9.eE+-]*+)|(?P<word>true|false|null)|(?P<mark>[][}{])'
)
#: What one character of a string is written as; one beyond 16 bits is a pair of escapes.
_WRITTEN = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|[^\\]")


class Form(StrEnum):
    """How a text is written down."""

    PLAIN = "plain"
    #: In quotes, with escapes.
    STRING = "string"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Text:
    """What one text says, and where it is written: [begin, end) in code points of the source, quotes included."""

    says: str
    begin: int
    end: int
    form: Form = Form.PLAIN


class _Scalar(str):
    """A string or a number, as whoever walks the tree expects it, that knows its Text."""

    __slots__ = ("text",)
    text: Text


def read_roots(source: str) -> tuple[Any, ...]:
    """The JSON value, or NDJSON's values, that a source consists of; none where it is neither.

    Raises Unreadable (`text-json`) for what is too deep or too much, and where a name stands twice in an object:
    readers differ in which of the two they show.
    """
    if source.lstrip()[:1] not in ("{", "["):
        return ()
    if _is_json(source):
        return (_tree(source, 0),)
    lines = [(begin, line) for begin, line in _lines(source) if line.strip()]
    if len(lines) > 1 and all(line.lstrip()[0] in "{[" and _is_json(line) for _, line in lines):
        return tuple(_tree(line, begin) for begin, line in lines)
    return ()


def texts_of(value: Any) -> Iterator[Text]:
    """Every text in a value, in the order in which they are written."""
    if isinstance(value, _Scalar):
        yield value.text
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from texts_of(name)
            yield from texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)


def written(source: str, text: Text) -> Sequence[int]:
    """Where in the source each character of a plain text or a string begins, and where the last one ends."""
    if text.form is Form.PLAIN:
        return range(text.begin, text.end + 1)
    inside = source[text.begin + 1 : text.end - 1]
    return [*accumulate((len(one) for one in _WRITTEN.findall(inside)), initial=text.begin + 1)]


def _lines(source: str) -> Iterator[tuple[int, str]]:
    begin = 0
    for line in source.split("\n"):
        yield begin, line
        begin += len(line) + 1


def _is_json(source: str) -> bool:
    try:
        json.loads(source, parse_constant=_refuse, parse_int=str, object_pairs_hook=_unique)
    except ValueError:
        return False
    except RecursionError:
        raise Unreadable("nested too deep", reason="text-json") from None
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise Unreadable("a name stands twice in an object", reason="text-json")


def _tree(source: str, offset: int) -> Any:
    """The value of valid JSON, which begins at `offset` of the document."""
    top: list[Any] = []
    stack: list[_Open] = [_Open(top)]
    for number, token in enumerate(_TOKEN.finditer(source)):
        if len(stack) > MAX_DEPTH or number > MAX_TOKENS:
            raise Unreadable("nested too deep, or too many values", reason="text-json")
        if token[0] in "]}":
            stack.pop()
        elif token["mark"]:
            stack.append(_Open(stack[-1].take([] if token[0] == "[" else {})))
        else:
            stack[-1].take(_scalar(token, offset))
    return top[0]


def _scalar(token: re.Match[str], offset: int) -> _Scalar | None:
    """The string or number that a token is; None for true, false and null, which say nothing."""
    if token["word"]:
        return None
    is_string = bool(token["string"])
    scalar = _Scalar(json.loads(token[0]) if is_string else token[0])
    form = Form.STRING if is_string else Form.NUMBER
    scalar.text = Text(str(scalar), token.start() + offset, token.end() + offset, form)
    return scalar


class _Open:
    """A list or an object that is being read."""

    __slots__ = ("name", "value")

    def __init__(self, value: list[Any] | dict[_Scalar, Any]) -> None:
        self.value, self.name = value, None

    name: _Scalar | None

    def take(self, value: Any) -> Any:
        """Put the next value in, or keep it as the name of the one after it."""
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.name is None:
            self.name = value
        else:
            self.value[self.name] = value
            self.name = None
        return value
