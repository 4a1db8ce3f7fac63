"""Pages: templates filled in; what a person wrote is always escaped."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, StreamingResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.review.appeal import CHOICES
from worker.console.after import just_ruled
from worker.console.key_map import ACTIONS
from worker.console.roles import Permission
from worker.console.sessions import Visitor
from worker.console.wording import groups_of, minutes, size

HERE = Path(__file__).parent
#: What severities are called, and the shape that says the same without colour.
SEVERITIES = {
    "top": ("Child safety", "⬣"),
    "critical": ("Critical", "⬢"),
    "high": ("High", "▲"),
    "appeal": ("Appeal", "↺"),
    "normal": ("Normal", "◆"),
    "low": ("Low", "●"),
}


def environment() -> Environment:
    """The templates. What is not there is a mistake and not nothing; nothing is exempt from escaping."""
    jinja = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {"groups": groups_of, "minutes": minutes, "size": size}
    jinja.filters |= {"left": left, "clock": clock}
    jinja.globals["severities"] = SEVERITIES
    jinja.globals["actions"] = ACTIONS
    jinja.globals["choices_of_appeals"] = CHOICES
    return jinja


def page(request: Request, name: str, *, visitor: Visitor | None, status: int = 200, **said: Any) -> HTMLResponse:
    """A template as an answer. Its own names beside `said`: visitor, nonce, path, now, keys, ruled."""
    template = request.app.state.console.templates.get_template(name)
    return HTMLResponse(template.render(**_own(request, visitor), **said), status_code=status)


def growing_page(request: Request, name: str, *, visitor: Visitor, **said: Any) -> StreamingResponse:
    """The same, sent as it is filled in: for what takes its time, which is an iterator among `said`."""
    template = request.app.state.console.templates.get_template(name)
    return StreamingResponse(template.generate(**_own(request, visitor), **said), media_type="text/html")


def _own(request: Request, visitor: Visitor | None) -> dict[str, Any]:
    """What the base of every page needs."""
    console = request.app.state.console
    return {
        "visitor": visitor,
        "nonce": request.state.nonce,
        "path": request.url.path,
        "now": console.desk.now(),
        "keys": console.keys.of(visitor.name) if visitor and visitor.may(Permission.REVIEW) else None,
        "ruled": just_ruled(request, visitor),
    }


def is_fragment(request: Request) -> bool:
    """Whether htmx asks, for a part of a page."""
    return request.headers.get("hx-request") == "true"


def left(moment: str, now: datetime) -> str:
    """`1 h 12 m left`, or `26 m overdue`."""
    if not moment:
        return ""
    seconds = (datetime.fromisoformat(moment) - now).total_seconds()
    days, rest = divmod(int(abs(seconds)) // 60, 1440)
    hours, minutes = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m")]
    first = next((at for at, (amount, _) in enumerate(parts) if amount), 2)
    told = " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2])
    return f"{told} left" if seconds >= 0 else f"{told} overdue"


def clock(moment: str) -> str:
    """`2026-11-22 06:51` of a moment in UTC."""
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M") if moment else ""
