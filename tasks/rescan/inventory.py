"""An S3 Inventory as a source: its manifest, and the files that it names."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.aws.session import Aws
from tasks.rescan.inventory_columns import groups_of, read_columns
from tasks.rescan.inventory_csv import Row, read_csv
from tasks.rescan.s3_file import BLOCK, Hashing, S3File, in_blocks
from tasks.rescan.subject import Partition, Subject, Unreadable

#: Bytes of a manifest; one of a billion objects names some thousand files.
MOST_MANIFEST = 64 * 1024 * 1024
#: Bytes from which a file whose rows stand in groups is read in several parts, each of about so many bytes.
LARGE = 64 * 1024 * 1024


class DataFile(BaseModel):
    """One file of an inventory."""

    key: str = Field(min_length=1)
    size: int = Field(0, ge=0)
    md5: str = Field("", alias="MD5checksum", pattern=r"^([0-9a-fA-F]{32})?$")


class Manifest(BaseModel):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html"""

    model_config = ConfigDict(populate_by_name=True)

    source: str = Field(alias="sourceBucket", min_length=3)
    #: An ARN.
    destination: str = Field(alias="destinationBucket", min_length=3)
    form: Literal["CSV", "Parquet", "ORC"] = Field(alias="fileFormat")
    #: Names the columns of CSV; the other forms name theirs by themselves.
    columns: str = Field("", alias="fileSchema")
    files: list[DataFile]


@dataclass(frozen=True, slots=True)
class Inventory:
    """The current objects that an inventory tells of."""

    aws: Aws
    #: Of the manifest.json: `s3://BUCKET/KEY`.
    location: str
    #: Of the manifest: the run goes on with this one or not at all. `inventory_of` asks S3.
    etag: str
    manifest: Manifest = field(repr=False)
    large: int = LARGE
    name: str = "inventory"

    @property
    def spec(self) -> dict[str, Any]:
        """As `tasks.rescan.source.source_of` reads it."""
        return {"source": self.name, "manifest": self.location, "etag": self.etag}

    def requests(self, items: int) -> dict[str, float]:  # noqa: ARG002  # its files say it better
        """A block each."""
        return {"s3.GetObject": sum(math.ceil(file.size / BLOCK) for file in self.manifest.files)}

    def partitions(self) -> Iterator[Partition]:
        """A part for each file; for each 64 MB or so of one whose rows stand in groups. Raises Fault, Unreadable."""
        for number, file in enumerate(self.manifest.files):
            if self.manifest.form == "CSV" or file.size < self.large:
                yield Partition(id=f"{number:06d}", spec={"file": number})
                continue
            groups = groups_of(in_blocks(self._file(file)), self.manifest.form)
            each = max(1, groups * self.large // file.size)
            for begin in range(0, groups, each):
                spec = {"file": number, "groups": [begin, min(begin + each, groups)]}
                yield Partition(id=f"{number:06d}.{begin:05d}", spec=spec)

    def read(self, partition: Partition, *, after: str = "") -> Iterator[tuple[Subject, str]]:
        """The current objects of a part; tokens are numbers of rows. Raises Unreadable, also once its MD5 is wrong.

        What a file in CSV says is known to be wrong only at its end; one in groups is checked before its first row.
        """
        skip = int(after or 0)
        for number, row in enumerate(self._rows(partition, skip), start=skip + 1):
            if row.current:
                yield subject_of(row), str(number)

    def rows(self, partition: Partition) -> Iterator[Row]:
        """The current objects of a part, as bare rows: to make a subject of each takes as long as all the rest."""
        return (row for row in self._rows(partition, 0) if row.current)

    def _rows(self, partition: Partition, skip: int) -> Iterator[Row]:
        file = self.manifest.files[partition.spec["file"]]
        groups = range(*partition.spec["groups"]) if "groups" in partition.spec else None
        try:
            yield from self._csv(file, skip) if self.manifest.form == "CSV" else self._grouped(file, groups, skip)
        except Unreadable as why:
            raise Unreadable(f"{self._location(file)}: {why}") from None

    def _csv(self, file: DataFile, skip: int) -> Iterator[Row]:
        hashing = Hashing(self._file(file))
        yield from read_csv(in_blocks(hashing), self.manifest.columns, bucket=self.manifest.source, skip=skip)
        _check(hashing, file)

    def _grouped(self, file: DataFile, groups: range | None, skip: int) -> Iterator[Row]:
        if groups is None or groups.start == 0:
            _check(Hashing(self._file(file)), file)
        there, form, bucket = in_blocks(self._file(file)), self.manifest.form, self.manifest.source
        yield from read_columns(there, form, bucket=bucket, groups=groups, skip=skip)

    def _file(self, file: DataFile) -> S3File:
        return S3File(self.aws, self._location(file))

    def _location(self, file: DataFile) -> str:
        return f"s3://{self.manifest.destination.rpartition(':')[2]}/{file.key}"


def subject_of(row: Row) -> Subject:
    """The object that a row tells of."""
    return Subject(
        bucket=row.bucket,
        key=row.key,
        version_id=row.version_id,
        etag=row.etag,
        size=row.size,
        modified_at=row.modified_at,
    )


def inventory_of(aws: Aws, location: str, *, etag: str = "") -> Inventory:
    """The inventory whose manifest.json is there; with an `etag`, no other one. Raises Fault, Unreadable.

    Where S3 put a `manifest.checksum` beside it, the manifest has to agree with it.
    """
    there = S3File(aws, location, etag=etag)
    if there.size > MOST_MANIFEST:
        raise Unreadable(f"{location} is no manifest of an S3 Inventory: it has {there.size} bytes")
    hashing = Hashing(there)
    text = in_blocks(hashing).read()
    expected = _checksum(aws, location)
    if expected and expected != hashing.digest():
        raise Unreadable(f"{location} is not what S3 wrote: its manifest.checksum says otherwise")
    try:
        manifest = Manifest.model_validate(json.loads(text))
    except (ValidationError, ValueError) as why:
        raise Unreadable(f"{location} is no manifest.json of an S3 Inventory: {_told(why)}") from None
    return Inventory(aws, location, there.etag, manifest)


def _checksum(aws: Aws, location: str) -> str:
    """What stands in the `manifest.checksum` beside a manifest.json; nothing where there is none."""
    if not location.endswith("manifest.json"):
        return ""
    try:
        return S3File(aws, location.removesuffix("json") + "checksum").read(64).decode("ascii", "replace").strip()
    except Unreadable:
        return ""


def _check(hashing: Hashing, file: DataFile) -> None:
    if file.md5 and hashing.digest() != file.md5.lower():
        raise Unreadable("its MD5 is not the one that the manifest names: it was changed since, or is damaged")


def _told(why: Exception) -> str:
    if not isinstance(why, ValidationError):
        return str(why)
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in why.errors()[:5])
