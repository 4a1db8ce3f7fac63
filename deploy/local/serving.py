"""How each local server lives: bound at once, announced by one line, ended by a signal or by its parent's end."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from deploy.local.asgi import LOOPBACK, App

#: Long polls in flight are cut off after this many seconds at the end.
GRACE = 1
#: A connection that is idle is kept for longer than anybody's pause: closed while a request is on its way, it would
#: look like a request that was dropped. (uvicorn's own is 5.)
KEPT = 3600


@dataclass(frozen=True, slots=True)
class Site:
    """One ASGI application on one bound socket."""

    app: App
    socket: socket.socket
    #: Whether the application wants to be told of start and end.
    lifespan: bool = False

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash."""
        return f"http://{LOOPBACK}:{self.socket.getsockname()[1]}"


def bind(port: int, *, host: str = LOOPBACK) -> socket.socket:
    """A socket on `host`, on a free port when `port` is 0. Raises OSError where the port is taken."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it. Without it Nagle's algorithm holds an answer's second write for 40 ms.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    bound.bind((host, port))
    return bound


class _Server(uvicorn.Server):
    """A uvicorn server that says when it is up, and leaves signals to `serve`, since two share one loop."""

    def __init__(self, site: Site) -> None:
        super().__init__(
            uvicorn.Config(
                site.app,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="on" if site.lifespan else "off",
                timeout_graceful_shutdown=GRACE,
                timeout_keep_alive=KEPT,
            )
        )
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(serving: Coroutine[Any, Any, None]) -> None:
    """Run it on uvloop where that is there: an eighth less of a processor for each answer."""
    with asyncio.Runner(loop_factory=uvicorn.Config(app="").get_loop_factory()) as runner:
        runner.run(serving)


async def serve(sites: list[Site], *, announce: Callable[[], Mapping[str, str]], until_eof: bool) -> None:
    """Serve until SIGINT or SIGTERM, and with `until_eof` until standard input ends.

    Once every site answers, `announce` runs in a thread (it may call the sites), and what it
    returns is written to standard output as one line of JSON. What it raises ends the servers.
    """
    servers = [_Server(site) for site in sites]

    def stop() -> None:
        # A long poll that is cut off is no news.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        for server in servers:
            server.should_exit = True

    _stop_on_signals(stop, until_eof=until_eof)
    running = [
        asyncio.create_task(server.serve(sockets=[site.socket])) for server, site in zip(servers, sites, strict=True)
    ]
    try:
        await asyncio.gather(*(server.up.wait() for server in servers))
        said = await asyncio.to_thread(announce)
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
    except BaseException:
        stop()
        raise
    finally:
        await asyncio.gather(*running)


def _stop_on_signals(stop: Callable[[], None], *, until_eof: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    if not until_eof:
        return

    def read() -> None:
        # The parent holds the other end and writes nothing: readable means that it is gone.
        loop.remove_reader(sys.stdin.fileno())
        stop()

    loop.add_reader(sys.stdin.fileno(), read)
