"""Copy what is too large for one call, in parts: whole, on condition that it stays what it is, or not at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any
from urllib.parse import urlencode

from tasks.aws.calls import call
from tasks.aws.faults import Fault, Gone, Transient
from tasks.desk import Desk

#: CopyObject's limit; a larger object is copied in parts.
#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
MAX_COPY_BYTES = 5 * 1024**3
#: Bytes of a part, and parts of a copy at most. https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
PART_BYTES, MOST_PARTS = 256 * 1024**2, 10_000
#: Parts copied at the same time; S3 does the work.
AT_ONCE = 8
#: What a copy in parts has to be told of its source; CopyObject takes it along by itself.
_SAID = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "Metadata",
    "WebsiteRedirectLocation",
)

Where = Mapping[str, str]


def copy_in_parts(  # noqa: PLR0913  # what, whereto, on which conditions
    desk: Desk,
    *,
    source: Where,
    target: Where,
    etag: str,
    tags: Mapping[str, str],
    only_if: Where | None = None,
    part_bytes: int = PART_BYTES,
) -> None:
    """Copy an object with its metadata, headers and these tags; nothing of it is left where that fails.

    `source` and `target` are Bucket and Key, the source perhaps with its VersionId; `only_if` is about the target, as
    CompleteMultipartUpload has it. Raises Gone; Moved where the source is not of this ETag, or not to its end, or
    `only_if` does not hold.
    """
    s3, store = desk.aws.s3, desk.aws.store
    head = call(store, s3.head_object, **source, IfMatch=etag)
    said = {name: head[name] for name in _SAID if name in head}
    begun = call(store, s3.create_multipart_upload, **target, **said, Tagging=urlencode(tags))
    upload = {**target, "UploadId": begun["UploadId"]}
    try:
        pieces = _pieces(head["ContentLength"], part_bytes)
        parts = _copy_all(desk, [{**upload, "CopySource": source, "CopySourceIfMatch": etag, **one} for one in pieces])
        # An upload that is gone was completed by a try whose answer was lost: what is there tells.
        with suppress(Gone):
            call(store, s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts}, **(only_if or {}))
    except Fault:
        with suppress(Fault):
            call(store, s3.abort_multipart_upload, **upload)
        raise
    if call(store, s3.head_object, **target)["ContentLength"] != head["ContentLength"]:
        raise Transient("another object is where the copy should be", call="s3.CompleteMultipartUpload")


def _pieces(size: int, part_bytes: int) -> list[dict[str, Any]]:
    """Number and range (both ends included) of each part."""
    part_bytes = max(part_bytes, math.ceil(size / MOST_PARTS))
    ends = [(begin, min(begin + part_bytes, size) - 1) for begin in range(0, size, part_bytes)]
    return [{"PartNumber": n, "CopySourceRange": f"bytes={begin}-{end}"} for n, (begin, end) in enumerate(ends, 1)]


def _copy_all(desk: Desk, parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts as CompleteMultipartUpload wants them; all have ended before the first fault is raised."""
    # Threads of its own: the desk's hands may be what waits for this.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(copy_context().run, _copy_one, desk, part) for part in parts]
    return [one.result() for one in running]


def _copy_one(desk: Desk, part: dict[str, Any]) -> dict[str, Any]:
    answer = call(desk.aws.store, desk.aws.s3.upload_part_copy, **part)
    return {"PartNumber": part["PartNumber"], "ETag": answer["CopyPartResult"]["ETag"]}
