"""Place: which keys of which buckets a surface, or a rendition, is about; patterns, and which of two is closer.

A pattern is a key in which `*` stands for any characters but `/`, and `**` for any characters at all, none included.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

#: The wildcards among the pieces of a pattern, none of which looks like a character.
STAR, STARS = "*/", "**"
#: ... and as they are written, the longer one first.
_WILD = re.compile(r"\*\*|\*")
#: What S3's own patterns, in a bucket policy's `Resource`, read otherwise than we do, or not as themselves.
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
_SPECIAL = re.compile(r"[*?]|\$\{")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Keys that begin with `prefix` or, where there is a `pattern`, those that fit it; of `buckets`, or of any."""

    prefix: str
    pattern: str
    buckets: tuple[str, ...]

    @property
    def globbed(self) -> tuple[str, ...]:
        """The pattern in its pieces."""
        return pieces(self.pattern) if self.pattern else (*self.prefix, STARS)

    @property
    def rank(self) -> tuple[bool, int, int, int]:
        """The closer place has the higher one.

        One that names its bucket comes before one that does not; then the one with more characters that are no
        wildcards; then the one with fewer `**`, and with fewer wildcards.
        """
        globbed = self.globbed
        wild, stars = globbed.count(STAR), globbed.count(STARS)
        return bool(self.buckets), len(globbed) - wild - stars, -stars, -wild

    def has(self, bucket: str, key: str) -> bool:
        """Whether a key of a bucket belongs here."""
        if self.buckets and bucket not in self.buckets:
            return False
        return fits(self.pattern, key) if self.pattern else key.startswith(self.prefix)

    def meets(self, other: Place) -> bool:
        """Whether some key of some bucket belongs to both."""
        named = not self.buckets or not other.buckets or set(self.buckets) & set(other.buckets)
        return bool(named) and _meet(self.globbed, other.globbed)

    def of_bucket_policy(self) -> str:
        """The keys as a bucket policy's Resource names them: `avatars/*`. Raises ValueError where it cannot."""
        literal = self.prefix if not self.pattern else self.pattern.replace("**", "")
        if found := _SPECIAL.search(literal):
            if self.pattern and found[0] == "*":
                raise ValueError("the * of a bucket policy goes across /, so write ** here")
            raise ValueError(f'"{found[0]}" means something else in a bucket policy')
        return self.pattern.replace("**", "*") if self.pattern else f"{self.prefix}*"


def pieces(pattern: str) -> tuple[str, ...]:
    """A pattern's single characters, STAR and STARS, in order."""
    found: list[str] = []
    at = 0
    for wild in _WILD.finditer(pattern):
        found += [*pattern[at : wild.start()], STARS if wild[0] == STARS else STAR]
        at = wild.end()
    return (*found, *pattern[at:])


def fits(pattern: str, key: str) -> bool:
    """Whether a whole key is one that the pattern stands for."""
    return _regex(pattern).fullmatch(key) is not None


def quoted(text: str) -> str:
    """A part of a regular expression that is just this text with its wildcards."""
    return "".join({STAR: "[^/]*", STARS: ".*"}.get(one) or re.escape(one) for one in pieces(text))


@lru_cache(maxsize=1024)
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(quoted(pattern), re.DOTALL)


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one text fits both: a walk over how far it may have come in each."""
    ends, seen = (len(one), len(other)), {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        here = waiting.pop()
        if here == ends:
            return True
        new = {step for step in _steps(one, other, here) if step not in seen}
        seen |= new
        waiting += new
    return False


def _steps(one: tuple[str, ...], other: tuple[str, ...], here: tuple[int, int]) -> list[tuple[int, int]]:
    i, j = here
    left = one[i] if i < len(one) else ""
    right = other[j] if j < len(other) else ""
    steps = []
    if left in (STAR, STARS):
        steps.append((i + 1, j))
        if _takes(left, right):
            steps.append((i, j + 1))
    if right in (STAR, STARS):
        steps.append((i, j + 1))
        if _takes(right, left):
            steps.append((i + 1, j))
    if left == right:
        steps.append((i + 1, j + 1))
    return steps


def _takes(wild: str, character: str) -> bool:
    """Whether a wildcard may stand for the one character that is next on the other side."""
    return character not in ("", STAR, STARS) and (wild == STARS or character != "/")
