"""The policy page: the text in force, who put it there and when, and what it says otherwise than the one before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import yaml
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from yaml.nodes import MappingNode, Node, ScalarNode

from tasks.decide.difference import differences
from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.desk import Desk
from tasks.record.policies import Change, How, Policies, UnknownPolicy
from worker.console.door import permits
from worker.console.pages import page
from worker.console.roles import Permission
from worker.console.sessions import Visitor

router = APIRouter()

#: Changes of policy that are listed.
CHANGES = 20
#: Where a section's rules are not its own keys but those of one of these.
_INNER = ("types", "topics", "words", "rules", "strikes", "severities", "takedowns_per_hour")
#: Rules that are named otherwise than the section which has them.
_SECTIONS = {"term": "terms", "part": "surfaces", "rendition": "surfaces"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the policy's text, and by what it can be linked to; most cannot."""

    number: int
    text: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A policy as the page shows it."""

    version: str
    lines: tuple[Line, ...]
    #: The policy's sections, in their order.
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Differs:
    """What a policy says otherwise than another one, in words; or why nobody can tell."""

    version: str
    lines: tuple[str, ...] = ()
    unknown: str = ""


@router.get("/policy")
def show(
    request: Request, visitor: Annotated[Visitor, Depends(permits(Permission.POLICY))], rule: str = ""
) -> Response:
    """The text; `rule`, as a decision names it, is marked in it."""
    desk: Desk = request.app.state.console.desk
    store = Policies(desk.aws, desk.settings.items_table)
    change = store.in_force()
    text = _text(desk, store, change)
    version = change.version if change else desk.policy.version
    shown = shown_as(text, version)
    return page(
        request,
        "policy.html",
        visitor=visitor,
        shown=shown,
        change=change,
        # The console takes up what comes into force a moment later, as each worker does.
        taken_up=desk.policy.version == version,
        before=_before(store, change),
        changes=_changes(store, change),
        rule=rule,
        marked=anchor_of(rule, {line.anchor for line in shown.lines}) if rule else "",
    )


@lru_cache(maxsize=4)
def shown_as(text: str, version: str) -> Shown:
    """A policy's text by lines."""
    anchors = anchors_in(text)
    lines = tuple(Line(number, line, anchors.get(number, "")) for number, line in enumerate(text.splitlines(), start=1))
    return Shown(version, lines, tuple(one for one in anchors.values() if "/" not in one))


def anchors_in(text: str) -> dict[int, str]:
    """Line, counted from 1 -> the name by which to link to it: a section, or a rule as `section/rule`."""
    found: dict[str, int] = {}
    for name, line in _names(yaml.compose(text, Loader=yaml.SafeLoader)):
        found.setdefault(_plain(name), line)
    # Where one line has several, the first is the one that the others stand in.
    return dict(sorted({line: name for name, line in reversed(found.items())}.items()))


def anchor_of(rule: str, anchors: set[str]) -> str:
    """Where the policy speaks of a rule (`labels/Violence/Weapons>=90`), or of the nearest above; empty if nowhere."""
    section, *path = re.split(r">=| below severity | cannot be masked", rule)[0].split("/")
    section = _SECTIONS.get(section, "labels" if section == "moderation" else section)
    # Labels stand in the file by their own name, and inherit from those above them.
    tried = [f"{section}/{name}" for name in ("/".join(path), *reversed(path), "default")]
    return next((name for name in map(_plain, (*tried, section)) if name in anchors), "")


def _names(root: Node | None) -> Iterator[tuple[str, int]]:
    for section, line, inside in _keys(root):
        yield section, line
        for name, at, within in _keys(inside):
            yield f"{section}/{name}", at
            if name in _INNER:
                yield from ((f"{section}/{one}", below) for one, below, _ in _keys(within))


def _keys(node: Node | None) -> Iterator[tuple[str, int, Node]]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode):
                yield str(key.value), key.start_mark.line + 1, value


def _plain(name: str) -> str:
    """As an element's id may be."""
    return re.sub(r"[^\w/.-]+", "-", name)


def _text(desk: Desk, store: Policies, change: Change | None) -> str:
    """As it was written. A worker's own file may be too large to be stored: then it is this process's own."""
    if change is None:
        return desk.settings.policy_file.read_text("utf-8")
    try:
        return store.text(change.version)
    except UnknownPolicy:
        return desk.settings.policy_file.read_text("utf-8") if change.how is How.FILE else ""


def _before(store: Policies, change: Change | None) -> Differs | None:
    """Against the policy that was in force before; None where there was none."""
    if change is None or change.replaced in ("", change.version):
        return None
    try:
        return _compared(change.replaced, store.text(change.replaced), store.text(change.version))
    except (PolicyError, UnknownPolicy) as error:
        return Differs(change.replaced, unknown=str(error))


@lru_cache(maxsize=4)
def _compared(version: str, old: str, new: str) -> Differs:
    """What a text says otherwise than that of a version. Raises PolicyError. Kept, for texts never change."""
    return Differs(
        version, differences(parse_policy(old, source=version), parse_policy(new, source="the one in force"))
    )


def _changes(store: Policies, last: Change | None) -> list[Change]:
    """The newest first."""
    return [*store.history(since=max(1, last.number - CHANGES + 1))][::-1] if last else []
