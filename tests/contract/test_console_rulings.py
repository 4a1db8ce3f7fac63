"""Ruling on the console's pages: arm and commit, undo, what is lost and what never is, and everybody's own keys."""

from __future__ import annotations

import html
import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI

from deploy.local.run import LocalCloud
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.kind import Kind as Readable
from tasks.item import Item
from tasks.record.standing import Standing, Status
from tasks.review.case import Case, CaseStatus, Kind, Reviewer
from tasks.review.cases import find_case, open_case
from tasks.review.claims import claim_next
from tasks.review.rows import Change, change_case
from tests.contract.many_cases import copy_table
from tests.contract.visitors import OURS, TOKEN, Clock, TestClient, browser_of, csrf_of, desk_on, sign_in
from worker.console.key_map import ACTIONS
from worker.console.limits import REMOVALS, Limits
from worker.console.panel import SKIPS
from worker.console.site import create_site

WEAPONS, GRAVE = "labels/Violence/Weapons>=60", "rules/minors-and-nudity"
XSS = "<img src=x onerror=alert(1)>"
Held = Callable[..., str]


@pytest.fixture(scope="module")
def shared(cloud: LocalCloud) -> Desk:
    return desk_on(cloud, Clock())


@pytest.fixture
def desk(shared: Desk, unique: str) -> Iterator[Desk]:
    """A desk with a cases table of its own, so that the next case is one of the test's, and a clock that stands."""
    dynamodb, name = shared.aws.dynamodb, f"cases-{unique}"
    copy_table(dynamodb, shared.settings.cases_table, name)
    yield replace(shared, settings=shared.settings.model_copy(update={"cases_table": name}), now=Clock())
    dynamodb.delete_table(TableName=name)


@pytest.fixture
def site(desk: Desk) -> FastAPI:
    return create_site(desk, local_token=TOKEN)


@pytest.fixture
def held(desk: Desk, unique: str) -> Held:
    """Hold something whose upload is gone; gives its case."""

    def make(name: str, *rules: str, kind: Readable = Readable.IMAGE, span: tuple[int, int] | None = None) -> str:
        assert isinstance(desk.now, Clock)
        desk.now.passes(seconds=1)  # what was held first is due first
        now = datetime.now(UTC)
        bucket = desk.settings.uploads_bucket
        item = Item(
            bucket=bucket, key=f"{unique}/{name}", version_id="v", etag="e", size=9, sequencer="", event_time=now
        )
        found = Finding(detector="pii", detector_version="1", label="pii/EMAIL", confidence=99, span=span)
        standing = Standing(
            item=item,
            status=Status.HELD,
            surface="feed",
            kind=kind,
            tier=2,
            rules=rules or (WEAPONS,),
            findings=(found,) if span else (),
            decided_at=now,
            policy_version="p",
        )
        desk.state.decide(standing)
        open_case(desk, standing)
        return item.id

    return make


@dataclass
class Person:
    """Somebody at a browser."""

    browser: TestClient
    csrf: str
    name: str

    def get(self, path: str) -> Any:
        return self.browser.get(path)

    def post(self, path: str, *, htmx: bool = False, **form: Any) -> Any:
        asked = OURS | ({"hx-request": "true"} if htmx else {})
        return self.browser.post(path, data={"csrf": self.csrf} | form, headers=asked)

    def rule(self, case: str, choice: str = "remove", *, htmx: bool = False, **form: Any) -> Any:
        against = {"rule": "moderation/Weapons"} if choice == "remove" else {}
        said = {"ruling_id": uuid.uuid4().hex, "choice": choice, "why": "seen it", **against, **form}
        return self.post(f"/cases/{case}/rule", htmx=htmx, **said)


@pytest.fixture
def person(site: FastAPI) -> Callable[..., Person]:
    def make(name: str, role: str = "senior") -> Person:
        browser = browser_of(site)
        assert sign_in(browser, name, role).status_code == 303
        return Person(browser, csrf_of(browser, "/keys"), name)

    return make


def at(desk: Desk, case: str) -> Case:
    found = find_case(desk, case)
    assert found is not None
    return found


def events(desk: Desk, case: str) -> list[str]:
    return [line["event"] for line in at(desk, case).history]


