"""One rate for the whole fleet: several processes' limiters on one DynamoDB row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from tasks.aws.calls import call
from tasks.aws.faults import Denied, Fault, Rationed, Throttled, Transient
from tasks.aws.limiter import LATEST, SOONEST, Limiter, on_behalf_of
from tasks.aws.ration import LONGEST_WAIT
from tasks.aws.session import Aws

CALL = "rekognition.DetectModerationLabels"
RATE = 5.0


class Fleet:
    """Limiters of several processes on one table, on one clock that only the test moves."""

    def __init__(self, aws: Aws, table: str) -> None:
        self.now = 1_000_000.0
        self.aws, self.table = aws, table
        #: When each call that was let through was made.
        self.made: list[float] = []
        #: DynamoDB operations.
        self.asked: list[str] = []

    def process(self, rate: float = RATE) -> Limiter:
        quotas = {CALL: rate}
        return Limiter(self.aws, table=self.table, quotas=quotas, clock=lambda: self.now, sleep=self._sleep)

    def call(self, limiter: Limiter) -> None:
        """One call; it is made now unless the limiter makes it wait."""
        count = len(self.made)
        limiter.before(CALL)
        if len(self.made) == count:
            self.made.append(self.now)

    def calls_until_rationed(self, *limiters: Limiter) -> int:
        for number in range(1000):
            try:
                self.call(limiters[number % len(limiters)])
            except Rationed:
                return number
        raise AssertionError("never rationed")

    def _sleep(self, seconds: float) -> None:
        assert seconds <= 2 * LONGEST_WAIT
        self.made.append(self.now + seconds)


@pytest.fixture
def fleet(moto_aws: Aws, items_table: str) -> Iterator[Fleet]:
    fleet = Fleet(moto_aws, items_table)
    events = cast("Any", moto_aws.dynamodb).meta.events

    def note(model: Any, **_: Any) -> None:
        fleet.asked.append(model.name)

    events.register("before-call.dynamodb", note, unique_id="limiter-test")
    yield fleet
    events.unregister("before-call.dynamodb", unique_id="limiter-test")


def most_in_a_second(times: list[float]) -> int:
    times = sorted(times)
    return max(sum(1 for other in times[n:] if other < start + 1 - 1e-6) for n, start in enumerate(times))


def test_an_operation_that_is_not_named_is_not_limited_and_costs_nothing(fleet: Fleet) -> None:
    limiter = fleet.process()
    for _ in range(100):
        limiter.before("s3.GetObject")
        limiter.after("s3.GetObject", seconds=0.1, fault=Throttled())
    assert fleet.asked == []


def test_two_processes_together_keep_to_the_rate(fleet: Fleet) -> None:
    one, other = fleet.process(), fleet.process()
    for number in range(200):
        fleet.now += 0.05
        try:
            fleet.call(one if number % 2 else other)
        except Rationed:
            continue
    assert most_in_a_second(fleet.made) <= RATE + 1
    # Nearly all that ten seconds allow, and at most two seconds' worth ahead.
    assert RATE * 10 <= len(fleet.made) <= RATE * 12 + 1


def test_a_call_waits_for_its_token_and_no_longer_than_it_may(fleet: Fleet) -> None:
    assert fleet.calls_until_rationed(fleet.process()) == RATE * LONGEST_WAIT + 1
    waits = [made - fleet.now for made in fleet.made]
    assert waits == pytest.approx([number / RATE for number in range(11)])


def test_what_one_process_took_another_does_not_get(fleet: Fleet) -> None:
    assert fleet.calls_until_rationed(fleet.process()) == 11
    assert fleet.calls_until_rationed(fleet.process()) == 0
    fleet.now += 1
    assert fleet.calls_until_rationed(fleet.process()) == RATE


def test_a_call_without_a_token_says_when_to_come_back_and_which_call_it_was(fleet: Fleet) -> None:
    limiter = fleet.process()
    fleet.calls_until_rationed(limiter)
    with pytest.raises(Rationed) as caught:
        limiter.before(CALL)
    assert SOONEST <= caught.value.retry_after <= LATEST
    assert str(caught.value) == f"{CALL} 5 calls a second are spent"


def test_what_aws_throttles_for_one_slows_all(fleet: Fleet) -> None:
    one, other = fleet.process(8.0), fleet.process(8.0)
    fleet.call(other)
    for _ in range(20):
        one.after(CALL, seconds=0.1, fault=Throttled())
    fleet.now += 1
    assert fleet.calls_until_rationed(other) == 4 * LONGEST_WAIT + 1


@pytest.mark.parametrize("fault", [None, Transient(), Rationed(), Denied()])
def test_nothing_but_throttling_slows_anybody(fleet: Fleet, fault: Fault | None) -> None:
    limiter = fleet.process()
    limiter.after(CALL, seconds=0.1, fault=fault)
    assert fleet.asked == []


def test_a_busy_process_leases_many_tokens_at_once(fleet: Fleet) -> None:
    limiter = fleet.process(50.0)
    for _ in range(400):
        fleet.now += 0.025
        fleet.call(limiter)
    assert len(fleet.made) == 400
    assert fleet.asked.count("UpdateItem") < 40
    assert fleet.asked.count("GetItem") == 1


def test_rescans_give_way_to_uploads_in_another_process(fleet: Fleet) -> None:
    uploads, rescans = fleet.process(10.0), fleet.process(10.0)
    got = {"uploads": 0, "rescan": 0}
    for _ in range(100):
        fleet.now += 0.2
        for lane, limiter in (("rescan", rescans), ("uploads", uploads)):
            with on_behalf_of(lane):
                try:
                    fleet.call(limiter)
                except Rationed:
                    continue
                got[lane] += 1
    assert got["uploads"] == 100
    assert 10 <= got["rescan"] <= 42


def test_without_the_table_the_call_is_not_made(fleet: Fleet) -> None:
    limiter = fleet.process()
    fleet.aws.dynamodb.delete_table(TableName=fleet.table)
    with pytest.raises(Denied) as caught:
        limiter.before(CALL)
    assert caught.value.call == "dynamodb.GetItem"


def test_slowing_down_never_raises(fleet: Fleet) -> None:
    limiter = fleet.process()
    fleet.aws.dynamodb.delete_table(TableName=fleet.table)
    with capture_logs() as logs:
        limiter.after(CALL, seconds=0.1, fault=Throttled())
    assert [line["event"] for line in logs] == ["not_slowed"]


def test_a_call_that_gets_no_token_is_neither_made_nor_tried_again(fleet: Fleet) -> None:
    limiter, made = fleet.process(), list[str]()
    fleet.calls_until_rationed(limiter)

    def detect() -> dict[str, Any]:
        made.append("a call")
        return {}

    detect.__name__ = CALL
    policy = fleet.aws.detect.guarded((limiter,))
    with pytest.raises(Rationed):
        call(policy, detect)
    fleet.now += 10
    call(policy, detect)
    assert made == ["a call"]
