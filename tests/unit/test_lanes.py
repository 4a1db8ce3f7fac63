"""The lane table: rows that work together with SQS's and Celery's own limits."""

from __future__ import annotations

import pytest

from config.lanes import LANES, Lane
from tasks.aws.breaker import DEPENDENCIES
from tasks.outcome import DENIED_RETRY, RETRY_CAP
from worker.delivery import MAX_VISIBILITY_SECONDS


@pytest.mark.parametrize("lane", LANES.values(), ids=list(LANES))
class TestEachLane:
    def test_is_found_by_its_name(self, lane: Lane) -> None:
        assert LANES[lane.name] is lane

    def test_parks_by_itself_before_sqs_moves_a_message_without_its_reason(self, lane: Lane) -> None:
        assert 1 < lane.attempts < lane.max_receive_count

    def test_shows_a_crashed_workers_messages_within_a_minute(self, lane: Lane) -> None:
        assert 0 < lane.visibility <= 60

    def test_has_threads_and_a_purpose(self, lane: Lane) -> None:
        assert lane.concurrency > 0
        assert lane.purpose

    def test_needs_the_stores_in_which_everything_is_recorded(self, lane: Lane) -> None:
        assert {"s3", "dynamodb"} <= set(lane.needs) <= set(DEPENDENCIES)


def test_no_wait_is_longer_than_sqs_can_hide_a_message() -> None:
    assert max(RETRY_CAP, DENIED_RETRY) <= MAX_VISIBILITY_SECONDS


def test_the_back_catalog_has_fewer_threads_than_live_uploads() -> None:
    assert LANES["rescan"].concurrency < LANES["uploads"].concurrency
