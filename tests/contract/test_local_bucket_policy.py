"""What the edge understands of a bucket policy, and that what it does not understand stays shut."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.local.bucket_policy import denied_by

BLOCKED = {"StringEquals": {"s3:ExistingObjectTag/moderation": "blocked"}}
TAG = "s3:ExistingObjectTag/moderation"


def _denies(condition: object, context: dict[str, str], **changes: object) -> bool:
    statement: dict[str, Any] = {
        "Sid": "No",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b/*",
        "Condition": condition,
        **changes,
    }
    policy = {"Statement": statement}
    denied = denied_by(policy, action="s3:GetObject", resource="arn:aws:s3:::b/avatars/a\nb", context=context)
    assert denied in (None, "No")
    return denied is not None


@pytest.mark.parametrize(
    ("condition", "context", "denies"),
    [
        (BLOCKED, {TAG: "blocked"}, True),
        (BLOCKED, {TAG: "allowed"}, False),
        (BLOCKED, {}, False),
        ({"StringNotEquals": {TAG: "allowed"}}, {TAG: "allowed"}, False),
        ({"StringNotEquals": {TAG: ["allowed", "seen"]}}, {TAG: "seen"}, False),
        ({"StringNotEquals": {TAG: "allowed"}}, {TAG: "x"}, True),
        ({"StringNotEquals": {TAG: "allowed"}}, {}, True),
        ({"StringEqualsIfExists": {TAG: "blocked"}}, {}, True),
        ({"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::1:role/w"}}, {}, True),
        ({"ArnNotLike": {"aws:PrincipalArn": "arn:*:role/*"}}, {"AWS:principalarn": "arn:aws:iam::1:role/w"}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:SecureTransport": "true"}, False),
        ({**BLOCKED, "Bool": {"aws:SecureTransport": "false"}}, {TAG: "blocked", "aws:SecureTransport": "true"}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01"}}, {}, True),
        ({}, {}, True),
    ],
)  # fmt: skip
def test_conditions_hold_as_in_iam_and_an_unknown_operator_denies(
    condition: object, context: dict[str, str], denies: bool
) -> None:
    assert _denies(condition, context) is denies


@pytest.mark.parametrize(
    ("changes", "denies"),
    [
        ({"Resource": "arn:aws:s3:::b/avatars/*"}, True),
        ({"Resource": "arn:aws:s3:::b/avatar?/a*b"}, True),
        ({"Resource": "arn:aws:s3:::b/feed/*"}, False),
        ({"Resource": ["arn:aws:s3:::c/*", "arn:aws:s3:::b/*"]}, True),
        ({"Action": "s3:*"}, True),
        ({"Action": ["s3:PutObject", "S3:getobject"]}, True),
        ({"Action": "s3:GetObjectVersion"}, False),
        ({"Effect": "Allow"}, False),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Principal": {"Service": "cloudfront.amazonaws.com"}}, True),
        ({"Principal": {"AWS": "arn:aws:iam::1:role/somebody"}}, False),
        ({"NotAction": "s3:ListBucket"}, True),
    ],
)
def test_a_statement_is_met_by_its_elements_and_an_unknown_element_denies(
    changes: dict[str, object], denies: bool
) -> None:
    assert _denies(BLOCKED, {TAG: "blocked"}, **changes) is denies