def test_a_case_is_armed_committed_followed_by_the_next_and_taken_back(
    desk: Desk, person: Callable[..., Person], held: Held
) -> None:
    first, second = held("1"), held("2")
    ana = person("ana", "reviewer")
    assert ana.post("/next").headers["location"] == f"/cases/{first}"
    shown = ana.get(f"/cases/{first}").text
    assert re.findall(r'name="choice" value="(\w+)"', shown) == ["allow", "limit", "remove", "escalate"]
    assert not re.search(r'name="choice"[^>]*checked', shown)
    assert 'name="limit" value="redact"' not in shown
    # In the order of the policy, whatever was found.
    assert re.findall(r'data-digit="(\d)"', shown) == [str(digit) for digit in range(1, 10)]
    went = ana.rule(first, why="a rifle, lower left", note="as last week", strike="true")
    assert (went.status_code, went.headers["location"]) == (303, f"/cases/{second}?after={first}&changed=1")
    ruling = at(desk, first).ruling
    assert ruling
    assert (ruling.kind, ruling.why, ruling.note) == (Kind.STRIKE, "a rifle, lower left", "as last week")
    assert ruling.rule == "moderation/Violence/Weapons"
    following = ana.get(went.headers["location"]).text
    assert "To be removed, with a strike" in following
    assert 'data-left="20.0"' in following
    assert "Its content has changed" in following
    assert ana.post(f"/cases/{first}/undo").headers["location"] == f"/cases/{first}"
    assert at(desk, first).status is CaseStatus.CLAIMED
    assert ana.post(f"/cases/{first}/undo").status_code == 409


def test_the_next_case_is_set_aside_while_one_is_decided_and_for_no_longer(
    desk: Desk, person: Callable[..., Person], held: Held
) -> None:
    assert isinstance(desk.now, Clock)
    first, second, third = held("1"), held("2"), held("3")
    ana, ben = person("ana"), person("ben")
    ana.post("/next")
    desk.now.passes(seconds=1)
    assert [ana.post(f"/cases/{first}/ahead", htmx=True).status_code for _ in range(2)] == [204, 204]
    assert (at(desk, second).claimed_by, at(desk, third).status) == ("ana", CaseStatus.OPEN)
    # Whoever does not hold the case has nothing set aside for it.
    ben.post(f"/cases/{first}/ahead", htmx=True)
    assert at(desk, third).status is CaseStatus.OPEN
    assert ben.post("/next").headers["location"] == f"/cases/{third}"
    desk.now.passes(seconds=60)
    # Whoever goes to the queue and back goes on with what is in hand.
    assert ana.post("/next").headers["location"] == f"/cases/{first}"
    assert ana.rule(first).headers["location"].startswith(f"/cases/{second}?")
    # Hers as any other from here on.
    desk.now.passes(seconds=500)
    assert ana.rule(second, "allow").status_code == 303
    assert at(desk, second).ruling

    fourth, fifth = held("4"), held("5")
    assert ana.post("/next").headers["location"] == f"/cases/{fourth}"
    ana.post(f"/cases/{fourth}/ahead", htmx=True)
    ben.rule(third)
    desk.now.passes(seconds=121)
    assert ben.post("/next").headers["location"] == f"/cases/{fifth}"


def test_an_undo_that_comes_too_late_says_so(desk: Desk, person: Callable[..., Person], held: Held) -> None:
    case, ana = held("1"), person("ana")
    ana.post("/next")
    assert ana.rule(case, "allow", why="", then="stay").headers["location"].startswith(f"/cases/{case}?after=")
    assert at(desk, case).ruling.why == "no violation"  # type: ignore[union-attr]
    change_case(desk, case, Change(put={"status": "acting"}), only_if={"status": "ruled"})
    late = ana.post(f"/cases/{case}/undo")
    assert (late.status_code, "Too late to undo" in late.text) == (409, True)
    assert "cannot be undone any more" in ana.get(f"/cases/{case}?after={case}").text


def test_the_same_form_twice_is_one_ruling(desk: Desk, person: Callable[..., Person], held: Held) -> None:
    case, ana = held("1"), person("ana")
    ana.post("/next")
    answers = [ana.rule(case, ruling_id="a" * 32) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert events(desk, case).count("ruled") == 1


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"choice": ""}, "Choose what you decide."),
        ({"why": " "}, "Say what you saw: others will ask."),
        ({"rule": ""}, "Choose the rule that it breaks."),
        ({"rule": "moderation/Wepons"}, "the nearest is"),
        ({"choice": "limit", "limit": "redact", "rule": "pii", "span": "0:3"}, "Only a text can be redacted"),
        ({"ruling_id": "mine"}, "load the page again"),
        ({"choice": "uphold"}, "no answer here"),
        ({"why": "x" * 2_001}, "At most 2,000 characters."),
    ],
)
def test_what_is_wrong_with_a_ruling_is_said_and_nothing_written_is_lost(
    desk: Desk, person: Callable[..., Person], held: Held, form: dict[str, str], says: str
) -> None:
    case, ana = held("1"), person("ana")
    ana.post("/next")
    written = {"note": f"a note {XSS}"} | form
    part = ana.rule(case, htmx=True, **written)
    assert (part.status_code, says in html.unescape(part.text), "<form" in part.text) == (422, True, False)
    whole = ana.rule(case, **written)
    assert (whole.status_code, says in html.unescape(whole.text)) == (422, True)
    assert f"a note {html.escape(XSS)}</textarea>" in whole.text
    assert XSS not in whole.text
    assert at(desk, case).status is CaseStatus.CLAIMED


