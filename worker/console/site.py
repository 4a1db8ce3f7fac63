"""The site: the console's pages as one ASGI application."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment

from tasks.desk import Desk
from tasks.detect.picture import Converter
from tasks.detect.still import still_maker
from worker.console import (
    appeals,
    audit_trail,
    case,
    dashboard,
    keys,
    policy_page,
    queue,
    reveal,
    rulings,
    search,
    uploader,
    uploaders,
)
from worker.console import entrance as entrances
from worker.console.board import Board
from worker.console.entrance import Entrance
from worker.console.guard import guard
from worker.console.headers import media_origins
from worker.console.keys import KeyMaps
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
    #: Makes small grey stills.
    small: Converter = field(default_factory=still_maker)
    #: What waits and how review goes, as it was some seconds ago.
    board: Board = field(init=False)
    #: Who has which keys.
    keys: KeyMaps = field(init=False)
    #: How long a ruling can be undone.
    undo_seconds: float = 20.0

    def __post_init__(self) -> None:
        """The board follows the desk, which another takes the place of when a policy comes into force."""
        self.board = Board(lambda: self.desk)
        self.keys = KeyMaps(self.desk.aws, self.desk.settings.items_table)


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
    pages = (
        queue,
        case,
        reveal,
        rulings,
        keys,
        appeals,
        uploader,
        dashboard,
        policy_page,
        audit_trail,
        search,
        uploaders,
    )
    for router in (entrance.router, entrances.router, *(one.router for one in pages)):
        site.include_router(router)
    return site
