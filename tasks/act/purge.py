"""Make the CDN forget an item: a cached copy outlives every tag and every delete."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from tasks.act.edge import edge_of
from tasks.act.missing import Missing, item_expected
from tasks.aws.calls import call
from tasks.decide.decision import Tier
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.renditions import renditions_of
from tasks.record.standing import Standing

#: What CloudFront wants as it is; an invalidation that encodes more does not find what it is about. RFC 1738's
#: unsafe characters, of which quote() thinks the tilde safe, are encoded, and so is what a wildcard could be.
#: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
PLAIN = "/!$&'()+,;=:@"
#: CloudFront's limit for one tag, and for the tags of one object.
#: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-by-tags.html
_TAG = re.compile(r"[^\s,#]{1,256}")
MOST_TAGS = 50


def purge(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Invalidate the paths of the item, its parts and their renditions."""
    return invalidate(desk, standing)


def invalidate(desk: Desk, standing: Standing, *, why: str = "") -> dict[str, Any]:
    """Invalidate them, in each distribution that serves some of them; `why` if it is not for the decision.

    A second call is the same: the reference names the decision.
    """
    assert standing.decided_at is not None
    reference = "-".join((standing.item.id, f"{standing.decided_at.timestamp():.0f}", *([why] if why else ())))
    about = (standing.item,) if standing.tier == Tier.REDACT else standing.everything
    return forget(desk, (*about, *(other for item in about for other in renditions_of(standing, item))), reference)


def forget(desk: Desk, items: tuple[Item, ...], reference: str) -> dict[str, Any]:
    """Have every distribution forget those of the items that it serves; returns the invalidations' ids."""
    by_distribution: dict[str, list[str]] = {}
    for item in items:
        if (distribution := edge_of(desk, item).distribution) is not None:
            by_distribution.setdefault(distribution, []).extend((*paths_of(item.key), *_tags_of(desk, item)))
    ids = [
        invalidation
        for distribution, paths in by_distribution.items()
        for invalidation in desk.invalidations.send(desk.aws, distribution, paths, reference=reference)
    ]
    return {"invalidation": ",".join(ids)}


def paths_of(key: str) -> tuple[str, ...]:
    """A key as CloudFront wants it, and as it is with all encoded, which is another URL that viewers may use."""
    forms = (quote(key, safe=safe).replace("~", "%7E") for safe in (PLAIN, "/"))
    return tuple(dict.fromkeys(f"/{form}" for form in forms))


def _tags_of(desk: Desk, item: Item) -> tuple[str, ...]:
    """The cache tags that the object says it has; none where it says something that is no tag."""
    if desk.settings.cache_tag is None:
        return ()
    which = {"VersionId": item.version_id} if item.version_id else {}
    try:
        with item_expected():
            head = call(desk.aws.store, desk.aws.s3.head_object, Bucket=item.bucket, Key=item.key, **which)
    except Missing:
        return ()
    said = [tag.strip() for tag in head.get("Metadata", {}).get(desk.settings.cache_tag, "").split(",")]
    return tuple(f"#{tag}" for tag in said[:MOST_TAGS] if _TAG.fullmatch(tag))
