"""Look with the public's eyes: a takedown is done when the public URL no longer serves the item."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

import urllib3

from tasks.act.edge import edge_of
from tasks.act.purge import invalidate
from tasks.aws.faults import Transient, Withheld
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.standing import Standing

#: Seconds; the public's way must not hold up a worker.
TIMEOUT = urllib3.Timeout(connect=3, read=5)
_http = urllib3.PoolManager(timeout=TIMEOUT, retries=False, maxsize=32)


#: Seconds that a CDN may take to forget: CloudFront is done within minutes. Waiting for so long is no attempt.
PATIENCE = 900.0
#: Seconds between two looks at it; the first waits are shorter.
FIRST_LOOK, LAST_LOOK = 2.0, 60.0


class StillPublic(Transient):
    """The public URL still serves what was taken down."""


class Forgetting(StillPublic, Withheld):
    """It does, but the CDN may not have had the time to forget it."""


def verify(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Ask for the item as the public would. Raises StillPublic; Transient when nobody answers.

    What a CDN has not forgotten after a minute is purged again at every look.
    A URL that somebody signed is not asked for: it would be signed by the worker's role, which alone may read what is
    hidden. That nobody else may is in the bucket policy, and what is removed is there for nobody.
    """
    if edge_of(desk, standing.item).public_url is None:
        return {"unasked": "no public URL leads to it"}
    answer = ask_public(desk, standing.item)
    if answer.status < 400 and not is_another(answer.headers.get("ETag", ""), standing.item.etag):
        waited = waits(desk, standing)
        if waited > LAST_LOOK:
            # Whoever read the origin just before it was hidden may have filled the cache after it was purged.
            invalidate(desk, standing, why=f"still-public-{waited // LAST_LOOK:.0f}")
        if waited < PATIENCE:
            raise Forgetting(call="public.Head", retry_after=look_after(waited))
        raise StillPublic(call="public.Head")
    return {"http": answer.status}


def waits(desk: Desk, standing: Standing) -> float:
    """Seconds since the step before, of which the CDN should know by now."""
    done = [datetime.fromisoformat(receipt["at"]) for receipt in standing.receipts.values() if "at" in receipt]
    assert standing.decided_at is not None
    return (desk.now() - max((standing.decided_at, *done))).total_seconds()


def look_after(waited: float) -> float:
    """Seconds until the next look: half as long again as everybody has waited already."""
    return min(max(FIRST_LOOK, waited / 2), LAST_LOOK)


def ask_public(desk: Desk, item: Item) -> urllib3.BaseHTTPResponse:
    """What the public is answered. Raises Transient when nobody answers."""
    url = f"{edge_of(desk, item).public_url}/{quote(item.key)}"
    try:
        answer = _http.request("HEAD", url, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        raise Transient(type(error).__name__, call="public.Head") from None
    if answer.status >= 500:
        raise Transient(f"HTTP {answer.status}", call="public.Head")
    return answer


def is_another(served: str, judged: str) -> bool:
    """Whether the ETag header of what is served names another upload than the one that was judged.

    No ETag names nothing, so it is not another; a CDN that compresses makes an ETag weak.
    """
    name = served.removeprefix("W/").strip('"')
    return bool(name) and name != judged
