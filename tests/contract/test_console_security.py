"""The console under attack: every route asks who and why, every answer is guarded, nothing forged is done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import get_args

import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from fastapi.routing import iter_route_contexts
from structlog.testing import capture_logs

from config.console import ConsoleSettings, RoleName
from deploy.local.run import LocalCloud
from tests.contract.visitors import OURS, TOKEN, Clock, TestClient, browser_of, csrf_of, desk_on, sign_in
from worker.console.roles import PERMITS, Permission, Role
from worker.console.serve import entrance_of
from worker.console.site import create_site

#: Routes that nobody needs to be signed in for, and why.
PUBLIC = {
    "/healthz": "says that the console is up, and nothing else",
    "/sign-in": "the way in",
    "/sign-in/start": "the way to an identity provider",
    "/sign-in/back": "the way back from it: what it brings is checked against what this browser began with",
    "/sign-out": "the way out, which asks for the session and its token by itself",
    "/d/{token}": "an uploader's own decision: the link is what lets them in",
    "/d/{token}/appeal": "the same",
    "/d/{token}/status": "the same",
}
HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
DIRECTIVES = {
    "default-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
    "style-src 'self'",
}


@pytest.fixture(scope="module")
def site(cloud: LocalCloud) -> FastAPI:
    made = create_site(desk_on(cloud, Clock()), local_token=TOKEN)

    @made.get("/breaks")
    def breaks() -> None:
        raise ZeroDivisionError("a secret")

    @made.post("/reads")
    def reads(number: int) -> PlainTextResponse:
        return PlainTextResponse(str(number))

    return made


@pytest.fixture(scope="module")
def visitors(site: FastAPI) -> dict[str, tuple[TestClient, str]]:
    """One browser for each role, signed in, with what its forms carry."""
    people = {}
    for role in Role:
        browser = browser_of(site)
        assert sign_in(browser, f"one-{role}", role).status_code == 303
        people[role.value] = (browser, site.state.console.sessions.find(browser.cookies["modfleet"]).csrf)
    return people


def routes(site: FastAPI) -> Iterator[tuple[str, str, Permission | None]]:
    """Method, pattern and permission of every route but the static files'."""
    for context in iter_route_contexts(site.routes):
        if context.path in ("/static", "/breaks", "/reads"):
            continue
        asked = {getattr(one.call, "permission", None) for one in context.dependant.dependencies} - {None}
        assert len(asked) < 2, f"{context.path} asks for {asked}"
        for method in context.methods or ():
            yield method, str(context.path), next(iter(asked), None)


def filled(pattern: str) -> str:
    return re.sub(r"\{[^}]*\}", "4f2a", pattern)


def test_every_route_asks_for_a_permission_or_says_why_it_asks_for_none(site: FastAPI) -> None:
    walked = list(routes(site))
    assert {"/", "/next", "/sign-in"} <= {path for _, path, _ in walked}
    assert {path for _, path, asked in walked if asked is None} - set(PUBLIC) == set()
    assert {method for method, _, _ in walked} <= {"GET", "POST"}


def test_the_other_ways_in_open_no_other_door(cloud: LocalCloud) -> None:
    desk = desk_on(cloud, Clock())
    said = {"url": "https://console.test", "roles": {"ts": "reviewer"}, "oidc_issuer": "https://idp.example"}
    oidc = ConsoleSettings(sign_in="oidc", oidc_client_id="modfleet", **said)
    arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/console/50dc6c495c0c9188"
    alb = ConsoleSettings(sign_in="alb", oidc_client_id="modfleet", alb_arn=arn, **said)
    for settings in (oidc, alb):
        site = create_site(desk, entrance=entrance_of(settings, desk, token=""))
        walked = list(routes(site))
        assert {path for _, path, asked in walked if asked is None} - set(PUBLIC) == set()
        assert ("POST", "/sign-in", None) not in walked
        assert browser_of(site).post("/sign-in", headers=OURS, data={"token": ""}).status_code == 405


def test_nobody_gets_anywhere_without_signing_in(site: FastAPI) -> None:
    browser = browser_of(site)
    for method, path, asked in routes(site):
        if asked is not None:
            said = browser.request(method, filled(path), headers=OURS)
            assert (path, said.status_code, said.headers.get("location", "")[:12]) == (path, 303, "/sign-in?to=")
            part = browser.request(method, filled(path), headers=OURS | {"hx-request": "true"})
            assert (part.status_code, part.headers["hx-redirect"]) == (401, "/sign-in")


