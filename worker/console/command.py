"""`modfleet console`: serve the review console."""

from __future__ import annotations

import ipaddress
import secrets
from typing import Annotated

import typer

from worker.terminal import open_desk, say, stop

#: Seconds for what is being answered when the console is told to end.
GRACE = 5


def console(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8700,
    token: Annotated[
        str, typer.Option(envvar="MODFLEET_CONSOLE_TOKEN", help="Of the local sign-in; made anew where none is given.")
    ] = "",
) -> None:
    """Serve the review console until Ctrl-C: the queue of cases, rulings, appeals, the audit trail, the dashboard."""
    if not _is_loopback(host):
        stop(f"--host {host}: the local sign-in lets in whoever has the token, and listens on this machine only")
    try:
        # Installed where there is a console: workers need none of it.
        import uvicorn  # noqa: PLC0415

        from worker.console.site import create_site  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        stop(f"the console needs {missing.name}: pip install 'modfleet[console]'")
    token = token or secrets.token_urlsafe(24)
    site = create_site(open_desk(), local_token=token)
    config = uvicorn.Config(
        site,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    bound = config.bind_socket()
    say(f"http://{host}:{bound.getsockname()[1]}/sign-in?token={token}")
    uvicorn.Server(config).run(sockets=[bound])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
