"""A subject of a rescan: one object as a source tells of it; and what a source is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One object that may be looked at again. What its source does not tell is None, empty or -1."""

    bucket: str
    #: Decoded, as S3 API calls want it.
    key: str
    #: None where the source knows none, and where the bucket keeps no versions.
    version_id: str | None = None
    #: Without quotes.
    etag: str = ""
    #: Bytes.
    size: int = -1
    modified_at: datetime | None = None

    @property
    def location(self) -> str:
        """`s3://BUCKET/KEY`, which all versions of one key share."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A part of a source that one enqueuer works at a time. Partitions share no subject."""

    #: Short, the same at every reading of the source, and sorts in reading order.
    id: str
    #: What the source finds it by, as JSON.
    spec: Mapping[str, Any]


class Source(Protocol):
    """Where subjects come from. Its methods raise Fault, and Unreadable where what is there cannot be read."""

    @property
    def name(self) -> str:
        """listing, inventory, keys or stored."""

    @property
    def spec(self) -> Mapping[str, Any]:
        """What `tasks.rescan.source.source_of` makes it again from, as JSON. It goes on the run's row."""

    def requests(self, items: int) -> dict[str, float]:
        """`service.Operation` -> how many it takes to read it once, being of so many subjects; as far as is known."""

    def partitions(self) -> Iterator[Partition]:
        """Its parts, found on the way."""

    def read(self, partition: Partition, *, after: str = "") -> Iterator[tuple[Subject, str]]:
        """The subjects of a part in an order that stays, each with the token after which reading goes on.

        With `after`, those behind that token: none is missing, none comes twice, even where keys came or went.
        """


class Unreadable(ValueError):
    """A source is not what it should be; the text says what, where, and what to do."""
