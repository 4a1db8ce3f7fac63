"""A dry run judges and records everything, and what would have been taken down stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fleet import Fleet, Put, card, said
from interrupted import Crash, Watch, at_call, crash, later, watched

from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Retry, Skipped
from tasks.record.standing import Standing, Status

MAIL = b"Mail jane.doe@example.org about it"
GRAY = b"hm " + card(classifier={"decision": "hold", "severity": 2, "rule": "harassment"})
#: How it ends, on which surface, and what would have been done.
VIOLATIONS = {
    "rejected": ("feed/", b"zorblat", "hide purge quarantine remove verify notify"),
    "redacted": ("feed/", MAIL, "quarantine redact purge notify"),
    "held": ("messages/", GRAY, "hide purge verify notify_held"),
}
#: Calls that would change an upload, the CDN or what the uploader knows.
TOUCHING = {"put_object_tagging", "delete_object", "copy_object", "create_invalidation", "publish"}


@pytest.fixture
def desk(unserved: Fleet) -> Desk:
    return replace(unserved.desk, settings=unserved.settings.model_copy(update={"dry_run": True}))


@pytest.fixture
def put(unserved: Fleet, unique: str) -> Callable[..., Put]:
    def upload(prefix: str, body: bytes, **more: object) -> Put:
        return unserved.put(f"{prefix}{unique}", body, **more)  # type: ignore[arg-type]

    return upload


def recorded(fleet: Fleet, put: Put) -> Standing:
    found = fleet.standing(put)
    assert found is not None
    return found


@pytest.mark.parametrize("status", VIOLATIONS)
def test_a_violation_is_recorded_as_what_it_would_have_been_and_stays_as_it_is(
    status: str, desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    prefix, body, would = VIOLATIONS[status]
    violating, watch = put(prefix, body, tags={"album": "7"}), Watch()
    assert handle(watched(desk, watch), unserved.event_of(violating), attempt=1) == Done(status)
    assert not TOUCHING & set(watch.calls)
    assert unserved.current(violating) == body
    assert unserved.public(violating.key) == (200, body)
    assert unserved.tags(violating) == {"album": "7"}
    assert unserved.quarantined(violating) == []
    assert unserved.notices(violating) == []
    standing = recorded(unserved, violating)
    assert standing.summary().items() >= {"status": status, "dry_run": True, "would": would.split()}.items()
    assert standing.time_to_takedown_ms is None


def test_the_audit_log_says_that_it_was_a_dry_run(desk: Desk, put: Callable[..., Put], unserved: Fleet) -> None:
    violating = put("feed/", b"zorblat")
    handle(desk, unserved.event_of(violating), attempt=1)
    lines = unserved.audit_lines()
    (decided,), (ended,) = said(lines, violating, "decided"), said(lines, violating, "ended")
    assert (decided["dry_run"], decided["tier"], decided["would"][0]) == (True, 3, "hide")
    assert (ended["dry_run"], ended["status"]) == (True, "rejected")


def test_moderators_see_the_case_that_a_live_fleet_would_open(
    desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    gray = put("messages/", GRAY)
    handle(desk, unserved.event_of(gray), attempt=1)
    assert (unserved.case(gray) or {})["status"] == "open"


def test_what_is_allowed_is_shown_on_a_before_surface_and_what_is_not_stays_hidden(
    desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    fine, violating = put("avatars/1", b"a fine day"), put("avatars/2", b"zorblat")
    assert handle(desk, unserved.event_of(fine), attempt=1) == Done("allowed")
    assert handle(desk, unserved.event_of(violating), attempt=1) == Done("rejected")
    assert unserved.public(fine.key) == (200, b"a fine day")
    assert unserved.public(violating.key)[0] == 403
    assert unserved.tags(violating) == {}


def test_a_second_delivery_to_a_live_worker_takes_nothing_down(
    desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    """It was decided; a new upload, or a copy over itself, is judged anew."""
    violating = put("feed/", b"zorblat")
    event = unserved.event_of(violating)
    handle(desk, event, attempt=1)
    assert handle(unserved.desk, event, attempt=2) == Skipped("already rejected")
    assert unserved.current(violating) == b"zorblat"
    again = put("feed/", b"zorblat")
    assert handle(unserved.desk, unserved.event_of(again), attempt=1) == Done("rejected")
    assert unserved.current(again) is None


def test_a_takedown_that_was_begun_before_waits_until_the_dry_run_ends(
    desk: Desk, put: Callable[..., Put], unserved: Fleet
) -> None:
    violating = put("feed/", b"zorblat")
    event = unserved.event_of(violating)
    with pytest.raises(Crash):
        handle(watched(unserved.desk, at_call("copy_object", crash)), event, attempt=1)
    waits = handle(later(desk), event, attempt=2)
    assert isinstance(waits, Retry)
    assert not waits.counts
    assert unserved.current(violating) == b"zorblat"
    assert handle(later(unserved.desk), event, attempt=2) == Done("rejected")
    assert recorded(unserved, violating).status is Status.REJECTED
    assert unserved.current(violating) is None
