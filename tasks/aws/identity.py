"""Who AWS says that we are: what a person's command is signed with, whatever name they give."""

from __future__ import annotations

import boto3
from botocore.config import Config

from tasks.aws.calls import STORE, call

#: Seconds: a command does not wait long to hear its own name.
SECONDS = 3


def caller_arn() -> str:
    """The ARN that this process's credentials stand for (STS GetCallerIdentity, which needs no permission).

    Raises Fault, and botocore's NoRegionError where no region is set.
    """
    config = Config(
        connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": 1, "mode": "standard"}
    )
    return str(call(STORE.once(), boto3.client("sts", config=config).get_caller_identity)["Arn"])
