"""The meter: every try is counted once, by dependency, and charged to the run that made it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from tasks.aws.calls import call
from tasks.aws.faults import Denied, Fault, Full, Gone, Moved, Permanent, Throttled, Transient, Unreadable
from tasks.aws.session import Aws
from tasks.ledger import open_ledger
from worker.families import CALL_MS, CALLS, FAULTS, THROTTLES, USED
from worker.meter import Meter
from worker.metrics import Registry


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_each_try_of_a_call_counts_and_only_the_answered_one_is_billed(
    registry: Registry, offline_aws: Aws, stub: Callable[[object], Stubber]
) -> None:
    aws = offline_aws.guarded((Meter(registry),))
    stubber = stub(aws.dynamodb)
    stubber.add_client_error("get_item", "ProvisionedThroughputExceededException")
    stubber.add_client_error("get_item", "InternalServerError")
    stubber.add_response("get_item", {})
    asked: dict[str, Any] = {"TableName": "t00", "Key": {"location": {"S": "l"}}}
    with open_ledger() as ledger:
        call(aws.store, aws.dynamodb.get_item, **asked)
    now = registry.snapshot()
    assert now.total(CALLS, dependency="dynamodb", operation="GetItem") == 3
    assert (now.total(THROTTLES), now.total(FAULTS), now.total(USED, unit="dynamodb.GetItem")) == (1, 1, 1)
    assert now.spread(CALL_MS, dependency="dynamodb").count == 3
    assert (ledger.calls, ledger.used) == (3, {"dynamodb.GetItem": 1.0})


@pytest.mark.parametrize(
    ("fault", "throttles", "faults"),
    [
        (None, 0, 0),
        (Throttled(), 1, 0),
        (Full(), 1, 0),
        (Transient(), 0, 1),
        (Denied(), 0, 1),
        (Permanent(), 0, 1),
        (Gone(), 0, 0),
        (Moved(), 0, 0),
        (Unreadable(), 0, 0),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_answer_that_nobody_likes_is_no_failure_of_the_dependency(
    registry: Registry, fault: Fault | None, throttles: int, faults: int
) -> None:
    Meter(registry).after("s3.GetObject", seconds=0.5, fault=fault)
    now = registry.snapshot()
    assert (now.total(THROTTLES), now.total(FAULTS)) == (throttles, faults)
    assert now.total(USED) == (fault is None)
    assert now.spread(CALL_MS).quantile(0.5) == pytest.approx(500, rel=0.04)


def test_a_long_poll_is_not_slow(registry: Registry) -> None:
    Meter(registry).after("sqs.ReceiveMessage", seconds=20.0, fault=None)
    assert registry.snapshot().total(CALLS, dependency="sqs") == 1
    assert registry.snapshot().spread(CALL_MS).count == 0
