"""A decision is appealed once, by its notice's link or a message, and somebody else than before rules on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fleet import Fleet, Put, said
from interrupted import Crash, after_write, forgetful, later, watched
from pydantic import AnyHttpUrl, SecretStr

from tasks.act.strike import accounts_of
from tasks.decide.accounts import counting
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Parked, Retry, Skipped
from tasks.record.standing import Standing, Status
from tasks.review.appeal import Filed, NotAppealable, appeal
from tasks.review.asked import outcome_of
from tasks.review.case import Ask, Case, CaseStatus, Kind, Reviewer, Ruling, Side
from tasks.review.cases import find_case
from tasks.review.claims import NotYours, claim, claim_next
from tasks.review.figures import figures
from tasks.review.ruling import NotARuling, rule
from tasks.review.token import Link, read_token

VIOLATION = b"zorblat, all of you"
SECRET = "0123456789abcdef" * 2
WEAPONS = "moderation/Violence/Weapons"
WORDS = "it is a poem <b>by</b> me"


@pytest.fixture
def desk(unserved: Fleet) -> Desk:
    """A desk whose notices carry links, on a rulings lane that nobody else serves."""
    list(unserved.drain(unserved.settings.queue_url("rulings")))
    desk = forgetful(unserved.desk)
    said = {"appeal_url": AnyHttpUrl("https://review.example.com"), "appeal_secret": SecretStr(SECRET)}
    return replace(desk, settings=desk.settings.model_copy(update=said))


@pytest.fixture
def upload(unserved: Fleet, desk: Desk, unique: str) -> Callable[..., Put]:
    """Upload something, and have it judged."""

    def make(body: bytes, *, ends: str, prefix: str = "feed/") -> Put:
        put = unserved.put(f"{prefix}{unique}", body, uploader=unique, language="de")
        assert handle(desk, unserved.event_of(put), attempt=1) == Done(ends)
        return put

    return make


def standing_of(desk: Desk, put: Put) -> Standing:
    found = desk.state.find_version(put.location, put.version)
    assert found is not None
    return found


def asked(desk: Desk, put: Put, **said: Any) -> Filed:
    return appeal(desk, standing_of(desk, put), **{"side": Side.UPLOADER, "choice": "context", "words": WORDS, **said})


def ruled(fleet: Fleet, desk: Desk, case: Case, kind: Kind, *, by: str = "ben", **more: str) -> Case:
    """Have somebody rule on a case, and a worker carry it out; how the case stands then."""
    claim(desk, case.case_id, Reviewer(name=by))
    rule(desk, case.case_id, Ruling(kind=kind, by=by, why="looked again", **more), undo_seconds=0)
    for body in fleet.drain(fleet.settings.queue_url("rulings")):
        assert isinstance(handle(desk, body, attempt=1), Done)
    return found_case(desk, case.case_id)


def found_case(desk: Desk, case_id: str) -> Case:
    case = find_case(desk, case_id)
    assert case is not None
    return case


def answers(fleet: Fleet, put: Put) -> list[dict[str, Any]]:
    """What the application was told of appeals and reports, each once."""
    heard = {notice["notice_id"]: notice for notice in fleet.notices(put) if notice["type"].endswith("_decided")}
    return list(heard.values())


def test_what_the_machine_took_down_is_appealed_by_its_link_and_comes_back_without_its_strike(
    unserved: Fleet, desk: Desk, upload: Callable[..., Put], unique: str
) -> None:
    put = upload(VIOLATION, ends="rejected")
    assert counting(accounts_of(desk).find(unique).log, desk.now())
    (notice,) = unserved.notices(put)
    token = notice["appeal"]["url"].removeprefix("https://review.example.com/d/")
    assert notice["appeal"]["until"] == notice["appeal_until"]
    link = read_token(token, SECRET, now=desk.now())
    assert isinstance(link, Link)
    assert (link.location, link.version, link.side) == (put.location, put.version, Side.UPLOADER)
    first = asked(desk, put, decision=link.decision, by_then=link.until)
    assert asked(desk, put, words="again") == Filed(first.case, new=False)
    case = first.case
    assert first.new
    assert (case.severity, case.queue, case.status, case.barred) == ("appeal", "appeal", CaseStatus.OPEN, frozenset())
    with pytest.raises(NotARuling, match="uphold, restore, allow"):
        ruled(unserved, desk, case, Kind.REJECT, rule=WEAPONS)
    closed = ruled(unserved, desk, case, Kind.RESTORE)
    assert closed.appeal is not None
    assert (closed.result, outcome_of(closed.appeal, closed.result)) == ("restored", "overturned")
    assert unserved.public(put.key) == (200, VIOLATION)
    assert not counting(accounts_of(desk).find(unique).log, desk.now())
    (answer,) = answers(unserved, put)
    assert (answer["type"], answer["outcome"], answer["texts"]) == ("appeal_decided", "overturned", {})
    assert "restriction_lifted" in [one["type"] for one in unserved.notices(put)]
    (entry,) = said(unserved.audit_lines(), put, "appeal")
    assert (entry["actor"], entry["choice"], entry["case_id"]) == ("uploader", "context", case.case_id)
    assert "poem" not in json.dumps(unserved.audit_lines() + unserved.notices(put))
    assert figures(desk).appeals["overturned"] >= 1
    with pytest.raises(NotAppealable, match="nothing of it is restricted"):
        asked(desk, put, decision="")


def test_whoever_ruled_is_refused_the_appeal_and_another_upholds_it_with_the_reasons(
    unserved: Fleet, desk: Desk, upload: Callable[..., Put], picture: Callable[..., bytes]
) -> None:
    put = upload(picture(labels={"Weapons": 70.0}), ends="held")
    held = found_case(desk, standing_of(desk, put).item.id)
    ruled(unserved, desk, held, Kind.REJECT, by="ana", rule=WEAPONS)
    case = asked(desk, put).case
    assert (case.case_id != held.case_id, case.barred) == (True, frozenset({"ana"}))
    with pytest.raises(NotYours, match="somebody else has to look"):
        claim(desk, case.case_id, Reviewer(name="ana", senior=True))
    only_this = frozenset({case.surface})
    while (offered := claim_next(desk, Reviewer(name="ana", surfaces=only_this))) is not None:
        assert offered.case_id != case.case_id
    with pytest.raises(NotARuling, match="uphold"):
        ruled(unserved, desk, case, Kind.HOLD)
    closed = ruled(unserved, desk, case, Kind.UPHOLD)
    assert (closed.result, standing_of(desk, put).status) == ("rejected", Status.REJECTED)
    (answer,) = answers(unserved, put)
    assert answer["outcome"] == "upheld"
    assert list(answer["texts"]) == ["de", "en"]
    assert "Waffen" in answer["texts"]["de"]
    assert "ben" not in json.dumps(answer)
    assert asked(desk, put).case == closed


def test_an_objection_to_a_hold_goes_into_the_case_that_waits_and_brings_it_forward(
    unserved: Fleet, desk: Desk, upload: Callable[..., Put], picture: Callable[..., bytes]
) -> None:
    put = upload(picture(labels={"Weapons": 70.0}), ends="held", prefix="avatars/")
    before = found_case(desk, standing_of(desk, put).item.id)
    case = asked(desk, put).case
    assert (before.severity, case.case_id, case.severity) == ("normal", before.case_id, "appeal")
    assert case.appeal is not None
    assert (case.queue, case.due_at, case.appeal.words) == ("appeal", before.due_at, WORDS)
    assert not asked(desk, put, words="more").new
    closed = ruled(unserved, desk, case, Kind.REJECT, by="ana", rule=WEAPONS)
    # What a person has decided is another decision, and has an appeal of its own.
    again = asked(desk, put)
    assert (again.new, again.case.barred, closed.result) == (True, frozenset({"ana"}), "rejected")


def test_a_report_has_a_person_look_and_both_sides_may_have_another_one_look_again(
    unserved: Fleet, desk: Desk, upload: Callable[..., Put], picture: Callable[..., bytes]
) -> None:
    put = upload(picture(), ends="allowed")
    about = {"bucket": put.bucket, "key": put.key, "version": put.version}
    body = json.dumps({"modfleet": "report", "item": about, "words": "this is a weapon"})
    assert handle(desk, body, attempt=1) == Done("opened a case")
    assert handle(desk, body, attempt=2) == Skipped("asked before")
    report = found_case(desk, standing_of(desk, put).item.id)
    assert report.appeal is not None
    assert (report.appeal.ask, report.severity) == (Ask.REPORT, "normal")
    ruled(unserved, desk, report, Kind.ALLOW, by="ana")
    assert unserved.public(put.key)[0] == 200
    case = asked(desk, put, side=Side.REPORTER).case
    assert (case.barred, case.severity) == (frozenset({"ana"}), "appeal")
    ruled(unserved, desk, case, Kind.REJECT, rule=WEAPONS)
    assert unserved.public(put.key)[0] != 200
    assert [answer["outcome"] for answer in answers(unserved, put)] == ["upheld", "overturned"]
    (notice,) = [one for one in unserved.notices(put) if one["type"] == "statement_of_reasons"]
    assert (notice["source_type"], notice["automated_detection"]) == ("SOURCE_TYPE_OTHER_NOTIFICATION", "No")
    back = asked(desk, put).case
    assert back.barred == {"ana", "ben"}
    ruled(unserved, desk, back, Kind.RESTORE, by="eva")
    assert unserved.public(put.key)[0] == 200


def test_a_reporter_may_appeal_what_a_person_has_allowed_of_what_was_flagged(
    unserved: Fleet, desk: Desk, upload: Callable[..., Put], picture: Callable[..., bytes]
) -> None:
    put = upload(picture(labels={"Weapons": 70.0}), ends="held")
    held = asked(desk, put, side=Side.REPORTER).case
    assert held.appeal is not None
    assert (held.appeal.ask, held.severity) == (Ask.REPORT, "appeal")
    ruled(unserved, desk, held, Kind.ALLOW, by="ana")
    case = asked(desk, put, side=Side.REPORTER).case
    assert case.barred == {"ana"}
    assert ruled(unserved, desk, case, Kind.REJECT, rule=WEAPONS).result == "rejected"
    assert unserved.current(put) is None


def test_what_there_is_nothing_to_ask_about_is_said(
    unserved: Fleet, desk: Desk, upload: Callable[..., Put], picture: Callable[..., bytes]
) -> None:
    put = upload(picture(), ends="allowed")
    with pytest.raises(NotAppealable, match="it is allowed"):
        asked(desk, put)
    body = {"modfleet": "appeal", "item": {"bucket": put.bucket, "key": put.key}, "words": WORDS}
    assert handle(desk, json.dumps(body), attempt=1) == Skipped("no appeal: it is allowed: nothing of it is restricted")
    body["item"] = {"bucket": put.bucket, "key": "nothing"}
    assert handle(desk, json.dumps(body), attempt=1) == Parked("appeal of an item that is not on record")
    parked = handle(desk, json.dumps(body | {"words": WORDS * 200}), attempt=1)
    assert isinstance(parked, Parked)
    assert "poem" not in parked.why
    newer = unserved.put(put.key, VIOLATION)
    assert handle(desk, unserved.event_of(newer), attempt=1) == Done("rejected")
    with pytest.raises(NotAppealable, match="decided anew"):
        asked(desk, newer, decision="another")
    with pytest.raises(NotAppealable, match="time to ask is over"):
        asked(later(desk, seconds=185 * 86_400), newer)
    with pytest.raises(NotAppealable, match="no such choice"):
        asked(desk, newer, choice="because")


def test_whoever_dies_between_any_two_writes_of_an_appeal_opens_one_case_and_one_answer_is_given(
    unserved: Fleet, desk: Desk, upload: Callable[..., Put]
) -> None:
    put = upload(VIOLATION, ends="rejected")
    body = json.dumps({"modfleet": "appeal", "item": {"bucket": put.bucket, "key": put.key}, "words": WORDS})
    assert _until_done(desk, body) >= 1
    case = asked(desk, put).case
    claim(desk, case.case_id, Reviewer(name="ben"))
    rule(desk, case.case_id, Ruling(kind=Kind.UPHOLD, by="ben", why="seen"), undo_seconds=0)
    (message,) = unserved.drain(unserved.settings.queue_url("rulings"))
    assert _until_done(desk, message) >= 3
    assert found_case(desk, case.case_id).status is CaseStatus.CLOSED
    assert len(answers(unserved, put)) == 1
    assert len(said(unserved.audit_lines(), put, "appeal")) == len(said(unserved.audit_lines(), put, "ruling")) == 1


def _until_done(desk: Desk, body: str) -> int:
    """The first run dies after its first write, the second after its second, and so on: how many did."""
    for crashes in range(40):
        try:
            outcome = handle(watched(later(desk, seconds=61 * crashes), after_write(crashes)), body, attempt=1)
        except Crash:
            continue
        assert not isinstance(outcome, Retry | Parked)
        return crashes
    raise AssertionError("it never ends")
