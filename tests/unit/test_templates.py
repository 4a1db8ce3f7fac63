"""Rules of our own over every template: what nobody may forget, whatever else changes in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic_core import PydanticUndefined
from stacks import TEMPLATES, load, parts, resources, settled

from config.lanes import LANES, Lane
from config.settings import CONFIG, Settings
from deploy.local.bucket_policy import denied_by
from tasks.decide.kinds import CATEGORIES
from tasks.decide.policy_file import parse_policy
from tasks.detect.guardrail_checks import PERSONAL
from worker.bucket_policy import hidden_keys, readers_of_versions, to_be_hidden

NAMES = [template.stem for template in TEMPLATES]
DATA = load("data")
POLICY = parse_policy((CONFIG / "policy.yaml").read_text("utf-8"))
MADE = settled(DATA, DistributionId="E1")
BUCKETS = ("UploadsBucket", "QuarantineBucket", "AuditBucket")

#: What keeps something, and how it says that it is encrypted; None where AWS always does.
KEEPS = {
    "AWS::DynamoDB::Table": None,
    "AWS::EC2::LaunchTemplate": lambda said: all(
        disk["Ebs"]["Encrypted"] for disk in said["LaunchTemplateData"]["BlockDeviceMappings"]
    ),
    "AWS::Logs::LogGroup": None,
    "AWS::S3::Bucket": lambda said: "ServerSideEncryptionConfiguration" in said["BucketEncryption"],
    "AWS::SNS::Topic": lambda said: "KmsMasterKeyId" in said,
    "AWS::SQS::Queue": lambda said: said["SqsManagedSseEnabled"] is True,
}
#: What keeps nothing of what users upload, nor of what is said about it.
KEEPS_NOTHING = (
    *("AWS::ApplicationAutoScaling", "AWS::AutoScaling", "AWS::Bedrock", "AWS::CloudFront", "AWS::CloudWatch"),
    *("AWS::Cognito", "AWS::EC2::SecurityGroup", "AWS::ECS", "AWS::ElasticLoadBalancingV2", "AWS::Events", "AWS::IAM"),
    *(
        "AWS::Route53",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    ),
)
#: Why an action other than one on a bucket's objects is allowed on more than what has a name.
REASONS = {
    "roles LookAtContent": "these actions know no resource",
    "data AskTheClassifier": "an inference profile leads to the model in any region of its area",
    "roles AskInBatches": "a job's id is made as it begins; and as above",
    "roles SeeAndStopBatches": "a job's id is made as it begins",
    "roles AskTheClassifier": "an inference profile leads to the model in any region of its area",
    "roles SayThatATaskIsBusy": "a task's id is made as it starts; the cluster is named",
    "roles EndAnInstanceThatHasDrained": "a group's id is made with it; its name stands behind it",
    "roles GetTheSecret": "six letters of a secret's ARN are made with it",
    "roles HandSecretsToTasks": "six letters of a secret's ARN are made with it",
    "roles SignInAtTheRegistry": "a token for the registry knows no resource",
    "roles WriteLogs": "a stream is named by who writes it; the groups are named",
}


def statements(name: str) -> Iterator[dict[str, Any]]:
    """Every statement of every policy in a template, both sides of each condition."""
    for _, part in parts(load(name)["Resources"]):
        if isinstance(part, dict) and part.get("Effect") in ("Allow", "Deny"):
            yield part


def words(tree: Any) -> Iterator[str]:
    """Every text in a tree."""
    return (part for _, part in parts(tree) if isinstance(part, str))


def listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


def policy_of(bucket: str) -> dict[str, Any]:
    document: dict[str, Any] = MADE[f"{bucket}Policy"]["Properties"]["PolicyDocument"]
    return document


@pytest.mark.parametrize("bucket", resources(DATA, "AWS::S3::Bucket"))
def test_no_bucket_is_public_and_nothing_comes_without_tls(bucket: str) -> None:
    properties = MADE[bucket]["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    # What is deleted from a bucket of copies must be gone.
    assert ("VersioningConfiguration" in properties) is (bucket in BUCKETS)
    tls = policy_of(bucket)["Statement"][-1]
    assert (tls["Effect"], tls["Principal"], tls["Action"]) == ("Deny", "*", "s3:*")
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_public_reads_uploads_through_one_distribution_and_originals_and_the_log_never() -> None:
    allowed = {name: [one for one in policy_of(name)["Statement"] if one["Effect"] == "Allow"] for name in BUCKETS}
    assert allowed["QuarantineBucket"] == allowed["AuditBucket"] == []
    (cdn,) = allowed["UploadsBucket"]
    assert cdn["Condition"] == {"StringEquals": {"AWS:SourceArn": "arn:aws:cloudfront::0:distribution/E1"}}
    assert cdn["Action"] == "s3:GetObject"
    assert readers_of_versions(policy_of("UploadsBucket")) == []
    alone = settled(DATA)["UploadsBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert {statement["Effect"] for statement in alone} == {"Deny"}


@pytest.mark.parametrize(
    ("role", "sees", "tags"),
    [("worker", True, True), ("operator", True, True), ("console", True, False), ("application", False, False)],
)
def test_each_role_sees_and_tags_what_it_must(role: str, sees: bool, tags: bool) -> None:
    who = {"aws:PrincipalArn": f"arn:aws:iam::0:role/modfleet-{role}"}
    blocked = who | {"s3:ExistingObjectTag/moderation": "blocked"}
    seen = [
        denied_by(policy_of(name), action=action, resource=f"{{{name}.Arn}}/a", context=blocked) is None
        for name in ("UploadsBucket", "QuarantineBucket")
        for action in ("s3:GetObject", "s3:GetObjectVersion")
    ]
    uploads = policy_of("UploadsBucket")
    put = {"action": "s3:PutObjectTagging", "resource": "{UploadsBucket.Arn}/a", "context": who}
    bring = put | {"action": "s3:PutObject", "context": who | {"s3:RequestObjectTagKeys": "moderation"}}
    assert seen == [sees] * 4
    assert [denied_by(uploads, **one) is None for one in (put, bring)] == [tags] * 2


def test_what_shows_only_once_allowed_is_the_same_in_the_policy_and_in_the_bucket_policy() -> None:
    document = json.loads(json.dumps(policy_of("UploadsBucket")).replace("{UploadsBucket.Arn}", "arn:aws:s3:::here"))
    assert hidden_keys(document, "here") == to_be_hidden(POLICY.surfaces, "here") != set()


def test_nobody_can_delete_the_log_nor_an_original_before_its_time() -> None:
    locks = {name: MADE[name]["Properties"].get("ObjectLockConfiguration") for name in BUCKETS}
    assert locks["UploadsBucket"] is None, "what users delete must go"
    said = {name: int(one["Rule"]["DefaultRetention"]["Days"]) for name, one in locks.items() if one}
    assert said == {"QuarantineBucket": 184, "AuditBucket": 730}
    assert all(MADE[name]["Properties"]["ObjectLockEnabled"] for name in said)
    # The lock ends before the rule that expires an original.
    assert said["QuarantineBucket"] <= int(DATA["Parameters"]["OriginalsDays"]["MinValue"])


@pytest.mark.parametrize("lane", LANES.values(), ids=list(LANES))
def test_a_queue_is_as_the_lane_table_says_and_its_dead_letters_are_kept_longer(lane: Lane) -> None:
    queue = MADE[f"{lane.name.capitalize()}Queue"]["Properties"]
    dead = MADE[f"{lane.name.capitalize()}DeadLetters"]["Properties"]
    assert (queue["QueueName"], dead["QueueName"]) == (f"modfleet-{lane.name}", f"modfleet-{lane.name}-dlq")
    assert queue["VisibilityTimeout"] == lane.visibility
    target = f"{{{lane.name.capitalize()}DeadLetters.Arn}}"
    assert queue["RedrivePolicy"] == {"deadLetterTargetArn": target, "maxReceiveCount": lane.max_receive_count}
    assert dead["MessageRetentionPeriod"] >= queue["MessageRetentionPeriod"] + 7 * 86_400
    assert "RedrivePolicy" not in dead


def test_there_is_no_queue_but_those_of_the_lanes() -> None:
    queues = {name for template in NAMES for name in resources(load(template), "AWS::SQS::Queue")}
    assert queues == {f"{lane.capitalize()}{kind}" for lane in LANES for kind in ("Queue", "DeadLetters")}


def test_a_bucket_that_exists_is_attached_by_a_rule_and_is_not_made() -> None:
    stack = settled(DATA, ExistingUploadsBucket="photos")
    assert not {"UploadsBucket", "UploadsBucketPolicy"} & set(stack)
    rule = stack["UploadsRule"]["Properties"]
    assert rule["EventPattern"]["detail"] == {"bucket": {"name": ["photos"]}}
    (target,) = rule["Targets"]
    assert (target["Arn"], target["DeadLetterConfig"]) == ("{UploadsQueue.Arn}", {"Arn": "{UploadsDeadLetters.Arn}"})
    for policy in ("UploadsQueuePolicy", "UploadsDeadLettersPolicy"):
        (statement,) = stack[policy]["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": "{UploadsRule.Arn}"}}


def test_a_table_can_be_brought_back_to_any_second_and_is_not_deleted_by_mistake() -> None:
    for name, properties in resources(DATA, "AWS::DynamoDB::Table").items():
        assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, name
        assert properties["DeletionProtectionEnabled"] is True, name
    assert (
        resources(DATA, "AWS::DynamoDB::Table")["ItemsTable"]["TimeToLiveSpecification"]["AttributeName"] == "expires"
    )


def test_what_holds_evidence_outlives_its_stack_but_not_a_creation_that_failed() -> None:
    kept = [
        name for name, one in DATA["Resources"].items() if one["Type"] in ("AWS::S3::Bucket", "AWS::DynamoDB::Table")
    ]
    said = {
        (DATA["Resources"][name]["DeletionPolicy"], DATA["Resources"][name]["UpdateReplacePolicy"]) for name in kept
    }
    assert len(kept) >= 5
    assert said == {("RetainExceptOnCreate", "Retain")}


@pytest.mark.parametrize("name", NAMES)
def test_all_that_is_kept_is_encrypted(name: str) -> None:
    for logical, one in load(name)["Resources"].items():
        kind = one["Type"]
        if kind in KEEPS:
            check = KEEPS[kind]
            assert check is None or check(one["Properties"]), logical
        else:
            assert kind.startswith(KEEPS_NOTHING), f"does {kind} keep anything? Say so above"


def test_a_template_fits_a_call_of_cloudformation() -> None:
    """51,200 bytes: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""
    assert {file.name for file in TEMPLATES if file.stat().st_size > 51_200} == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_alarm_tells_somebody(name: str) -> None:
    for logical, alarm in resources(load(name), "AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmActions"], logical


