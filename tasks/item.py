"""Item: the one moderated thing that travels through every stage."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object as an S3 event names it: bucket, key, and version or ETag.

    `sequencer` is S3's hex order of events on one key, right-padded with zeros to 32 digits so
    that plain string comparison orders it; empty where the event brought none.
    """

    bucket: str
    #: Decoded, as S3 API calls want it.
    key: str
    #: None where the bucket keeps no versions, or keeps them no longer: S3 calls every such upload `null`.
    version_id: str | None
    #: Without quotes.
    etag: str
    #: Bytes.
    size: int
    sequencer: str
    #: When S3 took the upload, UTC. Time to takedown counts from here.
    event_time: datetime

    def __post_init__(self) -> None:
        """`null` names whatever is there without a version: were it a name, the next upload would pass for this one."""
        if self.version_id == "null":
            object.__setattr__(self, "version_id", None)

    @property
    def version(self) -> str:
        """What tells this upload from others of its key: the VersionId, else the ETag and the event.

        The ETag alone is no name: the same bytes uploaded again after a takedown are to be judged again.
        """
        return self.version_id or f"etag:{self.etag}@{self.sequencer or self.event_time.isoformat()}"

    @property
    def location(self) -> str:
        """`s3://BUCKET/KEY`, which all versions of one key share."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def id(self) -> str:
        """64 hex digits that name this version of this object, for tokens and log lines."""
        name = "\0".join((self.bucket, self.key, self.version))
        return hashlib.sha256(name.encode()).hexdigest()


_NAMES = tuple(field.name for field in fields(Item))


def fields_of(item: Item) -> dict[str, Any]:
    """An item as JSON has it."""
    # An `asdict` copies each value deeply, at four times the price.
    return {name: getattr(item, name) for name in _NAMES} | {"event_time": item.event_time.isoformat()}


def item_from(said: dict[str, Any]) -> Item:
    """The item that `fields_of` wrote."""
    return Item(**{**said, "event_time": datetime.fromisoformat(said["event_time"])})
