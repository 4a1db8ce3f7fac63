"""The SHA-256 of an object: from S3, which has checked it, or by reading the object through once, never held whole.

An ETag or a CRC is no digest to rest on: two files can be made to have the same.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Gone, Moved
from tasks.aws.session import Aws
from tasks.detect.kind import HEAD_BYTES
from tasks.intake.upload import Upload, open_upload, upload_of
from tasks.item import Item

#: Bytes up to which reading a whole object is cheaper than asking for its checksum first.
SMALL_BYTES = 8 * 1024 * 1024
#: Bytes above which nobody waits for the reading: such an object has a digest only where S3 says it.
MAX_READ_BYTES = 2 * 1024**3

_CHUNK = 1024 * 1024
_SHA256_BYTES = 32


def open_hashed(aws: Aws, item: Item) -> Upload:
    """As `open_upload`, with the SHA-256 of what is current; for a small object by the same single call.

    Without one where the object is too large to be read and S3 has no checksum of it. Raises Gone.
    """
    if 0 < item.size <= SMALL_BYTES:
        return upload_of(_read_through(aws, Bucket=item.bucket, Key=item.key), size=item.size)
    upload = open_upload(aws, item)
    if upload.sha256 or not item.size or not upload.is_of(item):
        return upload
    return replace(upload, sha256=digest_of(aws, item))


def digest_of(aws: Aws, item: Item) -> str:
    """64 hex digits of exactly this version; empty where it is not there any more, or too large to be read."""
    which = {"VersionId": item.version_id} if item.version_id else {"IfMatch": item.etag}
    return digest_at(aws, {"Bucket": item.bucket, "Key": item.key, **which}, size=item.size)


def digest_at(aws: Aws, where: Mapping[str, str], *, size: int) -> str:
    """As `digest_of`, of the object that GetObject's parameters name."""
    try:
        if size > SMALL_BYTES:
            head: Callable[..., Any] = aws.s3.head_object
            said = whole_sha256(call(aws.store, head, **where, ChecksumMode="ENABLED"))
            if said or size > MAX_READ_BYTES:
                return said
        return str(_read_through(aws, **where)["Sha256"])
    except (Gone, Moved):
        return ""


def whole_sha256(answer: Mapping[str, Any]) -> str:
    """64 hex digits of the whole object, from HeadObject's answer; empty where it gives none, or only of its parts."""
    if answer.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return ""
    try:
        digest = base64.b64decode(answer.get("ChecksumSHA256", ""), validate=True)
    except binascii.Error:
        return ""  # a checksum of checksums ends in the number of parts
    return digest.hex() if len(digest) == _SHA256_BYTES else ""


def _read_through(aws: Aws, **which: str) -> dict[str, Any]:
    """GetObject's answer with the head under `Bytes` and the digest of everything under `Sha256`."""

    def get_object(**which: Any) -> dict[str, Any]:
        answer = aws.s3.get_object(**which)
        digest, head = hashlib.sha256(), b""
        for chunk in answer["Body"].iter_chunks(_CHUNK):
            head += chunk[: HEAD_BYTES - len(head)]
            digest.update(chunk)
        return {**answer, "Bytes": head, "Sha256": digest.hexdigest()}

    # The name under which faults and guards know the call.
    get_object.__name__ = "s3.GetObject"
    return call(aws.store, get_object, **which)
