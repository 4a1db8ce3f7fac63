"""How long a session lasts: idle, in all, and whose it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from deploy.local.run import LocalCloud
from tasks.desk import Desk
from tests.contract.visitors import OURS, TOKEN, Clock, TestClient, browser_of, csrf_of, desk_on, sign_in
from worker.console.site import create_site


@pytest.fixture(scope="module")
def clock() -> Clock:
    """One for all tests: time only passes."""
    return Clock()


@pytest.fixture(scope="module")
def desk(cloud: LocalCloud, clock: Clock) -> Desk:
    return desk_on(cloud, clock)


@pytest.fixture
def open_local(desk: Desk) -> Callable[..., TestClient]:
    site = create_site(desk, local_token=TOKEN)
    return lambda: browser_of(site)


def test_who_is_idle_for_half_an_hour_signs_in_again(open_local: Callable[..., TestClient], clock: Clock) -> None:
    browser = open_local()
    sign_in(browser, "ana", "reviewer")
    for _ in range(4):
        clock.passes(minutes=29)
        assert browser.get("/").status_code == 200
    clock.passes(minutes=30, seconds=1)
    assert browser.get("/").headers["location"] == "/sign-in?to=/"


def test_nobody_stays_for_longer_than_twelve_hours(open_local: Callable[..., TestClient], clock: Clock) -> None:
    browser = open_local()
    sign_in(browser, "ana", "reviewer")
    for _ in range(24):
        clock.passes(minutes=29)
        browser.get("/")
    clock.passes(minutes=23)
    assert browser.get("/").status_code == 200
    clock.passes(minutes=2)
    assert browser.get("/").status_code == 303


def test_a_session_that_was_there_before_is_not_the_one_after(open_local: Callable[..., TestClient]) -> None:
    """Whoever planted a session in a browser must not have the one of whoever signs in there."""
    attacker, victim = open_local(), open_local()
    sign_in(attacker, "mallory", "reviewer")
    planted = attacker.cookies["modfleet"]
    victim.cookies.set("modfleet", planted, domain="console.test", path="/")
    sign_in(victim, "ana", "admin")
    assert victim.cookies["modfleet"] != planted
    assert attacker.get("/").status_code == 303
    assert "ana</bdi>, admin" in victim.get("/").text
    made_up = open_local()
    made_up.cookies.set("modfleet", "of-my-own-making", domain="console.test", path="/")
    sign_in(made_up, "ben", "reviewer")
    assert "of-my-own-making" not in made_up.cookies.values()


def test_a_session_that_was_ended_is_gone_from_the_server(open_local: Callable[..., TestClient]) -> None:
    browser, thief = open_local(), open_local()
    sign_in(browser, "ana", "reviewer")
    thief.cookies.set("modfleet", browser.cookies["modfleet"], domain="console.test", path="/")
    assert thief.get("/").status_code == 200
    browser.post("/sign-out", data={"csrf": csrf_of(browser)}, headers=OURS)
    assert "modfleet" not in browser.cookies
    assert thief.get("/").status_code == 303


def test_each_sign_in_is_in_the_audit_log(cloud: LocalCloud, clock: Clock, unique: str) -> None:
    desk = desk_on(cloud, clock)
    written: list[dict[str, Any]] = []
    desk.audit.append = written.extend  # type: ignore[method-assign]
    browser = browser_of(create_site(desk, local_token=TOKEN))
    sign_in(browser, f"ana-{unique}", "auditor")
    (entry,) = written
    assert (entry["command"], entry["actor"], entry["role"]) == ("console sign-in", f"ana-{unique}", "auditor")
    assert TOKEN not in json.dumps(written)
