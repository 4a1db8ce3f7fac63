"""Provisioning: the one CloudFormation template, on the local cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _reasons(cloudformation: Any) -> str:  # a boto3 client
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    return "\n".join(f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in failed)
