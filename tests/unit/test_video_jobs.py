"""One job for the same bytes, told apart by what nobody can forge, and found again by its id."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tasks.aws.session import Aws
from tasks.intake.digest import whole_sha256
from tasks.item import Item
from tasks.record.jobs import CLAIM_SECONDS, Claim, Jobs

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ITEM = Item(bucket="b", key="feed/é.mp4", version_id="v1", etag="e", size=10, sequencer="01", event_time=NOW)
TWIN = replace(ITEM, version_id="v2")
MINE = Claim(mine=True)
DIGEST = hashlib.sha256(b"a video").digest()


@pytest.fixture
def at(moto_aws: Aws, items_table: str) -> Callable[[float], Jobs]:
    """The rows, so many seconds later."""

    def jobs(seconds: float) -> Jobs:
        return Jobs(aws=moto_aws, table=items_table, now=lambda: NOW + timedelta(seconds=seconds), patience=1000.0)

    return jobs


@pytest.fixture
def jobs(at: Callable[[float], Jobs]) -> Jobs:
    return at(0)


def test_bytes_that_nobody_has_claimed_are_mine_however_often_i_ask(jobs: Jobs) -> None:
    assert [jobs.claim("bytes", owner="me") for _ in range(2)] == [MINE, MINE]
    assert jobs.claim("other bytes", owner="you") == MINE


def test_bytes_that_another_has_claimed_wait_for_its_job(jobs: Jobs) -> None:
    jobs.claim("bytes", owner="me")
    assert jobs.claim("bytes", owner="you") == Claim(mine=False)
    jobs.started("bytes", owner="me", job_id="job")
    assert jobs.claim("bytes", owner="you") == Claim(mine=False, job_id="job")


def test_the_claim_of_a_run_that_died_is_over_after_a_while(jobs: Jobs, at: Callable[[float], Jobs]) -> None:
    jobs.claim("bytes", owner="me")
    assert not at(CLAIM_SECONDS - 1).claim("bytes", owner="you").mine
    assert at(CLAIM_SECONDS + 1).claim("bytes", owner="you").mine


def test_a_job_from_which_no_answer_is_expected_any_more_is_joined_by_nobody(
    jobs: Jobs, at: Callable[[float], Jobs]
) -> None:
    jobs.started("bytes", owner="me", job_id="job")
    assert at(999).claim("bytes", owner="you") == Claim(mine=False, job_id="job")
    assert at(1001).claim("bytes", owner="you") == MINE


def test_who_waits_for_a_job_is_found_by_its_id(jobs: Jobs) -> None:
    jobs.wait("job", ITEM, joined=False)
    jobs.wait("job", TWIN, joined=True)
    jobs.wait("another", ITEM, joined=False)
    assert set(jobs.waiting("job")) == {ITEM, TWIN}
    assert jobs.waiting("unknown") == ()
    assert [jobs.has_joined("job", item) for item in (ITEM, TWIN)] == [False, True]
    assert not jobs.has_joined("unknown", TWIN)


@pytest.mark.parametrize(
    ("checksum", "kind", "expected"),
    [
        (base64.b64encode(DIGEST).decode(), "FULL_OBJECT", DIGEST.hex()),
        (base64.b64encode(DIGEST).decode(), None, DIGEST.hex()),
        (base64.b64encode(DIGEST).decode(), "COMPOSITE", ""),
        (base64.b64encode(DIGEST).decode() + "-3", None, ""),
        (base64.b64encode(DIGEST[:16]).decode(), "FULL_OBJECT", ""),
        ("", "FULL_OBJECT", ""),
    ],
)
def test_only_a_sha256_of_the_whole_names_the_bytes(checksum: str, kind: str | None, expected: str) -> None:
    answer = {"ChecksumSHA256": checksum} | ({"ChecksumType": kind} if kind else {})
    assert whole_sha256(answer) == expected
    assert whole_sha256({"ChecksumCRC32": "AAAAAA=="}) == ""
