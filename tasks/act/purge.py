"""Make the CDN forget an item: a cached copy outlives every tag and every delete."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tasks.aws.calls import call
from tasks.decide.decision import Tier
from tasks.desk import Desk
from tasks.record.standing import Standing


def purge(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Invalidate the paths of the item and its parts."""
    return invalidate(desk, standing)


def invalidate(desk: Desk, standing: Standing, *, why: str = "") -> dict[str, Any]:
    """Invalidate them. A second call is the same: the reference names the decision, and `why` if it is not that."""
    assert standing.decided_at is not None
    reference = "-".join((standing.item.id, f"{standing.decided_at.timestamp():.0f}", *([why] if why else ())))
    masked = standing.tier == Tier.REDACT
    paths = ["/" + quote(item.key) for item in ((standing.item,) if masked else standing.everything)]
    answer = call(
        desk.aws.store,
        desk.aws.cloudfront.create_invalidation,
        DistributionId=desk.settings.distribution_id,
        InvalidationBatch={"CallerReference": reference, "Paths": {"Quantity": len(paths), "Items": paths}},
    )
    return {"invalidation": answer["Invalidation"]["Id"]}
