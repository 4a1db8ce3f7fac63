"""The `accounts` section of a policy: strikes by rule, how long they count, and where they lead."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial
from types import MappingProxyType

from tasks.decide.accounts import NO_ACCOUNTS, STEPS, AccountRules
from tasks.decide.document import Document, Field
from tasks.decide.rule_name import FAMILIES, read_by_rule
from tasks.decide.rule_path import DEFAULT

KEYS = ("strikes", "decay", "thresholds")
#: Of one takedown, and the highest threshold.
MOST_STRIKES = 1000
#: Ten years.
MOST_DAYS = 3653
_DAYS = re.compile("[0-9]{1,5} days?")
#: What a rule that can lead to a takedown begins with.
TAKEDOWNS = {name: FAMILIES[name] for name in ("moderation", "guardrail", "term", "toxicity", "known", "unreadable")}
TAKEDOWNS |= {"classifier": ("reject",), "rules": ()}
_WHAT = "rule that takes something down"


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
    if section is None:
        return {}
    number = partial(_whole, document, least=0)
    return read_by_rule(document, section, number, rules=rules, families=TAKEDOWNS, what=_WHAT)


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
