"""Make the CDN forget an item: a cached copy outlives every tag and every delete."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tasks.aws.calls import call
from tasks.desk import Desk
from tasks.record.standing import Standing


def purge(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Invalidate the item's path. The CallerReference names the decision, so a second call is the same call."""
    assert standing.decided_at is not None
    reference = f"{standing.item.id}-{standing.decided_at.timestamp():.0f}"
    path = "/" + quote(standing.item.key)
    answer = call(
        desk.aws.store,
        desk.aws.cloudfront.create_invalidation,
        DistributionId=desk.settings.distribution_id,
        InvalidationBatch={"CallerReference": reference, "Paths": {"Quantity": 1, "Items": [path]}},
    )
    return {"invalidation": answer["Invalidation"]["Id"]}
