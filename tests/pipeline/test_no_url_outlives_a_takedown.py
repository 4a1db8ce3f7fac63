"""No URL that was made before a takedown serves it after: not the public one, nor one that an application signed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import urllib3
from fleet import Fleet, Put, card
from interrupted import forgetful, on_bucket

from deploy.local.bucket_policy import denied_by
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done

BAD, MAIL = b"zorblat", b"Mail jane.doe@example.org about it"
GRAY = b"hm " + card(classifier={"decision": "hold", "severity": 2, "rule": "harassment"})
ACCOUNT = "000000000000"
WORKER = f"arn:aws:iam::{ACCOUNT}:role/modfleet-worker"
#: Who may hold a presigned URL: it is answered as whoever signed it.
OTHERS = {
    "an application's role": f"arn:aws:iam::{ACCOUNT}:role/application",
    "a role whose name only begins like ours": f"{WORKER}-2",
    "a role of that name in another account": "arn:aws:iam::111111111111:role/modfleet-worker",
    "a user": f"arn:aws:iam::{ACCOUNT}:user/admin",
    "the account's root user": f"arn:aws:iam::{ACCOUNT}:root",
    "nobody, or the CDN": None,
}
READS = ("s3:GetObject", "s3:GetObjectVersion")
TAG = "s3:ExistingObjectTag/moderation"

Answer = tuple[int, bytes]


@pytest.fixture(scope="module", params=["versioned", "unversioned", "suspended"])
def desk(request: pytest.FixtureRequest, unserved: Fleet) -> Desk:
    """A desk that moderates one kind of bucket."""
    if request.param == "versioned":
        return forgetful(unserved.desk)
    versioning = ("Enabled", "Suspended") if request.param == "suspended" else ()
    return forgetful(on_bucket(unserved, unserved.plain_bucket(versioning=versioning)))


def signed(fleet: Fleet, put: Put, **which: str) -> Callable[[], Answer]:
    """A URL that is signed now, to be fetched whenever; with `which` for one version."""
    params = {"Bucket": put.bucket, "Key": put.key, **which}
    url: str = fleet.aws.s3.generate_presigned_url("get_object", Params=params, ExpiresIn=3600)

    def fetch() -> Answer:
        with urllib3.PoolManager() as pool:
            answer = pool.request("GET", url, retries=False)
        return answer.status, answer.data

    return fetch


def test_a_url_signed_before_a_takedown_serves_it_no_longer(desk: Desk, unserved: Fleet, unique: str) -> None:
    put = unserved.put(f"feed/{unique}", BAD, bucket=desk.settings.uploads_bucket)
    key = signed(unserved, put)
    versions = [version["VersionId"] for version in _versions(unserved, put)]
    urls = [key, *(signed(unserved, put, VersionId=version) for version in versions)]
    assert {url() for url in urls} == {(200, BAD)}
    assert handle(desk, unserved.event_of(put), attempt=1) == Done("rejected")
    assert {url()[0] for url in urls} <= {404, 405}


def test_a_url_signed_before_a_text_was_masked_serves_the_masked_text(desk: Desk, unserved: Fleet, unique: str) -> None:
    put = unserved.put(f"feed/{unique}", MAIL, bucket=desk.settings.uploads_bucket)
    key = signed(unserved, put)
    old = [signed(unserved, put, VersionId=version["VersionId"]) for version in _versions(unserved, put)]
    assert handle(desk, unserved.event_of(put), attempt=1) == Done("redacted")
    assert key() == (200, b"Mail [EMAIL] about it")
    # Where versioning is suspended, the masked text has the same name, `null`.
    assert MAIL not in {url()[1] for url in old}


def _versions(fleet: Fleet, put: Put) -> list[dict[str, Any]]:
    listed = fleet.aws.s3.list_object_versions(Bucket=put.bucket, Prefix=put.key)
    versions: list[dict[str, Any]] = listed["Versions"]
    return versions


@pytest.mark.parametrize("who", OTHERS)
def test_what_is_hidden_is_denied_to_whoever_signs_but_the_worker(who: str, unserved: Fleet, unique: str) -> None:
    desk = forgetful(unserved.desk)
    put = unserved.put(f"messages/{unique}", GRAY)
    assert handle(desk, unserved.event_of(put), attempt=1) == Done("held")
    assert {_denied(unserved, put, action, OTHERS[who]) for action in READS} == {"BlockedIsHidden"}
    assert {_denied(unserved, put, action, WORKER) for action in READS} == {None}


@pytest.mark.parametrize("who", OTHERS)
def test_what_nobody_has_allowed_yet_is_denied_on_a_before_surface(who: str, unserved: Fleet, unique: str) -> None:
    put = unserved.put(f"avatars/{unique}", GRAY)
    assert {_denied(unserved, put, action, OTHERS[who]) for action in READS} == {"BeforeSurfacesShowOnlyWhatIsAllowed"}
    assert {_denied(unserved, put, action, WORKER) for action in READS} == {None}


@pytest.mark.parametrize("who", OTHERS)
def test_nobody_but_the_worker_can_take_the_tag_away(who: str, unserved: Fleet, unique: str) -> None:
    put = unserved.put(f"feed/{unique}", GRAY)
    for action in ("PutObjectTagging", "PutObjectVersionTagging", "DeleteObjectTagging", "DeleteObjectVersionTagging"):
        assert _denied(unserved, put, f"s3:{action}", OTHERS[who]) == "OnlyTheWorkerTags"
        assert _denied(unserved, put, f"s3:{action}", WORKER) is None


def _denied(fleet: Fleet, put: Put, action: str, principal: str | None) -> str | None:
    """The statement of the bucket's own policy that denies it; local clouds themselves enforce none."""
    policy = json.loads(fleet.aws.s3.get_bucket_policy(Bucket=put.bucket)["Policy"])
    tags = {f"s3:ExistingObjectTag/{name}": value for name, value in fleet.tags(put).items()}
    # Whoever is of the fleet's own account is of the one that it happens to be in.
    own = fleet.settings.notices_topic_arn.split(":")[4]
    context = tags | ({"aws:PrincipalArn": principal.replace(ACCOUNT, own)} if principal else {})
    return denied_by(policy, action=action, resource=f"arn:aws:s3:::{put.bucket}/{put.key}", context=context)
