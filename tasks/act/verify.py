"""Look with the public's eyes: a takedown is done when the public URL no longer serves the item."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import urllib3

from tasks.act.edge import edge_of
from tasks.aws.faults import Transient
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.standing import Standing

#: Seconds; the public's way must not hold up a worker.
TIMEOUT = urllib3.Timeout(connect=3, read=5)
_http = urllib3.PoolManager(timeout=TIMEOUT, retries=False, maxsize=32)


class StillPublic(Transient):
    """The public URL still serves what was taken down (a CDN takes a while to forget)."""


def verify(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Ask for the item as the public would. Raises StillPublic; Transient when nobody answers."""
    if edge_of(desk, standing.item).public_url is None:
        return {"unasked": "no public URL leads to it"}
    answer = ask_public(desk, standing.item)
    if answer.status < 400 and not is_another(answer.headers.get("ETag", ""), standing.item.etag):
        raise StillPublic(call="public.Head")
    return {"http": answer.status}


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
