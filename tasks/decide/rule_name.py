"""The names of rules, as sections of a policy and people's rulings write them, read into paths."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from tasks.decide.document import Document, Field, nearest
from tasks.decide.rule_file import NAMED, UNNAMED
from tasks.decide.rule_path import DEFAULT, path_of
from tasks.decide.taxonomy import PATHS, UnknownLabel, full_path

#: What rules begin with, and what comes behind; nothing where an operator chooses the names.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "moderation": PATHS,
    "guardrail": (*NAMED["guardrail"], "topic", "word"),
    **{kind: NAMED[kind] for kind in ("classifier", "pii", "toxicity", "term", "known", "unreadable")},
    "part": ("held", "rejected"),
    **dict.fromkeys(("rules", "brake", "unknown-label", "impossible-confidence"), ()),
}
#: Of which what comes behind may go on: `guardrail/topic/NAME`, `classifier/reject/minor-safety`.
_GO_ON: Mapping[str, tuple[str, ...]] = {"guardrail": ("topic",), "classifier": ("hold", "reject")}
#: What comes behind a name that nothing comes behind.
NOTHING = ("",)
_EXAMPLE = "; they look like moderation/Weapons or guardrail/HATE"
_T = TypeVar("_T")


class UnknownRule(ValueError):
    """A name that no rule has; the message says the nearest right one."""


def rule_path(
    name: str, *, rules: Collection[str], families: Mapping[str, tuple[str, ...]] = FAMILIES, what: str = "rule"
) -> str:
    """The path of the rules that somebody names, labels by their full path. Raises UnknownRule.

    `rules` are the names of the policy's own. Of the `families`, whose rules are each a `what`, one may be named whole.
    """
    family, _, rest = path_of(name).partition("/")
    if family not in families:
        raise UnknownRule(f'"{name}" names no {what}{nearest(family, families) or _EXAMPLE}')
    if name.endswith("/"):
        raise UnknownRule(f'"{name}" names no {what}{UNNAMED}')
    if family == "moderation" and rest:
        try:
            return f"moderation/{full_path(rest)}"
        except UnknownLabel as unknown:
            raise UnknownRule(str(unknown)) from None
    names = tuple(rules) if family == "rules" else families[family]
    # No rules at all is no reason to take any name for one.
    if rest and (names or family == "rules") and not _is_among(rest, names, go_on=_GO_ON.get(family, ())):
        raise UnknownRule(f'"{name}" names no {what}{nearest(rest, names, before=f"{family}/")}')
    return f"{family}/{rest}" if rest else family


def read_by_rule(
    document: Document,
    section: Field,
    read: Callable[[Field], _T | None],
    *,
    rules: Collection[str],
    families: Mapping[str, tuple[str, ...]] = FAMILIES,
    what: str = "rule",
) -> dict[str, _T]:
    """What a section says by the path of a rule, or `default`; `read` reads one value."""
    found: dict[str, _T] = {}
    known = {**families, DEFAULT: NOTHING}
    for entry in document.fields(section).values():
        value = read(entry)
        try:
            path = rule_path(entry.name, rules=rules, families=known, what=what)
        except UnknownRule as unknown:
            document.blame(entry.line, f"{section.name}: {unknown}")
            continue
        if path in found:
            document.blame(entry.line, f'"{entry.name}" stands twice, once by its full path')
        if value is not None:
            found[path] = value
    return found


def _is_among(name: str, names: Collection[str], *, go_on: Collection[str]) -> bool:
    head = name.partition("/")[0]
    return name in names or (head in go_on and head in names)
