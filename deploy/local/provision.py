"""Provisioning: the one CloudFormation template, on the local cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import WaiterError

from deploy.local.aws import client

TEMPLATE = Path(__file__).parent.parent / "template.yaml"
STACK = "modfleet"


class ProvisionError(Exception):
    """CloudFormation refused the template; each failed resource is named with its reason."""


def provision(endpoint: str) -> dict[str, str]:
    """Create the stack at `endpoint` and return its outputs by name. Raises ProvisionError."""
    cloudformation = client("cloudformation", endpoint)
    cloudformation.create_stack(StackName=STACK, TemplateBody=TEMPLATE.read_text(encoding="utf-8"))
    try:
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=STACK, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})
    except WaiterError as error:
        raise ProvisionError(_reasons(cloudformation)) from error
    stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    said = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack["Parameters"]}
    _lock(endpoint, outputs["AuditBucket"], mode=said["AuditLock"], days=int(said["AuditDays"]))
    _expire(endpoint, outputs["QuarantineBucket"], lifecycle_rules("QuarantineBucket"))
    return outputs


def lifecycle_rules(bucket: str) -> list[dict[str, Any]]:
    """The rules by which something expires in one of the template's buckets (its logical name), as S3 tells them."""
    template = yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  # a SafeLoader
    defaults = {f"!Ref {name}": said.get("Default") for name, said in template["Parameters"].items()}
    rules = template["Resources"][bucket]["Properties"].get("LifecycleConfiguration", {}).get("Rules", [])
    return [
        {
            "ID": rule["Id"],
            "Status": rule["Status"],
            "Filter": {"Tag": rule["TagFilters"][0]},
            "Expiration": {"Days": defaults.get(rule["ExpirationInDays"], rule["ExpirationInDays"])},
            "NoncurrentVersionExpiration": rule["NoncurrentVersionExpiration"],
        }
        for rule in rules
        if "ExpirationInDays" in rule
    ]


def _expire(endpoint: str, bucket: str, rules: list[dict[str, Any]]) -> None:
    """Lifecycle rules as the template has them: left out too. Nothing expires here; `doctor` reads them."""
    client("s3", endpoint).put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def _lock(endpoint: str, bucket: str, *, mode: str, days: int) -> None:
    """Object Lock as the template has it: ministack's CloudFormation leaves it out."""
    rule = {"DefaultRetention": {"Mode": mode, "Days": days}}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    client("s3", endpoint).put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)


def _reasons(cloudformation: Any) -> str:  # a boto3 client
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    return "\n".join(f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in failed)


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's own tags as they are written: `!Ref Prefix`."""


_Loader.add_multi_constructor("!", lambda _loader, suffix, node: f"!{suffix} {node.value}")
