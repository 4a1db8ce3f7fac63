"""The `labels` section of a policy: thresholds by v7 label, inherited from the nearest configured ancestor."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from yaml.nodes import MappingNode

from tasks.decide.document import Document, Field
from tasks.decide.rule import MOST, Ladder
from tasks.decide.taxonomy import LEVEL_1, PATHS, UnknownLabel, full_path, known_path, lineage

#: What one entry says: a threshold or None (never) for each tier that it names.
Entry = Mapping[str, float | None]
#: By full path.
Entries = Mapping[str, Entry]
_TIERS = ("hold", "reject")


def read_labels(document: Document, section: Field) -> Entries:
    """What each entry says, by full path; every first-level label must be there."""
    fields = _by_path(document, section)
    for name in LEVEL_1:
        if name not in fields:
            document.blame(section.line, f'labels: "{name}" is not configured; say "ignore: true" if it may pass')
    entries = {path: _entry(document, entry) for path, entry in fields.items()}
    for path, entry in fields.items():
        _check_order(document, entry, path=path, ladder=_ladder(entries, path))
    return entries


def read_overrides(document: Document, section: Field, *, usual: Entries) -> Mapping[str, Ladder]:
    """The ladders that are others on one surface, where what its own labels say stands above the `usual` entries."""
    fields = _by_path(document, section)
    own = {path: _entry(document, entry) for path, entry in fields.items()}
    entries = {path: {**usual.get(path, {}), **own.get(path, {})} for path in (*usual, *own)}
    changed: dict[str, Ladder] = {}
    for path in PATHS:
        ladder = _ladder(entries, path)
        if ladder == _ladder(usual, path):
            continue
        changed[path] = ladder
        # Whether it stands there itself, or what it inherits from does.
        if path in entries:
            nearest = next(one for one in lineage(path) if one in fields)
            _check_order(document, fields[nearest], path=path, ladder=ladder)
    return MappingProxyType(changed)


def ladders(entries: Entries) -> Mapping[str, Ladder]:
    """The thresholds of every label of the taxonomy, by full path."""
    return MappingProxyType({path: _ladder(entries, path) for path in PATHS})


def label_path(document: Document, field: Field, name: str) -> str | None:
    """A label as a path of rules, as findings have it; None, noted in the field's line, where there is none."""
    path = _known(document, field, name)
    return f"moderation/{path}" if path else None


def _known(document: Document, field: Field, name: str, *, where: str = "") -> str | None:
    try:
        return full_path(name)
    except UnknownLabel as error:
        document.blame(field.line, f"{where}{error}")
        return None


def _ladder(entries: Entries, path: str) -> Ladder:
    return Ladder(**{tier: _inherited(entries, path, tier) for tier in _TIERS})


def _by_path(document: Document, section: Field) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for entry in document.fields(section).values():
        path = _known(document, entry, entry.name, where="labels: ")
        if path is None:
            continue
        if path in fields:
            document.blame(entry.line, f'labels: "{entry.name}" is configured twice; first in line {fields[path].line}')
        else:
            fields[path] = entry
    return fields


def _entry(document: Document, entry: Field) -> Entry:
    known = document.known(entry, (*_TIERS, "ignore", "redact"))
    if isinstance(entry.node, MappingNode) and not entry.node.value:
        document.blame(entry.line, f'{entry.name}: says nothing; give "hold", "reject" or "ignore: true"')
    if "redact" in known:
        document.blame(known["redact"].line, f"{entry.name}: a picture cannot be redacted; say hold or reject")
    if "ignore" in known:
        document.truth(known["ignore"])
        if len(known) > 1:
            document.blame(known["ignore"].line, f"{entry.name}: ignored labels have no thresholds")
        return dict.fromkeys(_TIERS)
    return {tier: read_threshold(document, known[tier]) for tier in _TIERS if tier in known}


def read_threshold(document: Document, field: Field) -> float | None:
    """A confidence from 0 to 100, or `never`, which is None."""
    return None if getattr(field.node, "value", None) == "never" else document.number(field, most=MOST)


def _inherited(entries: Entries, path: str, tier: str) -> float | None:
    named = (entries[ancestor] for ancestor in lineage(path) if tier in entries.get(ancestor, {}))
    return next((entry[tier] for entry in named), None)


def _check_order(document: Document, entry: Field, *, path: str, ladder: Ladder) -> None:
    if ladder.hold is not None and ladder.reject is not None and ladder.hold > ladder.reject:
        below = "" if known_path(entry.name) == path else f' of "{path.rpartition("/")[2]}"'
        document.blame(
            entry.line,
            f"{entry.name}: hold{below} at {ladder.hold:g} is above reject at {ladder.reject:g} (own or inherited), "
            "so nothing would ever be held; turn them round, or say never",
        )
