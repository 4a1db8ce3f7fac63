"""The `accounts` section of a policy: strikes by rule, how long they count, and where they lead."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

from tasks.decide.accounts import NO_ACCOUNTS, STEPS, AccountRules
from tasks.decide.document import Document, Field, nearest
from tasks.decide.label_file import label_path
from tasks.decide.rule_file import NAMED
from tasks.decide.rule_path import DEFAULT

KEYS = ("strikes", "decay", "thresholds")
#: Of one takedown, and the highest threshold.
MOST_STRIKES = 1000
#: Ten years.
MOST_DAYS = 3653
_DAYS = re.compile("[0-9]{1,5} days?")
#: Kinds of rules that can lead to a takedown, and their names where an operator does not choose them.
NAMES: Mapping[str, tuple[str, ...]] = {
    "moderation": (),
    "guardrail": (*NAMED["guardrail"], "word", "topic"),
    "classifier": ("reject",),
    "term": (),
    "toxicity": NAMED["toxicity"],
    "known": (),
    "unreadable": (),
    "rules": (),
}
#: Names that go on as somebody chooses: `guardrail/topic/NAME`, `classifier/reject/minor-safety`.
_GO_ON = ("guardrail/topic/", "classifier/reject/")
_EXAMPLE = "; they look like moderation/Weapons or guardrail/HATE"


def read_accounts(document: Document, section: Field | None, *, rules: Collection[str]) -> AccountRules:
    """What is said of accounts; `rules` are the names of the policy's own rules. Without the section, nothing."""
    if section is None:
        return NO_ACCOUNTS
    known = document.known(section, KEYS)
    return AccountRules(
        strikes=MappingProxyType({DEFAULT: 1} | _strikes(document, known.get("strikes"), rules=rules)),
        decay=_days(document, known["decay"]) if "decay" in known else NO_ACCOUNTS.decay,
        thresholds=MappingProxyType(_thresholds(document, known.get("thresholds"))),
    )


def _strikes(document: Document, section: Field | None, *, rules: Collection[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in (document.fields(section) if section else {}).values():
        path, strikes = _path(document, entry, rules=rules), _whole(document, entry, least=0)
        if path in found:
            document.blame(entry.line, f'"{entry.name}" stands twice, once by its full path')
        if path is not None and strikes is not None:
            found[path] = strikes
    return found


def _path(document: Document, entry: Field, *, rules: Collection[str]) -> str | None:
    """The whole path of the rules that an entry is about; a label may be named by its last name."""
    kind, _, name = entry.name.partition("/")
    if entry.name == DEFAULT:
        return DEFAULT
    if kind not in NAMES:
        near = nearest(kind, (*NAMES, DEFAULT)) or _EXAMPLE
        document.blame(entry.line, f'strikes: "{entry.name}" names no rule that takes something down{near}')
        return None
    if kind == "moderation" and name:
        return label_path(document, entry, name, where="strikes: ")
    names = tuple(rules) if kind == "rules" else NAMES[kind]
    # No rules at all is no reason to take any name for one.
    is_unknown = name and (names or kind == "rules") and name not in names and not entry.name.startswith(_GO_ON)
    if is_unknown or entry.name.endswith("/"):
        near = nearest(name, names)
        document.blame(entry.line, f'strikes: "{entry.name}" names no rule that takes something down{near}')
        return None
    return entry.name


def _thresholds(document: Document, section: Field | None) -> dict[str, int]:
    known = document.known(section, STEPS) if section else {}
    said = {name: _whole(document, known[name], least=1) for name in STEPS if name in known}
    found = {name: strikes for name, strikes in said.items() if strikes is not None}
    for lower, higher in zip(found, list(found)[1:], strict=False):
        if found[lower] >= found[higher]:
            line = known[higher].line
            document.blame(line, f"thresholds: {higher} at {found[higher]} must be above {lower} at {found[lower]}")
    return found


def _whole(document: Document, field: Field, *, least: int) -> int | None:
    number = document.number(field, most=MOST_STRIKES)
    if number is None:
        return None
    if number < least or not number.is_integer():
        document.blame(field.line, f"{field.name}: must be a whole number from {least} to {MOST_STRIKES}")
        return None
    return int(number)


def _days(document: Document, field: Field) -> int:
    """`90 days` as a number; a problem is noted, and the number is then none that anybody uses."""
    written = str(getattr(field.node, "value", ""))
    days = int(written.partition(" ")[0]) if _DAYS.fullmatch(written) else 0
    if not 1 <= days <= MOST_DAYS:
        said = f' (it is "{written}")' if isinstance(getattr(field.node, "value", None), str) else ""
        document.blame(field.line, f"decay: must be a number of days up to {MOST_DAYS}, such as 90 days{said}")
    return days
