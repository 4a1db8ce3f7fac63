"""The mirror image of a takedown: the original comes back from quarantine, and the public is served it again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from tasks.act.copy import MAX_COPY_BYTES, copy_in_parts
from tasks.act.missing import Missing, item_expected
from tasks.act.purge import invalidate
from tasks.act.quarantine import quarantine_key
from tasks.act.tag import TAG, with_verdict
from tasks.act.verify import PATIENCE, ask_public, is_another, look_after, waits
from tasks.aws.calls import call
from tasks.aws.faults import Gone, Moved, Transient, Withheld
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.standing import Standing, Status


class NotServed(Transient):
    """The public URL does not serve what was put back."""


class Remembering(NotServed, Withheld):
    """It does not, but the CDN may not have had the time to forget what was there before."""


def put_back(desk: Desk, standing: Standing, *, largest: int = MAX_COPY_BYTES) -> dict[str, Any]:
    """Copy the original to where it was, byte for byte, with its metadata and tags, shown by ours.

    One that is larger than so many bytes is copied in parts.

    Raises Missing where something newer is there, which is what the public sees, and stays; or no original any more.
    """
    there = current(desk, standing.item)
    if there is None or is_masked_copy(standing, there):
        there = _write(desk, standing, over=there, largest=largest)
    if not is_put_back(desk, standing, there):
        raise Missing(Status.SUPERSEDED)
    return {
        "version_id": there.get("VersionId"),
        "etag": there["ETag"].strip('"'),
        "last_modified": there["LastModified"].isoformat(),
    }


def purge_again(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Make the CDN forget the refusal, or the masked text, that it may hold."""
    return invalidate(desk, standing, why="restore")


def verify_back(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Ask for the item as the public would. Raises NotServed; Transient when nobody answers."""
    answer, restored = ask_public(desk, standing.item), standing.receipts["put_back"]
    if answer.status < 400 and not is_another(answer.headers.get("ETag", ""), restored["etag"]):
        return {"http": answer.status}
    there = current(desk, standing.item)
    if there and there["ETag"].strip('"') == restored["etag"]:
        said, waited = f"HTTP {answer.status}", waits(desk, standing)
        if waited < PATIENCE:
            raise Remembering(said, call="public.Head", retry_after=look_after(waited))
        raise NotServed(said, call="public.Head")
    # Whoever owns it has changed or deleted it since.
    return {"http": answer.status, "changed": True}


def current(desk: Desk, item: Item) -> dict[str, Any] | None:
    """What S3 says of what is under an item's key now; None where nothing is."""
    try:
        return call(desk.aws.store, desk.aws.s3.head_object, Bucket=item.bucket, Key=item.key)
    except Gone:
        return None


def original(desk: Desk, standing: Standing) -> dict[str, Any]:
    """What S3 says of the copy in quarantine. Raises Gone."""
    return call(desk.aws.store, desk.aws.s3.head_object, **_copy_of(desk, standing))


def is_masked_copy(standing: Standing, there: Mapping[str, Any]) -> bool:
    """Whether what is there is what redaction wrote in place of the item."""
    masked = standing.receipts.get("redact", {})
    same_version = masked.get("version_id") == there.get("VersionId")
    return bool(masked) and same_version and masked["etag"] == there["ETag"].strip('"')


def is_put_back(desk: Desk, standing: Standing, there: Mapping[str, Any]) -> bool:
    """Whether what is there is the original, put back by a run that may not have lived to record it.

    The tag vouches for it, which only modfleet may set; a newer upload that was judged, and shown, is on record.
    """
    item = standing.item
    if there["ContentLength"] != item.size or is_masked_copy(standing, there):
        return False
    if not is_shown(desk, item):
        return False
    if item.version_id:
        return desk.state.find_version(item.location, str(there.get("VersionId"))) is None
    return bool(there["ETag"] == original(desk, standing)["ETag"])


def is_shown(desk: Desk, item: Item) -> bool:
    """Whether what is current under an item's key carries our tag."""
    tags = call(desk.aws.store, desk.aws.s3.get_object_tagging, Bucket=item.bucket, Key=item.key)["TagSet"]
    return {"Key": TAG, "Value": "allowed"} in tags


def is_of_receipt(desk: Desk, receipt: Mapping[str, Any], item: Item) -> bool:
    """Whether an event is about what `put_back` wrote."""
    if item.version_id:
        return bool(receipt.get("version_id") == item.version_id)
    there = current(desk, item)
    if there is None or there["ETag"].strip('"') != item.etag:
        return False
    # The same bytes uploaded again are another upload, with a caption of their own perhaps. S3 tells seconds.
    same = (receipt.get("etag"), receipt.get("last_modified")) == (item.etag, there["LastModified"].isoformat())
    return same and is_shown(desk, item)


def _copy_of(desk: Desk, standing: Standing) -> dict[str, str]:
    return {"Bucket": desk.settings.quarantine_bucket, "Key": quarantine_key(standing.item)}


def _write(desk: Desk, standing: Standing, *, over: Mapping[str, Any] | None, largest: int) -> dict[str, Any]:
    """Copy the original over the masked text, or over nothing; returns what is there then."""
    item, s3, source = standing.item, desk.aws.s3, _copy_of(desk, standing)
    with item_expected():
        said = call(desk.aws.store, s3.get_object_tagging, **source)["TagSet"]
    tags = with_verdict({tag["Key"]: tag["Value"] for tag in said}, "allowed")
    target = {"Bucket": item.bucket, "Key": item.key}
    only_if = {"IfMatch": over["ETag"]} if over else {"IfNoneMatch": "*"}
    # Moved: something came first, perhaps our own try, whose answer was lost. What is there now tells.
    with suppress(Moved):
        if item.size > largest:
            etag = original(desk, standing)["ETag"]
            copy_in_parts(desk, source=source, target=target, etag=etag, tags=tags, only_if=only_if)
        else:
            tagging = {"TaggingDirective": "REPLACE", "Tagging": urlencode(tags)}
            call(desk.aws.store, s3.copy_object, CopySource=source, **target, **tagging, **only_if)
    if (there := current(desk, item)) is None:
        raise Missing(Status.GONE)
    return there
