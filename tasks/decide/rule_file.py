"""The `rules` section of a policy: what counts only together, and what a label's context excuses."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import cast, get_args

from yaml.nodes import MappingNode, SequenceNode

from tasks.decide.combination import CONTEXT, Combination, Condition, Exemption, Group, Priority, Rules, covers
from tasks.decide.document import Document, Field, nearest
from tasks.decide.kinds import CATEGORIES, PII_TYPES, TOXIC_TYPES
from tasks.decide.label_file import label_path
from tasks.decide.policy import LEVELS
from tasks.decide.rule import MOST, Tier

#: How many of its conditions a group needs; None is all of them.
GROUPS: Mapping[str, int | None] = {"all of": None, "any of": 1, "two of": 2}
#: The threshold of what is there or is not.
SEEN = "seen"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_KEYS = ("when", "unless", "relax", "then", "priority")
#: Why a label that ends in a slash is none.
UNNAMED = '; nothing stands behind its last "/"'
EXAMPLE = "; they look like moderation/Weapons or pii/NAME"
#: The names of each kind of finding; none where an operator chooses them. A guardrail's topics are beside these.
NAMED: Mapping[str, tuple[str, ...]] = {
    "guardrail": (*CATEGORIES, "word/PROFANITY", "word/custom"),
    "classifier": ("hold", "reject"),
    "pii": PII_TYPES,
    "toxicity": TOXIC_TYPES,
    "content-type": (),
    "term": (),
    "known": (),
    "unreadable": (),
}
KINDS = ("moderation", *NAMED)


def read_rules(document: Document, section: Field | None, *, known: Mapping[str, Tier]) -> Rules:
    """All rules; `known` is what the lists of known content lead to."""
    combinations, exemptions = [], []
    for entry in (document.fields(section) if section else {}).values():
        if not _NAME.fullmatch(entry.name):
            document.blame(entry.line, f'rules: "{entry.name}" is no name of a rule; they look like "drawn-weapons"')
        said = document.known(entry, _KEYS, required=("when", "then"))
        if "relax" in said:
            exemptions.append(_exemption(document, entry, said, known=known))
        else:
            combinations.append(_combination(document, entry, said, known=known))
    return Rules(
        combinations=tuple(sorted(combinations, key=lambda one: one.name)),
        exemptions=tuple(sorted(exemptions, key=lambda one: one.name)),
    )


def _combination(
    document: Document, entry: Field, said: Mapping[str, Field], *, known: Mapping[str, Tier]
) -> Combination:
    then = document.choice(said["then"], ("hold", "reject")) if "then" in said else None
    priority = document.choice(said["priority"], get_args(Priority)) if "priority" in said else None
    when = _groups(document, said["when"]) if "when" in said else ()
    if when and all(_is_context(condition, known=known) for group in when for condition in group.of):
        document.blame(said["when"].line, f"{entry.name}: names only context, which is no violation by itself")
    return Combination(
        name=entry.name,
        when=when,
        unless=_context(document, said["unless"], known=known) if "unless" in said else (),
        then=Tier[(then or "hold").upper()],
        priority=cast("Priority", priority or "normal"),
    )


def _exemption(document: Document, entry: Field, said: Mapping[str, Field], *, known: Mapping[str, Tier]) -> Exemption:
    for name in ("unless", "priority"):
        if name in said:
            document.blame(said[name].line, f'{entry.name}: a rule that relaxes has no "{name}"')
    then = document.choice(said["then"], ("allow", "hold")) if "then" in said else None
    return Exemption(
        name=entry.name,
        relax=_relaxed(document, said["relax"]),
        when=_context(document, said["when"], known=known) if "when" in said else (),
        then=Tier[(then or "hold").upper()],
    )


def _groups(document: Document, section: Field) -> tuple[Group, ...]:
    """The groups in their one canonical form: all that must be met is one group, however it was written."""
    every: list[Condition] = []
    groups: list[Group] = []
    seen: dict[str, int] = {}
    for field in document.known(section, tuple(GROUPS)).values():
        conditions = _conditions(document, field, seen=seen)
        least = GROUPS[field.name] or len(conditions)
        if least > len(conditions) and conditions:
            document.blame(field.line, f"{field.name}: names fewer than {least} labels")
        if least >= len(conditions):
            every += conditions
        else:
            groups.append(Group(least, conditions))
    if every:
        groups.append(Group(len(every), tuple(sorted(every))))
    if isinstance(section.node, MappingNode) and all(one.is_empty for one in document.fields(section).values()):
        document.blame(section.line, f"when: names nothing; say {' or '.join(GROUPS)}")
    return tuple(sorted(groups))


def _conditions(
    document: Document, section: Field, *, seen: dict[str, int], kinds: Collection[str] = KINDS
) -> tuple[Condition, ...]:
    """The conditions of one mapping; `seen` are the labels of the rule so far, by line, and grows."""
    found = []
    for entry in document.fields(section).values():
        label = _label(document, entry, kinds=kinds)
        threshold = _threshold(document, entry, label=label)
        if label is None or threshold is None:
            continue
        for other, line in seen.items():
            if covers(label, other) or covers(other, label):
                document.blame(entry.line, f'{section.name}: "{label}" and "{other}" in line {line} are met by one')
        seen[label] = entry.line
        found.append(Condition(label, threshold))
    return tuple(sorted(found))


def _context(document: Document, section: Field, *, known: Mapping[str, Tier]) -> tuple[Condition, ...]:
    conditions = _conditions(document, section, seen={}, kinds=CONTEXT)
    lines = {field.name: field.line for field in document.fields(section).values()}
    for condition in conditions:
        kind, _, name = condition.label.partition("/")
        if kind == "known" and known.get(name) is not Tier.ALLOW:
            document.blame(lines[condition.label], f'{section.name}: "{name}" is no list that "known" allows')
    if section.is_empty:
        document.blame(section.line, f"{section.name}: names nothing")
    return conditions


def _relaxed(document: Document, field: Field) -> tuple[str, ...]:
    nodes = field.node.value if isinstance(field.node, SequenceNode) else [field.node]
    entries = [Field(field.name, node.start_mark.line + 1, node) for node in nodes]
    labels = []
    for entry in entries:
        written = document.text(entry)
        if written is not None:
            labels.append(_label(document, Field(written, entry.line, entry.node), kinds=("moderation",)))
    if not entries:
        document.blame(field.line, "relax: names no label")
    return tuple(sorted({label for label in labels if label}))


def _label(document: Document, entry: Field, *, kinds: Collection[str]) -> str | None:
    """The whole path of a label, as findings have it; `kinds` may stand here."""
    kind, _, name = entry.name.partition("/")
    if kind not in kinds:
        only = f"; here can stand only {' or '.join(f'{one}/' for one in kinds)}" if kind in KINDS else ""
        document.blame(entry.line, f'unknown label "{entry.name}"{only or nearest(kind, kinds) or EXAMPLE}')
        return None
    if kind == "moderation":
        return label_path(document, entry, name)
    if _is_name(kind, name):
        return entry.name
    near = UNNAMED if entry.name.endswith("/") else nearest(name, NAMED[kind], before=f"{kind}/")
    document.blame(entry.line, f'unknown label "{entry.name}"{near}')
    return None


def _is_name(kind: str, name: str) -> bool:
    if name.endswith("/"):
        return False
    if kind == "guardrail" and name.startswith("topic/"):
        return True
    if kind == "classifier":
        name = name.partition("/")[0]
    return name in NAMED[kind] if NAMED[kind] else bool(name)


def _threshold(document: Document, entry: Field, *, label: str | None) -> float | None:
    """A confidence, a level of the guardrail's categories, or `seen`."""
    written = getattr(entry.node, "value", None)
    if written == SEEN:
        return 0.0
    is_category = label is not None and label.removeprefix("guardrail/") in CATEGORIES
    level = LEVELS.get(str(written)) if is_category else None
    return document.number(entry, most=MOST) if level is None else level


def _is_context(condition: Condition, *, known: Mapping[str, Tier]) -> bool:
    """A list of known violations is no context."""
    kind, _, name = condition.label.partition("/")
    return kind == "content-type" or (kind == "known" and known.get(name) is Tier.ALLOW)
