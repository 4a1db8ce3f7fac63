"""The rows of an S3 Inventory in CSV (pure)."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from tasks.rescan.subject import Unreadable

#: Bytes of the plain text that are unpacked at a time.
UNPACKED = 1024 * 1024


class Row(NamedTuple):
    """One object of an inventory, as far as it says so."""

    bucket: str
    key: str
    version_id: str | None
    etag: str
    size: int
    modified_at: datetime | None
    #: Whether it is what is there now, and not a delete marker.
    current: bool


def read_csv(file: io.BufferedIOBase, schema: str, *, bucket: str, skip: int = 0) -> Iterator[Row]:
    """The rows of a `.csv.gz` after so many, in a bucket unless they name another. Raises Unreadable, with the line.

    `schema` names the columns, in any order, as the manifest does: `Bucket, Key, VersionId, IsLatest, ...`. Keys are
    URL-encoded. https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
    """
    names = [name.strip() for name in schema.split(",")]
    unpacked = io.BufferedReader(gzip.GzipFile(fileobj=file, mode="rb"), UNPACKED)
    lines = csv.reader(io.TextIOWrapper(unpacked, encoding="utf-8", newline=""))
    try:
        yield from _rows(islice(lines, skip, None), names, bucket)
    except (EOFError, OSError, zlib.error, csv.Error) as why:
        raise Unreadable(f"no CSV in gzip after line {lines.line_num}: {why}") from None
    except (ValueError, IndexError) as why:
        raise Unreadable(
            f"line {lines.line_num} is not as the manifest's schema says ({', '.join(names)}): {why}"
        ) from None


def _rows(lines: Iterator[list[str]], names: Sequence[str], bucket: str) -> Iterator[Row]:
    at = {name: number for number, name in enumerate(names)}
    if "Key" not in at:
        raise ValueError("there is no Key")
    key_at, bucket_at, version_at = at["Key"], at.get("Bucket"), at.get("VersionId")
    etag_at, size_at, modified_at = at.get("ETag"), at.get("Size"), at.get("LastModifiedDate")
    latest_at, marker_at, width = at.get("IsLatest"), at.get("IsDeleteMarker"), len(names)
    # A billion rows come through here: each question is asked of the list itself.
    for line in lines:
        if len(line) != width:
            raise ValueError(f"{len(line)} columns")
        key, size = line[key_at], "" if size_at is None else line[size_at]
        if "%" in key or "+" in key:
            key = unquote_to_bytes(key.replace("+", " ")).decode()
        moment = "" if modified_at is None else line[modified_at]
        yield Row(
            bucket if bucket_at is None else line[bucket_at],
            key,
            _name(line[version_at]) if version_at is not None else None,
            "" if etag_at is None else line[etag_at],
            int(size) if size else -1,
            datetime.fromisoformat(moment) if moment else None,
            (latest_at is None or line[latest_at] != "false") and (marker_at is None or line[marker_at] != "true"),
        )


def _name(version: str) -> str | None:
    return version if version and version != "null" else None
