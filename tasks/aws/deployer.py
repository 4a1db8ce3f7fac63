"""What `modfleet deploy` asks of AWS: clients that no worker has, made where all clients are made."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from tasks.aws.calls import STORE, RetryPolicy

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_CONFIG = Config(
    # Seconds to reach a service, and for its answer: CloudFormation reads a whole template meanwhile.
    connect_timeout=3,
    read_timeout=60,
    retries={"total_max_attempts": 1, "mode": "standard"},
)


class Deployer:
    """A deployer's clients, each made when it is first wanted. None needs settings: those come of deploying."""

    #: By which its methods are called.
    store: RetryPolicy = STORE

    def __init__(self) -> None:
        """No call is made. Raises botocore's NoRegionError if no region is set anywhere."""
        self._session = boto3.Session()
        self.region = self.cloudformation.meta.region_name

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """Stacks."""
        return self._session.client("cloudformation", config=_CONFIG)

    @cached_property
    def s3(self) -> S3Client:
        """For a bucket that is to be guarded, and is in no settings yet."""
        return self._session.client("s3", config=_CONFIG.merge(Config(signature_version="s3v4")))

    @cached_property
    def sqs(self) -> SQSClient:
        """What waits in queues that are to go."""
        return self._session.client("sqs", config=_CONFIG)

    @cached_property
    def kms(self) -> Any:
        """Asked for one key policy, if anything."""
        return self._session.client("kms", config=_CONFIG)

    @cached_property
    def events(self) -> Any:
        """Asked which rules send to a queue."""
        return self._session.client("events", config=_CONFIG)
