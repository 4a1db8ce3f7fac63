"""One call: how often it is tried, when it stops, and what it raises."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from tasks.aws.calls import DETECT, STORE, RetryPolicy, call, call_name
from tasks.aws.faults import Denied, Full, Moved, Permanent, Throttled, Transient, Unreadable
from tasks.aws.session import Aws

Stub = Callable[[object], Stubber]
KEY: dict[str, Any] = {"TableName": "items", "Key": {"pk": {"S": "1"}}}
IMAGE = {"Image": {"S3Object": {"Bucket": "uploads-example", "Name": "a.png"}}}


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def policy_with(clock: Clock, **changes: Any) -> RetryPolicy:
    """DETECT on a clock of its own."""
    return replace(DETECT, sleep=clock.sleep, clock=lambda: clock.now, **changes)


def test_a_transient_fault_is_tried_again_and_the_answer_returned(offline_aws: Aws, stub: Stub, clock: Clock) -> None:
    stubber = stub(offline_aws.dynamodb)
    stubber.add_client_error("get_item", "ProvisionedThroughputExceededException")
    stubber.add_client_error("get_item", "InternalServerError")
    stubber.add_response("get_item", {"Item": {"pk": {"S": "1"}}}, KEY)
    answer = call(policy_with(clock), offline_aws.dynamodb.get_item, **KEY)
    assert answer["Item"] == {"pk": {"S": "1"}}
    assert len(clock.slept) == 2


def test_the_attempts_end_with_the_last_fault_and_its_cause(offline_aws: Aws, stub: Stub, clock: Clock) -> None:
    stubber = stub(offline_aws.rekognition)
    for _ in range(DETECT.attempts):
        stubber.add_client_error("detect_moderation_labels", "ThrottlingException", "Rate exceeded")
    with pytest.raises(Throttled) as caught:
        call(policy_with(clock), offline_aws.rekognition.detect_moderation_labels, **IMAGE)
    fault = caught.value
    assert str(fault) == "rekognition.DetectModerationLabels ThrottlingException Rate exceeded"
    assert isinstance(fault.__cause__, ClientError)
    assert len(clock.slept) == DETECT.attempts - 1


def test_no_try_begins_after_the_deadline(clock: Clock) -> None:
    policy = policy_with(clock, attempts=1000, deadline=7.0, first=1.0, cap=2.0)
    tries = list[float]()

    def slow() -> dict[str, Any]:
        tries.append(clock.now)
        clock.now += 1.5
        raise ClientError({"Error": {"Code": "InternalError"}}, "Slow")

    with pytest.raises(Transient):
        call(policy, slow)
    assert 2 <= len(tries) <= 5
    assert max(tries) < 1000.0 + 7.0


def test_waits_have_full_jitter_under_a_growing_cap(clock: Clock) -> None:
    policy = policy_with(clock, attempts=200, deadline=10_000, first=0.5, cap=4.0)

    def busy() -> dict[str, Any]:
        raise ClientError({"Error": {"Code": "SlowDown"}}, "Busy")

    with pytest.raises(Throttled):
        call(policy, busy)
    assert clock.slept[0] <= 0.5
    assert clock.slept[1] <= 1.0
    assert max(clock.slept) <= 4.0
    assert min(clock.slept[5:]) < 1.0
    assert max(clock.slept[5:]) > 3.0


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("LimitExceededException", Full),
        ("AccessDeniedException", Denied),
        ("InvalidPaginationTokenException", Permanent),
        ("InvalidImageFormatException", Unreadable),
        ("ConditionalCheckFailedException", Moved),
    ],
)
def test_what_waiting_cannot_mend_is_not_tried_again(
    offline_aws: Aws, stub: Stub, clock: Clock, code: str, expected: type[Exception]
) -> None:
    stub(offline_aws.rekognition).add_client_error("detect_moderation_labels", code)
    with pytest.raises(expected):
        call(policy_with(clock), offline_aws.rekognition.detect_moderation_labels, **IMAGE)
    assert clock.slept == []


def test_a_canceled_transaction_keeps_its_reasons_within_reach(offline_aws: Aws, stub: Stub) -> None:
    write: dict[str, Any] = {"TransactItems": [{"Delete": KEY}]}
    stub(offline_aws.dynamodb).add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={"CancellationReasons": [{"Code": "ConditionalCheckFailed", "Item": {"n": {"N": "7"}}}]},
    )
    with pytest.raises(Moved) as caught:
        call(STORE, offline_aws.dynamodb.transact_write_items, **write)
    cause = caught.value.__cause__
    assert isinstance(cause, ClientError)
    assert cause.response["CancellationReasons"][0]["Item"] == {"n": {"N": "7"}}


def test_a_parameter_that_is_wrong_fails_without_a_call_and_without_being_shown(offline_aws: Aws) -> None:
    text = "-".join(("under", "review"))
    with pytest.raises(Permanent) as caught:
        call(offline_aws.detect, offline_aws.comprehend.detect_pii_entities, Text=[text], LanguageCode="en")
    assert caught.value.call == "comprehend.DetectPiiEntities"
    assert text not in "".join(traceback.format_exception(caught.value))


def test_a_text_service_that_quotes_the_text_does_not_get_it_into_a_traceback(offline_aws: Aws, stub: Stub) -> None:
    text = "-".join(("under", "review"))
    stub(offline_aws.comprehend).add_client_error("detect_pii_entities", "InvalidRequestException", f"bad: {text}")
    with pytest.raises(Permanent) as caught:
        call(offline_aws.detect, offline_aws.comprehend.detect_pii_entities, Text=text, LanguageCode="en")
    assert text not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


def test_a_function_that_reads_a_body_to_its_end_is_called_under_the_same_policy(clock: Clock) -> None:
    bodies: Iterator[bytes | ClientError] = iter(
        (ClientError({"Error": {"Code": "RequestTimeout"}}, "GetObject"), b"body")
    )

    def read_body(*, key: str) -> dict[str, Any]:
        body = next(bodies)
        if isinstance(body, ClientError):
            raise body
        return {"key": key, "body": body}

    assert call(policy_with(clock), read_body, key="a") == {"key": "a", "body": b"body"}
    assert call_name(read_body) == "read_body"


def test_a_method_that_answers_nothing_gives_an_empty_answer() -> None:
    assert call(STORE, lambda: None) == {}


def test_an_error_that_is_not_of_aws_is_not_swallowed() -> None:
    def broken() -> dict[str, Any]:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        call(STORE, broken)


def test_calls_name_service_and_operation(offline_aws: Aws) -> None:
    assert call_name(offline_aws.bedrock.apply_guardrail) == "bedrock-runtime.ApplyGuardrail"
    assert call_name(offline_aws.s3.head_object) == "s3.HeadObject"
    assert call_name(offline_aws.s3.copy) == "s3.copy"


def test_a_policy_can_be_given_another_deadline_and_no_waits() -> None:
    policy = STORE.within(3).instantly()
    assert (policy.deadline, policy.attempts) == (3, STORE.attempts)
    policy.sleep(3600)
