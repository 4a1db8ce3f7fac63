"""What the unit tests of AWS calls share: recorded answers, and clients that cannot reach anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from config.settings import Settings
from tasks.aws.session import Aws, connect
from tasks.decide.policy_file import parse_policy
from tasks.desk import Desk
from tasks.record.audit import AuditLog
from tasks.record.state import State

ANSWERS = Path(__file__).parents[1] / "fixtures" / "answers"


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], dict[str, Any]]:
    """Read `SERVICE.Operation.case` from tests/fixtures/answers."""

    def read(name: str) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads((ANSWERS / f"{name}.json").read_text("utf-8")))

    return read


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Settings of a fleet that does not exist."""
    queue = "https://sqs.us-east-1.amazonaws.com/123456789012"
    return Settings.model_validate(
        {
            "uploads_bucket": "uploads-example",
            "quarantine_bucket": "quarantine-example",
            "audit_bucket": "audit-example",
            "items_table": "items",
            "cases_table": "cases",
            "notices_topic_arn": "arn:aws:sns:us-east-1:123456789012:notices",
            **{f"{lane}_queue_url": f"{queue}/{lane}" for lane in ("uploads", "rescan", "video", "rulings")},
        }
    )


@pytest.fixture(scope="session")
def offline_aws(settings: Settings) -> Aws:
    """Real clients with invented credentials, to be stubbed: a call without a stub fails the test."""
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="us-east-1")
    aws = connect(settings, session=session, validate=True)
    return replace(aws, detect=aws.detect.instantly(), store=aws.store.instantly())


@pytest.fixture
def moto_aws(offline_aws: Aws) -> Iterator[Aws]:
    """The same clients on an AWS that lives in this process and is empty at first."""
    with mock_aws():
        yield offline_aws


@pytest.fixture
def items_table(moto_aws: Aws, settings: Settings) -> str:
    """The items table of the template, empty; its name."""
    moto_aws.dynamodb.create_table(
        TableName=settings.items_table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("location", "version")],
        KeySchema=[
            {"AttributeName": "location", "KeyType": "HASH"},
            {"AttributeName": "version", "KeyType": "RANGE"},
        ],
    )
    return settings.items_table


@pytest.fixture
def desk_at(moto_aws: Aws, settings: Settings, items_table: str) -> Callable[[Callable[[], datetime]], Desk]:
    """Make a desk with such a clock, under the shipped policy, on an AWS that has an items table and nothing else."""

    def make(now: Callable[[], datetime]) -> Desk:
        return Desk(
            aws=moto_aws,
            settings=settings,
            policy=parse_policy(settings.policy_file.read_text("utf-8")),
            prompt="",
            state=State(moto_aws, items_table),
            audit=AuditLog(moto_aws, bucket=settings.audit_bucket, writer="w", now=now),
            now=now,
        )

    return make


@pytest.fixture
def stub() -> Iterator[Callable[[object], Stubber]]:
    """Put a botocore Stubber on a client; at the end every prepared answer must have been asked for."""
    with ExitStack() as stack:
        yield lambda client: stack.enter_context(_stubbed(client))


@contextmanager
def _stubbed(client: object) -> Iterator[Stubber]:
    with Stubber(cast("Any", client)) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
