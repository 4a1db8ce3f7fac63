"""What a person rules on a case is done once, by whoever gets the message, and can be undone until then."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fleet import Fleet, Put, card, said
from interrupted import Crash, after_write, forgetful, later, watched

from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Parked, Retry, Skipped
from tasks.record.standing import Standing, Status
from tasks.review.case import Case, CaseStatus, Kind, Reviewer, Ruling
from tasks.review.cases import find_case
from tasks.review.claims import NotYours, claim
from tasks.review.ruling import NotARuling, TooLate, rule, send_late, undo

ANA = Reviewer(name="ana")
WEAPONS = "moderation/Violence/Weapons"
MEANT = {"by": "ana", "why": "seen it"}


@pytest.fixture
def desk(unserved: Fleet) -> Desk:
    """A desk that no video job disturbs, on a rulings lane that nobody else serves."""
    list(unserved.drain(unserved.settings.queue_url("rulings")))
    return forgetful(unserved.desk)


@pytest.fixture
def held(unserved: Fleet, desk: Desk, picture: Callable[..., bytes], unique: str) -> Callable[..., Put]:
    """Upload something that the policy holds, and have it held."""

    def make(prefix: str = "feed/", body: bytes = b"", **metadata: str) -> Put:
        body = body or picture(labels={"Weapons": 70.0})
        put = unserved.put(f"{prefix}{unique}", body, **metadata)
        assert handle(desk, unserved.event_of(put), attempt=1) == Done("held")
        return put

    return make


def case_of(desk: Desk, put: Put) -> Case:
    standing = standing_of(desk, put)
    case = find_case(desk, standing.item.id)
    assert case is not None
    return case


def standing_of(desk: Desk, put: Put) -> Standing:
    found = desk.state.find_version(put.location, put.version)
    assert found is not None
    return found


def ruled(desk: Desk, put: Put, kind: Kind, *, undo_seconds: float = 0, **more: Any) -> Case:
    case = claim(desk, case_of(desk, put).case_id, ANA)
    return rule(desk, case.case_id, Ruling(kind=kind, **MEANT, **more), undo_seconds=undo_seconds).case


def messages(fleet: Fleet, *, of: Case) -> list[str]:
    """What waits on the rulings lane about a case."""
    bodies = list(fleet.drain(fleet.settings.queue_url("rulings")))
    return [body for body in bodies if json.loads(body)["case_id"] == of.case_id]


def test_a_reject_takes_the_upload_down_once_and_says_who_decided_it(
    unserved: Fleet, desk: Desk, held: Callable[..., Put]
) -> None:
    put = held(uploader="u-17", reach="9000", language="de")
    before = case_of(desk, put)
    assert (before.severity, before.reach, before.language, before.kind) == ("normal", 9000, "de", "image")
    assert WEAPONS in [finding["label"] for finding in before.findings]
    case = ruled(desk, put, Kind.REJECT, rule="moderation/Weapons")
    (message,) = messages(unserved, of=case)
    assert handle(desk, message, attempt=1) == Done("rejected")
    assert handle(desk, message, attempt=2) == Skipped("the ruling was carried out")
    assert unserved.current(put) is None
    assert unserved.quarantined(put) == [put.body]
    standing, closed = standing_of(desk, put), case_of(desk, put)
    assert (standing.status, standing.rules) == (Status.REJECTED, (WEAPONS,))
    # It is a strike only where that was ruled, whatever the policy says of what the machine rejects.
    assert "strike" not in standing.plan
    assert (closed.status, closed.result, closed.queue[:7]) == (CaseStatus.CLOSED, "rejected", "closed/")
    removed = [notice for notice in unserved.notices(put) if notice.get("grounds")]
    assert [notice["grounds"] for notice in removed] == [[WEAPONS]]
    (entry,) = said(unserved.audit_lines(), put, "ruling")
    assert (entry["actor"], entry["reason"], entry["rule"], entry["result"]) == ("ana", "seen it", WEAPONS, "rejected")
    assert entry["policy_version"] == desk.policy.version
    assert [line["event"] for line in closed.history] == ["claimed", "ruled", "closed"]


def test_a_strike_is_a_reject_that_counts_against_the_uploader(
    unserved: Fleet, desk: Desk, held: Callable[..., Put], unique: str
) -> None:
    put = held(uploader=unique)
    (message,) = messages(unserved, of=ruled(desk, put, Kind.STRIKE, rule=WEAPONS))
    assert handle(desk, message, attempt=1) == Done("rejected")
    assert unserved.current(put) is None
    assert standing_of(desk, put).receipts["strike"]["strikes"] >= 1


def test_an_allow_shows_what_was_withheld(unserved: Fleet, desk: Desk, held: Callable[..., Put]) -> None:
    put = held("avatars/")
    assert unserved.public(put.key)[0] == 403
    (message,) = messages(unserved, of=ruled(desk, put, Kind.ALLOW))
    assert handle(desk, message, attempt=1) == Done("allowed")
    assert unserved.public(put.key) == (200, put.body)
    assert case_of(desk, put).result == "allowed"


def test_a_redaction_masks_the_spans_that_a_person_chose_and_shows_the_rest(
    unserved: Fleet, desk: Desk, held: Callable[..., Put], unique: str
) -> None:
    text = f"😀 meet Jo at the mill {unique} ".encode() + card(classifier={"decision": "hold", "severity": 2})
    put = held("messages/", text)
    assert unserved.public(put.key)[0] == 403
    with pytest.raises(NotARuling, match="mask spans"):
        ruled(desk, put, Kind.REDACT, rule="pii/NAME")
    case = ruled(desk, put, Kind.REDACT, rule="pii/NAME", spans=((7, 9),))
    (message,) = messages(unserved, of=case)
    assert handle(desk, message, attempt=1) == Done("redacted")
    assert unserved.public(put.key) == (200, text.replace(b"Jo", b"[REDACTED]"))
    assert case_of(desk, put).result == "redacted"


def test_to_hold_on_touches_nothing_and_closes_the_case(unserved: Fleet, desk: Desk, held: Callable[..., Put]) -> None:
    put = held("messages/", b"hm " + card(classifier={"decision": "hold", "severity": 2, "rule": "harassment"}))
    before = standing_of(desk, put)
    (message,) = messages(unserved, of=ruled(desk, put, Kind.HOLD))
    assert handle(desk, message, attempt=1) == Done("held")
    assert standing_of(desk, put) == before
    assert (case_of(desk, put).status, case_of(desk, put).result) == (CaseStatus.CLOSED, "held")


def test_a_ruling_on_what_has_changed_meanwhile_says_so_and_leaves_the_new_upload_alone(
    unserved: Fleet, desk: Desk, held: Callable[..., Put], picture: Callable[..., bytes]
) -> None:
    put = held("avatars/")
    newer = unserved.put(put.key, picture())
    case = claim(desk, case_of(desk, put).case_id, ANA)
    given = rule(desk, case.case_id, Ruling(kind=Kind.ALLOW, **MEANT), undo_seconds=0)
    assert given.changed
    (message,) = messages(unserved, of=given.case)
    assert handle(desk, message, attempt=1) == Done("superseded")
    assert case_of(desk, put).result == "superseded"
    assert unserved.current(newer) == newer.body
    assert "moderation" not in unserved.tags(newer)


def test_a_ruling_is_undone_until_a_worker_has_begun_and_not_after(
    unserved: Fleet, desk: Desk, held: Callable[..., Put]
) -> None:
    put = held()
    case = ruled(desk, put, Kind.REJECT, rule=WEAPONS, undo_seconds=10)
    body = json.dumps({"modfleet": "ruling", "case_id": case.case_id, "ruling_id": case.ruling.ruling_id})  # type: ignore[union-attr]
    early = handle(desk, body, attempt=1)
    assert isinstance(early, Retry)
    assert (early.counts, 1 <= early.after <= 10) == (False, True)
    with pytest.raises(NotYours, match="ana has ruled"):
        undo(desk, case.case_id, by="ben")
    back = undo(desk, case.case_id, by="ana")
    assert (back.status, back.claimed_by, back.ruling) == (CaseStatus.CLAIMED, "ana", None)
    assert handle(later(desk), body, attempt=1) == Skipped("the ruling was undone")
    assert unserved.current(put) == put.body
    second = rule(desk, case.case_id, Ruling(kind=Kind.HOLD, **MEANT), undo_seconds=10).case
    assert handle(later(desk), body, attempt=2) == Skipped("the ruling was undone")
    another = json.dumps(json.loads(body) | {"ruling_id": second.ruling.ruling_id})  # type: ignore[union-attr]
    assert handle(later(desk), another, attempt=1) == Done("held")
    with pytest.raises(TooLate):
        undo(desk, case.case_id, by="ana")


def test_only_who_holds_the_case_rules_on_it_and_a_form_sent_twice_is_one_ruling(
    unserved: Fleet, desk: Desk, held: Callable[..., Put]
) -> None:
    put = held()
    case_id = case_of(desk, put).case_id
    once = Ruling(kind=Kind.HOLD, **MEANT)
    with pytest.raises(NotYours, match="nobody"):
        rule(desk, case_id, once)
    claim(desk, case_id, ANA)
    with pytest.raises(NotYours, match="ana has it"):
        rule(desk, case_id, replace(once, by="ben"))
    with pytest.raises(NotARuling, match="nearest"):
        rule(desk, case_id, replace(once, kind=Kind.REJECT, rule="moderation/Wepons"))
    first = rule(desk, case_id, once, undo_seconds=0).case
    assert rule(desk, case_id, once, undo_seconds=0).case.ruling == first.ruling
    with pytest.raises(NotYours, match="ruled"):
        rule(desk, case_id, Ruling(kind=Kind.ALLOW, **MEANT))
    outcomes = [handle(desk, body, attempt=1) for body in messages(unserved, of=first)]
    assert outcomes == [Done("held"), Skipped("the ruling was carried out")]


def test_a_message_about_no_case_is_parked(desk: Desk) -> None:
    body = json.dumps({"modfleet": "ruling", "case_id": "nothing", "ruling_id": "r"})
    assert handle(desk, body, attempt=1) == Parked("a ruling on a case that does not exist")
    assert isinstance(handle(desk, json.dumps({"modfleet": "ruling"}), attempt=1), Parked)


def test_whoever_dies_between_any_two_writes_loses_no_ruling_and_does_nothing_twice(
    unserved: Fleet, desk: Desk, held: Callable[..., Put]
) -> None:
    put = held("messages/", b"hm " + card(classifier={"decision": "hold", "severity": 2, "rule": "harassment"}))
    case_id = claim(desk, case_of(desk, put).case_id, ANA).case_id
    ruling = Ruling(kind=Kind.REJECT, rule="classifier/reject", **MEANT)
    # The reviewer's process dies right after the row is written: no message is sent.
    with pytest.raises(Crash):
        rule(watched(desk, after_write(0)), case_id, ruling, undo_seconds=0)
    send_late(desk)
    assert not messages(unserved, of=case_of(desk, put))
    now = later(desk)
    send_late(now)
    assert send_late(now) == 0
    (message,) = messages(unserved, of=case_of(desk, put))
    outcome, crashes = None, 0
    # The first run dies after its first write, the second after its second one, and so on.
    while outcome is None and crashes < 40:
        try:
            moment = later(desk, seconds=61 * (crashes + 2))
            outcome = handle(watched(moment, after_write(crashes)), message, attempt=crashes + 1)
        except Crash:
            crashes += 1
    assert crashes >= 5
    assert outcome in (Done("rejected"), Skipped("the ruling was carried out"))
    assert unserved.current(put) is None
    assert case_of(desk, put).result == "rejected"
    assert len(said(unserved.audit_lines(), put, "ruling")) == 1
    notices = [notice["notice_id"] for notice in unserved.notices(put) if "removed" in notice["notice_id"]]
    assert len(set(notices)) == 1
