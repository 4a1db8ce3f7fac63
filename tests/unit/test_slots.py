"""At most so many video jobs in the whole fleet, and no slot is lost with the process that held it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tasks.aws.session import Aws
from tasks.aws.slots import LEASE_SECONDS, Slots

LIMIT = 3


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slots(moto_aws: Aws, items_table: str, clock: Clock) -> Slots:
    return Slots(aws=moto_aws, table=items_table, limit=LIMIT, now=clock)


@pytest.fixture
def full(slots: Slots) -> Slots:
    for job in "abc":
        assert slots.acquire(job)
    return slots


def test_there_are_as_many_slots_as_the_limit_says(full: Slots) -> None:
    assert not full.acquire("d")
    assert set(full.held()) == set("abc")


def test_a_job_that_has_a_slot_gets_no_second_one(full: Slots) -> None:
    assert full.acquire("a")
    full.release("a")
    assert full.acquire("d")
    assert not full.acquire("a")


def test_a_slot_that_is_given_back_is_free_once_however_often(full: Slots) -> None:
    full.release("a")
    full.release("a")
    full.release("never held")
    assert full.acquire("d")
    assert not full.acquire("e")


def test_the_slot_of_a_holder_that_died_comes_back(full: Slots, clock: Clock) -> None:
    clock.pass_seconds(LEASE_SECONDS - 1)
    assert not full.acquire("d")
    clock.pass_seconds(2)
    assert full.acquire("d")
    assert set(full.held()) == {"d"}


def test_a_job_that_is_looked_at_keeps_its_slot(full: Slots, clock: Clock) -> None:
    clock.pass_seconds(LEASE_SECONDS - 1)
    full.renew("b")
    clock.pass_seconds(2)
    assert full.acquire("d")
    assert set(full.held()) == {"b", "d"}


def test_renewing_takes_no_slot(slots: Slots, full: Slots) -> None:
    full.renew("d")
    full.release("a")
    full.renew("a")
    assert set(full.held()) == {"b", "c"}


def test_before_anybody_took_one_all_are_free_and_nothing_breaks(slots: Slots) -> None:
    slots.renew("a")
    slots.release("a")
    assert slots.held() == {}
    assert slots.acquire("a")


def test_a_limit_that_is_lowered_ends_no_job(full: Slots) -> None:
    lowered = replace(full, limit=1)
    for job in "ab":
        lowered.release(job)
        assert not lowered.acquire("d")
    lowered.release("c")
    assert lowered.acquire("d")


def test_forty_jobs_share_the_slots_whoever_asks(slots: Slots) -> None:
    other = replace(slots)
    got = [job for job in range(40) if (other if job % 2 else slots).acquire(f"job{job}")]
    assert got == [0, 1, 2]
    assert slots.held() == other.held()
