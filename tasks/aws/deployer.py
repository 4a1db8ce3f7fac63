"""What `modfleet deploy` asks of AWS: clients that no worker has, made where all clients are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from tasks.aws.calls import STORE, RetryPolicy

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

#: Seconds to reach a service, and for its answer: CloudFormation reads a whole template meanwhile.
CONNECT_TIMEOUT, READ_TIMEOUT = 3, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployer:
    """A deployer's clients, and the policy to call them by. None of them needs settings: those come of deploying."""

    cloudformation: CloudFormationClient
    #: For a bucket that is to be guarded, and is in no settings yet.
    s3: S3Client
    sqs: SQSClient
    #: Asked for one key policy, if anything.
    kms: Any
    region: str
    store: RetryPolicy = STORE


def connect_deployer() -> Deployer:
    """Make the clients; no call is made. Raises botocore's NoRegionError if no region is set anywhere."""
    session = boto3.Session()
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    cloudformation = session.client("cloudformation", config=config)
    return Deployer(
        cloudformation=cloudformation,
        s3=session.client("s3", config=config.merge(Config(signature_version="s3v4"))),
        sqs=session.client("sqs", config=config),
        kms=session.client("kms", config=config),
        region=cloudformation.meta.region_name,
    )
