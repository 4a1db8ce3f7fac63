"""Where uploaders ask for another look at a decision: a link that needs no account, made for each notice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from config.settings import Settings
from tasks.record.standing import Standing
from tasks.review.case import Side
from tasks.review.decision import decision_of
from tasks.review.token import Link, sign


def link_of(settings: Settings, standing: Standing, *, until: datetime, side: Side = Side.UPLOADER) -> str:
    """The link to a decision's page; empty where MODFLEET_APPEAL_SECRET or MODFLEET_APPEAL_URL is not set.

    The same for the same decision: a notice that is sent again has the same one.
    """
    if settings.appeal_secret is None or settings.appeal_url is None:
        return ""
    link = Link(
        location=standing.item.location,
        version=standing.item.version,
        decision=decision_of(standing),
        side=side,
        until=until,
    )
    return f"{str(settings.appeal_url).rstrip('/')}/d/{sign(link, settings.appeal_secret.get_secret_value())}"


def appeal_in(settings: Settings, standing: Standing, reasons: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a notice says of how to appeal: `until` and `url`, None where there is no link to give."""
    told = reasons.get("appeal_until")
    url = link_of(settings, standing, until=datetime.fromisoformat(told)) if told else ""
    return {"until": told, "url": url} if url else None