def test_a_text_is_masked_where_it_was_flagged_and_where_somebody_says(
    desk: Desk, person: Callable[..., Person], held: Held
) -> None:
    case, ana = held("1", "pii/EMAIL cannot be masked", kind=Readable.TEXT, span=(7, 19)), person("ana")
    ana.post("/next")
    assert 'name="span" value="7:19"' in ana.get(f"/cases/{case}").text
    masking = {"choice": "limit", "limit": "redact", "rule": "pii", "why": "an address"}
    assert "as 7:19" in ana.rule(case, **masking, spans="here").text
    assert "Choose the words" in ana.rule(case, **masking).text
    done = ana.rule(case, **masking, span=["7:19"], spans="30 : 41, 50-52")
    assert (done.status_code, re.findall('role="alert">([^<]*)', done.text)) == (303, [])
    assert at(desk, case).ruling.spans == ((7, 19), (30, 41), (50, 52))  # type: ignore[union-attr]


def test_whose_lease_is_over_is_told_and_keeps_what_they_wrote(
    desk: Desk, person: Callable[..., Person], held: Held
) -> None:
    assert isinstance(desk.now, Clock)
    case, ana, ben = held("1"), person("ana", "reviewer"), person("ben", "reviewer")
    ana.post("/next")
    assert ana.post(f"/cases/{case}/renew", htmx=True).json() == {"left": 600.0}
    desk.now.passes(seconds=300)
    assert 'data-left="300.0"' in ana.get(f"/cases/{case}").text
    assert ana.post(f"/cases/{case}/renew", htmx=True).json() == {"left": 600.0}
    # Without a script it is a button.
    assert ana.post(f"/cases/{case}/renew").headers["location"] == f"/cases/{case}"
    desk.now.passes(seconds=601)
    assert ben.post("/next").headers["location"] == f"/cases/{case}"
    beat = ana.post(f"/cases/{case}/renew", htmx=True)
    assert (beat.status_code, "ben has it until" in beat.json()["lost"]) == (409, True)
    part = ana.rule(case, htmx=True)
    assert (part.status_code, "data-lost" in part.text) == (409, True)
    whole = ana.rule(case, why=f"a rifle {XSS}")
    assert whole.status_code == 409
    assert f"a rifle {html.escape(XSS)}" in whole.text
    assert 'id="decision"' not in whole.text
    # Once it is free again, it is theirs to take, as it was theirs before; nobody else picks one.
    ben.post(f"/cases/{case}/release")
    assert "Take this case" in ana.get(f"/cases/{case}").text
    assert person("eva", "reviewer").post(f"/cases/{case}/claim").status_code == 409
    assert ana.post(f"/cases/{case}/claim").headers["location"] == f"/cases/{case}"
    assert person("zoe").post(f"/cases/{case}/rule", choice="allow", ruling_id="b" * 32).status_code == 409


def test_the_second_reviewer_of_a_grave_case_reads_nothing_of_the_first_ones_ruling(
    desk: Desk, person: Callable[..., Person], held: Held
) -> None:
    case, ana, ben = held("1", GRAVE), person("ana"), person("ben")
    ana.post("/next")
    went = ana.rule(case, why="what ana saw", note="what ana notes")
    assert went.headers["location"] == f"/?after={case}&changed=1"
    assert "before somebody else has ruled" in ana.get(went.headers["location"]).text
    assert ana.post("/next").headers["location"] == "/"
    assert ana.post(f"/cases/{case}/claim").status_code == 409
    ben.post("/next")
    shown = ben.get(f"/cases/{case}").text
    for kept in ("what ana", "second reviewer", "confirm", "disputed"):
        assert kept not in shown
    assert "before somebody else" not in ben.get(f"/cases/{case}?after={case}").text
    ben.rule(case, why="what ben saw")
    ruling = at(desk, case).ruling
    assert ruling
    assert (ruling.by, ruling.first_by) == ("ben", "ana")


def test_who_removes_more_than_thirty_in_five_minutes_needs_somebody_else_for_the_next(
    desk: Desk, site: FastAPI, person: Callable[..., Person], held: Held
) -> None:
    case, ana = held("1"), person("ana")
    limits = site.state.console.limits = Limits(clock=lambda: 0.0)
    assert [limits.take(REMOVALS, "ana") for _ in range(30)] == [0.0] * 30
    ana.post("/next")
    ana.rule(case)
    waiting = at(desk, case)
    assert (waiting.status, waiting.ruling, waiting.first_by) == (CaseStatus.OPEN, None, "ana")


