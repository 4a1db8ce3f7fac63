"""What is too large for one call is copied in parts: all of it, as it was looked at, or nothing; here, above 5 MiB."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from fleet import Fleet
from interrupted import Watch, at_call, forgetful, on_bucket, watched

from tasks.act.copy import copy_in_parts
from tasks.act.missing import Missing
from tasks.act.quarantine import quarantine, quarantine_key
from tasks.act.restore import put_back
from tasks.act.tag import hide
from tasks.aws.faults import Gone, Moved
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done
from tasks.record.standing import Standing, Status

#: No part but the last may be smaller: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
PART = 5 * 1024**2
LARGE = random.Random(7).randbytes(2 * PART + 12_345)  # bytes that differ from part to part
SAID = {"Metadata": {"uploader": "u1", "caption": "ten megabytes"}, "ContentType": "video/mp4"} | {
    "CacheControl": "max-age=60",
    "ContentDisposition": "inline",
    "ContentLanguage": "de",
}


@pytest.fixture(params=["versioned", "unversioned", "suspended"])
def desk(request: pytest.FixtureRequest, unserved: Fleet) -> Desk:
    """A desk that moderates one kind of bucket."""
    if request.param == "versioned":
        return forgetful(unserved.desk)
    versioning = ("Enabled", "Suspended") if request.param == "suspended" else ()
    return forgetful(on_bucket(unserved, unserved.plain_bucket(versioning=versioning)))


@pytest.fixture
def held(desk: Desk, unserved: Fleet, unique: str) -> Standing:
    """A large upload on record."""
    put = unserved.put(f"feed/{unique}", b"what is looked at is not the point", bucket=desk.settings.uploads_bucket)
    assert handle(desk, unserved.event_of(put), attempt=1) == Done("allowed")
    standing = unserved.standing(put)
    assert standing is not None
    tags = urlencode({"mine": "yes"})
    where: Any = {"Bucket": put.bucket, "Key": put.key}
    answer = desk.aws.s3.put_object(**where, Body=LARGE, Tagging=tags, **SAID)
    etag, version = answer["ETag"].strip('"'), answer.get("VersionId")
    return replace(standing, item=replace(standing.item, etag=etag, version_id=version, size=len(LARGE)))


@pytest.fixture(autouse=True)
def nothing_unfinished(desk: Desk) -> Iterator[None]:
    """No parts are left behind, which would cost money for ever."""
    yield
    for bucket in (desk.settings.uploads_bucket, desk.settings.quarantine_bucket):
        assert not desk.aws.s3.list_multipart_uploads(Bucket=bucket).get("Uploads")


@pytest.fixture(autouse=True)
def tags_last(desk: Desk) -> Iterator[None]:
    """ministack forgets the tags that an upload in parts begins with; S3 gives them to the object that it becomes."""
    events: Any = desk.aws.s3.meta.events
    begun: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: object) -> None:
        begun.append(params)

    def give(http_response: Any, **_: object) -> None:
        if http_response.status_code == 200 and begun:
            target = begun.pop()
            tags = [{"Key": key, "Value": value} for key, value in parse_qsl(target["Tagging"])]
            desk.aws.s3.put_object_tagging(Bucket=target["Bucket"], Key=target["Key"], Tagging={"TagSet": tags})  # type: ignore[typeddict-item]

    handlers = {
        "provide-client-params.s3.CreateMultipartUpload": note,
        "after-call.s3.CompleteMultipartUpload": give,
    }
    for name, handler in handlers.items():
        events.register(name, handler, unique_id=name)
    yield
    for name, handler in handlers.items():
        events.unregister(name, handler, unique_id=name)


def described(desk: Desk, bucket: str, key: str) -> dict[str, Any]:
    found = desk.aws.s3.get_object(Bucket=bucket, Key=key)
    tags = desk.aws.s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    return {name: found[name] for name in SAID} | {
        "tags": {tag["Key"]: tag["Value"] for tag in tags},
        "body": found["Body"].read() == LARGE,
    }


def test_quarantine_and_restore_keep_bytes_headers_metadata_and_tags(desk: Desk, held: Standing) -> None:
    item, watch = held.item, Watch()
    hide(desk, held)
    quarantine(watched(desk, watch), held, largest=PART)
    assert "upload_part_copy" in watch.calls
    kept = described(desk, desk.settings.quarantine_bucket, quarantine_key(item))
    assert kept == SAID | {"tags": {"mine": "yes", "moderation": "blocked"}, "body": True}
    desk.aws.s3.delete_object(Bucket=item.bucket, Key=item.key)
    receipt = put_back(desk, held, largest=PART)
    back = described(desk, item.bucket, item.key)
    assert back == SAID | {"tags": {"mine": "yes", "moderation": "allowed"}, "body": True}
    # A run that died before it recorded that finds its own copy, and writes none beside it.
    again = Watch()
    assert put_back(watched(desk, again), held, largest=PART) == receipt
    assert "create_multipart_upload" not in again.calls


def test_it_is_copied_in_as_many_parts_as_it_needs(desk: Desk, held: Standing) -> None:
    item, watch = held.item, Watch()
    source = {"Bucket": item.bucket, "Key": item.key} | ({"VersionId": item.version_id} if item.version_id else {})
    target = {"Bucket": desk.settings.quarantine_bucket, "Key": quarantine_key(item)}
    copy_in_parts(watched(desk, watch), source=source, target=target, etag=item.etag, tags={}, part_bytes=PART)
    assert watch.calls.count("upload_part_copy") == 3
    assert described(desk, target["Bucket"], target["Key"])["body"]


def test_an_upload_that_replaces_it_meanwhile_is_not_copied_in_its_stead(desk: Desk, held: Standing) -> None:
    where: Any = {"Bucket": held.item.bucket, "Key": held.item.key}
    newer = watched(desk, at_call("upload_part_copy", lambda: desk.aws.s3.put_object(**where, Body=b"!" * len(LARGE))))
    copy: Any = {"Bucket": desk.settings.quarantine_bucket, "Key": quarantine_key(held.item)}
    if held.item.version_id:
        # The one that was looked at is still there.
        quarantine(newer, held, largest=PART)
        assert desk.aws.s3.get_object(**copy)["Body"].read() == LARGE
        return
    with pytest.raises(Missing) as missing:
        quarantine(newer, held, largest=PART)
    assert missing.value.status is Status.SUPERSEDED
    with pytest.raises(desk.aws.s3.exceptions.NoSuchKey):
        desk.aws.s3.get_object(**copy)


def test_an_upload_that_comes_before_the_last_part_is_not_written_over(desk: Desk, held: Standing) -> None:
    item = held.item
    quarantine(desk, held, largest=PART)
    desk.aws.s3.delete_object(Bucket=item.bucket, Key=item.key)
    where: Any = {"Bucket": item.bucket, "Key": item.key}
    arrives = at_call("complete_multipart_upload", lambda: desk.aws.s3.put_object(**where, Body=b"newer"))
    with pytest.raises(Missing) as missing:
        put_back(watched(desk, arrives), held, largest=PART)
    assert missing.value.status is Status.SUPERSEDED
    assert desk.aws.s3.get_object(**where)["Body"].read() == b"newer"


def test_a_lost_answer_to_the_last_call_is_no_failure(desk: Desk, held: Standing) -> None:
    item = held.item
    target = {"Bucket": desk.settings.quarantine_bucket, "Key": quarantine_key(item)}
    lost: list[str] = []

    def twice(name: str, go: Any) -> Any:
        answer = go()
        if name == "complete_multipart_upload" and not lost:
            lost.append(name)
            return go()  # S3 has done it; the caller's library tries again
        return answer

    source = {"Bucket": item.bucket, "Key": item.key} | ({"VersionId": item.version_id} if item.version_id else {})
    copy_in_parts(watched(desk, twice), source=source, target=target, etag=item.etag, tags={}, part_bytes=PART)
    assert lost
    assert described(desk, target["Bucket"], target["Key"])["body"]


def test_what_is_not_what_was_looked_at_is_not_begun(desk: Desk, held: Standing) -> None:
    source, target = (
        {"Bucket": held.item.bucket, "Key": held.item.key},
        {"Bucket": held.item.bucket, "Key": "elsewhere"},
    )
    watch = Watch()
    with pytest.raises(Moved):
        copy_in_parts(watched(desk, watch), source=source, target=target, etag="another", tags={})
    with pytest.raises(Gone):
        copy_in_parts(watched(desk, watch), source={**source, "Key": "nowhere"}, target=target, etag="another", tags={})
    assert set(watch.calls) == {"head_object"}
