"""Uploaders are told what was done and why, in their language, how to object, and when it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from fleet import Fleet, Put, said
from interrupted import Crash, at_call, crash, forgetful, later, watched
from pydantic import AnyHttpUrl

from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done
from tasks.record.standing import Standing
from tasks.restore import restore

VIOLATION = b"zorblat, all of you"


@pytest.fixture
def desk(unserved: Fleet) -> Desk:
    return forgetful(unserved.desk)


def standing_of(fleet: Fleet, put: Put) -> Standing:
    standing = fleet.standing(put)
    assert standing is not None
    return standing


def test_a_takedown_is_told_in_the_uploaders_language_with_all_that_was_recorded_when_it_was_decided(
    desk: Desk, unserved: Fleet, unique: str
) -> None:
    where = AnyHttpUrl("https://example.com/appeal")
    desk = replace(desk, settings=desk.settings.model_copy(update={"appeal_url": where}))
    put = unserved.put(f"feed/{unique}", VIOLATION, language="de-AT", uploader="u1")
    assert handle(desk, unserved.event_of(put), attempt=1) == Done("rejected")
    standing, (notice,) = standing_of(unserved, put), unserved.notices(put)
    assert (notice["type"], notice["restriction"]) == ("statement_of_reasons", "DECISION_VISIBILITY_CONTENT_REMOVED")
    assert list(notice["texts"]) == ["de", "en"]
    assert notice["appeal_url"] == "https://example.com/appeal"
    assert standing.decided_at is not None
    assert datetime.fromisoformat(notice["appeal_until"]) == standing.decided_at + timedelta(days=184)
    assert {name: notice[name] for name in standing.reasons} == standing.reasons
    (decided,) = said(unserved.audit_lines(), put, "decided")
    assert decided["statement"] == {name: told for name, told in standing.reasons.items() if name != "texts"}


def test_who_reads_an_unknown_language_is_told_in_all(desk: Desk, unserved: Fleet, unique: str) -> None:
    put = unserved.put(f"feed/{unique}", VIOLATION, language="<b>tlh</b>")
    handle(desk, unserved.event_of(put), attempt=1)
    assert list(unserved.notices(put)[0]["texts"]) == ["en", "de", "fr", "es"]


def test_a_restore_is_told_once_and_names_the_notice_that_it_ends(desk: Desk, unserved: Fleet, unique: str) -> None:
    put = unserved.put(f"feed/{unique}", VIOLATION, language="fr")
    handle(desk, unserved.event_of(put), attempt=1)
    with pytest.raises(Crash):
        restore(
            watched(desk, at_call("publish", crash, after=True)), standing_of(unserved, put), by="alex", why="a poem"
        )
    assert restore(later(desk), standing_of(unserved, put), by="alex", why="a poem") == Done("restored")
    removed, *back = unserved.notices(put)
    assert {notice["notice_id"] for notice in back} == {standing_of(unserved, put).receipts["notify_back"]["notice_id"]}
    assert (back[0]["type"], back[0]["lifts"]) == ("restriction_lifted", [removed["notice_id"]])
    assert "de nouveau visible" in back[0]["texts"]["fr"]
    assert "alex" not in str(back)
    assert "a poem" not in str(back)