def test_the_sixty_first_ruling_of_a_minute_is_refused_with_the_time_to_wait(
    site: FastAPI, person: Callable[..., Person]
) -> None:
    ana = person("ana")
    site.state.console.limits = Limits(clock=lambda: 0.0)
    codes = {ana.rule("none", "allow").status_code for _ in range(60)}
    refused = ana.rule("none", "allow", htmx=True)
    assert (codes, refused.status_code, refused.headers["retry-after"]) == ({404}, 429, "1")


def test_a_case_is_skipped_for_one_of_five_reasons_and_handed_up_with_any(
    desk: Desk, person: Callable[..., Person], held: Held
) -> None:
    first, second = held("1"), held("2")
    ana = person("ana", "reviewer")
    ana.post("/next")
    assert ana.post(f"/cases/{first}/skip", why="bored").status_code == 422
    assert ana.post(f"/cases/{first}/skip", why=SKIPS[0]).headers["location"] == f"/cases/{second}"
    assert at(desk, first).history[-1]["why"] == SKIPS[0]
    assert ana.rule(second, "escalate", why=" ").status_code == 422
    assert ana.post(f"/cases/{second}/escalate", why=" ").status_code == 422
    assert ana.rule(second, "escalate", why="a politician").headers["location"] == "/"
    assert at(desk, second).escalated
    assert claim_next(desk, Reviewer(name="ana")) is None


def keys_on(page: str) -> dict[str, Any]:
    found = re.search(r'<meta name="keys" content="([^"]*)">', page)
    assert found
    return dict(json.loads(html.unescape(found[1])))


def test_keys_are_moved_turned_off_and_kept_for_the_next_sign_in(
    desk: Desk, person: Callable[..., Person], unique: str
) -> None:
    ana = person(unique)
    usual = {action: key for action, (_, key) in ACTIONS.items()}
    assert keys_on(ana.get("/").text) == {"keys": usual, "digits": True}
    form = usual | {"remove": "f2", "skip": "", "move": "1"}
    assert ana.post("/keys", **form).headers["location"] == "/keys?kept=1"
    elsewhere = browser_of(create_site(desk, local_token=TOKEN))
    sign_in(elsewhere, unique, "reviewer")
    assert keys_on(elsewhere.get("/keys").text)["keys"] == usual | {"remove": "F2"}
    ana.post("/keys", profile="off")
    assert keys_on(ana.get("/").text) == {"keys": {}, "digits": False}
    ana.post("/keys", profile="no-letters")
    told = keys_on(ana.get("/").text)
    assert all(len(key) > 1 for key in told["keys"].values())
    assert not told["digits"]
    ana.post("/keys", profile="letters", reset="1")
    assert keys_on(ana.get("/").text)["keys"] == usual
    assert keys_on(person(f"{unique}-2").get("/").text)["keys"] == usual


@pytest.mark.parametrize(
    ("action", "key", "says"),
    [
        ("remove", "a", "A is taken: Choose: allow."),
        ("remove", "Ctrl+W", "Ctrl+W belongs to the browser"),
        ("remove", "/", "/ belongs to the browser"),
        ("remove", "Alt+X", "belongs to the browser"),
        ("remove", "7", "7 chooses a rule"),
        ("remove", XSS, "That is no key."),
        ("commit", "C", "one letter alone must never decide"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_the_reason_and_nothing_changes(
    person: Callable[..., Person], unique: str, action: str, key: str, says: str
) -> None:
    ana = person(unique)
    usual = {name: key for name, (_, key) in ACTIONS.items()}
    wrong = ana.post("/keys", **usual | {action: key, "move": "1"})
    assert (wrong.status_code, says in html.unescape(wrong.text), XSS in wrong.text) == (422, True, False)
    assert keys_on(ana.get("/").text)["keys"] == usual


def test_the_panel_of_something_taken_down_offers_to_restore_it(
    desk: Desk, person: Callable[..., Person], held: Held
) -> None:
    case, ana = held("1"), person("ana")
    ana.post("/next")
    standing = desk.state.find_version(at(desk, case).location, "v")
    assert standing
    desk.aws.dynamodb.update_item(
        TableName=desk.settings.items_table,
        Key={"location": {"S": standing.item.location}, "version": {"S": "v"}},
        UpdateExpression="SET #status = :rejected",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":rejected": {"S": "rejected"}},
    )
    shown = ana.get(f"/cases/{case}").text
    assert re.findall(r'name="choice" value="(\w+)"', shown) == ["restore", "escalate"]
    assert ana.rule(case, "restore", why="it is a toy").status_code == 303
