"""Serving the console until it is told to end."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from fastapi import FastAPI

from config.console import ConsoleSettings
from tasks.desk import Desk
from worker.console.alb import alb_entrance
from worker.console.entrance import Entrance
from worker.console.oidc import oidc_entrance
from worker.console.pending import Pending
from worker.console.sign_in import local_entrance

#: Seconds for what is being answered when the console is told to end.
GRACE = 5


class _Server(uvicorn.Server):
    """Says when it serves: a browser that comes before is refused."""

    def __init__(self, config: uvicorn.Config, up: Callable[[], None]) -> None:
        super().__init__(config)
        self._up = up

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn's own raises the signal once more in the end; whoever was told to end has ended well."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._up()


def entrance_of(settings: ConsoleSettings, desk: Desk, *, token: str) -> Entrance:
    """The way in that settings choose; `token` is the local one's. No call is made."""
    if settings.sign_in == "oidc":
        return oidc_entrance(settings, Pending(desk.aws, desk.settings.items_table, desk.now))
    if settings.sign_in == "alb":
        return alb_entrance(settings, desk.now)
    return local_entrance(token)


def serve(site: FastAPI, *, bound: socket.socket, proxies: str, up: Callable[[], None], until_eof: bool) -> None:
    """Serve a site on a bound socket until SIGINT or SIGTERM and, with `until_eof`, until standard input ends.

    `up` is called once it answers. The address and the scheme that `proxies` tell of a browser are believed.
    """
    config = uvicorn.Config(
        site,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config, up)
    if until_eof:
        Thread(target=_end_with_parent, args=(server,), name="parent", daemon=True).start()
    server.run(sockets=[bound])


def _end_with_parent(server: uvicorn.Server) -> None:
    # The parent holds the other end and writes nothing: its end is the parent's.
    # Not through sys.stdin, whose lock a thread must not hold when the interpreter ends.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    server.should_exit = True
