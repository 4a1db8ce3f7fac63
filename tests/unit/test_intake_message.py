"""Message bodies: every AWS event that is one, everything that is none, and what else may come."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.intake.message import (
    SEQUENCER_DIGITS,
    NotAMessage,
    Nothing,
    RulingGiven,
    Uploads,
    VideoCheck,
    read_message,
    write_ruling,
    write_video_check,
)
from tasks.item import Item

EVENTS = Path(__file__).parents[1] / "fixtures" / "events"
PUT = Item(
    bucket="uploads-example",
    key="feed/cat.jpg",
    version_id=None,
    etag="d41d8cd98f00b204e9800998ecf8427e",
    size=1024,
    sequencer="0A1B2C3D4E5F678901".ljust(SEQUENCER_DIGITS, "0"),
    event_time=datetime(2026, 1, 2, 3, 4, 5, 678000, UTC),
)
FROM_EVENTBRIDGE = Item(
    bucket="uploads-example",
    key="feed/a b+1%2B.jpg",
    version_id="IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
    etag="b1946ac92492d2347c6235b4d2611184",
    size=5,
    sequencer="617F08299329D189".ljust(SEQUENCER_DIGITS, "0"),
    event_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


def padded(sequencer: str) -> str:
    return sequencer.ljust(SEQUENCER_DIGITS, "0")


UPLOADS: dict[str, tuple[Item, ...]] = {
    "put": (PUT,),
    "versioned": (replace(PUT, version_id="096fKKXTRTtl3on89fVO.nfljtsv6qko"),),
    "several-records": (
        replace(PUT, key="feed/one.jpg", sequencer=padded("01")),
        replace(PUT, key="feed/two.jpg", sequencer=padded("02")),
    ),
    "multipart": (replace(PUT, key="feed/film.mp4", etag="3858f62230ac3c915f300c664312c11f-9", size=78643200),),
    "schema-2.6": (replace(PUT, key="feed/new.jpg", version_id="v26"),),
    "sns-wrapped": (PUT,),
    "eventbridge": (FROM_EVENTBRIDGE,),
    "key-plus": (replace(PUT, key="feed/a b.jpg"),),
    "key-encoded-plus": (replace(PUT, key="feed/a+b.jpg"),),
    "key-percent": (replace(PUT, key="feed/100%.jpg"),),
    "key-unicode": (replace(PUT, key="feed/été 🌴.jpg"),),
    "key-slashes-encoded": (replace(PUT, key="feed/a.jpg"),),
    "empty-object": (replace(PUT, key="feed/empty.txt", size=0),),
}
NOTHING = {
    "test-event": "s3:TestEvent",
    "sns-wrapped-test-event": "s3:TestEvent",
    "removed": "ObjectRemoved:Delete",
    "removed-marker": "ObjectRemoved:DeleteMarkerCreated",
    "tagged": "ObjectTagging:Put",
    "eventbridge-deleted": "Object Deleted",
}
NO_EVENTS = {
    "no-event-without-etag": r"Records\[1\].*s3\.object\.eTag",
    "no-event-time-without-zone": r"Records\[0\].*eventTime.*timezone",
    "no-event-schema-3": r"Records\[0\].*eventVersion",
    "no-event-key-not-utf8": r"Records\[0\].*not URL-encoded UTF-8",
    "no-event-lambda": "no record of an S3 event",
    "no-event-no-records": "no record of an S3 event .*no records",
    "no-event-records-text": "Records is not a list of objects",
    "no-event-celery": r"neither an S3 event nor a modfleet message .*body, content-encoding",
    "no-event-sns-of-text": "an SNS notification whose Message is no JSON object",
    "no-event-sns-in-sns": "neither an S3 event nor a modfleet message",
    "no-event-list": "a JSON list, not an object",
    "no-event-unknown-own": "unknown modfleet message: 'make-coffee'",
    "no-event-video-check-without-item": "video-check.*item",
}


def body_of(name: str) -> str:
    return (EVENTS / f"{name}.json").read_text("utf-8")


def test_every_fixture_is_in_a_table() -> None:
    assert {path.stem for path in EVENTS.iterdir()} == {*UPLOADS, *NOTHING, *NO_EVENTS}


@pytest.mark.parametrize(("name", "items"), UPLOADS.items(), ids=list(UPLOADS))
def test_an_event_becomes_the_items_that_it_names(name: str, items: tuple[Item, ...]) -> None:
    assert read_message(body_of(name)) == Uploads(items)


@pytest.mark.parametrize(("name", "why"), NOTHING.items(), ids=list(NOTHING))
def test_an_event_that_asks_for_nothing_says_why(name: str, why: str) -> None:
    message = read_message(body_of(name))
    assert isinstance(message, Nothing)
    assert why in message.why


@pytest.mark.parametrize(("name", "why"), NO_EVENTS.items(), ids=list(NO_EVENTS))
def test_what_is_no_event_says_what_is_wrong_with_it(name: str, why: str) -> None:
    with pytest.raises(NotAMessage, match=why):
        read_message(body_of(name))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "not JSON"),
        ("hello", "not JSON"),
        ('{"Records": [', "not JSON"),
        ("null", "a JSON NoneType"),
        ("{}", "its top-level names: none"),
        ("[" * 100_000, "nested too deep"),
        ('{"Records": ' + "[" * 100_000, "nested too deep"),
        (json.dumps({"Type": "Notification", "Message": "[" * 100_000}), "nested too deep"),
        (json.dumps({"Type": "Notification"}), "no JSON object"),
        ('{"Records": [{"eventName": "ObjectCreated:Put", "s3": "\\ud800"}]}', r"Records\[0\]"),
        ("1" * 5000, "not JSON"),
    ],
    ids=range(11),
)
def test_garbage_is_no_message(body: str, why: str) -> None:
    with pytest.raises(NotAMessage, match=why):
        read_message(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.text())
def test_no_text_makes_the_reader_fail_in_another_way(text: str) -> None:
    with pytest.raises(NotAMessage):
        read_message("x" + text)


@given(JSON)
def test_no_json_makes_the_reader_fail_in_another_way(document: object) -> None:
    read_or_refuse(json.dumps(document))


EVENT_DOCUMENTS = [json.loads(body_of(name)) for name in (*UPLOADS, *NOTHING)]


@st.composite
def damaged_events(draw: Callable[..., Any]) -> str:
    """A real event with one thing in it, anywhere, replaced by something else."""
    document = json.loads(json.dumps(draw(st.sampled_from(EVENT_DOCUMENTS))))
    at: Any = document
    while True:
        name = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not at[name] or not isinstance(at[name], dict | list) or draw(st.booleans()):
            at[name] = draw(JSON)
            return json.dumps(document)
        at = at[name]


@given(damaged_events())
def test_no_damaged_event_makes_the_reader_fail_in_another_way(body: str) -> None:
    for item in read_or_refuse(body):
        assert item.id  # a key that cannot be encoded would fail here
        assert item.event_time.tzinfo is not None


def read_or_refuse(body: str) -> tuple[Item, ...]:
    """The items of a body; none where it is no message. Nothing else may be raised."""
    try:
        message = read_message(body)
    except NotAMessage:
        return ()
    return message.items if isinstance(message, Uploads) else ()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_key_that_s3_can_hold_is_read_as_it_is(key: str) -> None:
    document = json.loads(body_of("put"))
    document["Records"][0]["s3"]["object"]["key"] = quote_plus(key)
    message = read_message(json.dumps(document))
    assert isinstance(message, Uploads)
    assert [item.key for item in message.items] == [key]


ITEMS = st.builds(
    Item,
    bucket=st.text(st.characters(exclude_categories=["Cs"]), min_size=3),
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    version_id=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    etag=st.text("0123456789abcdef-", min_size=1),
    size=st.integers(min_value=0, max_value=5 * 1024**4),
    sequencer=st.text("0123456789ABCDEF", max_size=24).map(lambda text: padded(text) if text else ""),
    event_time=st.datetimes(timezones=st.just(UTC)),
)


@given(st.builds(VideoCheck, item=ITEMS, job_id=st.text("0123456789abcdef"), check=st.integers(1, 10_000)))
def test_a_video_check_is_read_as_it_was_written(check: VideoCheck) -> None:
    assert read_message(write_video_check(check)) == check


def test_a_ruling_is_read_as_it_was_written_and_says_nothing_else() -> None:
    given = RulingGiven(case_id="c" * 64, ruling_id="r")
    assert read_message(write_ruling(given)) == given
    for wrong in ({"ruling_id": ""}, {"case_id": "c" * 65}, {"case_id": None}):
        with pytest.raises(NotAMessage, match="the ruling is not as modfleet writes it"):
            read_message(json.dumps(json.loads(write_ruling(given)) | wrong))


@pytest.mark.parametrize("check", [0, -1, "many", None])
def test_a_video_check_counts_from_one(check: object) -> None:
    document = json.loads(write_video_check(VideoCheck(item=PUT, job_id="", check=1)))
    with pytest.raises(NotAMessage, match="check"):
        read_message(json.dumps(document | {"check": check}))


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("0A", "0B"),
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6"),
        # S3 pads the shorter one on the right, so that length by itself says nothing.
        ("0A", "0A01"),
        ("0A01", "0B"),
        ("0a1f", "0A2"),
    ],
)
def test_sequencers_order_as_s3_says(older: str, newer: str) -> None:
    assert sequencer_of(older) < sequencer_of(newer)


def test_sequencers_that_differ_only_in_padding_or_case_are_equal() -> None:
    assert sequencer_of("0ab") == sequencer_of("0AB00")


def test_an_event_without_a_sequencer_has_none() -> None:
    document = json.loads(body_of("put"))
    del document["Records"][0]["s3"]["object"]["sequencer"]
    message = read_message(json.dumps(document))
    assert isinstance(message, Uploads)
    assert message.items == (replace(PUT, sequencer=""),)


def sequencer_of(text: str) -> str:
    document = json.loads(body_of("put"))
    document["Records"][0]["s3"]["object"]["sequencer"] = text
    message = read_message(json.dumps(document))
    assert isinstance(message, Uploads)
    return message.items[0].sequencer
