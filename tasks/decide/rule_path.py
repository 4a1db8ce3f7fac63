"""A rule as a path, by which sections of a policy name it: what is said of a path holds for those below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from tasks.detect.finding import Finding

#: What holds where no path is named.
DEFAULT = "default"
_ENDS = (">=", " below severity ", " cannot be masked")
_T = TypeVar("_T")


def path_of(rule: str) -> str:
    """`labels/Violence/Weapons>=90` is `moderation/Violence/Weapons`; other rules lose what they say of numbers."""
    for end in _ENDS:
        rule = rule.partition(end)[0]
    return f"moderation/{rule.removeprefix('labels/')}" if rule.startswith("labels/") else rule


def paths_of(rules: Iterable[str], findings: Iterable[Finding] = ()) -> tuple[str, ...]:
    """The paths of a decision's rules, each once; a verdict of the classifier's goes on with the rule that it named."""
    seen = tuple(findings)
    return tuple(dict.fromkeys(path for rule in rules for path in _precise(path_of(rule), seen)))


def above(path: str) -> Iterator[str]:
    """The path, those above it, the nearest first, and `default`."""
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield DEFAULT


def said_of(path: str, said: Mapping[str, _T]) -> _T | None:
    """What is said of a path, or of the nearest above it; None where even `default` is not said."""
    return next((said[one] for one in above(path) if one in said), None)


def _precise(path: str, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    if not path.startswith("classifier/"):
        return (path,)
    named = sorted({finding.rule for finding in findings if finding.label == path and finding.rule})
    return tuple(f"{path}/{rule}" for rule in named) or (path,)
