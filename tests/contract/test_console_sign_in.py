"""Signing in to the console: by a provider over HTTP, behind a load balancer, by a token; and how long it lasts."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import FastAPI

from config.console import ConsoleSettings
from deploy.local.run import LocalCloud
from tasks.desk import Desk
from tests.contract.provider import CLIENT, SECRET, Provider, running_provider
from tests.contract.visitors import OURS, TOKEN, Clock, TestClient, browser_of, csrf_of, desk_on
from worker.console.alb import HEADER, alb_entrance
from worker.console.oidc import oidc_entrance
from worker.console.pending import Pending
from worker.console.site import create_site

ROLES = {"leads": "senior", "ts": "reviewer", "checks": "auditor"}
URL = "https://console.test"
ADDRESSES = count()
#: What browsers do at the provider.
ELSEWHERE = httpx.Client()


@pytest.fixture(scope="module")
def clock() -> Clock:
    """One for all tests: time only passes."""
    return Clock()


@pytest.fixture(scope="module")
def desk(cloud: LocalCloud, clock: Clock) -> Desk:
    return desk_on(cloud, clock)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def running(key: rsa.RSAPrivateKey) -> Iterator[Provider]:
    with running_provider(key) as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    """As if nobody had made anything wrong with it yet."""
    running.reset()
    return running


@pytest.fixture(scope="module")
def site(running: Provider, desk: Desk, clock: Clock) -> FastAPI:
    """A console whose people the provider signs in."""
    settings = ConsoleSettings(
        sign_in="oidc",
        url=URL,
        roles=ROLES,
        oidc_issuer=running.url,
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
    )
    entrance = oidc_entrance(settings, Pending(desk.aws, desk.settings.items_table, clock))
    return create_site(desk, entrance=entrance, url=URL)


@pytest.fixture
def open_browser(site: FastAPI, provider: Provider) -> Callable[..., TestClient]:
    """Another browser, each at an address of its own: `open_browser()`."""
    return lambda: browser_of(site, host=URL, address=f"192.0.2.{next(ADDRESSES) % 256}")


def at_provider(browser: TestClient, to: str = "/") -> str:
    """Where the provider sends a browser that came to sign in."""
    sent = browser.get("/sign-in/start", params={"to": to})
    assert sent.status_code == 302, sent.text
    location = ELSEWHERE.get(sent.headers["location"]).headers["location"]
    assert location.startswith(f"{URL}/sign-in/back?")
    return str(location)


def other_site(desk: Desk, clock: Clock, issuer: str) -> TestClient:
    """A browser at a console that has asked its provider nothing yet."""
    settings = ConsoleSettings(sign_in="oidc", url=URL, roles=ROLES, oidc_issuer=issuer, oidc_client_id=CLIENT)
    entrance = oidc_entrance(settings, Pending(desk.aws, desk.settings.items_table, clock))
    return browser_of(create_site(desk, entrance=entrance, url=URL), host=URL)


def has_session(browser: TestClient) -> bool:
    return "__Host-modfleet" in browser.cookies


class TestAtAProvider:
    def test_somebody_in_a_mapped_group_gets_in_and_where_they_wanted(self, open_browser: Callable[..., TestClient]):
        browser = open_browser()
        away = browser.get("/?x=1")
        assert (away.status_code, away.headers["location"]) == (303, "/sign-in?to=/")
        assert "/sign-in/start?to=/cases/4f2a" in browser.get("/sign-in?to=/cases/4f2a").text
        back = browser.get(at_provider(browser, "/?to=there"))
        assert (back.status_code, back.headers["location"]) == (303, "/")
        assert "ana@example.com</bdi>, reviewer" in browser.get("/").text

    def test_what_it_began_with_stays_on_the_server(self, open_browser: Callable[..., TestClient]) -> None:
        sent = open_browser().get("/sign-in/start")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}
        assert asked["code_challenge_method"] == "S256"
        assert asked["response_type"] == "code"
        cookie = sent.headers["set-cookie"]
        assert not [name for name in ("state", "nonce", "code_challenge") if asked[name] in cookie]
        assert {"Secure", "HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
        assert cookie.startswith("__Host-")

    def test_the_first_group_that_is_written_counts(
        self, open_browser: Callable[..., TestClient], provider: Provider
    ) -> None:
        provider.person["groups"] = ["checks", "ts", "leads"]
        browser = open_browser()
        browser.get(at_provider(browser))
        assert "ana@example.com</bdi>, senior" in browser.get("/").text

    def test_groups_may_be_told_beside_the_token(
        self, open_browser: Callable[..., TestClient], provider: Provider
    ) -> None:
        del provider.person["groups"]
        provider.user_info = {"groups": "[leads, all]", "email": "eve@example.com"}
        browser = open_browser()
        browser.get(at_provider(browser))
        assert "ana@example.com</bdi>, senior" in browser.get("/").text

    @pytest.mark.parametrize(
        "wrong",
        [
            {"groups": []},
            {"groups": ["all"]},
            {"groups": {"ts": True}},
            {"groups": "tsx"},
            {"email": None},
            {"email": "<script>"},
            {"email_verified": False},
            {"email_verified": "false"},
        ],
        ids=str,
    )
    def test_nobody_gets_in_who_is_nobody_here(
        self, wrong: dict[str, Any], open_browser: Callable[..., TestClient], provider: Provider
    ) -> None:
        provider.person |= wrong
        browser = open_browser()
        said = browser.get(at_provider(browser))
        assert (said.status_code, has_session(browser)) == (403, False)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"iss": "https://elsewhere.example"},
            {"aud": "another-client"},
            {"aud": "another-client", "azp": CLIENT},
            {"aud": None},
            {"exp": 1_700_000_000},
            {"exp": None},
            {"sub": None},
            {"nonce": "another"},
            {"nonce": None},
            {"nbf": 4_000_000_000},
        ],
        ids=str,
    )
    def test_a_token_that_is_not_for_this_sign_in_is_not_believed(
        self, wrong: dict[str, Any], open_browser: Callable[..., TestClient], provider: Provider
    ) -> None:
        provider.claims |= wrong
        browser = open_browser()
        said = browser.get(at_provider(browser))
        assert (said.status_code, has_session(browser)) == (403, False)

    @pytest.mark.parametrize("how", ["another key", "none", "the client's secret"])
    def test_a_token_that_the_provider_has_not_signed_is_not_believed(
        self, how: str, open_browser: Callable[..., TestClient], provider: Provider
    ) -> None:
        another = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        ways = {"another key": (another, "RS256"), "none": (None, "none"), "the client's secret": (SECRET * 2, "HS256")}
        provider.signs = ways[how]
        browser = open_browser()
        said = browser.get(at_provider(browser))
        assert (said.status_code, has_session(browser)) == (403, False)

    def test_who_did_not_begin_here_does_not_end_here(self, open_browser: Callable[..., TestClient]) -> None:
        """An attacker's own way back, given to somebody else, would have them work under the attacker's name."""
        attacker, victim = open_browser(), open_browser()
        location = at_provider(attacker)
        assert victim.get(location).status_code == 403
        at_provider(victim)
        assert victim.get(location).status_code == 403
        assert not has_session(victim)

    def test_a_way_back_leads_in_once_and_not_for_ever(
        self, open_browser: Callable[..., TestClient], clock: Clock
    ) -> None:
        browser = open_browser()
        location, kept = at_provider(browser), dict(browser.cookies)
        assert browser.get(location).status_code == 303
        again = open_browser()
        for name, value in kept.items():
            again.cookies.set(name, value, domain="console.test", path="/")
        assert again.get(location).status_code == 403
        late = at_provider(again)
        clock.passes(minutes=10)
        assert again.get(late).status_code == 403

    def test_a_provider_that_says_no_is_not_quoted(self, open_browser: Callable[..., TestClient]) -> None:
        browser = open_browser()
        at_provider(browser)
        said = browser.get("/sign-in/back?error=access_denied&error_description=Call+555+now")
        assert said.status_code == 403
        assert "555" not in said.text

    def test_a_provider_of_another_name_is_not_asked(self, desk: Desk, clock: Clock, provider: Provider) -> None:
        provider.metadata = {"issuer": "https://elsewhere.example"}
        assert other_site(desk, clock, provider.url).get("/sign-in/start").status_code == 403

    def test_whoever_signs_out_is_not_in_again_by_the_next_page(self, open_browser: Callable[..., TestClient]) -> None:
        browser = open_browser()
        browser.get(at_provider(browser))
        out = browser.post("/sign-out", data={"csrf": csrf_of(browser)}, headers=OURS)
        assert (out.status_code, out.headers["location"]) == (303, "/sign-in?out=true")
        assert "You are signed out" in browser.get("/sign-in?out=true").text
        assert browser.get("/").status_code == 303

    def test_a_provider_that_is_away_is_said_so(self, desk: Desk, clock: Clock) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        assert other_site(desk, clock, f"http://127.0.0.1:{port}").get("/sign-in/start").status_code == 503


class TestBehindALoadBalancer:
    ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/console/50dc6c495c0c9188"
    KID = "01234567-89ab-cdef-0123-456789abcdef"

    @pytest.fixture
    def told(self, desk: Desk, clock: Clock) -> Callable[..., Any]:
        """Ask as the load balancer does: `told("ben@example.com")`."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        settings = ConsoleSettings(
            sign_in="alb",
            url=URL,
            roles=ROLES,
            oidc_issuer="https://idp.example",
            oidc_client_id=CLIENT,
            alb_arn=self.ARN,
        )
        site = create_site(desk, entrance=alb_entrance(settings, clock, fetch=lambda _: pem.decode()), url=URL)
        browser = browser_of(site, host=URL)

        def ask(name: str = "", path: str = "/") -> Any:
            header = {
                "kid": self.KID,
                "signer": self.ARN,
                "iss": "https://idp.example",
                "client": CLIENT,
                "exp": clock().timestamp() + 120,
            }
            claims = {"sub": name, "email": name, "groups": ["ts"]}
            sent = {HEADER: jwt.encode(claims, key, algorithm="ES256", headers=header)} if name else {}
            return browser.get(path, headers=sent)

        return ask

    def test_whom_it_names_is_in_as_long_as_it_names_them(self, told: Callable[..., Any]) -> None:
        assert told("ben@example.com").headers["location"] == "/sign-in?to=/"
        assert told("ben@example.com", "/sign-in?to=/").status_code == 303
        assert "ben@example.com</bdi>, reviewer" in told("ben@example.com").text
        # Another one has signed in at the load balancer, in the same browser.
        assert told("eva@example.com").headers["location"] == "/sign-in?to=/"
        assert told().headers["location"] == "/sign-in?to=/"
        assert told("ben@example.com").status_code == 200

    def test_nobody_gets_in_without_its_word(self, told: Callable[..., Any]) -> None:
        assert told("", "/sign-in").status_code == 403

    def test_its_header_means_nothing_to_another_console(self, desk: Desk) -> None:
        browser = browser_of(create_site(desk, local_token=TOKEN))
        for path in ("/", "/sign-in"):
            said = browser.get(path, headers={HEADER: "a.b.c"})
            assert "modfleet=" not in said.headers.get("set-cookie", "")
        assert browser.get("/", headers={HEADER: "a.b.c"}).headers["location"] == "/sign-in?to=/"
