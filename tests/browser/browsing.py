"""People at their browsers: a console with a worker behind it, and what a real Chromium shows and complains of."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from fleet import Fleet, Put, until
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from deploy.local.children import Child

TOKEN = "a-token-for-the-browser-tests"
#: Who signs in, and as what.
PEOPLE = dict.fromkeys(("ana", "cho", "dan", "eva", "fay", "gus"), "reviewer") | {"ben": "senior", "ada": "admin"}
#: How a page is seen: a desk, a tablet, a phone (or a desk at 400 %).
DESK, TABLET, PHONE = 1280, 820, 320
#: https://github.com/dequelabs/axe-core/blob/develop/doc/API.md#axe-core-tags; `target-size` is off unless asked for.
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
#: Of long lists the beginning tells: the policy alone has hundreds of lines.
ALIKE = ["li:nth-child(n+30)", "tr:nth-child(n+30)"]
#: Milliseconds for anything to show on a busy machine.
PATIENCE = 20_000

_WATCH = """document.addEventListener("securitypolicyviolation",
  (event) => console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI}`));"""
#: Keys commit nothing so soon after a page has come: they were pressed for the page before.
_SETTLED = "() => performance.now() > performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd + 450"
_SIZES = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"


def chromium() -> str:
    """The browser. Fails where there is none: what people see would go unseen."""
    found = shutil.which("chromium")
    assert found, "the browser tests need Chromium: apt-get install chromium"
    return found


@contextmanager
def running_browser() -> Iterator[Browser]:
    """One Chromium without a window."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Complaints:
    """What browsers complained of: errors of scripts, and what the Content-Security-Policy refused."""

    heard: list[str] = field(default_factory=list)
    #: What a test provokes itself, as regular expressions.
    expected: list[str] = field(default_factory=list)

    def listen(self, context: BrowserContext) -> None:
        context.add_init_script(_WATCH)
        context.on("console", lambda said: self._hear(said.type, f"{said.text} {said.location.get('url', '')}"))
        context.on("weberror", lambda wrong: self._hear("error", str(wrong.error)))

    def unexpected(self) -> list[str]:
        return [said for said in self.heard if not any(re.search(one, said) for one in self.expected)]

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.heard.append(text)


@dataclass
class Console:
    """A console that runs on a fleet of its own, and the people who have signed in to it."""

    fleet: Fleet
    browser: Browser
    url: str
    _signed_in: dict[str, Any] = field(default_factory=dict)

    def context(self, who: str = "", *, complaints: Complaints, **options: Any) -> BrowserContext:
        """A browser of somebody's own; of nobody who has signed in, where nobody is named."""
        known = {"storage_state": self._session(who)} if who else {}
        options = {"viewport": {"width": DESK, "height": 800}, "color_scheme": "dark", **options}
        context = self.browser.new_context(base_url=self.url, **known, **options)
        context.set_default_timeout(PATIENCE)
        complaints.listen(context)
        return context

    def case(self, key: str, body: bytes, **metadata: str) -> Put:
        """Upload what is held, and wait until there is a case about it."""
        return self.cases({key: body}, **metadata)[0]

    def cases(self, bodies: dict[str, bytes], **metadata: str) -> list[Put]:
        """Upload all at once, and wait for each one's case."""
        puts = [self.fleet.put(key, body, **metadata) for key, body in bodies.items()]
        for put in puts:
            assert self.fleet.ended(put).status == "held"
            until(lambda put=put: self.fleet.case(put), what=f"a case about {put.key}")
        return puts

    def id_of(self, put: Put) -> str:
        """The case's id."""
        standing = self.fleet.standing(put)
        assert standing is not None
        return standing.item.id

    def _session(self, who: str) -> Any:
        if who not in self._signed_in:
            context = self.browser.new_context(base_url=self.url)
            sign_in(context.new_page(), who)
            self._signed_in[who] = context.storage_state()
            context.close()
        return self._signed_in[who]


def sign_in(page: Page, who: str) -> None:
    """By the form, as somebody does who has just run `modfleet console`."""
    page.goto(f"/sign-in?token={TOKEN}")
    page.get_by_label("Your name").fill(who)
    page.get_by_label("Role").select_option(PEOPLE[who])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", level=1).wait_for()
    assert "/sign-in" not in page.url, page.inner_text("main")


@contextmanager
def running_console(fleet: Fleet, browser: Browser, **environment: str) -> Iterator[Console]:
    """`modfleet console` as a process of its own, on a free port."""
    command = [str(Path(sys.executable).parent / "modfleet"), "console", "--port", "0", "--token", TOKEN]
    log = fleet.cloud.home / "console.log"
    child = Child(command, log=log, environment=fleet.cloud.child_environment() | environment, announces=False)
    try:
        told = until(
            lambda: re.search(r"http://127\.0\.0\.1:\d+", log.read_text(encoding="utf-8")) or child.ended() is not None,
            what="the console's address",
        )
        assert isinstance(told, re.Match), log.read_text(encoding="utf-8")
        yield Console(fleet, browser, told[0])
    finally:
        child.end()


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page as it is now, one line for each rule.

    Injected as the wrapper does it: a script element would be refused by the page's own policy.
    """
    page.evaluate(AXE_SCRIPT)
    options = {"runOnly": list(TAGS), "resultTypes": ["violations"]}
    found = page.evaluate("([seen, options]) => axe.run(seen, options)", [{"exclude": ALIKE}, options])
    ran = {rule["id"] for kind in ("passes", "violations", "inapplicable", "incomplete") for rule in found[kind]}
    assert "target-size" in ran
    return [f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']]}" for one in found["violations"]]


def wider_than_the_window(page: Page) -> bool:
    """Whether a page would have to be moved sideways to be read."""
    scroll, client = page.evaluate(_SIZES)
    return bool(scroll > client)


def start_next(page: Page) -> str:
    """Take the next case by its key; its path."""
    page.goto("/")
    page.keyboard.press("o")
    return arrived(page)


def arrived(page: Page, *, after: str = "") -> str:
    """Wait for a case's page, another one than `after`, until keys can commit there; its path."""
    page.wait_for_url(lambda url: "/cases/" in url and path_of(url) != after)
    page.locator("#decision").wait_for()
    page.wait_for_function(_SETTLED)
    return path_of(page.url)


def path_of(url: str) -> str:
    """`/cases/...` of an address."""
    return urlsplit(url).path
