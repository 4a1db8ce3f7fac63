"""What S3 says of an object before anybody looks at it: one ranged GET, never a body."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tasks.aws.calls import call
from tasks.aws.session import Aws
from tasks.detect.kind import HEAD_BYTES
from tasks.intake.submission import (
    CONTENT_ID,
    LANGUAGE,
    STORED_TEXT,
    SUBMITTED,
    UPLOADER,
    Submission,
    from_header,
    is_language,
    text_sha256_in,
)
from tasks.item import Item

#: Object metadata that names the version a redacted copy replaced. A claim, believed only when the
#: state of that version says the same: an uploader can write any metadata.
REDACTS = "modfleet-redacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """The current object under an item's key."""

    #: VersionId and ETag of what is current, which may be a newer upload than the item.
    version_id: str | None
    etag: str
    head: bytes
    content_type: str
    #: User metadata, names without the `x-amz-meta-` prefix.
    metadata: Mapping[str, str]
    #: The object carries tags: only modfleet may have set `moderation`.
    tagged: bool
    #: 64 hex digits where they cost nothing (all of it is in the head) or were asked for (`open_hashed`); else empty.
    sha256: str = ""
    #: What was said before it, oldest first; only a submission brings it.
    context: tuple[str, ...] = ()

    @property
    def uploader(self) -> str:
        """Who uploaded it, as the application says in `x-amz-meta-uploader`."""
        return from_header(self.metadata.get(UPLOADER, ""))

    @property
    def language(self) -> str:
        """What its uploader reads, from `x-amz-meta-language` (BCP 47); empty where that names no language."""
        said = self.metadata.get(LANGUAGE, "")
        return said if is_language(said) else ""

    @property
    def content_id(self) -> str:
        """The application's own name of it, from `x-amz-meta-content-id`."""
        return from_header(self.metadata.get(CONTENT_ID, ""))

    @property
    def claims_submission(self) -> bool:
        """Whether it says that it is a submitted text, and begins like one."""
        return SUBMITTED in self.metadata and self.head.startswith(STORED_TEXT)

    @property
    def submitted(self) -> str:
        """The SHA-256 of the submitted text that it is, where its bytes can be seen to agree; else empty."""
        claimed = self.metadata.get(SUBMITTED, "")
        return claimed if claimed and text_sha256_in(self.head) == claimed else ""

    @property
    def caption(self) -> str:
        """The text shown beside it, from `x-amz-meta-caption`."""
        return from_header(self.metadata.get("caption", ""))

    def as_submitted(self, said: Submission) -> Upload:
        """The same upload, named as a submission names it, and with the context that it brings."""
        head = self.head if said.text is None else said.body()
        return replace(self, head=head, metadata={**self.metadata, **said.metadata()}, context=said.context)

    def is_of(self, item: Item) -> bool:
        """Whether the item is what is current under its key."""
        return self.version_id == item.version_id if item.version_id else self.etag == item.etag


def open_upload(aws: Aws, item: Item) -> Upload:
    """Ask S3 for what is current under the item's key, with its first bytes and its metadata.

    Raises Gone where nothing is there (any more).
    """
    where = {"Bucket": item.bucket, "Key": item.key}
    if item.size:
        answer = call(aws.store, _got(aws), **where, Range=f"bytes=0-{HEAD_BYTES - 1}")
    else:
        # S3 answers a range on an empty object with 416; a HEAD says all there is.
        answer = call(aws.store, aws.s3.head_object, **where)
    return upload_of(answer, size=item.size)


def upload_of(answer: Mapping[str, Any], *, size: int) -> Upload:
    """An upload as S3's answer tells it; `size` is what the item should have."""
    head = answer.get("Bytes", b"")
    is_whole = 0 < size == len(head)
    return Upload(
        version_id=answer.get("VersionId"),
        etag=answer["ETag"].strip('"'),
        head=head,
        sha256=answer.get("Sha256", "") or (hashlib.sha256(head).hexdigest() if is_whole else ""),
        content_type=answer.get("ContentType", "application/octet-stream"),
        metadata=answer.get("Metadata", {}),
        tagged=bool(answer.get("TagCount")),
    )


def with_body(aws: Aws, item: Item, upload: Upload) -> Upload:
    """The upload with its whole body as its head, and so with its SHA-256; read unless the head is all of it.

    The caller has checked its size. Raises Gone, Moved.
    """
    if item.size <= len(upload.head):
        return upload
    body = read_body(aws, item)
    return replace(upload, head=body, sha256=hashlib.sha256(body).hexdigest())


def read_body(aws: Aws, item: Item) -> bytes:
    """The whole body of exactly this item; the caller has checked its size. Raises Gone, Moved."""
    which = {"VersionId": item.version_id} if item.version_id else {"IfMatch": item.etag}
    body: bytes = get_whole(aws, Bucket=item.bucket, Key=item.key, **which)["Bytes"]
    return body


def get_whole(aws: Aws, **which: str) -> dict[str, Any]:
    """GetObject's answer with the whole body under `Bytes`, read under the same retry policy as the call."""
    return call(aws.store, _got(aws), **which)


def _got(aws: Aws) -> Callable[..., dict[str, Any]]:
    def get_object(**which: Any) -> dict[str, Any]:
        answer = aws.s3.get_object(**which)
        return {**answer, "Bytes": answer["Body"].read()}

    # The name under which faults and guards know the call.
    get_object.__name__ = "s3.GetObject"
    return get_object
