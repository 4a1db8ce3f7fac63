"""Doctor: what it reads from answers, without an AWS to ask; tests/contract/test_cli.py asks one."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from worker.doctor import NAMES, ONE_PIXEL, Sick, _guarded_prefixes, contested_names, first_looks

HIDDEN: dict[str, Any] = {"StringNotEquals": {"s3:ExistingObjectTag/moderation": "allowed"}}


@pytest.mark.parametrize("name", NAMES)
def test_another_distribution_with_one_of_our_names_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "intruder-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: intruder\nVersion: 1.0\n")
    (info / "top_level.txt").write_text(f"{name}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert contested_names() == [f"{name} (intruder)"]


def test_nobody_contests_our_names_here() -> None:
    assert contested_names() == []


def test_the_picture_that_rekognition_is_asked_about_is_one_pixel() -> None:
    with Image.open(io.BytesIO(ONE_PIXEL), formats=("PNG",)) as image:
        image.load()
        assert image.size == (1, 1)


def deny(resource: object, **changes: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Principal": "*", "Resource": resource, "Condition": HIDDEN} | changes


@pytest.mark.parametrize(
    ("statements", "prefixes"),
    [
        ([], []),
        (deny("arn:aws:s3:::b/avatars/*"), ["avatars/"]),
        ([deny(["arn:aws:s3:::b/avatars/*", "arn:aws:s3:::b/covers/*"])], ["avatars/", "covers/"]),
        ([deny("arn:aws-cn:s3:::b/avatars/*")], ["avatars/"]),
        ([deny("arn:aws:s3:::b/*")], [""]),
        ([deny("arn:aws:s3:::b/avatars/*", Effect="Allow")], []),
        ([deny("arn:aws:s3:::b/*", Condition={"StringEquals": {"s3:ExistingObjectTag/moderation": "blocked"}})], []),
        ([{"Effect": "Deny", "Resource": "arn:aws:s3:::b/avatars/*"}], []),
    ],
    ids=["none", "one alone", "two in one", "another partition", "everything", "an allow", "blocked", "unconditional"],
)
def test_the_prefixes_that_show_only_what_is_allowed_are_read_from_the_bucket_policy(
    statements: object, prefixes: list[str]
) -> None:
    assert list(_guarded_prefixes({"Statement": statements}, "b")) == prefixes


def desk_with(*first_looks: str) -> Any:
    surfaces = [SimpleNamespace(name=f"surface{n}", first_look=look) for n, look in enumerate(first_looks)]
    return SimpleNamespace(policy=SimpleNamespace(surfaces=surfaces))


def test_a_first_look_at_frames_without_the_extra_names_the_surface_and_the_extra() -> None:
    with pytest.raises(Sick, match=r"surface1 needs the extra: pip install 'modfleet\[frames\]'"):
        first_looks(desk_with("none", "frames"), find=lambda _: None)


def test_a_first_look_at_thumbnails_needs_no_extra() -> None:
    assert first_looks(desk_with("none", "thumbnail"), find=lambda _: None) == "at the first frames: nowhere"
    assert first_looks(desk_with("frames"), find=lambda _: "there") == "at the first frames: surface0"
