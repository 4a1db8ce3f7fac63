"""The `review` section of a policy: severities by rule, and hours by severity."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from types import MappingProxyType

from yaml.nodes import SequenceNode

from tasks.decide.document import Document, Field
from tasks.decide.review import SEVERITIES, WAITING, ReviewRules
from tasks.decide.rule_name import read_by_rule

HOURS, BY_RULE, SECOND = "hours", "severities", "second_reviewer"
#: A year: who wants more wants no deadline.
MOST_HOURS = 8_760


def read_review(document: Document, section: Field | None, *, rules: Collection[str]) -> ReviewRules:
    """Severities, hours and second reviewers; `rules` are the names in the section of that name."""
    known = document.known(section, (HOURS, BY_RULE, SECOND)) if section else {}
    hours = document.known(known[HOURS], WAITING) if HOURS in known else {}
    within = {name: document.number(field, most=MOST_HOURS) for name, field in hours.items()}
    severity = partial(document.choice, allowed=SEVERITIES)
    by_path = read_by_rule(document, known[BY_RULE], severity, rules=rules) if BY_RULE in known else {}
    return ReviewRules(
        hours=MappingProxyType({name: number for name, number in within.items() if number is not None}),
        severities=MappingProxyType(by_path),
        second=_second(document, known[SECOND]) if SECOND in known else (),
    )


def _second(document: Document, field: Field) -> tuple[str, ...]:
    """In the order of severities, whatever theirs is in the file."""
    nodes = field.node.value if isinstance(field.node, SequenceNode) else [field.node]
    entries = [Field(field.name, node.start_mark.line + 1, node) for node in nodes]
    named = {document.choice(entry, SEVERITIES) for entry in entries}
    return tuple(severity for severity in SEVERITIES if severity in named)
