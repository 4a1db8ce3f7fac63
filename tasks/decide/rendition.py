"""Renditions: other keys that hold the same picture, such as thumbnails that the application makes (pure).

A pattern is a key in which `{stem}` and the like stand for parts of the original's key, and `*` and `**` for
anything, as in `tasks.decide.place`: `thumbs/{stem}_*.jpg` of `photos/cat.png` is `thumbs/cat_200.jpg`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from tasks.decide.place import quoted
from tasks.detect.finding import Finding

#: Of the key `photos/7/cat.png`: all of it, `photos/7/`, `cat.png`, `cat` and `png`. How each looks in any key.
PLACEHOLDERS = {"key": ".+", "dir": "(?:.*/)?", "name": "[^/]+", "stem": "[^/]+", "ext": "[^/.]*"}
#: Without one of these before the first wildcard, a pattern would be about everybody's uploads.
NAMING = ("key", "name", "stem")
#: What is found in a rendition whose original was taken down.
OF_REJECTED = "rendition/rejected"
#: Of one key, this many originals' names are tried at most: the longest.
MOST_HEADS = 25

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def is_of_rejected(findings: Iterable[Finding]) -> bool:
    """Whether an item is taken down as a rendition of what was taken down: then the original's notice is about both."""
    return any(seen.label == OF_REJECTED for seen in findings)


def placeholders(pattern: str) -> tuple[str, ...]:
    """Names in braces, in order."""
    return tuple(_PLACEHOLDER.findall(pattern))


def opening(pattern: str) -> str:
    """What comes before the first wildcard: how the keys in question begin."""
    return pattern.partition("*")[0]


def listed_under(pattern: str, key: str) -> str:
    """How the keys of an original's renditions begin."""
    return _PLACEHOLDER.sub(lambda found: _parts(key)[found[1]], opening(pattern))


def is_rendition(pattern: str, key: str, *, of: str) -> bool:
    """Whether a key is that of a rendition; an original is none of itself."""
    return key != of and re.fullmatch(_written(pattern, _parts(of)), key, re.DOTALL) is not None


def heads(pattern: str, key: str) -> Iterator[str]:
    """Every way in which a key may begin as `listed_under` says of some original, the longest first."""
    whole, head, tail = _shapes(pattern)
    if whole.fullmatch(key) is None:
        return
    ends = (end for end in range(len(key), 0, -1) if head.fullmatch(key, 0, end) and tail.fullmatch(key, end))
    yield from (key[:end] for _, end in zip(range(MOST_HEADS), ends, strict=False))


def _parts(key: str) -> dict[str, str]:
    directory, slash, name = key.rpartition("/")
    stem, dot, ext = name.rpartition(".")
    stem, ext = (stem, ext) if dot else (name, "")
    return {"key": key, "dir": directory + slash, "name": name, "stem": stem, "ext": ext}


def _written(pattern: str, parts: dict[str, str]) -> str:
    """A regular expression of the keys; what stands for a placeholder is literal, asterisks and all."""
    return _regex(pattern, {name: re.escape(said) for name, said in parts.items()})


def _regex(pattern: str, meanings: dict[str, str]) -> str:
    split = _PLACEHOLDER.split(pattern)
    return "".join(meanings[one] if at % 2 else quoted(one) for at, one in enumerate(split))


@lru_cache(maxsize=256)
def _shapes(pattern: str) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Of any original: the whole, what comes before the first wildcard, and what comes from there on."""
    head = opening(pattern)
    written = (_regex(one, PLACEHOLDERS) for one in (pattern, head, pattern[len(head) :]))
    whole, first, rest = (re.compile(one, re.DOTALL) for one in written)
    return whole, first, rest
