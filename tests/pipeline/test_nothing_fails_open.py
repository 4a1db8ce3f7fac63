"""What cannot be looked at is never allowed for it, and no upload can vouch for itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
from celery.exceptions import Reject
from fleet import Fleet, card
from interrupted import at_call, watched

from config.lanes import LANES
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import DENIED_RETRY, Done, Retry, Skipped
from tasks.record.standing import Status
from worker.delivery import Delivery, Settler
from worker.lines import Lines

Body = Callable[..., bytes]


@pytest.fixture
def desk(unserved: Fleet) -> Desk:
    """A desk that tries again at once."""
    aws = unserved.aws
    return replace(unserved.desk, aws=replace(aws, detect=aws.detect.instantly(), store=aws.store.instantly()))


@pytest.fixture
def failing(media: SimpleNamespace, unique: str) -> dict[str, Body]:
    """By detector: a violating upload about which that detector first fails some times."""
    weapons = {"labels": {"Weapons": 99.0}}
    verdict = {"classifier": {"decision": "reject", "severity": 3, "rule": "harassment"}}
    return {
        "image": lambda **fault: media.picture("PNG", card=weapons | fault),
        "video": lambda **fault: media.video([media.picture()], seconds_each=0.2, card=weapons | fault),
        "text": lambda **fault: b"hm " + card(guardrail={"HATE": "HIGH"}, note=unique, **fault),
        "gray": lambda **fault: b"hm " + card(note=unique, **verdict, **fault),
    }


DETECTORS = ["image", "text", "gray"]


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("fault", ["ThrottlingException", "the service's own"])
def test_a_detector_that_fails_for_a_moment_is_asked_again(
    detector: str, fault: str, failing: dict[str, Body], desk: Desk, unserved: Fleet, unique: str
) -> None:
    own = {"image": "InternalServerError"}.get(detector, "InternalServerException")
    named = own if fault == "the service's own" else fault
    put = unserved.put(f"feed/{unique}", failing[detector](fault=named, times=3))
    assert handle(desk, unserved.event_of(put), attempt=1) == Done("rejected")
    assert unserved.current(put) is None


@pytest.mark.parametrize("detector", [*DETECTORS, "video"])
@pytest.mark.parametrize("surface", ["feed/", "avatars/"])
def test_while_a_detector_is_down_nothing_is_decided(
    detector: str, surface: str, failing: dict[str, Body], desk: Desk, unserved: Fleet, unique: str
) -> None:
    put = unserved.put(f"{surface}{unique}", failing[detector](fault="ThrottlingException", times=99))
    event = unserved.event_of(put)
    assert [type(handle(desk, event, attempt=attempt)) for attempt in (1, 2, 3)] == [Retry] * 3
    standing = unserved.standing(put)
    assert standing is None or not standing.decided
    assert unserved.case(put) is None if standing else True
    assert unserved.public(put.key)[0] == (403 if surface == "avatars/" else 200)


def test_what_a_permission_is_missing_for_waits_for_an_engineer(
    failing: dict[str, Body], desk: Desk, unserved: Fleet, unique: str
) -> None:
    put = unserved.put(f"avatars/{unique}", failing["image"](fault="AccessDeniedException", times=99))
    outcome = handle(desk, unserved.event_of(put), attempt=1)
    assert isinstance(outcome, Retry)
    assert outcome.after == DENIED_RETRY
    assert unserved.public(put.key)[0] == 403


def test_the_last_attempt_is_parked_for_an_engineer_and_the_ones_before_come_back(
    failing: dict[str, Body], desk: Desk, unserved: Fleet, unique: str
) -> None:
    put = unserved.put(f"feed/{unique}", failing["image"](fault="InternalServerError", times=99))
    event, settler = unserved.event_of(put), Settler(desk.aws, desk.settings, desk.now, Lines(desk.settings, desk.aws))
    for attempt in (LANES["uploads"].attempts - 1, LANES["uploads"].attempts):
        outcome = handle(desk, event, attempt=attempt)
        delivery = Delivery(lane="uploads", message_id=unique, receipt="gone", attempt=attempt, body=event)
        if attempt < LANES["uploads"].attempts:
            with pytest.raises(Reject):
                settler.settle(delivery, outcome)
            assert unserved.depth(desk.settings.dead_letter_url("uploads")) == 0
    assert "gave up" in settler.settle(delivery, outcome)
    (parked,) = unserved.take(desk.settings.dead_letter_url("uploads"))
    assert parked["Body"] == event
    assert "InternalServerError" in parked["MessageAttributes"]["reason"]["StringValue"]
    assert unserved.standing(put) is None


@pytest.mark.parametrize("body", [b"zorblat", b"\x00\x01" * 40], ids=["violating", "unreadable"])
def test_an_avatar_that_brings_its_own_permission_is_hidden_before_anybody_looks(
    body: bytes, unserved: Fleet, unique: str
) -> None:
    put = unserved.put(f"avatars/{unique}", body, tags={"moderation": "allowed", "album": "summer"})
    # The local cloud enforces no bucket policy: this is the upload that got through.
    assert unserved.public(put.key)[0] == 200
    bare: list[dict[str, str]] = []
    watch = at_call("transact_write_items", lambda: bare.append(unserved.tags(put)))
    handle(watched(unserved.desk, watch), unserved.event_of(put), attempt=1)
    assert bare == [{"album": "summer"}]
    assert unserved.public(put.key)[0] in (403, 404)


def test_an_innocent_avatar_that_brings_its_own_permission_is_shown_for_ours(unserved: Fleet, unique: str) -> None:
    put = unserved.put(
        f"avatars/{unique}", f"a fine day {unique}".encode(), tags={"moderation": "allowed", "album": "summer"}
    )
    bare: list[dict[str, str]] = []
    watch = at_call("apply_guardrail", lambda: bare.append(unserved.tags(put)))
    assert handle(watched(unserved.desk, watch), unserved.event_of(put), attempt=1) == Done("allowed")
    assert bare == [{"album": "summer"}]
    assert unserved.tags(put) == {"album": "summer", "moderation": "allowed"}
    assert unserved.public(put.key) == (200, put.body)


def test_a_second_event_of_a_decided_item_leaves_the_tag_that_we_set(desk: Desk, unserved: Fleet, unique: str) -> None:
    shown = unserved.put(f"avatars/{unique}", b"hello")
    withheld = unserved.put(f"messages/{unique}", card(guardrail={"PROMPT_ATTACK": "HIGH"}, note=unique))
    for put, status in ((shown, "allowed"), (withheld, "held")):
        event = unserved.event_of(put)
        assert handle(desk, event, attempt=1) == Done(status)
        assert handle(desk, event, attempt=1) == Skipped(f"already {status}")
    assert unserved.public(shown.key)[0] == 200
    assert unserved.public(withheld.key)[0] == 403


def test_an_innocent_upload_cannot_hide_behind_a_tag_of_its_own(desk: Desk, unserved: Fleet, unique: str) -> None:
    put = unserved.put(f"feed/{unique}", b"hello", tags={"moderation": "blocked", "album": "summer"})
    assert unserved.public(put.key)[0] == 403
    assert handle(desk, unserved.event_of(put), attempt=1) == Done("allowed")
    assert unserved.public(put.key)[0] == 200
    assert unserved.tags(put) == {"album": "summer"}


@pytest.mark.parametrize("body", [b"zorblat", b"Mail jane.doe@example.org"], ids=["rejected", "redacted"])
def test_an_upload_with_as_many_tags_as_s3_takes_is_still_taken_down(body: bytes, unserved: Fleet, unique: str) -> None:
    put = unserved.put(f"feed/{unique}", body, tags={f"tag{number}": "x" for number in range(10)})
    assert isinstance(handle(unserved.desk, unserved.event_of(put), attempt=1), Done)
    assert body not in unserved.public(put.key)[1]


def test_bytes_that_are_no_text_are_held(unserved: Fleet, desk: Desk, unique: str) -> None:
    put = unserved.put(f"feed/{unique}", b"\x01\xfe\x00 no text in any encoding \x9c")
    handle(desk, unserved.event_of(put), attempt=1)
    standing = unserved.standing(put)
    assert standing is not None
    assert standing.status is Status.HELD
