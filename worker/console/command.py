"""`modfleet console`: serve the review console."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

import typer

from config.console import ConsoleSettings, is_loopback, load_console_settings
from config.settings import SettingsError, load_settings
from worker.terminal import AsJson, open_desk, say, stop


def console(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8700,
    token: Annotated[
        str, typer.Option(help="Of the local sign-in; else MODFLEET_CONSOLE_TOKEN, or one that is made anew.")
    ] = "",
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True)] = False,
    as_json: AsJson = False,
) -> None:
    """Serve the review console until Ctrl-C: the queue of cases, rulings, appeals, the audit trail, the dashboard.

    MODFLEET_CONSOLE_SIGN_IN says who gets in: `local` (by a token that is printed, on this machine only), `oidc`
    (an OpenID Connect provider) or `alb` (the load balancer in front signs people in).
    """
    settings = _read_settings(host)
    try:
        # Installed where there is a console: workers need none of it.
        from worker.console.serve import entrance_of, serve  # noqa: PLC0415
        from worker.console.site import create_site  # noqa: PLC0415
        from worker.console.upkeep import kept_up  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        stop(f"the console needs {missing.name}: pip install 'modfleet[console]'")
    bound = _bind(host, port)
    desk = open_desk()
    token = token or (settings.token.get_secret_value() if settings.token else "") or secrets.token_urlsafe(24)
    named = f"[{host}]" if ":" in host else host
    url = f"http://{named}:{bound.getsockname()[1]}" if settings.sign_in == "local" else str(settings.url)
    sign_in = f"{url}/sign-in?token={token}" if settings.sign_in == "local" else f"{url}/sign-in"
    hosts = _hosts(settings, host, appeal_url=str(desk.settings.appeal_url or ""))
    site = create_site(desk, entrance=entrance_of(settings, desk, token=token), url=url, hosts=hosts)

    site.state.console.undo_seconds = settings.undo_seconds

    def up() -> None:
        # On one line, for a program that waits for it.
        say(json.dumps({"url": url, "sign_in": sign_in}) if as_json else sign_in)

    with kept_up(site.state.console):
        serve(site, bound=bound, proxies=settings.proxies, up=up, until_eof=until_eof)


def _read_settings(host: str) -> ConsoleSettings:
    """The console's settings; ends the command with all that is wrong, with these and with modfleet's own."""
    wrong = _mistake(load_settings), _mistake(load_console_settings)
    if any(wrong):
        headline, _, first = next(filter(None, wrong)).partition("\n")
        rest = wrong[1].partition("\n")[2] if wrong[0] else ""
        stop("\n".join(filter(None, (headline, first, rest))))
    settings = load_console_settings()
    if not is_loopback(host) and settings.sign_in == "local":
        stop(
            f"--host {host}: the local sign-in lets in whoever has the token, and listens on this machine only; "
            "set MODFLEET_CONSOLE_SIGN_IN to oidc or alb"
        )
    if not is_loopback(host) and not str(settings.url).startswith("https:"):
        stop(f"--host {host}: others come by https only; MODFLEET_CONSOLE_URL says {settings.url}")
    return settings


def _mistake(load: Callable[[], object]) -> str:
    try:
        load()
    except SettingsError as error:
        return str(error)
    return ""


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        stop(f"--host {host} --port {port}: {error.strerror or error}")


def _hosts(settings: ConsoleSettings, host: str, *, appeal_url: str) -> frozenset[str]:
    """By which names browsers may come. Another one was made to lead here, to act with what this machine may do."""
    # Uploaders may come by another name than those who review.
    named = {urlsplit(url).hostname for url in (settings.url, appeal_url) if url}
    here = {"127.0.0.1", "localhost", "::1", host} if settings.sign_in == "local" else set()
    return frozenset(str(name) for name in (*named, *here))
