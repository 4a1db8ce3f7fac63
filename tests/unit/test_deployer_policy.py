"""The policy for whoever deploys: what the command calls, and what CloudFormation calls for it; nothing more."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from worker.deploy.order import PARTS
from worker.deploy.template import read_template

ROOT = Path(__file__).parents[2]
STATEMENTS = {one["Sid"]: one for one in json.loads((ROOT / "deploy" / "deployer.json").read_text())["Statement"]}
VIA = "aws:CalledVia"
#: Where IAM's word is not the method's: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
S3 = {
    "get_bucket_notification_configuration": "GetBucketNotification",
    "put_bucket_notification_configuration": "PutBucketNotification",
    "list_objects_v2": "ListBucket",
    "list_object_versions": "ListBucketVersions",
    # Always with a version.
    "delete_object": "DeleteObjectVersion",
}
#: What modfleet's templates have no property for, so that its handler is never asked for it.
UNUSED = (
    *("s3tables:", "kms:", "iam:", "lambda:", "secretsmanager:", "kinesis:", "vpc-lattice:", "elasticfilesystem:"),
    *("managed-fleets:", "firehose:"),
)


def granted(*, via: bool) -> list[str]:
    """The actions that CloudFormation may do for the deployer, or those that the deployer does."""
    chosen = (one for one in STATEMENTS.values() if (VIA in json.dumps(one)) is via)
    listed = [one["Action"] if isinstance(one["Action"], list) else [one["Action"]] for one in chosen]
    return [action for actions in listed for action in actions]


def called() -> Iterator[str]:
    """The actions of every AWS method that `worker/deploy` hands to `call`."""
    for path in (ROOT / "worker" / "deploy").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and (service := _service(node.value)):
                name = node.attr.title().replace("_", "")
                yield f"{service}:{S3.get(node.attr, name) if service == 's3' else name}"


def _service(value: Any) -> str:
    name = value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""
    return {"_client": "cloudformation", "sqs": "sqs", "s3": "s3", "kms": "kms", "events": "events"}.get(name, "")


def test_what_the_command_calls_is_granted_and_nothing_else() -> None:
    assert {*called(), "iam:CreateServiceLinkedRole"} == set(granted(via=False))


def test_what_cloudformation_needs_for_each_resource_is_granted_through_it_and_each_service_is_needed() -> None:
    kinds = {one.kind for name in PARTS for one in read_template(ROOT / "deploy", name).resources.values()}
    needed: set[str] = set()
    for kind in kinds:
        handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema.get("handlers", {})
        ours = kind.split("::")[1] == "IAM"
        told = {action for one in handlers.values() for action in one["permissions"]}
        needed |= {action for action in told if ours or not action.startswith(UNUSED)}
    patterns = granted(via=True)
    missing = {one for one in needed if not any(fnmatchcase(one.lower(), each.lower()) for each in patterns)}
    assert missing == set()
    assert {each for each in patterns if not any(fnmatchcase(one.lower(), each.lower()) for one in needed)} == set()
