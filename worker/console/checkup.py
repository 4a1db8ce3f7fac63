"""Whether the console could run: its packages, its settings, and who signs people in. For `modfleet doctor`."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec

import urllib3

from config.console import ConsoleSettings, load_console_settings
from config.settings import SettingsError

#: What `modfleet[console]` brings, by module.
_MODULES = ("authlib", "fastapi", "httpx", "jinja2", "jwt", "python_multipart", "uvicorn")
_SECONDS = 3.0


class Unready(Exception):
    """The console would not run, or nobody could sign in; the text says why and what to do."""


def get(url: str) -> tuple[int, bytes]:
    """Status and body of a URL. Raises urllib3's HTTPError."""
    answer = urllib3.request("GET", url, timeout=_SECONDS, redirect=False, retries=False)
    return answer.status, answer.data


def checkup(*, find: Callable[[str], object] = find_spec, fetch: Callable[[str], tuple[int, bytes]] = get) -> str:
    """Who gets in, and how, once that has been looked at; a call or two. Raises Unready."""
    try:
        settings = load_console_settings()
    except SettingsError as error:
        raise Unready(" ".join(line.strip() for line in str(error).splitlines()[1:])) from None
    lacking = [name for name in _MODULES if find(name) is None]
    if lacking and settings.sign_in == "local":
        return "not installed here (pip install 'modfleet[console]')"
    if lacking:
        raise Unready(f"{', '.join(lacking)} missing: pip install 'modfleet[console]'")
    if settings.sign_in == "local":
        return "by a token, on this machine only (MODFLEET_CONSOLE_SIGN_IN)"
    _ask_provider(settings, fetch) if settings.sign_in == "oidc" else _ask_keys(settings, fetch)
    roles = ", ".join(f"{group} {role}" for group, role in settings.roles.items())
    return f"{settings.sign_in} at {settings.oidc_issuer}: {roles}"


def _ask_provider(settings: ConsoleSettings, fetch: Callable[[str], tuple[int, bytes]]) -> None:
    assert settings.oidc_issuer is not None
    url = f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration"
    status, body = _fetched(url, fetch, "MODFLEET_CONSOLE_OIDC_ISSUER")
    try:
        metadata = json.loads(body) if status == 200 else None
    except ValueError:
        metadata = None
    if not isinstance(metadata, dict):
        raise Unready(f"{url} answers with {status} and no provider's metadata: see MODFLEET_CONSOLE_OIDC_ISSUER")
    if (named := metadata.get("issuer")) != settings.oidc_issuer:
        raise Unready(f"MODFLEET_CONSOLE_OIDC_ISSUER is {settings.oidc_issuer}, but the provider calls itself {named}")


def _ask_keys(settings: ConsoleSettings, fetch: Callable[[str], tuple[int, bytes]]) -> None:
    # No key has this name: that it answers at all is what can be seen without a sign-in.
    _fetched(f"{settings.keys_url}/00000000-0000-0000-0000-000000000000", fetch, "MODFLEET_CONSOLE_ALB_KEYS_URL")


def _fetched(url: str, fetch: Callable[[str], tuple[int, bytes]], setting: str) -> tuple[int, bytes]:
    try:
        return fetch(url)
    except urllib3.exceptions.HTTPError as why:
        said = f"{url} cannot be reached ({type(why).__name__}); see {setting} and the way out of here"
        raise Unready(said) from None
