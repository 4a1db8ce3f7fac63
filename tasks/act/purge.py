"""Make the CDN forget an item: a cached copy outlives every tag and every delete."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tasks.aws.calls import call
from tasks.decide.decision import Tier
from tasks.desk import Desk
from tasks.record.standing import Standing


def purge(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Invalidate the paths of the item and its parts. A second call is the same: its reference names the decision."""
    assert standing.decided_at is not None
    reference = f"{standing.item.id}-{standing.decided_at.timestamp():.0f}"
    masked = standing.tier == Tier.REDACT
    paths = ["/" + quote(item.key) for item in ((standing.item,) if masked else standing.everything)]
    answer = call(
        desk.aws.store,
        desk.aws.cloudfront.create_invalidation,
        DistributionId=desk.settings.distribution_id,
        InvalidationBatch={"CallerReference": reference, "Paths": {"Quantity": len(paths), "Items": paths}},
    )
    return {"invalidation": answer["Invalidation"]["Id"]}
