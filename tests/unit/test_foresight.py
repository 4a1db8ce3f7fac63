"""Uploads are claimed ahead from the bodies of their messages; what is none, or nobody's, is left alone."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from config.settings import Settings
from tasks.aws.faults import Transient
from tasks.desk import Desk
from tasks.foresight import Foresight
from tasks.intake.message import Uploads, read_message
from tasks.record.seen import Seen

EVENTS = Path(__file__).parents[1] / "fixtures" / "events"


class Remembering:
    """Notes what is claimed ahead, and fails if it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.claims: dict[str, str] = {}
        self.error = error
        self.done = threading.Event()

    def expect(self, ahead: Any) -> None:
        ahead.add_done_callback(lambda _: self.done.set())

    def claim_ahead(self, claims: dict[str, str]) -> None:
        if self.error:
            raise self.error
        self.claims |= claims


def foreseen(settings: Settings, bodies: list[str], seen: Remembering, **changes: object) -> dict[str, str]:
    desk = SimpleNamespace(settings=settings.model_copy(update=changes), seen=cast("Seen", seen))
    Foresight(cast("Desk", desk))(bodies)
    assert desk.settings.hash_all or seen.done.wait(20)
    return seen.claims


def event(name: str = "put", *, bucket: str = "uploads-example", versioned: bool = True) -> str:
    document = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    for record in document.get("Records", ()):
        record["s3"]["bucket"]["name"] = bucket
        record["s3"]["object"] |= {"versionId": "v1"} if versioned else {}
    return json.dumps(document)


def test_what_an_event_brings_is_claimed_for_its_item(settings: Settings) -> None:
    message = read_message(event())
    assert isinstance(message, Uploads)
    (item,) = message.items
    assert foreseen(settings, [event()], Remembering()) == {f"{item.etag}-{item.size}": item.id}


@pytest.mark.parametrize(
    "body", ["", "garbage", "[" * 100_000, '{"Records": 1}', event(bucket="elsewhere"), event("test-event")]
)
def test_what_is_no_upload_of_ours_is_left_to_its_run(settings: Settings, body: str) -> None:
    assert foreseen(settings, [body], Remembering()) == {}


def test_garbage_keeps_no_upload_from_being_claimed(settings: Settings) -> None:
    assert len(foreseen(settings, ["garbage", event(), "\ud800"], Remembering())) == 1


def test_where_every_body_is_read_its_name_is_not_known_ahead(settings: Settings) -> None:
    assert foreseen(settings, [event()], Remembering(), hash_all=True) == {}


@pytest.mark.parametrize("error", [Transient("down"), KeyError("a bug")])
def test_what_goes_wrong_ahead_harms_nobody(settings: Settings, error: Exception) -> None:
    with capture_logs() as logs:
        assert foreseen(settings, [event()], Remembering(error)) == {}
    assert [line["event"] for line in logs] == ["not_foreseen"]
