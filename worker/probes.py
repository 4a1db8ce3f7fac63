"""Probes: the cheapest call that tells whether a dependency is back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from tasks.aws.calls import call
from tasks.aws.faults import Denied
from tasks.desk import Desk
from worker.doctor import ask_comprehend, ask_guardrail, ask_rekognition
from worker.pausing import Probe


def probes_of(desk: Desk) -> dict[str, Probe]:
    """Dependency -> probe, for each of `tasks.aws.breaker.DEPENDENCIES`."""
    desk = replace(desk, aws=desk.aws.once())
    asked: dict[str, Callable[[Desk], object]] = {
        "rekognition": ask_rekognition,
        "bedrock-runtime": ask_guardrail,
        "comprehend": ask_comprehend,
        "s3": _s3,
        "dynamodb": _dynamodb,
        "sns": _sns,
        "cloudfront": _cloudfront,
    }
    return {dependency: _bound(ask, desk) for dependency, ask in asked.items()}


def _bound(ask: Callable[[Desk], object], desk: Desk) -> Probe:
    return lambda: ask(desk)


def _s3(desk: Desk) -> None:
    for bucket in (*desk.settings.uploads_buckets, desk.settings.quarantine_bucket, desk.settings.audit_bucket):
        call(desk.aws.store, desk.aws.s3.head_bucket, Bucket=bucket)


def _dynamodb(desk: Desk) -> None:
    """Read a row that nobody writes: items, unlike this, are named `s3://`."""
    key = {"location": {"S": "probe"}, "version": {"S": "probe"}}
    call(desk.aws.store, desk.aws.dynamodb.get_item, TableName=desk.settings.items_table, Key=key)


def _sns(desk: Desk) -> None:
    # A worker need not be allowed to read settings: that it is told so is an answer.
    with suppress(Denied):
        topic = desk.settings.notices_topic_arn
        call(desk.aws.store, desk.aws.sns.get_topic_attributes, TopicArn=topic)


def _cloudfront(desk: Desk) -> None:
    settings = desk.settings
    named = (settings.distribution_id, *settings.distributions.values())
    for distribution in dict.fromkeys(one for one in named if one is not None):
        with suppress(Denied):
            call(desk.aws.store, desk.aws.cloudfront.get_distribution, Id=distribution)