@pytest.mark.parametrize("name", NAMES)
def test_no_permission_is_wider_than_it_must_be(name: str) -> None:
    for statement in statements(name):
        actions = listed(statement["Action"])
        if statement["Effect"] == "Deny":
            continue
        assert not [action for action in actions if "*" in action], statement
        wide = [one for word in words(statement.get("Resource")) for one in word.split(",") if "*" in one]
        on_objects = all(action.startswith("s3:") for action in actions) and all(one.endswith("/*") for one in wide)
        assert not wide or on_objects or f"{name} {statement.get('Sid')}" in REASONS, statement
    assert not {reason.split()[0] for reason in REASONS} - set(NAMES)


def test_no_reason_for_a_wide_permission_is_left_over() -> None:
    said = {
        f"{name} {one.get('Sid')}" for name in NAMES for one in statements(name) if any("*" in w for w in words(one))
    }
    assert set(REASONS) <= said


def test_what_the_data_edge_and_guardrail_tell_are_settings_and_all_that_there_must_be() -> None:
    told = {_setting(name) for stack in ("data", "edge", "guardrail") for name in load(stack)["Outputs"]}
    required = {name for name, field in Settings.model_fields.items() if field.default is PydanticUndefined}
    assert required <= {_setting(name) for name in DATA["Outputs"]}
    assert told <= set(Settings.model_fields)


