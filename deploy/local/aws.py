"""boto3 clients that speak to the local cloud, whatever AWS profile the machine has."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any

import boto3
from botocore.config import Config

REGION = "us-east-1"
#: Any key pair is accepted; one of twelve digits chooses that account.
KEY = "local"


_LOCK = Lock()


@cache
def _session(key: str) -> boto3.Session:
    """Making one lists all of boto3's models."""
    return boto3.Session(key, key, region_name=REGION)


def client(service: str, endpoint: str, *, key: str = KEY) -> Any:  # boto3 makes its classes at run time
    """A boto3 client of `service` at `endpoint`, with the local key pair and no retries."""
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=32, s3={"addressing_style": "path"})
    # A session makes one client at a time.
    with _LOCK:
        return _session(key).client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]
