"""Entries of the audit log as people read them: when, who, what, on what, from where to where (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: Of a hash, what two people can compare by eye.
DIGITS = 12
#: What each tier came to, where an entry tells of nothing but the tier.
_TIERS = {0: "allow", 1: "mask", 2: "hold", 3: "take down"}
#: Who did what no person is named for.
MACHINE = "machine"
#: What a row tells in columns of its own, or what only chains the lines.
_TOLD = (
    *("at", "event", "command", "actor", "reason", "item", "status", "tier", "from", "policy_version", "rules"),
    *("entry_id", "writer", "line", "prev", "hash", "after", "trace"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One entry."""

    #: ISO 8601, UTC; empty of what tells no time.
    at: str
    actor: str
    verb: str
    #: `s3://BUCKET/KEY` and version of the item, where it is about one.
    uri: str
    version: str
    #: What it is about otherwise: `case_id`, `account`, whatever it names.
    about: str
    before: str
    after: str
    why: str
    policy: str
    #: The beginning of its hash.
    mark: str
    #: The writer of its chain, and the number of its line there.
    writer: str
    line: int


def told(entries: Iterable[Mapping[str, Any]]) -> list[Told]:
    """Entries in the order given. What an item was before, an earlier one of these entries tells."""
    stood: dict[tuple[str, str], str] = {}
    return [_told(entry, stood) for entry in entries]


def _told(entry: Mapping[str, Any], stood: dict[tuple[str, str], str]) -> Told:
    item = entry.get("item") or {}
    uri = f"s3://{item['bucket']}/{item['key']}" if item else ""
    version, after = str(item.get("version", "")), _after(entry)
    which = (uri, version)
    before = str(entry.get("from") or (stood.get(which, "") if item and after else ""))
    if item and after:
        stood[which] = after
    rest = {name: value for name, value in entry.items() if name not in _TOLD and isinstance(value, str | int)}
    return Told(
        at=str(entry.get("at", "")),
        actor=str(entry.get("actor") or MACHINE),
        verb=str(entry.get("command") or entry.get("event") or ""),
        uri=uri,
        version=version,
        about=", ".join(f"{name} {value}" for name, value in rest.items()) if not item else "",
        before=before if before != after else "",
        after=after,
        why=str(entry.get("reason") or ", ".join(map(str, entry.get("rules") or ()))),
        policy=str(entry.get("policy_version", "")),
        mark=str(entry.get("hash", ""))[:DIGITS],
        writer=str(entry.get("writer", "")),
        line=int(entry.get("line", 0)),
    )


def _after(entry: Mapping[str, Any]) -> str:
    """What it has come to: a status, a tier, or of a change of policy the policy."""
    if status := entry.get("status"):
        return str(status)
    if entry.get("tier") is not None:
        return _TIERS.get(entry["tier"], str(entry["tier"]))
    return str(entry.get("policy_version", "")) if entry.get("from") else ""
