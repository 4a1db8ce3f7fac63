"""What the audit log says of an item (pure): ids, labels and receipts, never content."""

from __future__ import annotations

import hashlib
from typing import Any

from tasks.record.standing import Standing


def entries_of(standing: Standing) -> tuple[dict[str, Any], ...]:
    """The decision, each receipt, and where the item ended: one entry each, with an id that never changes."""
    decided = [("decided", _decision(standing))] if standing.decided else []
    acted = [(f"did:{action}", dict(receipt)) for action, receipt in standing.receipts.items()]
    end = {"status": standing.status.value, "time_to_takedown_ms": standing.time_to_takedown_ms}
    if restoring := standing.restoring:
        said = {"actor": restoring["by"], "at": restoring["at"], "reason": restoring["why"]}
        return tuple(_entry(standing, event, each) for event, each in (*decided, *acted, ("restore", end | said)))
    ended = [("ended", end | ({"dry_run": True} if standing.dry_run else {}))]
    return tuple(_entry(standing, event, said) for event, said in (*decided, *acted, *ended))


def _entry(standing: Standing, event: str, said: dict[str, Any]) -> dict[str, Any]:
    item = standing.item
    name = f"{item.id}\0{standing.policy_version}\0{event}"
    return {
        "entry_id": hashlib.sha256(name.encode()).hexdigest()[:32],
        "event": event,
        "item": {"bucket": item.bucket, "key": item.key, "version": item.version},
        # The standing's and not the run's: an entry that is written again is the same entry.
        **({"trace": standing.trace} if standing.trace else {}),
        **said,
    }


def _decision(standing: Standing) -> dict[str, Any]:
    return {
        "actor": "machine",
        "at": standing.decided_at.isoformat() if standing.decided_at else None,
        "surface": standing.surface,
        "tier": standing.tier,
        "rules": list(standing.rules),
        "policy_version": standing.policy_version,
        "detectors": dict(standing.detectors),
        "units": dict(standing.units),
        "usd": standing.usd,
        **({"dry_run": True, "would": list(standing.would)} if standing.would is not None else {}),
        "findings": [[finding.label, finding.confidence, finding.part] for finding in standing.findings],
    }
