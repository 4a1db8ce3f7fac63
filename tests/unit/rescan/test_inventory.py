"""An S3 Inventory tells of the same objects in every form, and a damaged one is never taken for a whole one."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import quote_plus

import pyarrow as pa
import pytest
from pyarrow import orc, parquet

from tasks.aws.session import Aws
from tasks.rescan.inventory import Inventory, inventory_of, subject_of
from tasks.rescan.subject import Subject, Unreadable

LISTS, MANIFEST = "lists-example", "s3://lists-example/daily/manifest.json"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
#: Key, version, latest, delete marker, size, when, ETag.
Line = tuple[str, str, bool, bool, int | None, datetime, str]
KEYS = ("feed/plain.jpg", "feed/a b+c%20d.jpg", 'feed/quo"te,.jpg', "feed/ümlaut.jpg")
LINES: list[Line] = [
    *((key, f"v{n}", True, False, n, NOON, f"e{n}") for n, key in enumerate(KEYS)),
    ("feed/plain.jpg", "v-old", False, False, 7, NOON, "e-old"),
    ("feed/deleted.jpg", "v-gone", True, True, None, NOON, ""),
    ("feed/before.jpg", "null", True, False, 9, NOON, "e9"),
]
CURRENT = [
    Subject(bucket="source-example", key=key, version_id=f"v{n}", etag=f"e{n}", size=n, modified_at=NOON)
    for n, key in enumerate(KEYS)
] + [Subject(bucket="source-example", key="feed/before.jpg", etag="e9", size=9, modified_at=NOON)]
#: In an order of their own: the manifest says which.
SCHEMA = "Bucket, Key, Size, VersionId, IsLatest, IsDeleteMarker, LastModifiedDate, ETag, StorageClass"


def as_csv(lines: list[Line]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    for key, version, latest, marker, size, moment, etag in lines:
        shown = "" if size is None else size
        when = moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        name = "" if version == "null" else version
        flags = [str(latest).lower(), str(marker).lower()]
        writer.writerow(["source-example", quote_plus(key), shown, name, *flags, when, etag, "STANDARD"])
    return gzip.compress(out.getvalue().encode())


def table(lines: list[Line]) -> pa.Table:
    names = ("key", "version_id", "is_latest", "is_delete_marker", "size", "last_modified_date", "e_tag")
    columns: dict[str, Any] = dict(zip(names, zip(*lines, strict=True), strict=True))
    columns["last_modified_date"] = pa.array(columns["last_modified_date"], pa.timestamp("ms", "UTC"))
    return pa.table({"bucket": ["source-example"] * len(lines), **columns, "storage_class": ["STANDARD"] * len(lines)})


def as_parquet(lines: list[Line]) -> bytes:
    out = io.BytesIO()
    parquet.write_table(table(lines), out, row_group_size=2)
    return out.getvalue()


def as_orc(lines: list[Line]) -> bytes:
    out = io.BytesIO()
    orc.write_table(table(lines), out)
    return out.getvalue()


FORMS: dict[str, Callable[[list[Line]], bytes]] = {"CSV": as_csv, "Parquet": as_parquet, "ORC": as_orc}


@pytest.fixture
def publish(moto_aws: Aws) -> Iterator[Callable[..., None]]:
    """Put an inventory into a bucket as S3 does: its files, its manifest and the manifest's checksum."""
    moto_aws.s3.create_bucket(Bucket=LISTS)

    def publish(form: str, *files: bytes, schema: str = SCHEMA, **other: object) -> None:
        said = [
            {"key": f"data/{n}", "size": len(body), "MD5checksum": hashlib.md5(body).hexdigest()}
            for n, body in enumerate(files)
        ]
        for n, body in enumerate(files):
            moto_aws.s3.put_object(Bucket=LISTS, Key=f"data/{n}", Body=body)
        manifest = {
            "sourceBucket": "source-example",
            "destinationBucket": f"arn:aws:s3:::{LISTS}",
            "version": "2016-11-30",
            "creationTimestamp": "1793534400000",
            "fileFormat": form,
            "fileSchema": schema,
            "files": said,
        } | other
        text = json.dumps(manifest).encode()
        moto_aws.s3.put_object(Bucket=LISTS, Key="daily/manifest.json", Body=text)
        moto_aws.s3.put_object(Bucket=LISTS, Key="daily/manifest.checksum", Body=hashlib.md5(text).hexdigest().encode())

    return publish


def subjects(inventory: Inventory) -> list[Subject]:
    return [subject for part in inventory.partitions() for subject, _ in inventory.read(part)]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_of_the_same_current_objects(moto_aws: Aws, publish: Callable[..., None], form: str) -> None:
    publish(form, FORMS[form](LINES[:3]), FORMS[form](LINES[3:]))
    inventory = inventory_of(moto_aws, MANIFEST)
    assert [part.id for part in inventory.partitions()] == ["000000", "000001"]
    assert subjects(inventory) == CURRENT
    assert [subject_of(row) for part in inventory.partitions() for row in inventory.rows(part)] == CURRENT


@pytest.mark.parametrize("form", FORMS)
def test_reading_goes_on_behind_any_token(moto_aws: Aws, publish: Callable[..., None], form: str) -> None:
    publish(form, FORMS[form](LINES))
    inventory = inventory_of(moto_aws, MANIFEST)
    (part,) = inventory.partitions()
    whole = list(inventory.read(part))
    for stop in range(1, len(whole) + 1):
        first = list(islice(inventory.read(part), stop))
        assert first + list(inventory.read(part, after=first[-1][1])) == whole


