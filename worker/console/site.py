"""The site: the console's pages as one ASGI application."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment

from tasks.desk import Desk
from worker.console import entrance as entrances
from worker.console import queue
from worker.console.entrance import Entrance
from worker.console.guard import guard
from worker.console.headers import media_origins
from worker.console.limits import Limits
from worker.console.pages import HERE, environment
from worker.console.sessions import Sessions
from worker.console.sign_in import local_entrance


@dataclass(slots=True)
class Console:
    """What the pages work with."""

    desk: Desk
    sessions: Sessions
    templates: Environment
    entrance: Entrance
    #: Whether browsers come by https, whatever reaches this process.
    https: bool = False
    limits: Limits = field(default_factory=Limits)


def create_site(
    desk: Desk,
    *,
    local_token: str = "",
    entrance: Entrance | None = None,
    url: str = "",
    hosts: frozenset[str] = frozenset(),
) -> FastAPI:
    """The application. No call is made.

    `local_token` signs anybody in as anybody, on a laptop, where there is no other `entrance`. `url` is where browsers
    find it, if that is known; `hosts` are the names by which they may come, or none for any.
    """
    site = FastAPI(title="modfleet", docs_url=None, redoc_url=None, openapi_url=None)
    sessions = Sessions(desk.aws, desk.settings.items_table, desk.now)
    entrance = entrance or local_entrance(local_token)
    https = url.startswith("https://")
    site.state.console = Console(desk, sessions, environment(), entrance, https)
    guard(site, media=media_origins(desk), hosts=hosts)
    site.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    for router in (entrance.router, entrances.router, queue.router):
        site.include_router(router)
    return site
