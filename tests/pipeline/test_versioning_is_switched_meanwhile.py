"""A bucket's versioning may be switched on or suspended while its uploads are judged: each goes, and nothing newer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fleet import Fleet, Put
from interrupted import Crash, at_call, crash, forgetful, later, on_bucket, watched

from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done

BAD, MAIL = b"zorblat", b"Mail jane.doe@example.org about it"


class Switched:
    """A bucket of its own, and what is in it."""

    def __init__(self, fleet: Fleet, *versioning: str) -> None:
        self.fleet, self.name = fleet, fleet.plain_bucket(versioning=versioning)
        self.desk: Desk = forgetful(on_bucket(fleet, self.name))

    def put(self, body: bytes, **more: str) -> Put:
        return self.fleet.put("feed/one", body, bucket=self.name, **more)

    def switch(self, status: str) -> None:
        self.fleet.aws.s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": status})  # type: ignore[typeddict-item]

    def judge(self, put: Put, *, desk: Desk | None = None, attempt: int = 1) -> object:
        return handle(desk or self.desk, self.fleet.event_of(put), attempt=attempt)

    def left(self) -> list[bytes]:
        """The bytes of every version that is still there."""
        s3 = self.fleet.aws.s3
        listed = s3.list_object_versions(Bucket=self.name).get("Versions", [])
        which = [{"Bucket": self.name, "Key": one["Key"], "VersionId": one["VersionId"]} for one in listed]
        return [s3.get_object(**one)["Body"].read() for one in which]  # type: ignore[arg-type]


@pytest.fixture
def switched(unserved: Fleet) -> Callable[..., Switched]:
    return lambda *versioning: Switched(unserved, *versioning)


@pytest.mark.parametrize("at", ["before", "put_object_tagging", "delete_object"])
def test_switched_on_the_upload_without_a_version_does_not_stay_beneath_the_delete_marker(
    at: str, switched: Callable[..., Switched]
) -> None:
    bucket = switched()
    put = bucket.put(BAD)
    if at == "before":
        bucket.switch("Enabled")
    desk = watched(bucket.desk, at_call(at, lambda: bucket.switch("Enabled")))
    assert bucket.judge(put, desk=desk) == Done("rejected")
    assert (bucket.fleet.current(put), bucket.left()) == (None, [])


def test_a_run_that_died_on_the_delete_marker_comes_back_for_what_is_beneath(switched: Callable[..., Switched]) -> None:
    bucket = switched()
    put = bucket.put(BAD)
    bucket.switch("Enabled")
    with pytest.raises(Crash):
        bucket.judge(put, desk=watched(bucket.desk, at_call("delete_object", crash, after=True)))
    assert bucket.left() == [BAD]
    assert bucket.judge(put, desk=later(bucket.desk), attempt=2) == Done("rejected")
    assert bucket.left() == []


def test_switched_on_the_masked_text_lies_over_nothing(switched: Callable[..., Switched]) -> None:
    bucket = switched()
    put = bucket.put(MAIL)
    bucket.switch("Enabled")
    assert bucket.judge(put) == Done("redacted")
    assert bucket.left() == [b"Mail [EMAIL] about it"]


def test_suspended_the_version_goes_and_an_upload_over_it_stays(switched: Callable[..., Switched]) -> None:
    bucket = switched("Enabled")
    first, second = bucket.put(BAD), bucket.put(BAD + b" again")
    bucket.switch("Suspended")
    assert bucket.judge(second) == Done("rejected")
    assert bucket.left() == [BAD]
    third = bucket.put(b"a fine day")
    bucket.judge(first)
    assert bucket.judge(third) == Done("allowed")
    assert bucket.fleet.current(third) == b"a fine day"


def test_suspended_a_second_upload_is_judged_though_s3_calls_both_null(switched: Callable[..., Switched]) -> None:
    bucket = switched("Enabled", "Suspended")
    fine = bucket.put(b"a fine day")
    named = bucket.fleet.event_of(fine).replace('"sequencer"', '"versionId": "null", "sequencer"')
    assert handle(bucket.desk, named, attempt=1) == Done("allowed")
    bad = bucket.put(BAD)
    named = bucket.fleet.event_of(bad).replace('"sequencer"', '"versionId": "null", "sequencer"')
    assert handle(bucket.desk, named, attempt=1) == Done("rejected")
    assert bucket.left() == []
