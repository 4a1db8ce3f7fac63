"""Wording: how labels, lengths, sizes and moments are said to a reviewer."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.decide.rule_path import path_of

#: What kinds of rules are about, without saying how sure a detector is or what exactly it takes the thing for.
GROUPS = {
    "guardrail": "Abusive or unsafe text",
    "classifier": "Abusive or unsafe text",
    "toxicity": "Abusive or unsafe text",
    "pii": "Personal data",
    "term": "Banned words",
    "known": "Known content",
    "unreadable": "Could not be looked at",
    "part": "A part of the post",
    "rules": "Several signs together",
    "brake": "Too many takedowns at once",
}
OTHER = "Other"
KIB = 1024
_UNITS = ("KB", "MB", "GB", "TB")


def group_of(rule: str) -> str:
    """The broad group of a rule or a label: `labels/Violence/Weapons>=70` is `Violence`."""
    kind, _, rest = path_of(rule).partition("/")
    return rest.partition("/")[0] or OTHER if kind == "moderation" else GROUPS.get(kind, OTHER)


def groups_of(rules: Iterable[str]) -> list[str]:
    """The broad groups of rules or labels, each once."""
    return list(dict.fromkeys(map(group_of, rules)))


def plain_label(label: str) -> str:
    """A label as people read it: `moderation/Violence/Weapons` is `Violence, Weapons`."""
    kind, _, rest = label.partition("/")
    words = (rest if kind in ("moderation", "content-type") else label).replace("_", " ")
    return words.replace("/", ", ") or label


def minutes(milliseconds: int) -> str:
    """`0:41`, or `1:02:03`, of a place in a video."""
    seconds = max(milliseconds, 0) // 1000
    hours, rest = divmod(seconds, 3600)
    first, last = divmod(rest, 60)
    return f"{hours}:{first:02}:{last:02}" if hours else f"{first}:{last:02}"


def size(count: int) -> str:
    """`1.4 MB` of so many bytes."""
    amount, unit = float(count), "bytes"
    for name in _UNITS:
        if amount < KIB:
            break
        amount, unit = amount / KIB, name
    return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 10 else f"{amount:.1f} {unit}"


def lasting(seconds: float) -> str:
    """`1 h 12 m`: a time by its two largest units."""
    left, said = int(seconds), list[str]()
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        amount, left = divmod(left, size)
        if amount or said or unit == "s":
            said.append(f"{amount} {unit}")
    return " ".join(said[:2])
