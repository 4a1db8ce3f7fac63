"""`modfleet deploy` on the local cloud's CloudFormation: stacks in order, said before they are done, and taken away."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command import Said, run

from deploy.local.aws import client
from deploy.local.run import LocalCloud

DATA = """
Parameters:
  Prefix: { Type: String }
  Seconds: { Type: Number, Default: 60 }
  DistributionId: { Type: String, Default: "" }
Resources:
  Things:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      TableName: !Sub "${Prefix}-things"
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
  Queue:
    Type: AWS::SQS::Queue
    Properties: { QueueName: !Sub "${Prefix}-uploads", VisibilityTimeout: !Ref Seconds }
  Dead:
    Type: AWS::SQS::Queue
    Properties: { QueueName: !Sub "${Prefix}-uploads-dlq" }
  Topic:
    Type: AWS::SNS::Topic
    Properties: { TopicName: !Sub "${Prefix}-for-${DistributionId}" }
Outputs:
  UploadsBucket: { Value: !Ref Things }
  UploadsQueueUrl: { Value: !Ref Queue }
  NotASetting: { Value: whatever }
"""
EDGE = """
Parameters:
  Prefix: { Type: String }
  UploadsBucket: { Type: String }
  Owner: { Type: String, Description: who is called at night }
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties: { TopicName: !Sub "${UploadsBucket}-${Owner}" }
Outputs:
  DistributionId: { Value: EDGE }
"""


@dataclass(frozen=True)
class Account:
    """An account with templates for a fleet of its own."""

    environment: dict[str, str]
    templates: Path
    prefix: str

    def deploy(self, command: str, *words: str) -> Said:
        where = ("--templates", str(self.templates)) if command in ("plan", "up") else ()
        return run(self.environment, "deploy", command, *words, "--prefix", self.prefix, *where)

    def client(self, service: str) -> Any:
        return client(service, self.environment["AWS_ENDPOINT_URL"])

    def stacks(self) -> dict[str, str]:
        """Name -> status of the fleet's stacks, deleted ones left out."""
        told = self.client("cloudformation").describe_stacks()["Stacks"]
        mine = {one["StackName"]: one["StackStatus"] for one in told if one["StackName"].startswith(self.prefix)}
        return {name: status for name, status in mine.items() if status != "DELETE_COMPLETE"}

    def write(self, **templates: str) -> None:
        for name, text in templates.items():
            (self.templates / f"{name}.yaml").write_text(text)


@pytest.fixture
def account(cloud: LocalCloud, tmp_path: Path, unique: str) -> Account:
    kept = {name: value for name, value in cloud.environment.items() if name.startswith("AWS_")}
    made = Account(kept, tmp_path, f"f{unique[:12]}")
    made.write(data=DATA, edge=EDGE)
    return made


def test_a_plan_says_what_would_be_made_and_leaves_nothing_behind(account: Account) -> None:
    said = account.deploy("plan", "edge", "data", "--set", "Owner=ann", "--json")
    assert [(one["stack"], one["creates"], one.get("awaits")) for one in said.json] == [
        ("data", True, None),
        ("edge", True, "data"),
    ]
    assert "+ Queue (SQS Queue)" in said.json[0]["changes"]
    assert account.stacks() == {}


def test_stacks_are_made_in_order_and_each_gets_what_the_others_say(account: Account, tmp_path: Path) -> None:
    lacking = account.deploy("up", "data", "edge", "--yes")
    assert (lacking.code, "--set edge.Owner=...  who is called at night" in lacking.err) == (2, True)
    env_file = tmp_path / "fleet.env"
    env_file.write_text("# mine\nMODFLEET_UPLOADS_BUCKET=of-another-day\nMODFLEET_LOG_LEVEL=DEBUG\n")
    said = account.deploy("up", "data", "edge", "--yes", "--set", "Owner=ann", "--env-file", str(env_file), "--json")
    # The edge is made after the data, which then take its distribution.
    did = [(one["stack"], one["did"]) for one in said.json]
    assert did == [("data", "nothing"), ("edge", "created"), ("data", "updated")]
    topics = [one["TopicArn"].rsplit(":", 1)[1] for one in account.client("sns").list_topics()["Topics"]]
    assert {f"{account.prefix}-things-ann", f"{account.prefix}-for-EDGE"} <= set(topics)
    lines = env_file.read_text().splitlines()
    assert lines[:3] == ["# mine", f"MODFLEET_UPLOADS_BUCKET={account.prefix}-things", "MODFLEET_LOG_LEVEL=DEBUG"]
    assert "MODFLEET_DISTRIBUTION_ID=EDGE" in lines
    assert "AWS_DEFAULT_REGION=us-east-1" in lines
    assert not any("NOT_A_SETTING" in line for line in lines)
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    # What was said once is remembered, and nothing is done twice.
    again = account.deploy("up", "--yes", "--json")
    assert [(one["stack"], one["did"]) for one in again.json][:2] == [("data", "nothing"), ("edge", "nothing")]
    short = account.deploy("settings")
    assert short.code == 1
    assert "MODFLEET_ITEMS_TABLE" in short.err


