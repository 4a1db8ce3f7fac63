"""A bucket and a prefix as a source: listed in parts, which are ranges of keys and so stay what they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tasks.aws.calls import call
from tasks.aws.session import Aws
from tasks.rescan.subject import Partition, Subject

#: Parts that are aimed at: enough for several enqueuers of several threads, few enough to be found quickly.
SHARDS = 64
#: About how many requests looking for them may take, each as long as one page of the listing.
PROBES = 300
#: The last character there is, and those that no key has.
LAST, SURROGATES = 0x10FFFF, range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects as S3 lists them. Where the bucket keeps versions, each current one with its VersionId."""

    aws: Aws
    bucket: str
    prefix: str = ""
    #: Whether to list versions; `listing_of` asks the bucket.
    versioned: bool = True
    shards: int = SHARDS
    #: Keys of an answer, of which S3 gives no more.
    page: int = 1000
    name: str = "listing"

    @property
    def spec(self) -> dict[str, Any]:
        """As `tasks.rescan.source.source_of` reads it."""
        return {"source": self.name, "bucket": self.bucket, "prefix": self.prefix, "versioned": self.versioned}

    def requests(self, items: int) -> dict[str, float]:
        """A page of a thousand each; versions that are not current take more."""
        return {"s3.ListObjectVersions" if self.versioned else "s3.ListObjectsV2": math.ceil(items / self.page)}

    def partitions(self) -> Iterator[Partition]:
        """Ranges of keys, the upper end included, that together are all there is and will be under the prefix.

        Where they are cut depends on what is there now: whoever shares a run writes them down before reading any.
        """
        cuts = thinned(cuts_of(self._children, self.prefix, enough=self.shards), self.shards - 1)
        for number, (after, until) in enumerate(pairwise(["", *cuts, ""])):
            yield Partition(id=f"{number:04d}", spec={"after": after, "until": until})

    def read(self, partition: Partition, *, after: str = "") -> Iterator[tuple[Subject, str]]:
        """The current objects of a range in the order of their keys, which are the tokens. Raises Fault."""
        begin, until = after or partition.spec["after"], partition.spec["until"]
        page = self._versions if self.versioned else self._objects
        for subject in page(begin):
            if until and subject.key > until:
                return
            # Some stores begin at the marker, not behind it.
            if subject.key > begin:
                yield subject, subject.key

    def _objects(self, begin: str) -> Iterator[Subject]:
        more: dict[str, Any] = {"StartAfter": begin} if begin else {}
        while True:
            answer = call(self.aws.store, self.aws.s3.list_objects_v2, **self._where, **more)
            yield from (_subject(self.bucket, row) for row in answer.get("Contents", ()))
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def _versions(self, begin: str) -> Iterator[Subject]:
        more: dict[str, Any] = {"KeyMarker": begin} if begin else {}
        while True:
            answer = call(self.aws.store, self.aws.s3.list_object_versions, **self._where, **more)
            # What is current and deleted is a DeleteMarker, and not among the Versions.
            yield from (_subject(self.bucket, row) for row in answer.get("Versions", ()) if row["IsLatest"])
            if not answer.get("IsTruncated"):
                return
            more = {"KeyMarker": answer["NextKeyMarker"]}
            if version := answer.get("NextVersionIdMarker"):
                more["VersionIdMarker"] = version

    @property
    def _where(self) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Prefix": self.prefix, "MaxKeys": self.page}

    def _children(self, prefix: str) -> list[str]:
        """What the keys below a prefix begin with; nothing where they fit one page."""
        where = {"Bucket": self.bucket, "Prefix": prefix, "MaxKeys": self.page}
        answer = call(self.aws.store, self.aws.s3.list_objects_v2, **where, Delimiter="/")
        if answer.get("IsTruncated"):
            return list(self._next_characters(prefix))
        return [child["Prefix"] for child in answer.get("CommonPrefixes", ())]

    def _next_characters(self, prefix: str) -> Iterator[str]:
        """Where a page is not enough: each character that stands next in some key, found by leaping over the rest."""
        after = prefix
        for _ in range(PROBES):
            where = {"Bucket": self.bucket, "Prefix": prefix, "StartAfter": after, "MaxKeys": 1}
            found = call(self.aws.store, self.aws.s3.list_objects_v2, **where).get("Contents")
            if not found:
                return
            stem: str = found[0]["Key"][: len(prefix) + 1]
            yield stem
            if (after := prefix + _following(stem[-1])) <= stem:
                return


def listing_of(aws: Aws, bucket: str, prefix: str = "") -> Listing:
    """The listing of a bucket's prefix, with versions where the bucket has or had some. Raises Fault."""
    answer = call(aws.store, aws.s3.get_bucket_versioning, Bucket=bucket)
    return Listing(aws, bucket, prefix, versioned="Status" in answer)


def cuts_of(children: Callable[[str], list[str]], prefix: str, *, enough: int) -> list[str]:
    """Prefixes below a prefix, in order, at which it can be cut: whole levels, until there are enough.

    `children` says what the keys below a prefix begin with.
    """
    cuts: set[str] = set()
    asked, level = 0, [prefix]
    while level and len(cuts) < enough:
        below: list[str] = []
        for parent in level:
            if asked >= PROBES:
                return sorted(cuts)
            found = children(parent)
            asked += 1 + len(found)
            below += found
            cuts.update(found)
        level = below
    return sorted(cuts)


def thinned(cuts: list[str], most: int) -> list[str]:
    """At most so many of them, evenly spread."""
    if len(cuts) <= most:
        return cuts
    return [cuts[(number + 1) * len(cuts) // (most + 1)] for number in range(most)]


def _subject(bucket: str, row: Mapping[str, Any]) -> Subject:
    version = row.get("VersionId")
    return Subject(
        bucket=bucket,
        key=row["Key"],
        # What was there before the bucket kept versions, or while it kept none, is called `null`: no name.
        version_id=None if version == "null" else version,
        etag=row["ETag"].strip('"'),
        size=row["Size"],
        modified_at=row["LastModified"],
    )


def _following(character: str) -> str:
    code = min(ord(character) + 1, LAST)
    return chr(SURROGATES.stop if code in SURROGATES else code)
