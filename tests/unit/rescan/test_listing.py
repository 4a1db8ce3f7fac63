"""A bucket is listed in parts that lose nothing and repeat nothing, whatever comes and goes meanwhile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.aws.session import Aws
from tasks.rescan.listing import Listing, cuts_of, listing_of, thinned
from tasks.rescan.subject import Partition

BUCKET = "uploads-example"


@pytest.fixture
def bucket(moto_aws: Aws) -> str:
    moto_aws.s3.create_bucket(Bucket=BUCKET)
    return BUCKET


def keep_versions(aws: Aws, status: str = "Enabled") -> None:
    aws.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": status})  # type: ignore[typeddict-item]


def put(aws: Aws, *keys: str) -> list[str]:
    return [aws.s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode()).get("VersionId", "") for key in keys]


def keys_of(listing: Listing, parts: list[Partition]) -> list[str]:
    return [subject.key for part in parts for subject, _ in listing.read(part)]


def test_all_parts_together_are_the_bucket_in_the_order_of_its_keys(moto_aws: Aws, bucket: str) -> None:
    keys = sorted(f"{top}/{user}/{n}.jpg" for top in ("avatars", "feed", "ümlaut") for user in "abcd" for n in range(3))
    put(moto_aws, *keys)
    listing = Listing(moto_aws, bucket, versioned=False, shards=6)
    parts = list(listing.partitions())
    assert len(parts) == 6
    assert [part.id for part in parts] == sorted(part.id for part in parts)
    assert keys_of(listing, parts) == keys


def test_only_what_is_current_under_the_prefix_is_a_subject_each_with_its_version(moto_aws: Aws, bucket: str) -> None:
    put(moto_aws, "feed/before.jpg")
    keep_versions(moto_aws)
    _, newest = put(moto_aws, "feed/a.jpg", "feed/a.jpg")
    put(moto_aws, "feed/deleted.jpg", "other/b.jpg")
    moto_aws.s3.delete_object(Bucket=bucket, Key="feed/deleted.jpg")
    listing = listing_of(moto_aws, bucket, "feed/")
    assert listing.versioned
    subjects = [subject for part in listing.partitions() for subject, _ in listing.read(part)]
    assert [(subject.key, subject.version_id) for subject in subjects] == [
        ("feed/a.jpg", newest),
        # S3 calls it `null`, which the next upload would be called, too.
        ("feed/before.jpg", None),
    ]
    assert subjects[0].size == len("feed/a.jpg")
    assert '"' not in subjects[0].etag
    assert subjects[0].modified_at is not None


@pytest.mark.parametrize("versioned", [False, True])
def test_reading_goes_on_behind_any_token_though_keys_come_and_go(moto_aws: Aws, bucket: str, versioned: bool) -> None:
    if versioned:
        keep_versions(moto_aws)
    put(moto_aws, *(f"feed/{n:02d}" for n in range(20)))
    listing = Listing(moto_aws, bucket, "feed/", versioned=versioned, page=3)
    part = Partition(id="0000", spec={"after": "feed/03", "until": "feed/15"})
    reading = listing.read(part)
    read = [next(reading) for _ in range(5)]
    put(moto_aws, "feed/035-late", "feed/10-late", "feed/16-late")
    moto_aws.s3.delete_object(Bucket=bucket, Key="feed/08")
    rest = [subject.key for subject, _ in listing.read(part, after=read[-1][1])]
    assert [subject.key for subject, _ in read] == [f"feed/{n:02d}" for n in range(4, 9)]
    assert rest == ["feed/09", "feed/10", "feed/10-late", *(f"feed/{n}" for n in range(11, 16))]


def test_a_flat_prefix_of_more_than_a_page_is_cut_by_what_its_keys_begin_with(moto_aws: Aws, bucket: str) -> None:
    put(moto_aws, *(f"flat/{n % 16:x}{n:05d}" for n in range(128)))
    listing = Listing(moto_aws, bucket, "flat/", versioned=False, shards=16, page=50)
    parts = list(listing.partitions())
    assert [part.spec["until"] for part in parts[:-1]] == [f"flat/{digit}" for digit in "123456789abcdef"]
    counts = [len(keys_of(listing, [part])) for part in parts]
    assert sum(counts) == 128
    assert max(counts) <= 9


def test_a_small_bucket_is_one_part_and_an_empty_one_has_no_subjects(moto_aws: Aws, bucket: str) -> None:
    listing = Listing(moto_aws, bucket, versioned=False)
    (part,) = listing.partitions()
    assert keys_of(listing, [part]) == []
    put(moto_aws, "a", "b")
    assert len(list(listing.partitions())) == 1


def test_looking_for_parts_ends_in_a_bucket_that_is_endlessly_deep() -> None:
    asked: list[str] = []

    def children(prefix: str) -> list[str]:
        asked.append(prefix)
        return [f"{prefix}a/"]

    assert len(cuts_of(children, "", enough=1_000_000)) == len(asked) < 400


@given(st.integers(0, 500), st.integers(1, 100))
def test_cuts_are_thinned_evenly_and_stay_in_order(there: int, most: int) -> None:
    cuts = [f"{n:04d}" for n in range(there)]
    kept = thinned(cuts, most)
    assert len(kept) == min(there, most)
    assert kept == sorted(set(kept) & set(cuts))
    if there > most:
        gaps = [int(b) - int(a) for a, b in zip(["0000", *kept], [*kept, f"{there:04d}"], strict=True)]
        assert max(gaps) - min(gaps) <= 1
