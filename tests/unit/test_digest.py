"""The SHA-256 of objects: where S3 has it, it is believed; where not, the object is read through; and it is exact."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tasks.aws.session import Aws
from tasks.intake import digest
from tasks.intake.digest import digest_of, open_hashed
from tasks.intake.upload import open_upload
from tasks.item import Item

BUCKET = "uploads-example"
LARGE = digest.SMALL_BYTES + 1


@pytest.fixture
def aws(moto_aws: Aws) -> Aws:
    """An AWS that has the uploads bucket, with versions."""
    moto_aws.s3.create_bucket(Bucket=BUCKET)
    moto_aws.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return moto_aws


def put(aws: Aws, body: bytes, **more: str) -> Item:
    answer = aws.s3.put_object(Bucket=BUCKET, Key="feed/1", Body=body, Metadata={"caption": "hello"}, **more)  # type: ignore[arg-type]
    return Item(
        bucket=BUCKET,
        key="feed/1",
        version_id=answer["VersionId"],
        etag=answer["ETag"].strip('"'),
        size=len(body),
        sequencer="",
        event_time=datetime(2026, 1, 1, tzinfo=UTC),
    )


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("size", [1, 4096, 4097, 3_000_000])
def test_an_upload_opened_for_its_digest_says_all_that_it_says_otherwise(aws: Aws, size: int) -> None:
    body = b"\xff\xd8\xff" + bytes(size)
    item = put(aws, body[:size])
    hashed, plain = open_hashed(aws, item), open_upload(aws, item)
    assert hashed.sha256 == sha256(body[:size])
    assert replace(hashed, sha256="") == replace(plain, sha256="")


@pytest.mark.parametrize(("size", "known"), [(4096, True), (4097, False)])
def test_what_is_read_whole_anyway_is_known_by_its_digest(aws: Aws, size: int, known: bool) -> None:
    body = b"x" * size
    assert open_upload(aws, put(aws, body)).sha256 == (sha256(body) if known else "")


def test_nothing_has_no_digest(aws: Aws) -> None:
    assert open_hashed(aws, put(aws, b"")).sha256 == ""


@pytest.mark.parametrize("checksum", [{}, {"ChecksumAlgorithm": "SHA256"}], ids=["read", "asked"])
def test_a_large_object_has_the_same_digest_however_it_is_found(aws: Aws, checksum: dict[str, str]) -> None:
    body = b"y" * LARGE
    item = put(aws, body, **checksum)
    assert digest_of(aws, item) == open_hashed(aws, item).sha256 == sha256(body)


def test_a_digest_is_of_exactly_this_version(aws: Aws) -> None:
    older, newer = put(aws, b"older"), put(aws, b"newer")
    assert (digest_of(aws, older), digest_of(aws, newer)) == (sha256(b"older"), sha256(b"newer"))


def test_what_is_gone_has_no_digest(aws: Aws) -> None:
    item = put(aws, b"gone")
    aws.s3.delete_object(Bucket=BUCKET, Key=item.key, VersionId=str(item.version_id))
    assert digest_of(aws, item) == ""
    put(aws, b"newer")
    assert digest_of(aws, replace(item, version_id=None)) == ""