def test_what_would_lose_data_needs_a_word_of_its_own(account: Account) -> None:
    account.deploy("up", "data", "--yes")
    account.write(data=DATA.replace('${Prefix}-uploads"', '${Prefix}-uploads-two"'))
    refused = account.deploy("up", "data", "--yes")
    assert refused.code == 1
    assert "would lose the messages of" in refused.err
    assert "--lose-data" in refused.err
    sqs = account.client("sqs")
    assert sqs.get_queue_url(QueueName=f"{account.prefix}-uploads")
    done = account.deploy("up", "data", "--yes", "--lose-data", "--json")
    assert [one["did"] for one in done.json] == ["updated"]
    assert sqs.get_queue_url(QueueName=f"{account.prefix}-uploads-two")


def test_what_cloudformation_could_not_finish_says_which_resource_and_why(account: Account) -> None:
    account.write(data=DATA.replace("!Ref Seconds }", "many }"))
    refused = account.deploy("up", "data", "--yes")
    assert refused.code == 1
    assert "\n  Queue: Invalid value for the parameter VisibilityTimeout" in refused.err
    # What is left of a first creation is cleared away by the next try, and by that alone.
    account.write(data=DATA)
    assert "modfleet deploy up clears it away" in account.deploy("plan", "data").err
    assert account.deploy("up", "data", "--yes").code == 0
    assert account.stacks() == {f"{account.prefix}-data": "CREATE_COMPLETE"}


def test_removing_says_what_stays_and_never_drops_uploads_that_wait(account: Account) -> None:
    account.deploy("up", "data", "edge", "--yes", "--set", "Owner=ann")
    url = account.client("sqs").get_queue_url(QueueName=f"{account.prefix}-uploads")["QueueUrl"]
    account.client("sqs").send_message(QueueUrl=url, MessageBody="an upload")
    refused = account.deploy("remove", "--yes")
    assert refused.code == 1
    assert f"1 messages wait in {account.prefix}-uploads" in refused.out
    assert len(account.stacks()) == 2
    said = account.deploy("remove", "--yes", "--discard-messages", "--json")
    assert said.json["removed"] == [f"{account.prefix}-edge", f"{account.prefix}-data"]
    assert said.json["kept"] == {f"{account.prefix}-things": "AWS::DynamoDB::Table"}
    assert account.stacks() == {}
    assert account.client("dynamodb").describe_table(TableName=f"{account.prefix}-things")
    # And a fleet that is made again takes over what stayed.
    back = account.deploy("up", "data", "--yes", "--json")
    assert back.code == 0
    assert "> Things (DynamoDB Table): is there already, and taken over as it is" in back.json[0]["changes"]


def test_a_bucket_of_your_own_is_guarded_as_the_stacks_own_and_keeps_all_that_it_said(
    cloud: LocalCloud, account: Account, unique: str
) -> None:
    s3, name = account.client("s3"), f"theirs-{unique[:20]}"
    s3.create_bucket(Bucket=name)
    arn = account.client("sqs").get_queue_attributes(
        QueueUrl=account.client("sqs").create_queue(QueueName=name)["QueueUrl"], AttributeNames=["QueueArn"]
    )["Attributes"]["QueueArn"]
    theirs = {
        "QueueArn": arn,
        "Id": "thumbnails",
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "photos/"}]}},
    }
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"QueueConfigurations": [theirs]})
    mine = {
        "Sid": "Mine",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": mine}))
    s3.put_object(Bucket=name, Key="avatars/one-of-last-year.png", Body=b"")

    def attach(*words: str) -> Any:
        return run(account.environment, "deploy", "attach", name, "--yes", "--json", *words).json

    def statements(bucket: str) -> dict[str, Any]:
        told = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
        return {one["Sid"]: one for one in (told if isinstance(told, list) else [told])}

    ours = cloud.environment["MODFLEET_UPLOADS_BUCKET"]
    there = json.loads(json.dumps(statements(ours)).replace(ours, name))
    wanted = {sid: one for sid, one in there.items() if one["Effect"] == "Deny"}
    before = "BeforeSurfacesShowOnlyWhatIsAllowed"
    # What is there already would be gone for everybody, so that takes a word of its own.
    first = attach()
    assert first["not_hidden"] == ["avatars/*"]
    assert statements(name) == {"Mine": mine, **{sid: one for sid, one in wanted.items() if sid != before}}
    assert attach("--hide-unjudged")["did"] == [f"+ {before}: arn:aws:s3:::{name}/avatars/*"]
    assert statements(name) == {"Mine": mine, **wanted}
    assert attach("--hide-unjudged")["did"] == []
    told = s3.get_bucket_notification_configuration(Bucket=name)
    assert told["QueueConfigurations"] == [theirs]
    assert "EventBridgeConfiguration" in told
    # With the stack's own distribution it says all that the stack's own bucket says.
    attach("--hide-unjudged", "--distribution", cloud.environment["MODFLEET_DISTRIBUTION_ID"])
    assert statements(name) == {"Mine": mine, **there}
    attach("--undo")
    assert statements(name) == {"Mine": mine}
