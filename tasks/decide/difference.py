"""Difference: what one policy says otherwise than another, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass

from tasks.decide.combination import Rules
from tasks.decide.policy import LEVELS, Policy
from tasks.decide.rule import Ladder, Tier
from tasks.decide.taxonomy import PATHS, lineage

_ABSENT = object()
#: How somebody who does not know the code calls a part of the policy.
_SECTIONS = {"reject_from_severity": "classifier"}
_CALLED: dict[tuple[str, ...], str] = {
    ("terms", "other"): "default",
    ("unreadable", "other"): "default",
    ("guardrail", "other_topics"): "topics default",
    ("review", "second"): "second reviewer",
}
#: Names that the policy file does not have, or that say nothing.
_UNSAID = ("categories", "types", "tiers", "lists", "reasons")
_DONE = {Tier.ALLOW: "allowed", Tier.REDACT: "masked", Tier.HOLD: "held", Tier.REJECT: "rejected"}
_REACHED = {"gray": "gray", "hold": "held", "reject": "rejected"}
_LEVEL_NAMES = {number: name for name, number in LEVELS.items()}


@dataclass(frozen=True, slots=True)
class _Change:
    """One value that differs; `step` names the one of a ladder, and is empty for anything else."""

    path: tuple[str, ...]
    old: object
    new: object
    step: str = ""

    @property
    def section(self) -> str:
        """The part of the policy, or the surface, that it belongs to."""
        if self.path[0] == "surfaces":
            return self.path[1]
        return _SECTIONS.get(self.path[0], self.path[0])

    @property
    def subject(self) -> str:
        """What it is about."""
        return _CALLED.get(self.path, self.path[-1])

    @property
    def alike(self) -> tuple[str, ...]:
        """What changes of one default have in common, and changes of two things do not."""
        return (*self.path[:-1], self.step, repr(self.old), repr(self.new))


def differences(old: Policy, new: Policy) -> tuple[str, ...]:
    """One line for each thing that the new policy says otherwise; none where both say the same.

    What is inherited changes with what it is inherited from, and is told in the same line.
    """
    groups: dict[tuple[str, ...], list[_Change]] = {}
    for change in _walk((), old, new):
        if change.path != ("version",):
            groups.setdefault(change.alike if _is_judgement(change) else change.path, []).append(change)
    return tuple(_line(changes) for changes in groups.values())


def _walk(path: tuple[str, ...], old: object, new: object) -> Iterator[_Change]:
    """Every value that differs, in the order of the policy."""
    before, after = _parts(old), _parts(new)
    # A rule that relaxes has not the parts of one that does not.
    if before is None or after is None or (is_dataclass(old) and type(old) is not type(new)):
        if old != new:
            yield _Change(path, old, new)
        return
    for name in dict.fromkeys((*before, *after)):
        was, now = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if not isinstance(new, Ladder):
            yield from _walk((*path, name), was, now)
        elif was != now:
            yield _Change(path, was, now, step=name)


def _parts(value: object) -> Mapping[str, object] | None:
    """What a value is made of; None where it is one thing."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, Rules):  # in the file, one list
        return _parts((*value.combinations, *value.exemptions))
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value) if not field.metadata.get("derived")}
    if isinstance(value, tuple) and all(hasattr(one, "name") for one in value):
        return {one.name: one for one in value}
    return None


def _is_judgement(change: _Change) -> bool:
    return bool(change.step) or any(isinstance(value, Tier | Ladder) for value in (change.old, change.new))


def _line(changes: list[_Change]) -> str:
    one, subjects = changes[0], _subjects([change.subject for change in changes])
    if one.new is _ABSENT:
        was = f", was {_value(one.old, one)}" if isinstance(one.old, Tier | Ladder | int) else ""
        return f"{_about(one, subjects)} is not named any more{was}"
    if one.old is _ABSENT:
        return (
            f"{_about(one, subjects)} is new"
            f"{f': {_value(one.new, one)}' if isinstance(one.new, Tier | Ladder | int) else ''}"
        )
    verb = "are" if ", " in subjects else "is"
    if not (_is_plain(one.old) and _is_plain(one.new)):
        return f"{_about(one, subjects)} {verb} changed"
    if not one.step:
        return f"{_about(one, subjects)} {verb} {_value(one.new, one)}, was {_value(one.old, one)}"
    done = _REACHED[one.step]
    if one.new is None:
        return f"{_about(one, subjects)} {verb} never {done}, was from {_value(one.old, one)}"
    return f"{_about(one, subjects)} {verb} {done} from {_value(one.new, one)}, was {_value(one.old, one)}"


def _about(change: _Change, subjects: str) -> str:
    if len(change.path) == 2 and change.path[0] == "surfaces":
        return f"surfaces: {change.path[1]}"
    between = () if change.path[0] == "surfaces" else change.path[1:-1]
    kind = "".join(f"{name} " for name in between if name not in _UNSAID)
    return f"{change.section}: {kind}{subjects}"


def _subjects(names: list[str]) -> str:
    """Names in a row; a label stands for those below it that change with it."""
    labels = [name for name in names if name in PATHS]
    if len(labels) < len(names):
        return ", ".join(names)
    tops = [name for name in labels if not set(lineage(name)[1:]) & set(labels)]
    below = len(labels) - len(tops)
    said = ", ".join(name.rpartition("/")[2] for name in tops)
    return f"{said} (and {below} below)" if below else said


def _value(value: object, change: _Change) -> str:
    if isinstance(value, Ladder):
        said = {name: getattr(value, step) for step, name in _REACHED.items()}
        return ", ".join(f"{name} from {at:g}" for name, at in said.items() if at is not None) or "ignored"
    if isinstance(value, Tier):
        return _DONE[value]
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return _number(value, section="retention" if change.path == ("accounts", "decay") else change.path[0])
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return "never" if value is None else str(value) or '""'


def _number(value: float, *, section: str) -> str:
    if section == "retention":
        return f"{value:g} days"
    return _LEVEL_NAMES.get(value, f"{value:g}") if section == "guardrail" else f"{value:g}"


def _is_plain(value: object) -> bool:
    """Whether a value fits into a line; a structure in its old and its new shape would help nobody."""
    if isinstance(value, tuple):
        return all(isinstance(one, str) for one in value)
    return value is None or isinstance(value, str | int | float)
