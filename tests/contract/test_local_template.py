"""The data and edge templates, provisioned whole on the local cloud: equal to the lane table and to the settings."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from pydantic_core import PydanticUndefined

from config.lanes import LANES, Lane
from config.settings import Settings
from deploy.local.aws import client
from deploy.local.run import LocalCloud
from tests.unit.stacks import load, settled


@pytest.mark.parametrize("lane", LANES.values(), ids=list(LANES))
def test_each_queue_equals_its_row_of_the_lane_table(lane: Lane, cloud: LocalCloud, clients: SimpleNamespace) -> None:
    url = cloud.environment[f"MODFLEET_{lane.name.upper()}_QUEUE_URL"]
    queue = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    dead = clients.sqs.get_queue_attributes(QueueUrl=f"{url}-dlq", AttributeNames=["All"])["Attributes"]
    assert url.endswith(f"-{lane.name}")
    assert int(queue["VisibilityTimeout"]) == lane.visibility
    assert queue["ReceiveMessageWaitTimeSeconds"] == "20"
    days = [int(each["MessageRetentionPeriod"]) / 86_400 for each in (queue, dead)]
    assert days == [7, 14]
    redrive = json.loads(queue["RedrivePolicy"])
    assert redrive == {"deadLetterTargetArn": dead["QueueArn"], "maxReceiveCount": lane.max_receive_count}


def test_only_the_uploads_bucket_of_this_account_may_send_to_the_uploads_queue(
    cloud: LocalCloud, clients: SimpleNamespace, bucket: str
) -> None:
    url = cloud.environment["MODFLEET_UPLOADS_QUEUE_URL"]
    policy = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    (statement,) = json.loads(policy)["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Condition"]["ArnEquals"] == {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "000000000000"}


def test_the_environment_is_a_whole_configuration(cloud: LocalCloud) -> None:
    required = {n for n, field in Settings.model_fields.items() if field.default is PydanticUndefined}
    given = {name.removeprefix("MODFLEET_").lower() for name in cloud.environment if name.startswith("MODFLEET_")}
    assert required <= given
    assert {"public_url", "distribution_id", "video_check_seconds"} <= given <= set(Settings.model_fields)


@pytest.mark.parametrize("setting", ["MODFLEET_UPLOADS_BUCKET", "MODFLEET_QUARANTINE_BUCKET", "MODFLEET_AUDIT_BUCKET"])
def test_every_bucket_keeps_versions_encrypts_and_is_private(
    setting: str, cloud: LocalCloud, clients: SimpleNamespace
) -> None:
    name = cloud.environment[setting]
    policy = json.loads(clients.s3.get_bucket_policy(Bucket=name)["Policy"])
    assert policy["Statement"][-1]["Sid"] == "NothingWithoutTls"
    assert clients.s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert clients.s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert set(clients.s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values()) == {True}


def test_the_public_may_read_current_versions_through_the_cdn_and_nothing_else(
    cloud: LocalCloud, clients: SimpleNamespace, bucket: str
) -> None:
    policy = json.loads(clients.s3.get_bucket_policy(Bucket=bucket)["Policy"])
    (allow,) = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    distribution = f"arn:aws:cloudfront::000000000000:distribution/{cloud.environment['MODFLEET_DISTRIBUTION_ID']}"
    assert allow["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allow["Action"] == "s3:GetObject"
    assert allow["Condition"] == {"StringEquals": {"AWS:SourceArn": distribution}}


def test_what_is_evidence_is_locked_and_the_originals_are_read_by_the_fleet_alone(
    cloud: LocalCloud, clients: SimpleNamespace
) -> None:
    locks = {}
    for setting in ("MODFLEET_QUARANTINE_BUCKET", "MODFLEET_AUDIT_BUCKET"):
        answer = clients.s3.get_object_lock_configuration(Bucket=cloud.environment[setting])
        locks[setting] = answer["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert locks["MODFLEET_QUARANTINE_BUCKET"] == {"Mode": "GOVERNANCE", "Days": 184}
    assert locks["MODFLEET_AUDIT_BUCKET"] == {"Mode": "GOVERNANCE", "Days": 730}
    answer = clients.s3.get_bucket_policy(Bucket=cloud.environment["MODFLEET_QUARANTINE_BUCKET"])
    only, _ = json.loads(answer["Policy"])["Statement"]
    readers = [f"arn:aws:iam::000000000000:role/modfleet-{who}" for who in ("worker", "console", "operator")]
    assert (only["Effect"], only["Principal"]) == ("Deny", "*")
    assert only["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": readers}}


def test_all_that_the_templates_name_is_there(cloud: LocalCloud) -> None:
    cloudformation = client("cloudformation", cloud.environment["AWS_ENDPOINT_URL"])
    for name in ("data", "edge"):
        stack = cloudformation.describe_stack_resources(StackName=f"modfleet-{name}")["StackResources"]
        made = {one["LogicalResourceId"] for one in stack if one["ResourceStatus"].endswith("_COMPLETE")}
        assert made == set(settled(load(name), DistributionId="E1"))


def test_what_batches_leave_expires_and_their_bucket_is_private(cloud: LocalCloud, clients: SimpleNamespace) -> None:
    name = cloud.outputs["BatchBucket"]
    assert clients.s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert set(clients.s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values()) == {True}
    assert "Status" not in clients.s3.get_bucket_versioning(Bucket=name)
    (rule,) = settled(load("data"))["BatchBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == 14
    assert cloud.outputs["BatchRoleArn"].startswith("arn:aws:iam::")


def test_the_tables_have_the_keys_that_the_stores_use(cloud: LocalCloud, clients: SimpleNamespace) -> None:
    keys = {}
    for setting in ("MODFLEET_ITEMS_TABLE", "MODFLEET_CASES_TABLE"):
        table = clients.dynamodb.describe_table(TableName=cloud.environment[setting])["Table"]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        keys[setting] = [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]]
        assert table["DeletionProtectionEnabled"]
        indexes = {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", ())}
        assert indexes == (set() if "ITEMS" in setting else {"by-queue", "by-place", "by-account"})
    assert keys["MODFLEET_ITEMS_TABLE"] == [("location", "HASH"), ("version", "RANGE")]
    assert keys["MODFLEET_CASES_TABLE"] == [("case_id", "HASH")]


def test_every_new_object_is_announced_on_the_uploads_queue(
    cloud: LocalCloud, clients: SimpleNamespace, bucket: str
) -> None:
    url = cloud.environment["MODFLEET_UPLOADS_QUEUE_URL"]
    arn = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    (rule,) = clients.s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert (rule["QueueArn"], rule["Events"]) == (arn, ["s3:ObjectCreated:*"])
