"""Working through cases by keyboard alone: arm, commit, undo; and keys that never decide by accident."""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
from browsing import Console, arrived, sign_in, start_next
from playwright.sync_api import Page, expect

CHOSEN = '#decision [name="choice"]:checked'


@pytest.fixture(scope="module", autouse=True)
def waiting(console: Console, plain_image: Callable[..., bytes]) -> None:
    """More cases than these tests take."""
    made = [plain_image(card={"labels": {"Weapons": 75}, "note": f"case {number}"}) for number in range(30)]
    console.cases({f"feed/case{number}.png": body for number, body in enumerate(made)}, uploader="zoe")


def test_ten_cases_are_done_and_one_is_taken_back_without_a_mouse(visit: Callable[..., Page], console: Console) -> None:
    page = visit("ana")
    done = [start_next(page)]
    for number in range(10):
        if number % 2:
            page.keyboard.press("a")
        else:
            _remove(page)
        page.keyboard.press("Control+Enter")
        done.append(arrived(page, after=done[-1]))
        if number == 0:
            page.keyboard.press("u")
            assert arrived(page, after=done[-1]) == done[0]
            _remove(page)
            page.keyboard.press("Control+Enter")
            done[-1] = arrived(page, after=done[0])
    assert len(set(done)) == 11
    ruled = [_ruling(console, path) for path in done[:10]]
    assert [bool(one) for one in ruled] == [True] * 10
    assert not _ruling(console, done[10])


def test_letters_are_typed_into_the_note_and_decide_nothing(visit: Callable[..., Page]) -> None:
    page = visit("ben")
    start_next(page)
    page.keyboard.press("n")
    page.keyboard.type(string.ascii_letters + "?,.[]123")
    expect(page.locator("#note")).to_have_value(string.ascii_letters + "?,.[]123")
    expect(page.locator(CHOSEN)).to_have_count(0)
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_keys_that_are_turned_off_do_nothing_and_the_buttons_do_it_all(visit: Callable[..., Page]) -> None:
    page = visit("cho")
    path = start_next(page)
    page.keyboard.press("?")
    page.get_by_role("button", name="Turn keys off").press("Enter")
    page.get_by_role("heading", name="Keys", exact=True, level=1).wait_for()
    page.goto(path)
    for key in string.ascii_lowercase + "?":
        page.keyboard.press(key)
    expect(page.locator(CHOSEN)).to_have_count(0)
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.get_by_role("radio", name="Allow").press("Space")
    arrived(page)
    page.get_by_role("button", name="Commit + next").press("Enter")
    arrived(page, after=path)


def test_a_key_that_was_moved_stays_moved_after_signing_in_again(visit: Callable[..., Page], complaints) -> None:
    complaints.expected.append("status of 422")
    page = visit()
    sign_in(page, "dan")
    page.goto("/keys")
    for taken, why in (("A", "taken"), ("Ctrl+F", "belongs to the browser")):
        page.get_by_label("Choose: remove").fill(taken)
        page.get_by_role("button", name="Keep these keys").click()
        expect(page.get_by_role("alert")).to_contain_text(why)
    page.get_by_label("Choose: remove").fill("F2")
    page.get_by_role("button", name="Keep these keys").click()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "dan")
    start_next(page)
    page.keyboard.press("r")
    expect(page.locator(CHOSEN)).to_have_count(0)
    page.keyboard.press("F2")
    expect(page.locator(CHOSEN)).to_have_value("remove")


def test_a_key_that_is_held_down_commits_one_case_only(visit: Callable[..., Page], console: Console) -> None:
    page = visit("eva")
    first = start_next(page)
    page.keyboard.press("a")
    page.keyboard.down("Control")
    page.keyboard.down("Enter")
    second = arrived(page, after=first)
    page.keyboard.up("Control")
    page.keyboard.press("a")
    page.keyboard.down("Control")
    for _ in range(5):
        page.keyboard.down("Enter")
    expect(page.locator(CHOSEN)).to_have_value("allow")
    page.keyboard.up("Enter")
    page.keyboard.up("Control")
    assert page.url.endswith(second) or "after=" in page.url
    assert _ruling(console, first)
    assert not _ruling(console, second)


def test_two_reviewers_who_start_at_once_never_share_a_case(visit: Callable[..., Page]) -> None:
    pages = [visit(who) for who in ("fay", "gus")]
    for page in pages:
        page.goto("/")
    for page in pages:
        page.evaluate("document.getElementById('next').click()")
    assert len({arrived(page) for page in pages}) == 2


def _remove(page: Page) -> None:
    """Two strokes and a reason: what, which rule, and what was seen."""
    page.keyboard.press("r")
    page.keyboard.press("1")
    expect(page.locator("#why")).to_be_focused()
    page.keyboard.type("a gun on the table")


def _ruling(console: Console, path: str) -> str:
    key = {"case_id": {"S": path.rpartition("/")[2]}}
    row = console.fleet.aws.dynamodb.get_item(
        TableName=console.fleet.settings.cases_table, Key=key, ConsistentRead=True
    )["Item"]
    return row.get("ruling", {}).get("S", "")
