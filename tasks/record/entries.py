"""What the audit log says of an item (pure): ids, labels and receipts, never content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tasks.item import Item
from tasks.record.standing import Standing

#: What happened, where an entry tells of nothing but a command.
COMMAND = "command"


def entries_of(standing: Standing) -> tuple[dict[str, Any], ...]:
    """The decision, each receipt, and where the item ended: one entry each, with an id that never changes."""
    decided = [("decided", _decision(standing))] if standing.decided else []
    # What was done for an earlier decision than a rescan's was told with that.
    told = next((entry["kept"] for entry in reversed(standing.history) if "kept" in entry), ())
    acted = [(f"did:{action}", dict(receipt)) for action, receipt in standing.receipts.items() if action not in told]
    return (*(_entry(standing, event, said) for event, said in (*decided, *acted)), _end(standing))


def _end(standing: Standing) -> dict[str, Any]:
    """Where it ended, and who had it end there."""
    end = {"status": standing.status.value, "time_to_takedown_ms": standing.time_to_takedown_ms}
    if restoring := standing.restoring:
        said = {"actor": restoring["by"], "at": restoring["at"], "reason": restoring["why"]}
        return _entry(standing, "restore", end | said)
    if overruled := standing.overruled:
        verdict = {"tier": overruled["tier"], "rules": overruled["rules"]}
        said = {"actor": overruled["by"], "at": overruled["at"], "reason": overruled["why"], **verdict}
        # Somebody may make something else of it later on: a ruling, then an appeal.
        return _entry(standing, "overrule", end | said, of=overruled["at"])
    return _entry(standing, "ended", _when(standing) | end | ({"dry_run": True} if standing.dry_run else {}))


def command_entry(  # noqa: PLR0913  # who, what, when, why, about what
    *,
    command: str,
    by: str,
    at: datetime,
    why: str = "",
    item: Item | None = None,
    policy_version: str = "",
    event: str = COMMAND,
    **facts: Any,
) -> dict[str, Any]:
    """The entry of something that a person did or looked at: a command, a view, a ruling.

    `command` is what they typed after `modfleet` ("policy activate") or did on a page ("view case"), `by` is who,
    `why` their reason, `item` what it was about, `facts` JSON values that hold neither content nor personal data.
    Built again of the same words it is the same entry; `event` is for whoever looks for it.
    """
    said: dict[str, Any] = {
        "event": event,
        "command": command,
        "actor": by,
        "at": at.isoformat(),
        **({"reason": why} if why else {}),
        **({"item": {"bucket": item.bucket, "key": item.key, "version": item.version}} if item else {}),
        **({"policy_version": policy_version} if policy_version else {}),
        **facts,
    }
    return {"entry_id": hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32], **said}


def without_texts(reasons: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit log keeps: one of the texts is the explanation, and stays."""
    return {name: said for name, said in reasons.items() if name != "texts"}


def _entry(standing: Standing, event: str, said: dict[str, Any], *, of: str = "") -> dict[str, Any]:
    """`of` tells one of several such events of an item from the others."""
    item = standing.item
    name = f"{item.id}\0{standing.policy_version}\0{event}{of}"
    return {
        "entry_id": hashlib.sha256(name.encode()).hexdigest()[:32],
        "event": event,
        "item": {"bucket": item.bucket, "key": item.key, "version": item.version},
        # The standing's and not the run's: an entry that is written again is the same entry.
        **({"trace": standing.trace} if standing.trace else {}),
        **said,
    }


def _when(standing: Standing) -> dict[str, str]:
    """When the last thing was done; nothing of what ends undecided, whose next run would tell another time.

    By what can no longer change: an end that is told again after a crash is the same entry, to the letter.
    """
    if standing.decided_at is None:
        return {}
    receipts = (str(receipt["at"]) for receipt in standing.receipts.values())
    return {"at": max([standing.decided_at.isoformat(), *receipts])}


def _decision(standing: Standing) -> dict[str, Any]:
    """As it was made, whatever people have made of it since."""
    made = next((entry for entry in reversed(standing.history) if entry["event"] == "decided"), None)
    now: dict[str, Any] = {"tier": standing.tier, "rules": standing.rules}
    verdict = made if made and standing.overruled else now
    return {
        "actor": "machine",
        "at": standing.decided_at.isoformat() if standing.decided_at else None,
        "surface": standing.surface,
        "kind": standing.kind.value,
        "tier": verdict["tier"],
        "rules": list(verdict["rules"]),
        "policy_version": standing.policy_version,
        **({"shadow": dict(standing.shadow)} if standing.shadow else {}),
        **({"rescan": standing.rescan} if standing.rescan else {}),
        "detectors": dict(standing.detectors),
        "units": dict(standing.units),
        "usd": standing.usd,
        **({"dry_run": True, "would": list(standing.would)} if standing.would is not None else {}),
        **({"statement": without_texts(standing.reasons)} if standing.reasons else {}),
        "findings": [[finding.label, finding.confidence, finding.part] for finding in standing.findings],
    }
