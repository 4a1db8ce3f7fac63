"""Pages: templates filled in; what a person wrote is always escaped."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from worker.console.sessions import Visitor

HERE = Path(__file__).parent
#: What severities are called, and the shape that says the same without colour.
SEVERITIES = {
    "top": ("Child safety", "⬣"),
    "critical": ("Critical", "⬢"),
    "high": ("High", "▲"),
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
    jinja.filters |= {"left": left, "clock": clock}
    jinja.globals["severities"] = SEVERITIES
    return jinja


def page(request: Request, name: str, *, visitor: Visitor | None, status: int = 200, **said: Any) -> HTMLResponse:
    """A template as an answer. Its own names beside `said`: visitor, nonce, path, now."""
    console = request.app.state.console
    text = console.templates.get_template(name).render(
        visitor=visitor, nonce=request.state.nonce, path=request.url.path, now=console.desk.now(), **said
    )
    return HTMLResponse(text, status_code=status)


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
