"""Whether events get to the queue, by policies as AWS writes them and as people do."""

from __future__ import annotations

from typing import Any

import pytest

from worker.deploy.links import Way, admits, filters_to, way_of

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:modfleet-uploads"
BUCKET = "arn:aws:s3:::photos"
ALLOW = {
    "Effect": "Allow",
    "Principal": {"Service": "s3.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": QUEUE,
    "Condition": {"ArnEquals": {"aws:SourceArn": BUCKET}, "StringEquals": {"aws:SourceAccount": "123456789012"}},
}
TLS = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sqs:*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def rule(*, queue: str = QUEUE, events: tuple[str, ...] = ("s3:ObjectCreated:*",), **filters: str) -> dict[str, Any]:
    rules = [{"Name": name.capitalize(), "Value": value} for name, value in filters.items()]
    key = {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}
    return {"QueueArn": queue, "Events": list(events), **key}


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({"QueueConfigurations": [rule()]}, Way.QUEUE),
        ({"QueueConfigurations": [rule(queue=f"{QUEUE}-other"), rule(prefix="a/", suffix=".png")]}, Way.QUEUE),
        ({"QueueConfigurations": [rule(events=("s3:ObjectRemoved:*", "s3:ObjectCreated:Put"))]}, Way.QUEUE),
        ({"QueueConfigurations": [rule(prefix="b/")]}, None),
        ({"QueueConfigurations": [rule(suffix=".jpg")], "EventBridgeConfiguration": {}}, Way.EVENT_BRIDGE),
        ({"QueueConfigurations": [rule(events=("s3:ObjectCreated:Post",))]}, None),
        ({"TopicConfigurations": [{"TopicArn": "t", "Events": ["s3:ObjectCreated:*"]}]}, Way.TOPIC),
        ({}, None),
    ],
)
def test_a_bucket_tells_the_queue_directly_or_by_somebody_else(configuration: Any, expected: Way | None) -> None:
    assert way_of(configuration, queue=QUEUE, key="a/b.png") is expected


def test_what_a_notification_leaves_out_is_named() -> None:
    said = {"QueueConfigurations": [rule(prefix="b/"), rule(events=("s3:ObjectCreated:Post",))]}
    assert filters_to(said, queue=QUEUE) == ["prefix b/", "s3:ObjectCreated:Post"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::phot*"}}}, True),
        ({"Condition": {"ArnLike": {"aws:SourceArn": ["arn:aws:s3:::other", BUCKET]}}}, True),
        ({"Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::other"}}}, False),
        ({"Condition": {"ArnNotEquals": {"aws:SourceArn": BUCKET}}}, False),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}}, False),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, True),
        ({"Principal": {"Service": ["sns.amazonaws.com", "s3.amazonaws.com"]}}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, False),
        ({"Action": ["SQS:*"]}, True),
        ({"Action": "sqs:ReceiveMessage"}, False),
        ({"Resource": f"{QUEUE}-dlq"}, False),
        ({"Effect": "Deny"}, False),
    ],
)
def test_a_queue_admits_whom_its_policy_lets_send(changed: Any, expected: bool) -> None:
    asked = {"action": "sqs:SendMessage", "resource": QUEUE, "service": "s3.amazonaws.com"}
    policy = {"Statement": [TLS, ALLOW | changed]}
    assert admits(policy, source=BUCKET, account="123456789012", **asked) is expected


def test_a_deny_of_the_source_counts_and_of_a_source_nobody_knows_only_an_allow() -> None:
    deny = ALLOW | {"Effect": "Deny"}
    asked = {"action": "sqs:SendMessage", "resource": QUEUE, "service": "s3.amazonaws.com", "account": "123456789012"}
    assert not admits({"Statement": [ALLOW, deny]}, source=BUCKET, **asked)
    assert admits({"Statement": [ALLOW, deny]}, source="", **asked)
    assert admits({"Statement": ALLOW}, source=BUCKET, **asked)
    assert not admits({}, source=BUCKET, **asked)