def test_a_stack_is_told_only_what_another_tells_or_somebody_chooses() -> None:
    """Parameters are passed on by name: one that nobody tells, and that has no default, must say how to choose it."""
    told = {name for stack in NAMES for name in load(stack).get("Outputs", {})}
    for stack in NAMES:
        for name, parameter in load(stack).get("Parameters", {}).items():
            assert parameter.get("Description"), (stack, name)
            assert name in told or "Default" in parameter or len(parameter["Description"]) > 20, (stack, name)


def test_the_guardrail_looks_for_all_that_the_policy_and_the_detector_read() -> None:
    guardrail = resources(load("guardrail"), "AWS::Bedrock::Guardrail")["Guardrail"]
    filters = {one["Type"]: one for one in guardrail["ContentPolicyConfig"]["FiltersConfig"]}
    assert set(filters) == set(CATEGORIES) == set(POLICY.guardrail.categories)
    # Below its strength a filter tells nothing, and LOW would never be gray.
    assert {one["InputStrength"] for one in filters.values()} == {"HIGH"}
    personal = {one["Type"] for one in guardrail["SensitiveInformationPolicyConfig"]["PiiEntitiesConfig"]}
    assert personal == set(PERSONAL)
    lists = {one["Type"] for one in guardrail["WordPolicyConfig"]["ManagedWordListsConfig"]}
    assert lists <= set(POLICY.guardrail.words)
    topics = {one["Name"] for one in guardrail.get("TopicPolicyConfig", {}).get("TopicsConfig", ())}
    assert set(POLICY.guardrail.topics) <= topics


def test_the_guardrail_decides_nothing() -> None:
    guardrail = resources(load("guardrail"), "AWS::Bedrock::Guardrail")["Guardrail"]
    actions = {
        said for path, said in parts(guardrail) if path and path[-1] in ("Action", "InputAction", "OutputAction")
    }
    assert actions == {"NONE"}


def test_a_guardrail_that_was_changed_is_another_version() -> None:
    stack = load("guardrail")
    properties = resources(stack, "AWS::Bedrock::Guardrail")["Guardrail"]
    digest = hashlib.sha256(json.dumps(properties, sort_keys=True).encode()).hexdigest()[:12]
    said = json.dumps(resources(stack, "AWS::Bedrock::GuardrailVersion"))
    assert said.count(digest) == 2, f"write {digest} into the Description of GuardrailVersion, twice"


def _setting(output: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in output).removeprefix("_")
