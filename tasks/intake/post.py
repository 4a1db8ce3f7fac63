"""Post: a manifest object that names a text and media, which stand or fall together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.aws.faults import Unreadable
from tasks.desk import Desk
from tasks.intake.upload import Upload, with_body
from tasks.item import Item

#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES = 1024

#: Where its words stand in a manifest, as a JSON path; the keys beside them are names, and must stay what they are.
WORDS = ("text",)

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a post consists of; where that cannot be told, `wrong` is the slug of the reason and all there is."""

    #: Its text. Where that stands in the manifest is found by whoever reads the manifest.
    text: str = ""
    #: Keys in the uploads bucket, in the manifest's order.
    media: tuple[str, ...] = ()
    wrong: str = ""


def read_post(desk: Desk, item: Item, upload: Upload) -> tuple[Upload, Manifest | None]:
    """The post that an upload is the manifest of, None where it is none. Raises Gone, Moved.

    What may be a manifest is read to its end for that; the upload then has its whole body.
    """
    if not upload.head.removeprefix(_BOM).lstrip().startswith(b"{") or item.size > desk.settings.max_text_bytes:
        return upload, None
    upload = with_body(desk.aws, item, upload)
    return upload, manifest_in(upload.head, item, most=desk.settings.post_parts)


def manifest_in(body: bytes, item: Item, *, most: int) -> Manifest | None:
    """The manifest in a body: a JSON object (UTF-8) with `"modfleet": "post"`; None where it is none. Pure.

    `most` parts may be named, beside the text.
    """
    try:
        said = json.loads(body.removeprefix(_BOM))
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("modfleet") != "post":
        return None
    try:
        return _manifest(said, item, most=most)
    except Unreadable as why:
        return Manifest(wrong=why.reason)


def _manifest(said: dict[str, Any], item: Item, *, most: int) -> Manifest:
    text = "" if said.get("text") is None else said["text"]
    media = [] if said.get("media") is None else said["media"]
    if not isinstance(text, str) or not isinstance(media, list) or not all(isinstance(key, str) for key in media):
        raise Unreadable(reason="post-malformed")
    if not text.strip() and not media:
        raise Unreadable(reason="post-empty")
    if len(media) > most:
        raise Unreadable(reason="post-too-many-parts")
    keys = [_key(name, item.bucket) for name in media]
    _check(keys, item)
    return Manifest(text=text, media=tuple(keys))


def _key(name: str, bucket: str) -> str:
    """A key as it is, or as `s3://BUCKET/KEY`."""
    ours = f"s3://{bucket}/"
    if name.startswith("s3://") and not name.startswith(ours):
        raise Unreadable(reason="post-foreign-bucket")
    key = name.removeprefix(ours)
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise Unreadable(reason="post-malformed") from None
    if not 0 < size <= MAX_KEY_BYTES:
        raise Unreadable(reason="post-malformed")
    return key


def _check(keys: Sequence[str], item: Item) -> None:
    if item.key in keys:
        raise Unreadable(reason="post-names-itself")
    if len(set(keys)) < len(keys):
        raise Unreadable(reason="post-duplicate")
