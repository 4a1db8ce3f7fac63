"""Every page: nothing that axe finds wrong in any theme or width, and nothing to move sideways for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browsing import DESK, PHONE, TABLET, Console, violations, wider_than_the_window
from fleet import Fleet, Put, card, until
from playwright.sync_api import Page

from tasks.review.case import Kind, Reviewer, Ruling
from tasks.review.claims import claim
from tasks.review.ruling import rule

#: Page -> its path; {...} is filled in from what has been uploaded.
PAGES = {
    "the queue": "/",
    "somebody else's case": "/cases/{picture}",
    "a text's case": "/cases/{text}",
    "a video's case": "/cases/{video}",
    "keys": "/keys",
    "appeals": "/appeals",
    "dashboard": "/dashboard",
    "policy": "/policy",
    "audit": "/audit",
    "an item's audit": "/audit?of={uri}",
    "search": "/search",
    "nothing found": "/search?q=s3://nowhere/nothing",
    "an item": "/items?uri={uri}",
    "an uploader": "/uploaders/zoe",
    "no such page": "/cases/nothing",
}
TOLD = {
    "a decision": "/d/{token}",
    "the form of an appeal": "/d/{token}/appeal",
    "an appeal's status": "/d/{token}/status",
    "a link to nothing": "/d/nothing",
    "the sign-in": "/sign-in",
}


@pytest.fixture(scope="module")
def there(
    console: Console, plain_image: Callable[..., bytes], make_video: Callable[..., bytes], flagged_image: bytes
) -> dict[str, str]:
    """What there is to be seen: a case of each kind, one of them somebody's, and something that was taken down."""
    bodies = {
        "feed/seen.png": plain_image(card={"labels": {"Weapons": 75}, "note": "seen"}),
        "messages/seen.txt": b"You are an idiot. " + b"x" * 400 + _idiot(),
        "feed/seen.mp4": make_video([flagged_image], card={"labels": [_moment(0, 500), _moment(600, 900)]}),
        "feed/rejected.png": plain_image(card={"labels": {"Weapons": 76}, "note": "rejected"}),
    }
    picture, text, video, down = console.cases(bodies, uploader="zoe", reach="12400")
    claim(console.fleet.desk, console.id_of(picture), Reviewer(name="cho", senior=True))
    ids = {"picture": picture, "text": text, "video": video}
    return {name: console.id_of(put) for name, put in ids.items()} | {
        "uri": picture.location,
        "token": link_of_a_takedown(console.fleet, down),
    }


@pytest.mark.parametrize("name", PAGES)
def test_nobody_is_kept_out_of_a_page(visit: Callable[..., Page], complaints, there: dict[str, str], name: str) -> None:
    complaints.expected.append("status of 404")
    page = visit("ada")
    page.goto(PAGES[name].format(**there))
    assert wrong_with(page) == {}


@pytest.mark.parametrize("name", TOLD)
def test_no_uploader_is_kept_out_of_a_page(
    visit: Callable[..., Page], complaints, there: dict[str, str], name: str
) -> None:
    complaints.expected.append("status of 404")
    page = visit()
    page.goto(TOLD[name].format(**there))
    assert wrong_with(page) == {}


def test_nobody_is_kept_out_of_a_case_in_hand(visit: Callable[..., Page], there: dict[str, str]) -> None:
    page = visit("ben")
    page.goto(f"/cases/{there['text']}")
    page.get_by_role("button", name="Take this case").click()
    page.locator("#decision").wait_for()
    page.locator(".shown").wait_for()
    page.keyboard.press("r")
    page.locator("#findings-body table").wait_for()
    assert wrong_with(page) == {}
    page.keyboard.press("?")
    page.locator("dialog[open]").wait_for()
    assert violations(page) == []


def wrong_with(page: Page) -> dict[str, list[str]]:
    """What is wrong, by how the page is seen: each theme once for its colours, the widest and the narrowest."""
    wrong = {}
    for width, scheme in ((DESK, "dark"), (PHONE, "light")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        if found := violations(page):
            wrong[f"{scheme}, {width} px"] = found
    for width in (PHONE, TABLET):
        page.set_viewport_size({"width": width, "height": 800})
        if wider_than_the_window(page):
            wrong[f"{width} px"] = ["it is wider than the window"]
    return wrong


def link_of_a_takedown(fleet: Fleet, put: Put) -> str:
    """Somebody takes an upload down; the token of the link that its uploader gets."""
    standing = fleet.standing(put)
    assert standing is not None
    claim(fleet.desk, standing.item.id, Reviewer(name="cho", senior=True))
    ruling = Ruling(kind=Kind.REJECT, by="cho", why="a gun", rule="moderation/Weapons")
    rule(fleet.desk, standing.item.id, ruling, undo_seconds=0)
    told = until(
        lambda: [one["appeal"]["url"] for one in fleet.notices(put) if one.get("appeal")],
        what=f"a link to appeal the takedown of {put.key}",
    )
    return str(told[-1]).rpartition("/d/")[2]


def _moment(begin: int, end: int) -> dict[str, object]:
    return {"label": "Weapons", "confidence": 75, "start_ms": begin, "end_ms": end}


def _idiot() -> bytes:
    return card(guardrail={"INSULTS": "MEDIUM"}, classifier={"decision": "hold", "severity": 1, "rule": "harassment"})
