"""The `labels` section of a policy: thresholds by v7 label, inherited from the nearest configured ancestor."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from yaml.nodes import MappingNode

from tasks.decide.document import Document, Field
from tasks.decide.rule import MOST, Ladder
from tasks.decide.taxonomy import LEVEL_1, PATHS, UnknownLabel, full_path, lineage

#: What one entry says: a threshold or None (never) for each tier that it names.
Entry = Mapping[str, float | None]
_TIERS = ("hold", "reject")


def read_labels(document: Document, section: Field) -> Mapping[str, Ladder]:
    """The thresholds of every label of the taxonomy, by full path."""
    fields = _by_path(document, section)
    entries = {path: _entry(document, entry) for path, entry in fields.items()}
    for name in LEVEL_1:
        if name not in fields:
            document.blame(section.line, f'labels: "{name}" is not configured; say "ignore: true" if it may pass')
    ladders = {path: Ladder(**{tier: _inherited(entries, path, tier) for tier in _TIERS}) for path in PATHS}
    for path, entry in fields.items():
        _check_order(document, entry, ladders[path])
    return MappingProxyType(ladders)


def _by_path(document: Document, section: Field) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for entry in document.fields(section).values():
        try:
            path = full_path(entry.name)
        except UnknownLabel as error:
            document.blame(entry.line, f"labels: {error}")
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


def _inherited(entries: Mapping[str, Entry], path: str, tier: str) -> float | None:
    named = (entries[ancestor] for ancestor in lineage(path) if tier in entries.get(ancestor, {}))
    return next((entry[tier] for entry in named), None)


def _check_order(document: Document, entry: Field, ladder: Ladder) -> None:
    if ladder.hold is not None and ladder.reject is not None and ladder.hold > ladder.reject:
        document.blame(
            entry.line,
            f"{entry.name}: hold at {ladder.hold:g} is above reject at {ladder.reject:g} (own or inherited), "
            "so nothing would ever be held; turn them round, or say never",
        )
