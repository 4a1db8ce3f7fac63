"""Signing in, the queue, and going through what waits."""

from __future__ import annotations

from collections.abc import Callable

from browsing import TOKEN, Console, sign_in
from playwright.sync_api import Page, expect


def test_the_terminals_link_signs_somebody_in_and_says_who_they_are(visit: Callable[..., Page]) -> None:
    page = visit()
    sign_in(page, "ana")
    expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
    expect(page.get_by_role("banner")).to_contain_text("ana, reviewer")


def test_a_wrong_token_lets_nobody_in_and_is_said_beside_the_form(visit: Callable[..., Page], complaints) -> None:
    complaints.expected.append("422")
    page = visit()
    page.goto(f"/sign-in?token={TOKEN}-not")
    page.get_by_label("Your name").fill("ana")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not the token")
    assert not page.context.cookies()


def test_whoever_was_signed_out_comes_back_to_the_page_they_wanted(visit: Callable[..., Page]) -> None:
    page = visit()
    page.goto("/")
    assert page.url.endswith("/sign-in?to=/")


def test_the_queue_names_each_case_and_shows_nothing_of_its_content(
    visit: Callable[..., Page], console: Console, picture: Callable[..., bytes]
) -> None:
    put = console.case("feed/a-weapon.png", picture(labels={"Weapons": 75}), uploader="zoe")
    page = visit("ana")
    page.goto("/")
    row = page.get_by_role("row").filter(has_text=console.id_of(put)[:8])
    expect(row).to_contain_text("image")
    # The group, so that nobody is surprised, and not the label, so that nobody is led.
    expect(row).to_contain_text("Violence")
    expect(row).not_to_contain_text("Weapons")
    assert page.locator("img, video, audio").count() == 0
