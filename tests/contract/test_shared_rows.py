"""The rows that a fleet shares, on a DynamoDB over HTTP with everybody asking at once: nothing is given twice."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from config.settings import Settings
from deploy.local.run import LocalCloud
from tasks.aws.faults import Rationed
from tasks.aws.limiter import Limiter, Row
from tasks.aws.ration import LONGEST_WAIT, Ration
from tasks.aws.session import Aws
from tasks.aws.slots import Slots
from tasks.item import Item
from tasks.record.brake import Takedowns
from tasks.record.policies import Change, How, Meanwhile, Policies
from tasks.record.standing import Standing, Status
from tasks.record.state import State, Taken
from tests.contract.shipped import connected

THREADS = 12
NOW = datetime(2026, 11, 20, 17, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(cloud: LocalCloud) -> tuple[Aws, Settings]:
    """Clients and settings, as a worker makes them from its environment."""
    return connected(cloud)


def at_once(work: Callable[[int], None], *, threads: int = THREADS) -> None:
    """Run `work` on many threads, none of which begins before all are there."""
    barrier = threading.Barrier(threads)

    def run(number: int) -> None:
        barrier.wait()
        work(number)

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def test_no_token_is_given_twice(world: tuple[Aws, Settings], unique: str) -> None:
    aws, settings = world
    operation, made, given = f"rekognition.{unique}", list[float](), list[int]()
    rate, now = 5.0, 1_000_000.0

    def process() -> Limiter:
        quotas = {operation: rate}
        return Limiter(
            aws,
            table=settings.items_table,
            quotas=quotas,
            # The clock stands still: there is what two seconds allow, for all.
            clock=lambda: now,
            sleep=made.append,
        )

    processes = [process() for _ in range(3)]

    def work(number: int) -> None:
        for _ in range(3):
            try:
                processes[number % 3].before(operation)
            except Rationed:
                continue
            given.append(number)

    at_once(work)
    assert 1 <= len(given) <= rate * LONGEST_WAIT + 1
    assert all(later - earlier > 0.19 for earlier, later in itertools.pairwise(sorted(made)))


def test_a_writer_that_comes_too_late_is_told_what_was_written(world: tuple[Aws, Settings], unique: str) -> None:
    aws, settings = world
    row = Row(aws, table=settings.items_table, operation=f"rekognition.{unique}")
    assert row.read() is None
    first = Ration(rate=5.0, changed_at=1_000_000.25).next_turn()
    assert row.write(first, over=None) is first
    assert row.read() == first
    late = Ration(rate=9.0, changed_at=1_000_000.5).next_turn()
    told = row.write(late, over=None)
    assert told == first
    assert told is not late
    second = first.next_turn()
    assert row.write(second, over=first) is second
    assert row.write(late, over=first) == second


def decided(key: str, **changes: Any) -> Standing:
    """An item under a key, rejected, whose actions are still to be done."""
    now = datetime.now(UTC)
    item = Item(bucket="uploads-example", key=key, version_id="v1", etag="e1", size=10, sequencer="", event_time=now)
    return replace(Standing(item=item, status=Status.PENDING, tier=3, plan=("hide",), decided_at=now), **changes)


def test_of_many_decisions_at_once_one_stands_and_everybody_gets_it(world: tuple[Aws, Settings], unique: str) -> None:
    aws, settings = world
    state = State(aws, settings.items_table)
    rivals = [decided(unique, rules=(f"rule-{number}",)) for number in range(THREADS)]
    got = dict[int, Standing]()

    def work(number: int) -> None:
        got[number] = state.decide(rivals[number])

    at_once(work)
    assert len({standing.rules for standing in got.values()}) == 1
    assert sum(got[number] is rival for number, rival in enumerate(rivals)) == 1
    assert state.find(rivals[0].item) == got[0]


def test_of_many_who_want_to_act_on_an_item_one_may(world: tuple[Aws, Settings], unique: str) -> None:
    aws, settings = world
    state = State(aws, settings.items_table)
    item = state.decide(decided(unique)).item
    taken, refused = list[float](), list[float]()

    def work(_: int) -> None:
        try:
            taken.append(state.take(item, now=1000.0, seconds=60).lease_until)
        except Taken as holder:
            refused.append(holder.until)

    at_once(work)
    assert taken == [1060.0]
    assert refused == [1060.0] * (THREADS - 1)


def test_no_slot_is_given_twice(world: tuple[Aws, Settings]) -> None:
    aws, settings = world
    slots = Slots(aws=aws, table=settings.items_table, limit=4, now=lambda: datetime.now(UTC))
    slots.renew("nobody")
    slots.release("nobody")
    got = list[str]()

    def work(number: int) -> None:
        for job in (f"{number}-a", f"{number}-b"):
            if slots.acquire(job):
                got.append(job)

    at_once(work)
    assert len(got) == 4
    assert set(slots.held()) == set(got)
    for job in got:
        slots.release(job)
    assert slots.held() == {}


def test_of_many_who_put_a_policy_in_force_at_once_one_does_and_the_others_are_told(
    world: tuple[Aws, Settings], unique: str
) -> None:
    aws, _ = world
    table = f"policies-{unique}"
    keys = ("location", "version")
    aws.dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": "location", "KeyType": "HASH"}, {"AttributeName": "version", "KeyType": "RANGE"}],
    )
    store, told = Policies(aws, table), list[int]()

    def put(number: int) -> None:
        for change in (1, 2, 3):
            who = Change(number=change, version=f"v{number}", how=How.ACTIVATE, at=NOW, by=str(number))
            try:
                store.put_in_force(who)
            except Meanwhile:
                told.append(change)

    at_once(put)
    history = list(store.history())
    assert [one.number for one in history] == [1, 2, 3]
    assert sorted(told) == sorted([1, 2, 3] * (THREADS - 1))
    assert store.in_force() == history[-1]


def test_of_a_hundred_takedowns_at_once_as_many_go_on_as_the_quota_says(
    world: tuple[Aws, Settings], unique: str
) -> None:
    aws, settings = world
    takedowns = Takedowns(aws, settings.items_table)
    quotas, ended = {"overall": 10, unique: 20}, dict[int, str | None]()
    # Of any other time than now, in whose rows other tests may count.
    at = datetime(2031, 1, 1, 12, 2, 30, tzinfo=UTC)

    def work(number: int) -> None:
        # Each of fifty items is delivered twice at the same moment.
        item = f"{number // 2:02d}{unique}"
        ended[number] = takedowns.count(item, surface=unique, quotas=quotas, at=at)

    at_once(work, threads=100)
    passed = {number // 2 for number, full in ended.items() if full is None}
    assert len(passed) == 10
    assert {full for full in ended.values() if full} == {"overall"}
    assert takedowns.counted(at) == {"overall": 10, unique: 10}
    # Those that were let through are, again; nobody else is.
    again = {takedowns.count(f"{item:02d}{unique}", surface=unique, quotas=quotas, at=at) for item in passed}
    assert again == {None}
