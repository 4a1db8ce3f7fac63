"""Doctor: what it reads from answers, without an AWS to ask; tests/contract/test_cli.py asks one."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from config.settings import Settings
from tasks.aws.session import Aws
from tests.unit.test_places import with_surfaces
from worker.bucket_policy import hidden_keys, readers_of_versions, to_be_hidden
from worker.doctor import NAMES, ONE_PIXEL, Sick, audit_lock, contested_names, first_looks

HIDDEN: dict[str, Any] = {"StringNotEquals": {"s3:ExistingObjectTag/moderation": "allowed"}}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("top_level.txt", "other\n{}\n"),
        ("RECORD", "other/{}/x.py,,\n{}/__init__.py,sha256=x,1\n"),
        ("RECORD", "{}.py,sha256=x,1\nother/x.py,,\n"),
        ("RECORD", "other/x.py,,\n{}.cpython-311-x86_64-linux-gnu.so,sha256=x,1\n"),
    ],
    ids=["declared", "a package", "a module", "an extension"],
)
def test_another_distribution_with_one_of_our_names_is_named(
    name: str, file: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch, **{file: says.replace("{}", name)})
    assert contested_names() == [f"{name} (intruder)"]


def test_what_an_interrupted_installation_left_is_told_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch, METADATA="", RECORD="tasks/__init__.py,,\n")
    installed(tmp_path, monkeypatch, "half", RECORD="tasks/__init__.py,,\n")
    assert contested_names() == ["tasks (intruder)", "tasks (nameless)"]


@pytest.mark.parametrize(
    "record",
    [
        "tasks-1.0.dist-info/RECORD,,\n",
        "other/config/x.py,,\n",
        "worker_tools/x.py,,\n",
        "tasksy.py,,\n",
        "config.pth,,\n",
        "bin/worker,,\n",
    ],
)
def test_what_only_looks_like_one_of_our_names_is_nobodys_claim(
    record: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch, RECORD=record)
    assert contested_names() == []


def installed(site: Path, monkeypatch: pytest.MonkeyPatch, folder: str = "intruder", **files: str) -> None:
    """One more distribution, as installers write it down."""
    info = site / f"{folder}-1.0.dist-info"
    info.mkdir()
    for name, text in ({"METADATA": "Metadata-Version: 2.1\nName: intruder\nVersion: 1.0\n"} | files).items():
        (info / name).write_text(text)
    monkeypatch.syspath_prepend(str(site))


def test_nobody_contests_our_names_here() -> None:
    assert contested_names() == []


def test_the_picture_that_rekognition_is_asked_about_is_one_pixel() -> None:
    with Image.open(io.BytesIO(ONE_PIXEL), formats=("PNG",)) as image:
        image.load()
        assert image.size == (1, 1)


def deny(resource: object, **changes: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Principal": "*", "Resource": resource, "Condition": HIDDEN} | changes


@pytest.mark.parametrize(
    ("statements", "keys"),
    [
        ([], []),
        (deny("arn:aws:s3:::b/avatars/*"), ["avatars/*"]),
        ([deny(["arn:aws:s3:::b/avatars/*", "arn:aws:s3:::b/covers/*"])], ["avatars/*", "covers/*"]),
        ([deny("arn:aws-cn:s3:::b/users/*/face/*")], ["users/*/face/*"]),
        ([deny("arn:aws:s3:::b/*")], ["*"]),
        ([deny("arn:aws:s3:::b/avatars/*", Effect="Allow")], []),
        ([deny("arn:aws:s3:::b/*", Condition={"StringEquals": {"s3:ExistingObjectTag/moderation": "blocked"}})], []),
        ([{"Effect": "Deny", "Resource": "arn:aws:s3:::b/avatars/*"}], []),
    ],
    ids=["none", "one alone", "two in one", "another partition", "everything", "an allow", "blocked", "unconditional"],
)
def test_the_keys_that_show_only_what_is_allowed_are_read_from_the_bucket_policy(
    statements: object, keys: list[str]
) -> None:
    assert hidden_keys({"Statement": statements}, "b") == set(keys)


def test_each_bucket_hides_the_before_surfaces_that_are_about_it() -> None:
    policy = with_surfaces(
        'faces: {bucket: [faces, more], prefix: "", visibility: before, hold: withhold}',
        "portraits: {bucket: uploads, pattern: users/**/face/**, visibility: before, hold: withhold}",
    )
    wanted = {bucket: to_be_hidden(policy.surfaces, bucket) for bucket in ("uploads", "faces", "other")}
    assert wanted == {
        "uploads": {"avatars/*", "users/*/face/*"},
        "faces": {"avatars/*", "*"},
        "other": {"avatars/*"},
    }


def allow(action: object, principal: object = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}


@pytest.mark.parametrize(
    ("statement", "readers"),
    [
        (allow("s3:GetObject"), []),
        (allow("s3:GetObject", {"Service": "cloudfront.amazonaws.com"}), []),
        (allow(["s3:GetObject", "s3:GetObjectVersion"], {"Service": "cloudfront.amazonaws.com"}), ["statement 1"]),
        (allow("s3:getobject*", {"AWS": "*"}) | {"Sid": "Wide"}, ["Wide"]),
        (allow("s3:*"), ["statement 1"]),
        ({"Effect": "Allow", "Principal": "*", "NotAction": "s3:PutObject", "Resource": "*"}, ["statement 1"]),
        (allow("s3:*", {"AWS": "arn:aws:iam::123456789012:role/app"}), []),
        (allow("s3:*") | {"Effect": "Deny"}, []),
    ],
)
def test_whoever_of_the_public_may_read_older_versions_is_named(statement: dict[str, Any], readers: list[str]) -> None:
    assert readers_of_versions({"Statement": [statement]}) == readers


def desk_with(*first_looks: str) -> Any:
    surfaces = [SimpleNamespace(name=f"surface{n}", first_look=look) for n, look in enumerate(first_looks)]
    return SimpleNamespace(policy=SimpleNamespace(surfaces=surfaces))


def test_a_first_look_at_frames_without_the_extra_names_the_surface_and_the_extra() -> None:
    with pytest.raises(Sick, match=r"surface1 needs the extra: pip install 'modfleet\[frames\]'"):
        first_looks(desk_with("none", "frames"), find=lambda _: None)


def test_a_first_look_at_thumbnails_needs_no_extra() -> None:
    assert first_looks(desk_with("none", "thumbnail"), find=lambda _: None) == "at the first frames: nowhere"
    assert first_looks(desk_with("frames"), find=lambda _: "there") == "at the first frames: surface0"


class TestTheAuditLog:
    """It can be cut by whoever may delete objects, unless its bucket is locked."""

    @pytest.fixture
    def desk(self, moto_aws: Aws, settings: Settings) -> Any:
        moto_aws.s3.create_bucket(Bucket=settings.audit_bucket, ObjectLockEnabledForBucket=True)
        return SimpleNamespace(aws=moto_aws, settings=settings)

    def test_a_bucket_without_a_lock_is_told_of(self, desk: Any) -> None:
        desk.aws.s3.create_bucket(Bucket="plain-example")
        desk.settings = desk.settings.model_copy(update={"audit_bucket": "plain-example"})
        with pytest.raises(Sick, match="plain-example has no Object Lock"):
            audit_lock(desk)

    def test_so_is_a_lock_that_holds_nothing_by_itself(self, desk: Any) -> None:
        with pytest.raises(Sick, match="no default retention"):
            audit_lock(desk)

    @pytest.mark.parametrize(("span", "days"), [({"Days": 730}, 730), ({"Years": 2}, 730)])
    def test_a_lock_is_told_with_its_mode_and_days(self, desk: Any, span: dict[str, int], days: int) -> None:
        rule = {"DefaultRetention": {"Mode": "COMPLIANCE", **span}}
        lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        desk.aws.s3.put_object_lock_configuration(Bucket=desk.settings.audit_bucket, ObjectLockConfiguration=lock)
        assert audit_lock(desk) == f"compliance, {days} days"
