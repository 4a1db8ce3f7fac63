"""What the browser tests share: one Chromium, one console on one fleet, and what the browser complained of."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browsing import Complaints, Console, running_browser, running_console
from fleet import card, running_fleet
from PIL import Image
from playwright.sync_api import Page

#: Signs the links in notices; harmless, as it protects nothing but this test's own cloud.
SECRET = "only-for-the-browser-tests-" + "x" * 16


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console, the worker behind it, and a browser in front of it."""
    with (
        running_fleet(tmp_path_factory.mktemp("console"), job_seconds=0.5) as fleet,
        running_browser() as browser,
        running_console(fleet, browser, MODFLEET_APPEAL_SECRET=SECRET, MODFLEET_CONSOLE_UNDO_SECONDS="10") as running,
    ):
        fleet.start_worker(MODFLEET_APPEAL_SECRET=SECRET, MODFLEET_APPEAL_URL=running.url)
        yield running


@pytest.fixture
def complaints() -> Complaints:
    """What the browsers of this test complain of."""
    return Complaints()


@pytest.fixture
def visit(console: Console, complaints: Complaints) -> Iterator[Callable[..., Page]]:
    """Open a browser of somebody's own: `visit("ana", color_scheme="light")`; it ends with the test.

    A test fails where the browser complained of anything that it did not expect.
    """
    contexts = []

    def open_browser(who: str = "", **options: Any) -> Page:
        contexts.append(console.context(who, complaints=complaints, **options))
        return contexts[-1].new_page()

    yield open_browser
    for context in contexts:
        context.close()
    assert not complaints.unexpected()


@pytest.fixture
def picture(unique: str) -> Callable[..., bytes]:
    """Make a picture that nobody has seen: `picture(labels={"Weapons": 75})`."""

    def make(**says: object) -> bytes:
        out = io.BytesIO()
        Image.effect_noise((320, 240), 90).convert("RGB").save(out, "PNG")
        return out.getvalue() + card(**says, note=unique)

    return make
