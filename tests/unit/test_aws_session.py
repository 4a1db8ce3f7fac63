"""The clients: one of each, with bounded waits and no retries of their own."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ParamValidationError

from config.settings import Settings
from tasks.aws.calls import RetryPolicy
from tasks.aws.session import Aws, connect

SERVICES = {
    "s3": "s3",
    "sqs": "sqs",
    "dynamodb": "dynamodb",
    "sns": "sns",
    "rekognition": "rekognition",
    "bedrock": "bedrock-runtime",
    "comprehend": "comprehend",
    "cloudfront": "cloudfront",
}


def config_of(aws: Aws, name: str) -> Any:
    """The botocore Config of one client."""
    return cast("Any", getattr(aws, name)).meta.config


@pytest.mark.parametrize(("name", "service"), SERVICES.items())
def test_each_client_speaks_to_its_service_with_bounded_waits_and_no_retries(
    offline_aws: Aws, name: str, service: str
) -> None:
    config = config_of(offline_aws, name)
    assert getattr(offline_aws, name).meta.service_model.service_name == service
    assert config.retries["total_max_attempts"] == 1
    assert config.connect_timeout == 3
    assert config.read_timeout == (30 if name == "bedrock" else 20)


def test_every_task_that_can_run_at_once_has_a_connection(offline_aws: Aws) -> None:
    assert config_of(offline_aws, "s3").max_pool_connections > 500  # the most that --concurrency takes


def test_no_call_spends_time_on_a_long_user_agent(offline_aws: Aws) -> None:
    assert config_of(offline_aws, "s3").user_agent.startswith("modfleet Boto3/")


def test_parameters_are_checked_here_in_tests_and_by_aws_in_a_worker(settings: Settings, offline_aws: Aws) -> None:
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="eu-west-1")
    wrong = {"Bucket": "uploads-example", "Key": "a", "PartNumber": "one"}
    assert connect(settings, session=session).s3.generate_presigned_url("get_object", Params=wrong)
    with pytest.raises(ParamValidationError):
        offline_aws.s3.generate_presigned_url("get_object", Params=wrong)


def test_nothing_but_clients_and_policies_is_held(offline_aws: Aws) -> None:
    assert {field.name for field in fields(offline_aws)} == {*SERVICES, "batches", "polling", "detect", "store"}


def test_a_client_for_batches_is_made_where_there_is_a_role_for_them(settings: Settings) -> None:
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="eu-west-1")
    batches = {"batch_role_arn": "arn:aws:iam::123456789012:role/batches", "batch_bucket": "batches"}
    assert connect(settings, session=session).batches is None
    aws = connect(settings.model_copy(update=batches), session=session)
    assert "bedrock.CreateModelInvocationJob" in aws.operations()


def test_the_deadline_of_calls_is_the_operators(settings: Settings) -> None:
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="eu-west-1")
    aws = connect(settings.model_copy(update={"call_deadline_seconds": 7.5}), session=session)
    policies: list[RetryPolicy] = [aws.detect, aws.store]
    assert [policy.deadline for policy in policies] == [7.5, 7.5]
    assert cast("Any", aws.rekognition).meta.region_name == "eu-west-1"


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4566", "http://localhost:4566"])
def test_a_local_endpoint_is_spoken_to_by_path(
    settings: Settings, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="us-east-1")
    aws = connect(settings, session=session)
    url = aws.s3.generate_presigned_url("get_object", Params={"Bucket": "uploads-example", "Key": "a"})
    assert url.startswith(f"{endpoint}/uploads-example/a")
