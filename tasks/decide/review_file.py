"""The `review` section of a policy: severities by rule, and hours by severity."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from yaml.nodes import SequenceNode

from tasks.decide.document import Document, Field, nearest
from tasks.decide.kinds import CATEGORIES, PII_TYPES, TOXIC_TYPES
from tasks.decide.label_file import label_path
from tasks.decide.review import SEVERITIES, WAITING, ReviewRules
from tasks.decide.rule_path import DEFAULT, path_of
from tasks.decide.taxonomy import PATHS

HOURS, BY_RULE, SECOND = "hours", "severities", "second_reviewer"
#: A year: who wants more wants no deadline.
MOST_HOURS = 8_760
#: How rules are named, and what may come behind; nothing where an operator chooses the names.
RULE_KINDS: Mapping[str, tuple[str, ...]] = {
    "moderation": PATHS,
    "guardrail": (*CATEGORIES, "topic", "word", "word/PROFANITY", "word/custom"),
    "classifier": ("hold", "reject"),
    "pii": PII_TYPES,
    "toxicity": TOXIC_TYPES,
    "term": (),
    "known": (),
    "part": ("held", "rejected"),
    "unreadable": (),
    "rules": (),
    "brake": (),
    "unknown-label": (),
    "impossible-confidence": (),
}
#: Of which what comes behind may go on: `guardrail/topic/NAME`, `classifier/reject/minor-safety`.
_GO_ON = ("guardrail/topic", "classifier/hold", "classifier/reject")
_EXAMPLE = "; they look like moderation/Weapons or guardrail/HATE"


def read_review(document: Document, section: Field | None, *, rules: Collection[str]) -> ReviewRules:
    """Severities, hours and second reviewers; `rules` are the names in the section of that name."""
    known = document.known(section, (HOURS, BY_RULE, SECOND)) if section else {}
    hours = document.known(known[HOURS], WAITING) if HOURS in known else {}
    named = document.fields(known[BY_RULE]) if BY_RULE in known else {}
    within = {name: document.number(field, most=MOST_HOURS) for name, field in hours.items()}
    by_path = {read_path(document, field, rules=rules): document.choice(field, SEVERITIES) for field in named.values()}
    return ReviewRules(
        hours=MappingProxyType({name: number for name, number in within.items() if number is not None}),
        severities=MappingProxyType({path: one for path, one in by_path.items() if path and one}),
        second=_second(document, known[SECOND]) if SECOND in known else (),
    )


def _second(document: Document, field: Field) -> tuple[str, ...]:
    """In the order of severities, whatever theirs is in the file."""
    nodes = field.node.value if isinstance(field.node, SequenceNode) else [field.node]
    entries = [Field(field.name, node.start_mark.line + 1, node) for node in nodes]
    named = {document.choice(entry, SEVERITIES) for entry in entries}
    return tuple(severity for severity in SEVERITIES if severity in named)


def read_path(document: Document, field: Field, *, rules: Collection[str]) -> str | None:
    """The path of rules that a key names, labels by their full path."""
    kind, _, rest = path_of(field.name).partition("/")
    if field.name == DEFAULT:
        return DEFAULT
    if kind not in RULE_KINDS:
        near = nearest(kind, (*RULE_KINDS, DEFAULT)) or _EXAMPLE
        document.blame(field.line, f'"{field.name}" names no rules{near}')
        return None
    if kind == "moderation" and rest:
        return label_path(document, field, rest)
    names = tuple(rules) if kind == "rules" else RULE_KINDS[kind]
    path = f"{kind}/{rest}" if rest else kind
    is_unknown = rest and names and rest not in names and not path.startswith(tuple(f"{one}/" for one in _GO_ON))
    if is_unknown or path.endswith("/"):
        document.blame(field.line, f'"{field.name}" names no rules{nearest(rest, names)}')
        return None
    return path
