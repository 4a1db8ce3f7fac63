"""Auto Scaling: the one client that only a worker on EC2 wants, and only when its instance ends."""

from __future__ import annotations

from typing import Any, Protocol, cast

import boto3
from botocore.config import Config

from tasks.aws.calls import STORE, call

#: Seconds: the process has little time left when it asks.
TIMEOUT, DEADLINE = 2, 3


class AutoScaling(Protocol):
    """What modfleet asks of Auto Scaling."""

    def complete_lifecycle_action(self, **params: object) -> dict[str, Any]:
        """Let the group go on with what a lifecycle hook holds up."""


def complete_termination(*, group: str, hook: str, instance_id: str, client: AutoScaling | None = None) -> None:
    """Let a group end an instance that its termination hook keeps waiting. Raises Fault."""
    call(
        STORE.within(DEADLINE),
        (client or _connect()).complete_lifecycle_action,
        AutoScalingGroupName=group,
        LifecycleHookName=hook,
        InstanceId=instance_id,
        LifecycleActionResult="CONTINUE",
    )


def _connect() -> AutoScaling:
    config = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": 1})
    return cast("AutoScaling", boto3.Session().client("autoscaling", config=config))
