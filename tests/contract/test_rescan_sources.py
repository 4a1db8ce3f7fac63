"""The local cloud answers a rescan's sources as S3 and DynamoDB do: over HTTP, page by page, with any key."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import quote_plus

import pytest

from config.settings import Settings
from deploy.local.run import LocalCloud
from tasks.aws.session import Aws, connect
from tasks.item import Item
from tasks.record.standing import Standing, Status, to_row
from tasks.rescan.inventory import inventory_of
from tasks.rescan.listing import Listing, listing_of
from tasks.rescan.stored import Query, Stored
from tasks.rescan.subject import Source, Subject

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
#: Each of them was somebody's bug.
KEYS = (
    "a b+c.jpg",
    "a%20b.jpg",
    "ümläut/日本.png",
    "quote\"'<&>.txt",
    "tab\there.txt",
    "line\nbreak.txt",
    "🦊.webp",
    "z/~/..",
)


@pytest.fixture(scope="module")
def aws(cloud: LocalCloud) -> Iterator[Aws]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in cloud.environment.items():
            environment.setenv(name, value)
        yield connect(Settings(), validate=True)  # type: ignore[call-arg]  # the environment has it


def read(source: Source) -> list[Subject]:
    return [subject for part in source.partitions() for subject, _ in source.read(part)]


def test_any_key_is_listed_as_it_is_once_with_its_current_version(
    aws: Aws, clients: SimpleNamespace, bucket: str, unique: str
) -> None:
    put = {}
    for name in KEYS:
        for body in (b"old", b"new"):
            answer = clients.s3.put_object(Bucket=bucket, Key=f"{unique}/{name}", Body=body)
            put[f"{unique}/{name}"] = answer["VersionId"]
    clients.s3.put_object(Bucket=bucket, Key=f"{unique}/deleted", Body=b"old")
    clients.s3.delete_object(Bucket=bucket, Key=f"{unique}/deleted")
    whole = listing_of(aws, bucket, f"{unique}/")
    assert whole.versioned
    paged = Listing(aws, bucket, f"{unique}/", shards=4, page=3)
    assert len(list(paged.partitions())) > 1
    for listing in (whole, paged):
        assert {subject.key: subject.version_id for subject in read(listing)} == put
        assert [subject.key for subject in read(listing)] == sorted(put)
    flat = Listing(aws, bucket, f"{unique}/", versioned=False, page=3)
    assert [subject.key for subject in read(flat)] == sorted(put)
    for part in whole.partitions():
        every = [*whole.read(part)]
        for begun in range(1, len(every) + 1):
            assert [*every[:begun], *whole.read(part, after=every[begun - 1][1])] == every


def test_an_inventory_is_read_in_blocks(cloud: LocalCloud, aws: Aws, clients: SimpleNamespace, unique: str) -> None:
    lists, names = cloud.environment["MODFLEET_QUARANTINE_BUCKET"], [f"{unique}/{name}" for name in KEYS]
    body = gzip.compress("".join(f'"{quote_plus(name)}","7"\r\n' for name in names).encode())
    clients.s3.put_object(Bucket=lists, Key=f"{unique}/data.csv.gz", Body=body)
    file = {"key": f"{unique}/data.csv.gz", "size": len(body), "MD5checksum": hashlib.md5(body).hexdigest()}
    manifest = {
        "sourceBucket": "source-example",
        "destinationBucket": f"arn:aws:s3:::{lists}",
        "fileFormat": "CSV",
        "fileSchema": "Key, Size",
        "files": [file],
    }
    where = f"s3://{lists}/{unique}/manifest.json"
    clients.s3.put_object(Bucket=lists, Key=f"{unique}/manifest.json", Body=json.dumps(manifest).encode())
    assert read(inventory_of(aws, where)) == [Subject(bucket="source-example", key=name, size=7) for name in names]


def test_a_question_to_the_items_is_answered_by_every_segment(cloud: LocalCloud, aws: Aws, unique: str) -> None:
    table = cloud.environment["MODFLEET_ITEMS_TABLE"]
    for number in range(30):
        key = f"{unique}/{number}"
        item = Item(bucket="b", key=key, version_id="v", etag="e", size=1, sequencer="", event_time=NOON)
        row = to_row(Standing(item=item, status=Status.ALLOWED, uploader=unique, tier=0, decided_at=NOON))
        aws.dynamodb.put_item(TableName=table, Item=row)
    stored = Stored(aws=aws, table=table, query=Query(uploader=unique), segments=4)
    found = [subject.key for subject in read(stored)]
    assert sorted(found) == sorted(f"{unique}/{number}" for number in range(30))
    for part in stored.partitions():
        whole = list(stored.read(part))
        assert [token for _, token in whole[1:]] == [token for _, token in stored.read(part, after=whole[0][1])]
