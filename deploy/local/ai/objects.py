"""Where Rekognition gets its objects: the local S3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from deploy.local.ai.protocol import Refusal


class Objects:
    """Reads objects by Rekognition's `S3Object` shape: {Bucket, Name, Version?}."""

    def __init__(self, s3: Any) -> None:  # a boto3 client
        self.s3 = s3

    def read(self, where: Mapping[str, Any], *, most: int, too_large: str) -> bytes:
        """The object's bytes. Raises Refusal: InvalidS3ObjectException, or `too_large` above `most` bytes."""
        try:
            got = self.s3.get_object(**_address(where))
        except ClientError:
            raise Refusal(
                "InvalidS3ObjectException", "Unable to get object metadata from S3. Check object key, region, version."
            ) from None
        with got["Body"] as body:
            if got["ContentLength"] > most:
                raise Refusal(too_large, f"the object is larger than {most} bytes")
            content: bytes = body.read()
        return content


def name_of(where: Mapping[str, Any]) -> str:
    """One string for one version of one object."""
    return "\0".join(str(where.get(part, "")) for part in ("Bucket", "Name", "Version"))


def _address(where: Mapping[str, Any]) -> dict[str, Any]:
    if not {"Bucket", "Name"} <= set(where):
        raise Refusal("InvalidParameterException", "Request has invalid parameters: an S3Object is a Bucket and a Name")
    version = {"VersionId": where["Version"]} if "Version" in where else {}
    return {"Bucket": where["Bucket"], "Key": where["Name"], **version}
