"""Visitors of the console: its site in this process, on the local cloud, and browsers that keep cookies."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI

from deploy.local.run import LocalCloud
from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.record.audit import AuditLog
from tasks.record.state import State
from tests.contract.shipped import connected, shipped_policy

with warnings.catch_warnings():
    # It would rather have httpx2, which nothing else here needs.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

TOKEN = "a-token-for-tests"
#: What every browser says of a form that the site's own page sends.
OURS = {"sec-fetch-site": "same-origin"}


@dataclass
class Clock:
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class Calls:
    """A guard that counts the tries of every call."""

    made: Counter[str] = field(default_factory=Counter)

    def before(self, call: str) -> None:
        self.made[call] += 1

    def after(self, call: str, *, seconds: float, fault: Fault | None) -> None:
        pass


def desk_on(cloud: LocalCloud, now: Callable[[], datetime]) -> Desk:
    """A desk with the shipped policy."""
    aws, settings = connected(cloud)
    return Desk(
        aws=aws,
        settings=settings,
        policy=shipped_policy(),
        prompt="",
        state=State(aws, settings.items_table),
        audit=AuditLog(aws, bucket=settings.audit_bucket, writer="test", now=now),
        now=now,
    )


def browser_of(site: FastAPI, *, host: str = "http://console.test", address: str = "192.0.2.1") -> TestClient:
    """A browser that follows no redirect by itself; what the site raises is an answer, as it is to people."""
    return TestClient(
        site, base_url=host, follow_redirects=False, raise_server_exceptions=False, client=(address, 50_000)
    )


def sign_in(browser: TestClient, name: str, role: str, **more: Any) -> Any:
    """By the form of the local sign-in; gives its answer."""
    form = {"token": TOKEN, "name": name, "role": role} | more
    return browser.post("/sign-in", data=form, headers=OURS)


def csrf_of(browser: TestClient, path: str = "/") -> str:
    """What each form of theirs carries, as their pages have it."""
    found = re.search(r'<meta name="csrf" content="([0-9a-f]{64})">', browser.get(path).text)
    assert found is not None
    return found[1]
