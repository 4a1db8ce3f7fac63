"""Fate: what became of one upload, as the items table has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.local.demo.post import Expected

PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """One row of the items table, as far as the demo tells of it."""

    status: str
    surface: str
    kind: str
    rules: tuple[str, ...]
    #: As recorded: `label`, `confidence`, `rule`, `span`, `time_ms`, ...
    findings: tuple[Mapping[str, Any], ...]
    #: What redaction masks: [begin, end) in code points, and the kind of thing.
    spans: tuple[tuple[int, int, str], ...]
    #: Actions in the order in which they were done.
    receipts: Mapping[str, Mapping[str, Any]]
    decided_at: datetime | None
    #: From S3's event time until the public could no longer see it; None where it still can.
    takedown_ms: int | None
    #: Dollars for AI services, as modfleet estimates them.
    usd: float = 0.0
    #: Whether the same bytes had been looked at before, so that nobody looked again.
    is_reused: bool = False
    #: The `s3://BUCKET/KEY` of the manifest that had it judged as its part, and whose notice speaks for it.
    within: str = ""

    @property
    def is_final(self) -> bool:
        """Whether all that was to do is done."""
        return self.status != PENDING

    @property
    def decisive(self) -> tuple[Mapping[str, Any], ...]:
        """The findings behind the rules that led to the decision, the most telling first."""
        labels = [_label_of(rule) for rule in self.rules]
        found = [finding for finding in self.findings if finding["label"] in labels]
        return tuple(sorted(found, key=lambda f: (-f["label"].count("/"), -f["confidence"])))


def read_fate(row: Mapping[str, Any]) -> Fate:
    """The fate in a row of the items table (the low-level client's typed form)."""
    receipts = {action: json.loads(text["S"]) for action, text in row["receipts"]["M"].items()}
    planned = [action for action in json.loads(row["plan"]["S"]) if action in receipts]
    return Fate(
        status=row["status"]["S"],
        surface=row["surface"]["S"],
        kind=row["kind"]["S"],
        rules=tuple(json.loads(row["rules"]["S"])),
        findings=tuple(json.loads(row["findings"]["S"])),
        spans=tuple((begin, end, kind) for begin, end, kind in json.loads(row["spans"]["S"])),
        receipts={action: receipts[action] for action in planned},
        decided_at=datetime.fromisoformat(row["decided_at"]["S"]) if "decided_at" in row else None,
        takedown_ms=int(row["time_to_takedown_ms"]["N"]) if "time_to_takedown_ms" in row else None,
        usd=float(row["usd"]["N"]) if "usd" in row else 0.0,
        is_reused=bool(row.get("reused_from", {}).get("S")),
        within=row.get("within", {}).get("S", ""),
    )


def surprise(expected: Expected | None, fate: Fate | None) -> str:
    """How a fate is not what was declared, or nothing."""
    if expected is None:
        return ""
    if fate is None:
        return f"never recorded, where {expected.status} was declared"
    if fate.status != expected.status:
        return f"{fate.status}, where {expected.status} was declared"
    if expected.rule and expected.rule not in map(without_threshold, fate.rules):
        return f"{fate.status} by {', '.join(fate.rules)}, not by {expected.rule}"
    return ""


def without_threshold(rule: str) -> str:
    """`labels/Violence/Weapons>=90` -> `labels/Violence/Weapons`."""
    return rule.split(">=", 1)[0]


def _label_of(rule: str) -> str:
    """The finding's label that a rule's name is about."""
    name = without_threshold(rule).removesuffix(" cannot be masked").split(" below severity ")[0]
    name = name.removeprefix("unknown-label/").removeprefix("impossible-confidence/")
    return "moderation/" + name.removeprefix("labels/") if name.startswith("labels/") else name
