"""The pages of a decision for whoever posted it, and the page of appeals for reviewers: seen by their browsers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from pydantic import AnyHttpUrl, SecretStr

from deploy.local.run import LocalCloud
from tasks.act.notify import with_reasons
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.kind import Kind
from tasks.item import Item
from tasks.record.standing import Standing, Status
from tasks.review.appeal import appeal
from tasks.review.case import Side
from tasks.review.claims import skip
from tasks.review.link import link_of
from tasks.review.token import Link, read_token, sign
from tests.contract.visitors import OURS, TOKEN, Clock, browser_of, csrf_of, desk_on, sign_in
from worker.console.site import create_site

SECRET = "0123456789abcdef" * 2
KEY = "<script>alert(1)</script>.png"
WEAPONS = "labels/Violence/Weapons>=90"
XSS = '"><img src=x onerror=alert(1)> <div hx-get="/"> {{ 7*7 }}'

Down = Callable[..., str]


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def desk(cloud: LocalCloud, clock: Clock) -> Desk:
    desk = desk_on(cloud, clock)
    said = {"appeal_url": AnyHttpUrl("http://console.test"), "appeal_secret": SecretStr(SECRET)}
    return replace(desk, settings=desk.settings.model_copy(update=said))


@pytest.fixture
def site(desk: Desk) -> FastAPI:
    """A site of its own, which has counted no request yet."""
    return create_site(desk, local_token=TOKEN)


@pytest.fixture
def down(desk: Desk, unique: str) -> Down:
    """Something that was taken down; gives the path of its page."""

    def make(*, by: str = "", language: str = "de") -> str:
        standing = taken_down(desk, unique, by=by, language=language)
        return link_of(desk.settings, standing, until=desk.now() + timedelta(days=184)).removeprefix(
            "http://console.test"
        )

    return make


def taken_down(desk: Desk, name: str, *, by: str, language: str) -> Standing:
    now = desk.now()
    bucket = desk.settings.uploads_bucket
    item = Item(bucket=bucket, key=f"{name}/{KEY}", version_id="v1", etag="e", size=9, sequencer="", event_time=now)
    seen = Finding(detector="d", detector_version="1", label="moderation/Violence/Weapons", confidence=97.31)
    entry = {"event": "overruled", "at": now.isoformat(), "by": by, "why": "secret note", "tier": 3, "rules": [WEAPONS]}
    standing = Standing(
        item=item,
        status=Status.REJECTED,
        surface=name,
        uploader="u",
        kind=Kind.IMAGE,
        language=language,
        tier=3,
        rules=(WEAPONS,),
        findings=(seen,),
        plan=("hide", "remove"),
        history=(entry,) if by else (),
        decided_at=now,
        policy_version="p",
    )
    desk.state.decide(with_reasons(desk, standing))
    return standing


def read_of(text: str) -> str:
    """What a person reads of a page."""
    return " ".join(re.sub(r"<[^>]*>", " ", text.split("<main", 1)[1]).split())


def test_an_uploader_reads_what_was_decided_and_appeals_it_with_nothing_but_the_link(site: FastAPI, down: Down) -> None:
    path, browser = down(), browser_of(site)
    shown = browser.get(path)
    assert (shown.status_code, shown.headers["x-robots-tag"]) == (200, "noindex, nofollow")
    text = read_of(shown.text)
    parts = ("What happened", "Where it applies", "Why", "How we found it, and who decided", "What you can do", "Ref")
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)
    assert "Wir haben deinen Beitrag entfernt. Grund: Waffen." in text
    assert "found by automated screening and decided by an automated rule" in text
    assert "97" not in text
    assert "<script>alert" not in shown.text
    form = browser.get(f"{path}/appeal")
    assert "Ask for another look" in form.text
    wrong = browser.post(f"{path}/appeal", data={"words": XSS}, headers=OURS)
    assert (wrong.status_code, "Please choose what fits best." in wrong.text) == (422, True)
    assert "<img" not in wrong.text
    assert "onerror=alert(1)&gt;" in wrong.text
    sent = browser.post(f"{path}/appeal", data={"choice": "context", "words": XSS}, headers=OURS)
    assert (sent.status_code, sent.headers["location"]) == (303, f"{path}/status")
    status = browser.get(f"{path}/status")
    assert "A different person will look at it" in read_of(status.text)
    assert "{{ 7*7 }}" in status.text
    assert "<img" not in status.text
    again = browser.get(f"{path}/appeal")
    assert "Each decision is looked at again once" in again.text
    assert "<form" not in again.text
    assert browser.post(f"{path}/appeal", data={"choice": "other"}, headers=OURS).status_code == 303


def test_of_a_person_who_decided_nothing_is_told_but_that_they_did(site: FastAPI, down: Down) -> None:
    shown = browser_of(site).get(down(by="ana", language="tlh"))
    assert "decided by a person on our team" in read_of(shown.text)
    assert "ana" not in re.findall(r"\w+", shown.text)
    assert "secret note" not in shown.text


def test_links_that_are_unknown_wrong_or_too_old_are_answered_alike(site: FastAPI, desk: Desk, down: Down) -> None:
    path = down()
    token = path.removeprefix("/d/")
    link = read_token(token, SECRET, now=desk.now())
    assert isinstance(link, Link)
    old = sign(replace(link, until=desk.now() - timedelta(days=32)), SECRET)
    nowhere = sign(replace(link, version="v2"), SECRET)
    forged = sign(link, SECRET[::-1])
    nonce = re.compile(r'nonce="[^"]*"')
    answers = [
        browser_of(site).get(f"/d/{one}{page}") for one in ("x", old, nowhere, forged) for page in ("", "/status")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({nonce.sub("", answer.text) for answer in answers}) == 1
    late = sign(replace(link, until=desk.now() - timedelta(days=1)), SECRET)
    assert "The time to ask us for another look at this decision is over" in browser_of(site).get(f"/d/{late}").text
    refused = browser_of(site).post(f"/d/{late}/appeal", data={"choice": "other"}, headers=OURS)
    assert (refused.status_code, "The time to ask" in refused.text) == (409, True)


def test_an_appeal_is_sent_from_the_page_itself_and_not_by_a_flood(site: FastAPI, down: Down) -> None:
    path = down()
    said = {"choice": "other", "words": "x" * 2_001}
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {}):
        forged = browser_of(site).post(f"{path}/appeal", data={"choice": "other"}, headers=headers)
        assert (forged.status_code, "did not come from the page itself" in forged.text) == (422, True)
    long = browser_of(site).post(f"{path}/appeal", data=said, headers=OURS)
    assert (long.status_code, "these are 2,001" in long.text, "x" * 2_001 in long.text) == (422, True, True)
    assert "You have not asked us" in read_of(browser_of(site).get(f"{path}/status").text)
    browser = browser_of(site, address="192.0.2.9")
    assert [browser.get("/d/x").status_code for _ in range(21)] == [404] * 20 + [429]
    other = browser_of(site, address="192.0.2.10")
    sent = [other.post(f"{path}/appeal", data=said, headers=OURS).status_code for _ in range(2)]
    assert sent == [422, 429]


def test_whoever_ruled_sees_that_the_appeal_is_not_theirs_and_the_next_one_gets_it(
    site: FastAPI, desk: Desk, down: Down, unique: str
) -> None:
    down(by="ana")
    standing = desk.state.latest(f"s3://{desk.settings.uploads_bucket}/{unique}/{KEY}")
    assert standing is not None
    filed = appeal(desk, standing, side=Side.UPLOADER, choice="exception", words=XSS)
    ana, ben = browser_of(site), browser_of(site)
    sign_in(ana, "ana", "senior")
    sign_in(ben, unique[:20], "senior")
    listed = read_of(ana.get("/appeals").text)
    assert filed.case.case_id[:8] in listed
    assert "no, you ruled on it" in listed
    assert XSS[:5] not in listed
    assert ana.get(f"/cases/{filed.case.case_id}").status_code == 403
    while (went := ben.post("/appeals/next", data={"csrf": csrf_of(ben)}, headers=OURS).headers["location"]) != (
        f"/cases/{filed.case.case_id}"
    ):
        assert went.startswith("/cases/")
        skip(desk, went.removeprefix("/cases/"), by=unique[:20], why="not this one")
    page = ben.get(went).text
    text = read_of(page)
    assert text.index("Appeal by the uploader") < text.index("Content")
    assert "<img" not in page


def test_a_token_says_what_it_was_signed_for_and_nothing_else_passes() -> None:
    until = datetime(2027, 5, 25, tzinfo=UTC)
    link = Link(location="s3://b/ü/" + "k" * 1_024, version="v", decision="d" * 64, side=Side.UPLOADER, until=until)
    token = sign(link, SECRET)
    assert read_token(token, SECRET, now=until) == link
    assert re.fullmatch(r"[\w.-]+", token)
    payload, mac = token.split(".")
    other = sign(replace(link, side=Side.REPORTER), SECRET).split(".")[0]
    wrong = [f"{other}.{mac}", f"{payload}.{mac[:-1]}", f"{payload}.", payload, "", ".", f"{payload}.ü", "a" * 9_000]
    assert [read_token(one, SECRET, now=until) for one in wrong] == [None] * len(wrong)
    assert read_token(token, SECRET, now=until + timedelta(days=31, seconds=1)) is None
