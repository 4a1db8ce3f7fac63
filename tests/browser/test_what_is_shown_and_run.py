"""What reaches a reviewer: nothing of the content before it is asked for, and never a script of it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from browsing import Console
from fleet import card
from playwright.sync_api import Page, Request, Route, expect

HOSTILE = '<img src=x onerror="document.title=1">'
OF_OTHERS = "http://127.0.0.1:1/"


@pytest.fixture(scope="module")
def picture_case(console: Console, flagged_image: bytes) -> str:
    """The path of a case about a picture that looks different when it is blurred."""
    body = flagged_image + card(labels={"Weapons": 75}, note="shown")
    return f"/cases/{console.id_of(console.case('feed/shown.png', body, uploader='zoe'))}"


def test_nothing_of_the_content_comes_before_it_is_asked_for(
    visit: Callable[..., Page], console: Console, picture_case: str
) -> None:
    page = visit("ben")
    elsewhere: list[str] = []
    page.on("request", lambda request: elsewhere.extend(_elsewhere(request, console)))
    page.goto(picture_case)
    page.get_by_role("button", name="Take this case").click()
    page.locator("#decision").wait_for()
    assert elsewhere == []
    assert "Signature=" not in page.content()
    page.keyboard.press("v")
    page.locator(".shown .still").wait_for()
    assert elsewhere == []
    page.keyboard.press("v")
    page.locator(".shown .media").wait_for()
    assert len(elsewhere) == 1


def test_a_passing_mouse_reveals_nothing_and_a_hidden_tab_conceals(
    visit: Callable[..., Page], picture_case: str
) -> None:
    page = visit("ben")
    page.goto(picture_case)
    page.locator("#decision, .case-decision button").first.wait_for()
    shade = page.locator(".shade")
    _reveal(page, steps=2)
    expect(page.locator(".shown")).to_have_attribute("data-blur", "")
    page.mouse.move(0, 0)
    before = shade.screenshot(animations="disabled")
    shade.hover()
    page.mouse.down()
    assert shade.screenshot(animations="disabled") == before
    page.mouse.up()
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true});"
        "document.dispatchEvent(new Event('visibilitychange'));"
    )
    expect(page.locator(".shown")).to_have_count(0)
    expect(page.locator(".shade img")).to_have_count(0)


def test_a_minute_without_input_conceals(visit: Callable[..., Page], picture_case: str) -> None:
    page = visit("ben")
    page.clock.install()
    page.goto(picture_case)
    _reveal(page, steps=1)
    page.clock.run_for(59_000)
    expect(page.locator(".shown")).to_have_count(1)
    page.clock.run_for(2_000)
    expect(page.locator(".shown")).to_have_count(0)


def test_scripts_in_names_and_texts_stay_words(visit: Callable[..., Page], console: Console) -> None:
    body = f"{HOSTILE}<script>document.title=1</script><div hx-get=/sign-in hx-trigger=load></div> you idiot".encode()
    body += card(guardrail={"INSULTS": "MEDIUM"}, classifier={"decision": "hold", "severity": 1, "rule": "harassment"})
    put = console.case(f"messages/{HOSTILE}.txt", body, uploader=HOSTILE)
    page = visit("ada")
    page.goto(f"/cases/{console.id_of(put)}")
    _reveal(page, steps=1)
    expect(page.locator(".shown")).to_contain_text("onerror")
    page.keyboard.press("f")
    page.keyboard.press("h")
    expect(page.locator("#uploader-body")).to_contain_text("onerror")
    _assert_inert(page)
    for path in (
        f"/items?uri={quote(put.location)}",
        f"/uploaders/{quote(HOSTILE)}",
        f"/audit?of={quote(put.location)}",
        "/",
    ):
        page.goto(path)
        _assert_inert(page)


@pytest.mark.parametrize("site", [OF_OTHERS, "http://evil.example/"])
def test_a_form_of_another_page_changes_nothing(
    visit: Callable[..., Page], console: Console, complaints, site: str
) -> None:
    complaints.expected.append("status of 403")
    page = visit("gus")
    form = (
        f'<form method="post" action="{console.url}/keys"><input name="profile" value="off"><button>Win</button></form>'
    )

    def answer(route: Route) -> None:
        route.fulfill(body=form, content_type="text/html")

    page.route(f"{site}**", answer)
    page.goto(site)
    page.get_by_role("button", name="Win").click()
    page.get_by_role("heading", level=1).wait_for()
    page.goto("/keys")
    expect(page.get_by_role("radio", name="Letters: all")).to_be_checked()


def _reveal(page: Page, *, steps: int) -> None:
    for step in range(1, steps + 1):
        page.locator(".thing").first.get_by_role("button", name="Reveal").click()
        page.locator(f'.shown[data-step="{step}"]').wait_for()


def _elsewhere(request: Request, console: Console) -> list[str]:
    return [request.url] if not request.url.startswith((console.url, "data:")) else []


def _assert_inert(page: Page) -> None:
    assert page.title() != "1"
    assert page.locator("main img, main script, main [hx-trigger=load]").count() == 0
