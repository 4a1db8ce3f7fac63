"""Which decision about an item somebody may have looked at again, until when, and who must not look (pure)."""

from __future__ import annotations

import hashlib
from datetime import datetime

from tasks.decide.policy import Policy
from tasks.record.standing import Standing
from tasks.review.case import Case, Side


def decision_of(standing: Standing) -> str:
    """What the decision in force is known by: the machine's, or that of the person who decided last."""
    return digest(standing.item.id, standing.policy_version, decided_at(standing).isoformat())


def decided_at(standing: Standing) -> datetime:
    """When the decision in force was made; of what is undecided, when it was uploaded."""
    overruled = standing.overruled
    if overruled:
        return datetime.fromisoformat(overruled["at"])
    return standing.decided_at or standing.item.event_time


def until(policy: Policy, standing: Standing) -> datetime:
    """Until when its decision can be appealed: as the uploader was told, else as the policy has it."""
    told = standing.reasons.get("appeal_until") if standing.overruled is None else None
    return datetime.fromisoformat(told) if told else policy.retention.appeal_until(decided_at(standing))


def deciders(standing: Standing, own: Case | None) -> frozenset[str]:
    """Who has ruled on an item, alone or with somebody else; nobody where the machine decided.

    `own` is the item's own case. A command is signed `ana (arn:...)`: that is ana.
    """
    names = [str(entry["by"]) for entry in standing.history if entry["event"] == "overruled"]
    if own and own.ruling:
        names += [own.ruling.by, own.ruling.first_by, own.first_by, own.second_by]
    return frozenset(part for name in names for part in (name, name.partition(" (")[0]) if part)


def appeal_id(item_id: str, decision: str, side: Side) -> str:
    """The id of the case that an appeal opens: there can be one of each decision and side."""
    return digest("appeal", item_id, decision, side.value)


def digest(*words: str) -> str:
    """64 hex digits that name these words."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()
