"""Write the masked text where the original was; the original stays in quarantine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tasks.act.mask import Span, mask_document
from tasks.act.missing import item_expected
from tasks.act.quarantine import quarantine_key
from tasks.act.remove import erase, erase_beneath, is_version
from tasks.act.tag import with_verdict
from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.decide.policy import Mask
from tasks.desk import Desk
from tasks.intake.document import read_document
from tasks.intake.encoding import decode
from tasks.intake.upload import REDACTS, get_whole
from tasks.record.standing import Standing

#: S3 counts the UTF-8 bytes of all names and values.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
MAX_METADATA_BYTES = 2048

_PARAMETER = re.compile(r";\s*charset\s*=\s*(\"[^\"]*\"|[^;]*)", re.IGNORECASE)


def redact(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Replace the item by its masked text, on condition that it is still what is there. Raises Missing."""
    item, s3 = standing.item, desk.aws.s3
    copy = {"Bucket": desk.settings.quarantine_bucket, "Key": quarantine_key(item)}
    original = get_whole(desk.aws, **copy)
    tags = {tag["Key"]: tag["Value"] for tag in call(desk.aws.store, s3.get_object_tagging, **copy)["TagSet"]}
    masked = masked_body(
        original["Bytes"],
        standing.spans,
        style=desk.policy.surface_of(item).mask,
        content_type=original.get("ContentType", "text/plain; charset=utf-8"),
    )
    with item_expected():
        written = _write(desk, standing, original, masked=masked, tags=with_verdict(tags, "allowed"))
    # What is behind the masked text is the text itself.
    if item.version_id:
        erase(desk.aws, item)
    elif is_version(written):
        erase_beneath(desk.aws, item)
    return {
        "spans": len(standing.spans),
        "version_id": written.get("VersionId"),
        "etag": written["ETag"].strip('"'),
        "encoding": masked.encoding,
    }


@dataclass(frozen=True, slots=True)
class Masked:
    """A masked text as it is written back."""

    body: bytes
    content_type: str
    encoding: str


def masked_body(body: bytes, spans: Iterable[Span], *, style: Mask, content_type: str) -> Masked:
    """The body with its spans masked, in its own encoding; in UTF-8, and said so, where that has no such mask.

    Raises Unreadable as `decode` does, which has read these bytes before.
    """
    decoded = decode(body, content_type=content_type)
    text = mask_document(read_document(decoded.text), spans, style)
    try:
        return Masked(decoded.encode(text), content_type, decoded.encoding)
    except UnicodeEncodeError:
        said = _PARAMETER.sub("", content_type)
        return Masked(text.encode(), f"{said}; charset=utf-8", "utf-8")


def _write(
    desk: Desk, standing: Standing, original: dict[str, Any], *, masked: Masked, tags: dict[str, str]
) -> dict[str, Any]:
    item = standing.item
    try:
        return call(
            desk.aws.store,
            desk.aws.s3.put_object,
            Bucket=item.bucket,
            Key=item.key,
            Body=masked.body,
            IfMatch=item.etag,
            Metadata=with_claim(original.get("Metadata", {}), item.version),
            ContentType=masked.content_type,
            Tagging=urlencode(tags),
        )
    except Moved:
        return _written_before(desk, standing, masked.body)


def with_claim(metadata: Mapping[str, str], version: str) -> dict[str, str]:
    """The metadata with the version that was redacted.

    An upload that brings all the metadata there can be loses its longest entries: ours must fit, or what
    should be masked stays public.
    """
    kept = {name: value for name, value in metadata.items() if name != REDACTS}
    ours = {REDACTS: version}
    while _size(kept | ours) > MAX_METADATA_BYTES:
        del kept[max(kept, key=lambda name: _size({name: kept[name]}))]
    return kept | ours


def _size(metadata: Mapping[str, str]) -> int:
    return sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())


def _written_before(desk: Desk, standing: Standing, masked: bytes) -> dict[str, Any]:
    """What an earlier run of this action wrote, if that is what is there; else Moved goes on."""
    item = standing.item
    current = get_whole(desk.aws, Bucket=item.bucket, Key=item.key)
    if current["Bytes"] != masked:
        raise Moved("a newer upload took its place")
    return current