def test_each_role_gets_where_its_permissions_lead_and_nowhere_else(
    site: FastAPI, visitors: Mapping[str, tuple[TestClient, str]]
) -> None:
    for method, path, asked in routes(site):
        for role, (browser, token) in visitors.items():
            if asked is None or (method == "POST" and asked in PERMITS[Role(role)]):
                continue  # what a permitted form does is its own test's matter
            said = browser.request(method, filled(path), headers=OURS | {"x-csrf-token": token})
            refused = said.status_code == 403 and "Not for your role" in said.text
            assert refused is (asked not in PERMITS[Role(role)]), (role, method, path, said.status_code)


FORGED: dict[str, Callable[[str, str], dict[str, str]]] = {
    "no token": lambda _own, _other: OURS,
    "another session's token": lambda _own, other: OURS | {"x-csrf-token": other},
    "a token of nothing": lambda _own, _other: OURS | {"x-csrf-token": ""},
    "from another site": lambda own, _other: {"x-csrf-token": own, "sec-fetch-site": "cross-site"},
    "from a sibling host": lambda own, _other: {"x-csrf-token": own, "sec-fetch-site": "same-site"},
    "by a link or a bookmark": lambda own, _other: {"x-csrf-token": own, "sec-fetch-site": "none"},
    "from another origin": lambda own, _other: {"x-csrf-token": own, "origin": "https://evil.example"},
    "from the same host's other port": lambda own, _other: {"x-csrf-token": own, "origin": "http://console.test:81"},
    "from nowhere": lambda own, _other: {"x-csrf-token": own},
    "from a sandbox": lambda own, _other: {"x-csrf-token": own, "origin": "null"},
}


@pytest.mark.parametrize("how", FORGED)
def test_no_forged_form_is_done(how: str, site: FastAPI, visitors: Mapping[str, tuple[TestClient, str]]) -> None:
    browser, own = visitors["admin"]
    headers = FORGED[how](own, visitors["senior"][1])
    posts = [(path, asked) for method, path, asked in routes(site) if method == "POST" and not path.startswith("/d/")]
    assert len(posts) > 2
    for path, asked in posts:
        if path == "/sign-in" and "sec-fetch-site" in headers and headers["sec-fetch-site"] == "same-origin":
            continue  # it has no session yet whose token it could carry
        said = browser.post(filled(path), headers=headers, data={"token": TOKEN, "name": "m", "role": "admin"})
        assert (path, said.status_code, asked is None or "Not done" in said.text) == (path, 403, True)
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize("headers", [OURS, {"origin": "http://console.test"}], ids=["of now", "of an older browser"])
def test_the_console_s_own_forms_are_done(headers: dict[str, str], site: FastAPI, unique: str) -> None:
    browser = browser_of(site)
    sign_in(browser, unique, "reviewer")
    out = browser.post("/sign-out", headers=headers, data={"csrf": csrf_of(browser)})
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/static/console.css", 200),
        ("/static/nothing.css", 404),
        ("/static/../site.py", 404),
        ("/static/%2e%2e/site.py", 404),
        ("/nothing", 404),
        ("/healthz", 200),
        ("/breaks", 500),
        ("/openapi.json", 404),
        ("/docs", 404),
    ],
)
def test_every_answer_is_guarded(
    path: str, status: int, site: FastAPI, visitors: Mapping[str, tuple[TestClient, str]]
) -> None:
    said = visitors["admin"][0].get(path)
    assert said.status_code == status
    assert {name: said.headers.get(name) for name in HEADERS} == HEADERS
    policy = said.headers["content-security-policy"].split("; ")
    assert set(policy) >= DIRECTIVES
    assert "unsafe" not in "".join(policy)
    assert not [one for one in policy if re.search(r"(?:https?:|\*)(?:\s|$)", one)], "a source as wide as the web"
    assert "server" not in said.headers
    assert "a secret" not in said.text
    assert "strict-transport-security" not in said.headers


def test_refusals_are_guarded_and_say_nothing_of_what_was_sent(site: FastAPI) -> None:
    browser = browser_of(site)
    for said in (
        browser.post("/reads", params={"number": "<b>mine</b>"}),
        browser.post("/sign-in", headers=OURS, data={"role": "<b>mine</b>"}),
        browser.put("/sign-in"),
    ):
        assert said.status_code in (405, 422)
        assert said.headers["content-security-policy"].startswith("default-src 'none'")
        assert "mine" not in said.text
        assert said.headers["content-type"].startswith("text/html")


