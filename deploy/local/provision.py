"""Provisioning: the CloudFormation that AWS gets, on the local cloud: the data, and the edge that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import WaiterError

from deploy.local.aws import KEY, client

HOME = Path(__file__).parent.parent
DATA, EDGE = HOME / "data.yaml", HOME / "edge.yaml"
#: LocalStack takes half a minute on a busy machine.
_WAIT = {"Delay": 0.05, "MaxAttempts": 2400}


class ProvisionError(Exception):
    """CloudFormation refused a template; each failed resource is named with its reason."""


def provision(endpoint: str, *, key: str = KEY, edge: str | None = None) -> dict[str, str]:
    """Create the stacks at `endpoint` in the account of `key`, and return their outputs by name. Raises ProvisionError.

    In the order of a real deployment: the data, the edge, and then the data's policy that lets this edge read. Where
    the endpoint has no CloudFront, `edge` is one that has. Stacks that are there already are left as they are.
    """
    cloudformation = client("cloudformation", endpoint, key=key)
    outputs = _deploy(cloudformation, DATA, {})
    edges = client("cloudformation", edge, key=key) if edge else cloudformation
    outputs |= _deploy(edges, EDGE, {"UploadsBucket": outputs["UploadsBucket"]})
    if edge is None:
        # Elsewhere nobody reads that policy's Allow but us; and after an update LocalStack has no bucket policy at all.
        outputs |= _deploy(cloudformation, DATA, {"DistributionId": outputs["DistributionId"]}, again=True)
    s3 = client("s3", endpoint, key=key)
    for bucket in ("QuarantineBucket", "AuditBucket"):
        _lock(s3, outputs[bucket], lock_of(bucket))
    _expire(s3, outputs["QuarantineBucket"], lifecycle_rules("QuarantineBucket"))
    return outputs


def _deploy(
    cloudformation: Any,  # a boto3 client
    template: Path,
    said: Mapping[str, str],
    *,
    again: bool = False,
) -> dict[str, str]:
    stack, what = f"modfleet-{template.stem}", "update" if again else "create"
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in said.items()]
    deploy = cloudformation.update_stack if again else cloudformation.create_stack
    with suppress(cloudformation.exceptions.AlreadyExistsException):
        deploy(StackName=stack, TemplateBody=template.read_text(encoding="utf-8"), Parameters=parameters)
    try:
        cloudformation.get_waiter(f"stack_{what}_complete").wait(StackName=stack, WaiterConfig=_WAIT)
    except WaiterError as error:
        raise ProvisionError(_reasons(cloudformation, stack)) from error
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def lifecycle_rules(bucket: str) -> list[dict[str, Any]]:
    """The rules by which something expires in one of the template's buckets (its logical name), as S3 tells them."""
    rules = _properties(bucket).get("LifecycleConfiguration", {}).get("Rules", [])
    return [
        {
            "ID": rule["Id"],
            "Status": rule["Status"],
            "Filter": {"Tag": rule["TagFilters"][0]},
            "Expiration": {"Days": rule["ExpirationInDays"]},
            "NoncurrentVersionExpiration": rule["NoncurrentVersionExpiration"],
        }
        for rule in rules
        if "ExpirationInDays" in rule
    ]


def lock_of(bucket: str) -> dict[str, Any]:
    """How one of the template's buckets (its logical name) is locked, as S3 tells it."""
    said: dict[str, Any] = _properties(bucket)["ObjectLockConfiguration"]
    return said


def _properties(bucket: str) -> dict[str, Any]:
    """What the template says of a bucket where nobody sets a parameter."""
    template = _template()
    defaults = {f"!Ref {name}": said.get("Default") for name, said in template["Parameters"].items()}
    properties: dict[str, Any] = _filled(template["Resources"][bucket]["Properties"], defaults)
    return properties


@cache
def _template() -> dict[str, Any]:
    template: dict[str, Any] = yaml.load(DATA.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  # a SafeLoader
    return template


def _filled(part: Any, defaults: Mapping[str, Any]) -> Any:
    if isinstance(part, dict):
        return {name: _filled(said, defaults) for name, said in part.items()}
    if isinstance(part, list):
        return [_filled(said, defaults) for said in part]
    return defaults.get(part, part)


def _expire(s3: Any, bucket: str, rules: list[dict[str, Any]]) -> None:  # a boto3 client
    """Lifecycle rules as the template has them: left out too. Nothing expires here; `doctor` reads them."""
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def _lock(s3: Any, bucket: str, configuration: Mapping[str, Any]) -> None:  # a boto3 client
    """Object Lock as the template has it: ministack's CloudFormation leaves it out."""
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)


def _reasons(cloudformation: Any, stack: str) -> str:  # a boto3 client
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    return "\n".join(f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in failed)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml is ten times as fast
    """Reads CloudFormation's own tags as they are written: `!Ref Prefix`."""


def _as_written(_loader: _Loader, suffix: str, node: Any) -> str:  # a node of any kind
    return f"!{suffix} {node.value}"


_Loader.add_multi_constructor("!", _as_written)
