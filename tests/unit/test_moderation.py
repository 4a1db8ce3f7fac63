"""One message, several items: all are worked, and the message ends as the worst of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from config.settings import Settings
from tasks.aws.session import Aws
from tasks.desk import Desk
from tasks.intake.message import VideoCheck, read_message, write_video_check
from tasks.item import Item
from tasks.moderation import handle, worst
from tasks.outcome import DENIED_RETRY, Done, Outcome, Parked, Retry, Skipped
from tasks.record.standing import Status

EVENTS = Path(__file__).parents[1] / "fixtures" / "events"
NOW = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
#: Who wins over whom, strictest first.
ORDER: list[Outcome] = [Retry(9, "later"), Retry(2, "soon"), Parked("bad"), Done("allowed"), Skipped("nothing")]


@pytest.mark.parametrize("first", ORDER)
@pytest.mark.parametrize("second", ORDER)
def test_the_worst_of_two_outcomes_stands_whichever_came_first(first: Outcome, second: Outcome) -> None:
    expected = ORDER[min(ORDER.index(first), ORDER.index(second))]
    got = worst([first, second])
    assert got == (Parked("bad; bad") if first == second == Parked("bad") else expected)


@pytest.mark.parametrize(
    ("first", "second", "counts"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_a_message_has_been_attempted_if_any_of_its_items_was(first: bool, second: bool, counts: bool) -> None:
    got = worst([Retry(2, "soon", counts=first), Done("allowed"), Retry(9, "later", counts=second)])
    assert got == Retry(9, "later", counts=counts)


@pytest.mark.parametrize("outcome", ORDER)
def test_a_single_outcome_stands_as_it_is(outcome: Outcome) -> None:
    assert worst([outcome]) == outcome


def test_a_parked_message_tells_every_reason() -> None:
    assert worst([Parked("one"), Done("allowed"), Parked("two")]) == Parked("one; two")


@pytest.fixture
def desk(desk_at: Callable[..., Desk], moto_aws: Aws, settings: Settings) -> Desk:
    """A desk on an AWS that has the buckets, the table and the video queue, and nothing in them."""
    for bucket in (settings.uploads_bucket, settings.quarantine_bucket, settings.audit_bucket):
        moto_aws.s3.create_bucket(Bucket=bucket)
    moto_aws.sqs.create_queue(QueueName="video")
    return desk_at(lambda: NOW)


def items_of(body: str) -> list[Item]:
    message = read_message(body)
    assert not isinstance(message, VideoCheck)
    return list(getattr(message, "items", ()))


def event(*keys: str, bucket: str = "uploads-example") -> str:
    """An S3 event of uploads, one record a key; a key `elsewhere` is in a bucket that is not ours."""
    (record,) = json.loads((EVENTS / "put.json").read_text("utf-8"))["Records"]
    records = []
    for key in keys:
        one = json.loads(json.dumps(record))
        one["s3"]["object"]["key"] = key
        one["s3"]["bucket"]["name"] = "another-bucket" if key == "elsewhere" else bucket
        records.append(one)
    return json.dumps({"Records": records})


def test_garbage_is_parked_with_what_is_wrong_with_it(desk: Desk) -> None:
    outcome = handle(desk, "garbage", attempt=1)
    assert isinstance(outcome, Parked)
    assert "not JSON" in outcome.why


@pytest.mark.parametrize("name", ["test-event", "removed"])
def test_what_asks_for_nothing_is_skipped(desk: Desk, name: str) -> None:
    assert isinstance(handle(desk, (EVENTS / f"{name}.json").read_text("utf-8"), attempt=1), Skipped)


def test_every_item_of_a_message_is_worked_and_recorded(desk: Desk) -> None:
    body = event("feed/one.jpg", "feed/two.jpg", "feed/three.jpg")
    assert handle(desk, body, attempt=1) == Done("gone")
    assert [standing.status for item in items_of(body) if (standing := desk.state.find(item))] == [Status.GONE] * 3


@pytest.mark.parametrize("order", [("elsewhere", "feed/one.jpg"), ("feed/one.jpg", "elsewhere")])
def test_an_item_that_is_parked_keeps_no_other_from_being_worked(desk: Desk, order: tuple[str, str]) -> None:
    body = event(*order)
    outcome = handle(desk, body, attempt=1)
    assert isinstance(outcome, Parked)
    assert "another-bucket" in outcome.why
    ours = next(item for item in items_of(body) if item.key == "feed/one.jpg")
    assert desk.state.find(ours) is not None


def test_an_event_of_another_bucket_is_parked_and_nothing_is_recorded(desk: Desk) -> None:
    body = event("elsewhere")
    assert isinstance(handle(desk, body, attempt=1), Parked)
    assert desk.state.find(items_of(body)[0]) is None


def test_a_fault_of_one_item_brings_the_message_back_after_the_others_are_done(
    desk: Desk, empty_audit_bucket_of: Callable[[Desk], None]
) -> None:
    empty_audit_bucket_of(desk)
    body = event("elsewhere", "feed/one.jpg")
    outcome = handle(desk, body, attempt=1)
    assert isinstance(outcome, Retry)
    assert outcome.after == DENIED_RETRY
    assert "NoSuchBucket" in outcome.why


@pytest.fixture
def empty_audit_bucket_of() -> Callable[[Desk], None]:
    """Take the audit bucket away: then nothing can be recorded, and nothing may be acknowledged."""
    return lambda desk: desk.aws.s3.delete_bucket(Bucket=desk.settings.audit_bucket) and None


def test_a_second_delivery_of_a_finished_message_is_skipped(desk: Desk) -> None:
    body = event("feed/one.jpg")
    assert handle(desk, body, attempt=1) == Done("gone")
    assert handle(desk, body, attempt=2) == Skipped("already gone")


def test_a_check_of_a_video_that_nobody_recorded_is_skipped(desk: Desk) -> None:
    (item,) = items_of(event("feed/film.mp4"))
    body = write_video_check(VideoCheck(item=item, job_id="job", check=1))
    assert isinstance(handle(desk, body, attempt=1), Skipped)


def test_an_item_that_ends_in_a_bug_keeps_no_other_from_being_worked_and_is_tried_again(desk: Desk) -> None:
    asked: list[int] = []

    def clock() -> datetime:
        asked.append(1)
        if len(asked) == 1:
            raise KeyError("somebody@example.com")
        return NOW

    body = event("feed/bad", "feed/good")
    with capture_logs() as logs:
        got = handle(replace(desk, now=clock), body, attempt=1)
    bad, good = items_of(body)
    assert desk.state.find(bad) is None
    assert desk.state.find(good) is not None
    assert isinstance(got, Retry)
    assert got.why == "unexpected KeyError"
    line = next(line for line in logs if line["event"] == "unexpected")
    assert line["error"] == "KeyError"
    assert line["where"][-1].endswith(" clock")
    assert "somebody@example.com" not in repr(logs)