def test_each_page_has_a_nonce_of_its_own_and_scripts_by_no_other_way(site: FastAPI) -> None:
    browser = browser_of(site)
    nonces = set()
    for _ in range(2):
        said = browser.get("/sign-in")
        (nonce,) = re.findall(r"'nonce-([^']+)'", said.headers["content-security-policy"])
        assert set(re.findall(r"<script[^>]*", said.text)) == set(
            re.findall(rf'<script src="/static/[\w./-]+" defer nonce="{re.escape(nonce)}"', said.text)
        )
        nonces.add(nonce)
    assert len(nonces) == 2


def test_a_session_s_cookie_is_for_this_host_and_no_script(cloud: LocalCloud, site: FastAPI) -> None:
    local = sign_in(browser_of(site), "ana", "reviewer").headers["set-cookie"]
    assert local.startswith("modfleet=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(local.split("; "))
    secure = create_site(desk_on(cloud, Clock()), local_token=TOKEN, url="https://console.test")
    # What ends https in front of it speaks http to it.
    for host in ("https://console.test", "http://console.test"):
        said = sign_in(browser_of(secure, host=host), "ana", "reviewer")
        cookie = said.headers["set-cookie"]
        assert cookie.startswith("__Host-modfleet=")
        assert {"Secure", "HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        assert said.headers["strict-transport-security"] == "max-age=63072000"


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/x\r\nset-cookie: a=b",
        "evil.example",
        "",
        "///evil.example",
        "/?next=//evil.example",
    ],
)
def test_a_sign_in_leads_nowhere_else(to: str, site: FastAPI) -> None:
    browser = browser_of(site, address=f"192.0.2.{100 + len(to)}")
    assert f'name="to" value="{"/"}"' in browser.get("/sign-in", params={"to": to}).text
    assert sign_in(browser, "ana", "reviewer", to=to).headers["location"] == "/"
    assert sign_in(browser, "ana", "reviewer", to="/cases/4f2a").headers["location"] == "/cases/4f2a"


def test_guessing_the_token_is_slow_for_whoever_guesses_and_for_nobody_else(cloud: LocalCloud) -> None:
    site = create_site(desk_on(cloud, Clock()), local_token=TOKEN)
    now = [0.0]
    site.state.console.limits.clock = lambda: now[0]
    guesser, other = browser_of(site, address="192.0.2.66"), browser_of(site, address="192.0.2.67")
    said = [sign_in(guesser, "m", "admin", token=f"guess {number}").status_code for number in range(21)]
    assert said == [422] * 20 + [429]
    refused = sign_in(guesser, "m", "admin")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
    assert sign_in(other, "ana", "reviewer").status_code == 303
    now[0] = 3.0
    assert sign_in(guesser, "m", "admin").status_code == 303


def test_a_host_by_any_other_name_is_not_served(cloud: LocalCloud) -> None:
    """Somebody else's name that leads here would make their pages and ours one site."""
    site = create_site(desk_on(cloud, Clock()), local_token=TOKEN, hosts=frozenset({"console.test"}))
    assert browser_of(site).get("/sign-in").status_code == 200
    evil = browser_of(site, host="http://evil.example")
    assert evil.get("/sign-in").status_code == 421
    assert evil.get("/static/console.css").status_code == 421
    # A load balancer asks by address.
    assert evil.get("/healthz").text == "ok\n"


def test_the_log_has_who_did_what_and_neither_tokens_nor_what_was_sent(site: FastAPI, unique: str) -> None:
    browser = browser_of(site)
    with capture_logs() as lines:
        sign_in(browser, f"ana-{unique}", "reviewer", to="/cases/4f2a")
        browser.get("/", params={"q": "personal"})
        browser.get("/d/secret-of-a-link")
        browser.get("/nothing/personal")
        browser.get("/healthz")
        browser.get("/breaks")
    said = [line for line in lines if line["event"] == "request" and line["log_level"] == "info"]
    assert [(line["method"], line["route"], line["status"]) for line in said[:2]] == [
        ("POST", "/sign-in", 303),
        ("GET", "/", 200),
    ]
    assert said[1]["user"] == f"ana-{unique}"
    assert said[1]["ms"] > 0
    assert said[-1] | {"failed": "ZeroDivisionError", "status": 500, "route": "/breaks"} == said[-1]
    secret = {browser.cookies["modfleet"], TOKEN, "secret-of-a-link", "personal", "a secret"}
    assert not [word for word in secret if word in json.dumps(lines, default=str)]


def test_roles_have_the_names_that_settings_know() -> None:
    assert set(get_args(RoleName)) == {role.value for role in Role}
