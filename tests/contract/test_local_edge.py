"""The edge: what the public sees of the uploads bucket, and when."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from types import SimpleNamespace
from urllib.parse import quote

import pytest

from deploy.local.run import LocalCloud

Seen = tuple[int, bytes, str]
Look = Callable[[str], Seen]


@pytest.fixture
def look(cloud: LocalCloud) -> Look:
    """GET a key as the public does: (status, body, x-cache)."""

    def get(key: str) -> Seen:
        return _get(f"{cloud.environment['MODFLEET_PUBLIC_URL']}/{quote(key)}")

    return get


@pytest.fixture
def purge(cloud: LocalCloud, clients: SimpleNamespace, unique: str) -> Callable[..., None]:
    """Invalidate paths, percent-encoded as CloudFront wants them."""

    def invalidate(*paths: str) -> None:
        batch = {"Paths": {"Quantity": len(paths), "Items": list(paths)}, "CallerReference": unique + paths[0]}
        clients.cloudfront.create_invalidation(
            DistributionId=cloud.environment["MODFLEET_DISTRIBUTION_ID"], InvalidationBatch=batch
        )

    return invalidate


@pytest.fixture
def tag(clients: SimpleNamespace, bucket: str) -> Callable[[str, str], None]:
    """Set the moderation tag."""

    def put(key: str, value: str) -> None:
        tags = {"TagSet": [{"Key": "uploader", "Value": "u1"}, {"Key": "moderation", "Value": value}]}
        clients.s3.put_object_tagging(Bucket=bucket, Key=key, Tagging=tags)

    return put


def _get(url: str, *, method: str = "GET") -> Seen:
    request = urllib.request.Request(url, method=method)  # 127.0.0.1 over http
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read(), answer.headers["x-cache"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers["x-cache"]


@pytest.mark.parametrize("name", ["plain.txt", "two words.txt", "a+b.txt", "100%.txt", "%2B.txt", "naïve 😀/日本.txt"])
def test_any_key_is_served_as_it_was_stored(
    name: str, look: Look, clients: SimpleNamespace, bucket: str, unique: str
) -> None:
    key = f"feed/{unique}/{name}"
    clients.s3.put_object(Bucket=bucket, Key=key, Body=name.encode(), ContentType="text/plain; charset=utf-8")
    assert look(key) == (200, name.encode(), "Miss")
    assert look(key) == (200, name.encode(), "Hit")


def test_a_key_of_a_thousand_characters_is_served(
    look: Look, clients: SimpleNamespace, bucket: str, unique: str
) -> None:
    key = (unique + " +%" * 400)[:1000]
    clients.s3.put_object(Bucket=bucket, Key=key, Body=b"long")
    assert look(key)[:2] == (200, b"long")


def test_content_type_is_kept_and_a_browser_may_not_guess_another(
    cloud: LocalCloud, clients: SimpleNamespace, bucket: str, unique: str
) -> None:
    clients.s3.put_object(Bucket=bucket, Key=unique, Body=b"x", ContentType="image/webp")
    with urllib.request.urlopen(f"{cloud.environment['MODFLEET_PUBLIC_URL']}/{unique}", timeout=10) as answer:
        assert answer.headers["content-type"] == "image/webp"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_head_answers_without_a_body(cloud: LocalCloud, clients: SimpleNamespace, bucket: str, unique: str) -> None:
    clients.s3.put_object(Bucket=bucket, Key=unique, Body=b"body")
    assert _get(f"{cloud.environment['MODFLEET_PUBLIC_URL']}/{unique}", method="HEAD") == (200, b"", "Miss")


def test_what_is_absent_is_not_found_and_that_is_not_remembered(
    look: Look, clients: SimpleNamespace, bucket: str, unique: str
) -> None:
    assert look(unique)[0] == 404
    clients.s3.put_object(Bucket=bucket, Key=unique, Body=b"now")
    assert look(unique) == (200, b"now", "Miss")


def test_a_blocked_object_is_hidden_and_an_allowed_one_is_back(
    look: Look, tag: Callable[[str, str], None], clients: SimpleNamespace, bucket: str, unique: str
) -> None:
    clients.s3.put_object(Bucket=bucket, Key=unique, Body=b"secret")
    tag(unique, "blocked")
    assert look(unique)[0] == 403
    assert b"secret" not in look(unique)[1]
    tag(unique, "allowed")
    assert look(unique)[:2] == (200, b"secret")


def test_an_avatar_shows_only_once_it_is_allowed(
    look: Look, tag: Callable[[str, str], None], clients: SimpleNamespace, bucket: str, unique: str
) -> None:
    key = f"avatars/{unique}.png"
    clients.s3.put_object(Bucket=bucket, Key=key, Body=b"face")
    assert look(key)[0] == 403
    tag(key, "allowed")
    assert look(key)[:2] == (200, b"face")


def test_a_cached_object_is_seen_until_it_is_purged(
    look: Look,
    tag: Callable[[str, str], None],
    purge: Callable[..., None],
    clients: SimpleNamespace,
    bucket: str,
    unique: str,
) -> None:
    key = f"{unique}/a b+c%é.jpg"
    clients.s3.put_object(Bucket=bucket, Key=key, Body=b"cached")
    assert look(key)[2] == "Miss"
    tag(key, "blocked")
    assert look(key) == (200, b"cached", "Hit")
    purge(f"/{unique}/another")
    assert look(key)[0] == 200
    purge("/" + quote(key))
    assert look(key)[0] == 403


def test_a_wildcard_purges_all_below_it(
    look: Look, purge: Callable[..., None], clients: SimpleNamespace, bucket: str, unique: str
) -> None:
    for name in ("x/1", "x/2", "y/1"):
        clients.s3.put_object(Bucket=bucket, Key=f"{unique}/{name}", Body=b"1")
        look(f"{unique}/{name}")
    purge(f"/{unique}/x/*")
    assert [look(f"{unique}/{name}")[2] for name in ("x/1", "x/2", "y/1")] == ["Miss", "Miss", "Hit"]


def test_a_deleted_object_is_gone_after_the_purge_and_no_query_brings_its_version_back(
    look: Look, purge: Callable[..., None], cloud: LocalCloud, clients: SimpleNamespace, bucket: str, unique: str
) -> None:
    version = clients.s3.put_object(Bucket=bucket, Key=unique, Body=b"gone")["VersionId"]
    assert look(unique)[0] == 200
    clients.s3.delete_object(Bucket=bucket, Key=unique)
    purge(f"/{unique}")
    assert look(unique)[0] == 404
    assert _get(f"{cloud.environment['MODFLEET_PUBLIC_URL']}/{unique}?versionId={version}")[0] == 404