def test_a_large_file_is_read_in_parts_by_its_row_groups(moto_aws: Aws, publish: Callable[..., None]) -> None:
    body = as_parquet(LINES)
    publish("Parquet", body)
    known = inventory_of(moto_aws, MANIFEST)
    inventory = Inventory(moto_aws, known.location, known.etag, known.manifest, large=len(body) // 3)
    assert [part.id for part in inventory.partitions()] == [f"000000.{n:05d}" for n in range(4)]
    assert subjects(inventory) == CURRENT
    last = list(inventory.partitions())[-1]
    assert [subject.key for subject, _ in inventory.read(last)] == ["feed/before.jpg"]


def test_columns_that_an_inventory_does_not_have_are_not_known(moto_aws: Aws, publish: Callable[..., None]) -> None:
    publish("CSV", gzip.compress(b'"feed/a%2Bb.jpg"\n"feed/c+d.jpg"\n'), schema="Key")
    assert subjects(inventory_of(moto_aws, MANIFEST)) == [
        Subject(bucket="source-example", key="feed/a+b.jpg"),
        Subject(bucket="source-example", key="feed/c d.jpg"),
    ]
    out = io.BytesIO()
    parquet.write_table(pa.table({"key": ["feed/a+b.jpg"]}), out)
    publish("Parquet", out.getvalue())
    assert subjects(inventory_of(moto_aws, MANIFEST)) == [Subject(bucket="source-example", key="feed/a+b.jpg")]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_is_not_what_the_manifest_says_ends_the_reading(
    moto_aws: Aws, publish: Callable[..., None], form: str
) -> None:
    publish(form, FORMS[form](LINES))
    inventory = inventory_of(moto_aws, MANIFEST)
    (part,) = inventory.partitions()
    moto_aws.s3.put_object(Bucket=LISTS, Key="data/0", Body=FORMS[form](LINES[:2]))
    with pytest.raises(Unreadable, match=r"s3://lists-example/data/0: its MD5 is not the one"):
        list(inventory.read(part))
    moto_aws.s3.delete_object(Bucket=LISTS, Key="data/0")
    with pytest.raises(Unreadable, match=r"s3://lists-example/data/0: .*data/0 is not there"):
        list(inventory.read(part))


@pytest.mark.parametrize(
    ("body", "schema", "told"),
    [
        (b"no gzip", SCHEMA, "no CSV in gzip after line 0"),
        (gzip.compress(b'"a"\n"b"\n')[:-9], "Key", "no CSV in gzip after line"),
        (gzip.compress(b'"b","k","x"\n"b","k"\n'), "Bucket, Key, ETag", "line 2 is not as the manifest's schema says"),
        (gzip.compress(b'"b","k","many"\n'), "Bucket, Key, Size", "line 1 is not as the manifest's schema says"),
        (gzip.compress(b'"k%FF"\n'), "Key", "line 1 is not as the manifest's schema says"),
        (gzip.compress(b'"b"\n'), "Bucket", "there is no Key"),
    ],
    # gzip notes the time: of their own, the names of the tests would be others in each process.
    ids=["no gzip", "cut off", "a column too few", "no size", "no UTF-8", "no key"],
)
def test_what_is_no_csv_of_its_schema_is_told_by_its_line(
    moto_aws: Aws, publish: Callable[..., None], body: bytes, schema: str, told: str
) -> None:
    publish("CSV", body, schema=schema)
    with pytest.raises(Unreadable) as raised:
        subjects(inventory_of(moto_aws, MANIFEST))
    assert told in str(raised.value)
    assert str(raised.value).startswith("s3://lists-example/data/0: ")


@pytest.mark.parametrize("form", ["Parquet", "ORC"])
def test_what_is_no_file_of_its_form_says_so(moto_aws: Aws, publish: Callable[..., None], form: str) -> None:
    publish(form, b"nothing like it" * 10)
    with pytest.raises(Unreadable, match=f"s3://lists-example/data/0: no {form}: "):
        subjects(inventory_of(moto_aws, MANIFEST))


def test_a_manifest_is_believed_only_as_s3_wrote_it(moto_aws: Aws, publish: Callable[..., None]) -> None:
    publish("CSV", as_csv(LINES))
    known = inventory_of(moto_aws, MANIFEST)
    publish("CSV", as_csv(LINES), version="other")
    with pytest.raises(Unreadable, match="is another file than when the rescan began"):
        inventory_of(moto_aws, MANIFEST, etag=known.etag)
    moto_aws.s3.put_object(Bucket=LISTS, Key="daily/manifest.json", Body=b"{}")
    with pytest.raises(Unreadable, match=r"its manifest\.checksum says otherwise"):
        inventory_of(moto_aws, MANIFEST)
    moto_aws.s3.delete_object(Bucket=LISTS, Key="daily/manifest.checksum")
    with pytest.raises(Unreadable, match=r"is no manifest\.json of an S3 Inventory: sourceBucket: Field required"):
        inventory_of(moto_aws, MANIFEST)


def test_without_pyarrow_it_is_said_what_to_install(
    moto_aws: Aws, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("Parquet", as_parquet(LINES))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Unreadable, match=r"pip install 'modfleet\[rescan\]'"):
        subjects(inventory_of(moto_aws, MANIFEST))
