"""An appeal, from the uploader's link to the object that is public again; the uploader's pages run no script."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browsing import Complaints, Console, arrived
from fleet import Put, until
from playwright.sync_api import Page, expect

from tasks.review.case import CaseStatus, Kind, Reviewer, Ruling
from tasks.review.claims import claim
from tasks.review.rows import find_case
from tasks.review.ruling import rule


@pytest.fixture(scope="module")
def taken_down(console: Console, plain_image: Callable[..., bytes]) -> Put:
    """What Ana has taken down, and struck its uploader for."""
    put = console.case("feed/appealed.png", plain_image(card={"labels": {"Weapons": 77}}), uploader="zoe")
    desk, case_id = console.fleet.desk, console.id_of(put)
    claim(desk, case_id, Reviewer(name="ana", senior=True))
    rule(desk, case_id, Ruling(kind=Kind.STRIKE, by="ana", why="a gun", rule="moderation/Weapons"), undo_seconds=0)
    until(lambda: console.fleet.public(put.key)[0] != 200, what="the takedown")
    return put


def test_an_uploader_appeals_without_script_and_somebody_else_gives_it_back(
    visit: Callable[..., Page], console: Console, complaints: Complaints, taken_down: Put
) -> None:
    complaints.expected.append("status of 403")
    told = _file(visit(java_script_enabled=False), console, taken_down)
    ana = visit("ana")
    _is_not_offered_to_who_ruled(ana)
    page = visit("ben")
    page.goto("/appeals")
    page.get_by_role("button", name="Start next appeal").click()
    path = arrived(page)
    ana.goto(path)
    expect(ana.get_by_role("heading", level=1)).to_have_text("Not among your cases")
    expect(page.get_by_role("main")).to_contain_text("It is a toy")
    expect(page.get_by_role("main")).not_to_contain_text("a gun")
    page.keyboard.press("t")
    page.get_by_label("What you saw").fill("a toy")
    page.keyboard.press("Control+Shift+Enter")
    page.locator("#undo").wait_for()
    assert path in page.url
    until(lambda: console.fleet.public(taken_down.key)[0] == 200, what="the object in public again")
    until(lambda: _is_closed(console, path), what="the end of the appeal")
    told.reload()
    expect(told.get_by_role("main")).to_contain_text("We got this wrong")
    expect(told.get_by_role("main")).to_contain_text("nothing of it counts against your account")


def _file(page: Page, console: Console, put: Put) -> Page:
    """By the link of the notice; what an uploader reads says nothing of who decided."""
    notices = until(lambda: [one for one in console.fleet.notices(put) if one.get("appeal")], what="a link")
    page.goto(notices[-1]["appeal"]["url"])
    main = page.get_by_role("main")
    for part in ("What happened", "Where it applies", "Why", "How we found it", "What you can do", "Reference"):
        expect(main).to_contain_text(part)
    expect(main).not_to_contain_text("ana")
    page.get_by_role("link", name="Ask for another look").click()
    page.get_by_role("radio").first.check()
    page.get_by_label("In your own words").fill("It is a toy, and you can see that.")
    page.get_by_role("button", name="Send").click()
    expect(main).to_contain_text("A different person will look at it")
    return page


def _is_not_offered_to_who_ruled(page: Page) -> None:
    page.goto("/appeals")
    row = page.get_by_role("row").filter(has_text="you ruled on it")
    expect(row).to_have_count(1)
    expect(row.get_by_role("link")).to_have_count(0)


def _is_closed(console: Console, path: str) -> bool:
    case = find_case(console.fleet.desk, path.rpartition("/")[2])
    return case is not None and case.status is CaseStatus.CLOSED
