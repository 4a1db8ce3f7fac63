"""What an appeal may come to, whose turn it is, and who must not rule on it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from config.settings import CONFIG
from tasks.decide.policy_file import parse_policy
from tasks.decide.review import SEVERITIES, WAITING
from tasks.intake.message import Asked, NotAMessage, read_message
from tasks.item import Item
from tasks.record.standing import Standing, Status
from tasks.review.answer import STANDS
from tasks.review.asked import kinds_for, outcome_of
from tasks.review.case import Appeal, Ask, Case, CaseStatus, Kind, Ruling, Side, case_from
from tasks.review.decision import appeal_id, deciders, decision_of, until
from tasks.review.severity import due_at, moment, turn

NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
SHIPPED = parse_policy((CONFIG / "policy.yaml").read_text("utf-8"))
ITEM = Item(bucket="b", key="k", version_id="v", etag="e", size=1, sequencer="", event_time=NOW)
DOWN = Standing(item=ITEM, status=Status.REJECTED, tier=3, decided_at=NOW, policy_version="p")
CASE = Case(case_id="c", location="s3://b/k", version="v", status=CaseStatus.OPEN)
FROM_UPLOADER = Appeal(side=Side.UPLOADER, decision="d")
FROM_REPORTER = Appeal(side=Side.REPORTER, decision="d")
BY_ANA = {"event": "overruled", "tier": 3, "rules": [], "by": "ana (arn:aws:iam::1:user/ana)", "why": "w"}


@pytest.mark.parametrize(
    ("appeal", "result", "outcome"),
    [
        (FROM_UPLOADER, "", ""),
        (FROM_UPLOADER, "restored", "overturned"),
        (FROM_UPLOADER, "allowed", "overturned"),
        (FROM_UPLOADER, "rejected", "upheld"),
        (FROM_UPLOADER, "redacted", "upheld"),
        (FROM_UPLOADER, "held", "upheld"),
        (FROM_UPLOADER, "superseded", "moot"),
        (FROM_UPLOADER, "gone", "moot"),
        (FROM_REPORTER, "allowed", "upheld"),
        (FROM_REPORTER, "rejected", "overturned"),
        (FROM_REPORTER, "gone", "moot"),
    ],
)
def test_what_became_of_the_item_says_what_came_of_the_appeal(appeal: Appeal, result: str, outcome: str) -> None:
    assert outcome_of(appeal, result) == outcome


def test_an_appeal_is_answered_by_what_it_asks_and_nothing_else_is_upheld() -> None:
    usual = set(Kind) - {Kind.UPHOLD}
    appealed = replace(CASE, appeal=FROM_UPLOADER)
    assert set(kinds_for(CASE, DOWN)) == usual
    assert set(kinds_for(appealed, DOWN)) == {Kind.UPHOLD, Kind.RESTORE, Kind.ALLOW}
    assert set(kinds_for(appealed, replace(DOWN, status=Status.HELD))) == usual
    seen = replace(DOWN, status=Status.ALLOWED, tier=0)
    reported = replace(CASE, appeal=replace(FROM_REPORTER, ask=Ask.REPORT))
    assert set(kinds_for(reported, seen)) == {Kind.ALLOW, Kind.REJECT, Kind.STRIKE}
    assert set(kinds_for(replace(CASE, appeal=FROM_REPORTER), seen)) == {*kinds_for(reported, seen), Kind.UPHOLD}


def test_appeals_come_between_high_and_normal_and_an_overdue_one_before_fresh_high_ones() -> None:
    def place(severity: str, hours: float) -> tuple[int, str]:
        return turn(severity, moment(NOW + timedelta(hours=hours)), now=moment(NOW))

    assert sorted(WAITING, key=lambda one: place(one, 1)) == list(WAITING)
    assert set(WAITING) - set(SEVERITIES) == {"appeal"}
    assert place("high", 99) < place("appeal", 1) < place("normal", 0.01)
    assert max(place("critical", 99), place("high", -1)) < place("appeal", -9) < place("high", 0.01)
    assert due_at(NOW, "appeal", reach=0, policy=SHIPPED) == NOW + timedelta(hours=72)


def test_a_decision_of_a_person_is_another_one_and_whoever_had_a_say_is_barred() -> None:
    later = (NOW + timedelta(days=1)).isoformat()
    overruled = replace(DOWN, history=({**BY_ANA, "at": later},), reasons={"appeal_until": later})
    assert decision_of(DOWN) != decision_of(overruled)
    assert until(SHIPPED, DOWN) == NOW + timedelta(days=184)
    assert until(SHIPPED, replace(DOWN, reasons={"appeal_until": later})) == NOW + timedelta(days=1)
    assert until(SHIPPED, overruled) == NOW + timedelta(days=185)
    assert deciders(DOWN, None) == frozenset()
    ruling = Ruling(kind=Kind.REJECT, by="ben", why="w", first_by="eva")
    own = replace(CASE, ruling=ruling, second_by="zoe")
    assert deciders(overruled, own) == {"ana", BY_ANA["by"], "ben", "eva", "zoe"}
    ids = {appeal_id(item, decision, side) for item in "ab" for decision in "cd" for side in Side}
    assert len(ids) == 8
    assert {len(one) for one in ids} == {64}


def test_a_row_tells_who_is_barred_and_what_was_said() -> None:
    said = {"side": "reporter", "decision": "d", "ask": "report", "choice": "other", "words": "ü", "at": "t"}
    row = {name: {"S": getattr(CASE, name)} for name in ("case_id", "location", "version", "status")}
    case = case_from({**row, "appeal": {"S": json.dumps(said)}, "barred": {"SS": ["ana"]}})
    assert case.appeal == replace(FROM_REPORTER, ask=Ask.REPORT, choice="other", words="ü", at="t")
    assert (case.barred, case.summary()["barred"], case.summary()["appeal"]) == ({"ana"}, ["ana"], said)


def test_the_message_of_an_appeal_is_read_and_a_wrong_one_is_told_without_its_words() -> None:
    body = {"modfleet": "appeal", "item": {"bucket": "uploads", "key": "a b"}, "words": "secret", "choice": "context"}
    read = read_message(json.dumps(body))
    assert isinstance(read, Asked)
    assert (read.item.location, read.item.version, read.side, read.words) == (
        "s3://uploads/a b",
        "",
        "uploader",
        "secret",
    )
    for wrong in ({"side": "nobody"}, {"words": "secret" * 400}, {"item": {}}, {"more": "secret"}):
        with pytest.raises(NotAMessage) as error:
            read_message(json.dumps(body | wrong))
        assert "secret" not in str(error.value)


def test_what_stands_is_said_in_every_language_of_the_shipped_notices() -> None:
    assert set(STANDS) == set(SHIPPED.notices.languages)
    assert all("{reasons}" in text for text in STANDS.values())
