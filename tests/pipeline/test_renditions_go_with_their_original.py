"""Thumbnails and the like are taken down with their original, come back with it, and are known when they come late."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from fleet import Fleet, Put
from interrupted import DETECTORS, Crash, Watch, at_call, forgetful, later, on_bucket, watched

from tasks.decide.policy import Policy
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Parked, Retry, Skipped
from tasks.record.standing import Standing
from tasks.restore import restore

RENDITIONS = ("thumbs/{dir}{stem}_*.png", "{dir}{stem}.preview")
WEAPON = {"labels": {"Weapons": 97.5}}
WHO = {"by": "alex", "why": "an appeal was right"}

Picture = Callable[..., bytes]


def with_renditions(policy: Policy, **more: object) -> Policy:
    """The policy whose feed says where the application puts its thumbnails."""
    return replace(
        policy,
        surfaces=tuple(
            replace(one, renditions=RENDITIONS, **more) if one.name == "feed" else one  # type: ignore[arg-type]
            for one in policy.surfaces
        ),
    )


@dataclass(frozen=True)
class Scene:
    """A violating picture with its renditions, and neighbours that are none."""

    fleet: Fleet
    desk: Desk
    unique: str
    original: Put
    thumbs: tuple[Put, ...]
    neighbours: tuple[Put, ...]

    def put(self, key: str, body: bytes) -> Put:
        return self.fleet.put(key, body, bucket=self.original.bucket)

    def handle(self, put: Put, *, attempt: int = 1, desk: Desk | None = None) -> object:
        return handle(desk or self.desk, self.fleet.event_of(put), attempt=attempt)

    def recorded(self) -> Standing:
        found = self.fleet.standing(self.original)
        assert found is not None
        return found

    def bytes_of(self, *puts: Put) -> list[bytes | None]:
        return [self.fleet.current(put) for put in puts]


@pytest.fixture(scope="module")
def plain_bucket(unserved: Fleet) -> str:
    return unserved.plain_bucket()


@pytest.fixture(params=["versioned", "unversioned"])
def scene(request: pytest.FixtureRequest, unserved: Fleet, plain_bucket: str, unique: str, picture: Picture) -> Scene:
    desk = forgetful(unserved.desk)
    if request.param == "unversioned":
        desk = forgetful(on_bucket(unserved, plain_bucket))
        desk = replace(desk, settings=desk.settings.model_copy(update={"public_url": None}))
    desk = replace(desk, policy=with_renditions(desk.policy))
    bucket = desk.settings.uploads_bucket

    def put(key: str) -> Put:
        return unserved.put(key, key.encode(), bucket=bucket)

    return Scene(
        fleet=unserved,
        desk=desk,
        unique=unique,
        original=unserved.put(f"{unique}/cat.png", picture(**WEAPON), bucket=bucket, uploader="u-1"),
        thumbs=tuple(
            put(key) for key in (f"thumbs/{unique}/cat_64.png", f"thumbs/{unique}/cat_~!.png", f"{unique}/cat.preview")
        ),
        neighbours=tuple(put(f"thumbs/{unique}/{name}") for name in ("cat_64.jpg", "cats_64.png", "cat_/64.png")),
    )


def test_they_are_taken_down_with_it_and_nothing_else_is_and_all_come_back(scene: Scene) -> None:
    assert scene.handle(scene.original) == Done("rejected")
    assert scene.bytes_of(scene.original, *scene.thumbs) == [None] * 4
    assert scene.bytes_of(*scene.neighbours) == [put.body for put in scene.neighbours]
    receipts = scene.recorded().receipts
    assert receipts["take_renditions"]["became"] == {put.key: "removed" for put in scene.thumbs}
    before = {put.key: set(scene.fleet.versions_of(put.key)) for put in scene.thumbs}
    assert restore(scene.desk, scene.recorded(), **WHO) == Done("restored")
    assert scene.bytes_of(scene.original, *scene.thumbs)[1:] == [put.body for put in scene.thumbs]
    assert [scene.fleet.tags(put) for put in scene.thumbs] == [{"moderation": "allowed"}] * 3
    watch = Watch()
    for put in scene.thumbs:
        back = replace(put, version=scene.fleet.newest_of(put.key, besides=before[put.key]))
        assert scene.handle(back, desk=watched(scene.desk, watch)) == Skipped("already restored")
    assert not DETECTORS & set(watch.calls)


def test_one_that_comes_late_is_taken_down_without_a_look_a_notice_or_a_strike(scene: Scene) -> None:
    assert scene.handle(scene.original) == Done("rejected")
    late = scene.put(f"thumbs/{scene.unique}/cat_512.png", b"late")
    watch = Watch()
    assert scene.handle(late, desk=watched(scene.desk, watch)) == Done("rejected")
    assert not DETECTORS & set(watch.calls)
    standing = scene.fleet.standing(late)
    assert standing is not None
    assert standing.rules == ("rendition/rejected",)
    assert not {"notify", "strike"} & set(standing.plan)
    assert scene.fleet.current(late) is None
    restore(scene.desk, scene.recorded(), **WHO)
    again = scene.put(f"thumbs/{scene.unique}/cat_513.png", b"of what a person found fine")
    assert scene.handle(again) == Done("allowed")


def test_a_key_that_is_no_renditions_costs_no_call(scene: Scene, picture: Picture) -> None:
    plain, watch, before = scene.put(f"{scene.unique}/dog.png", picture()), Watch(), Watch()
    without = replace(scene.desk, policy=replace(scene.desk.policy, surfaces=scene.fleet.desk.policy.surfaces))
    assert scene.handle(plain, desk=watched(scene.desk, watch)) == Done("allowed")
    other = scene.put(f"{scene.unique}/fox.png", picture())
    assert scene.handle(other, desk=watched(without, before)) == Done("allowed")
    assert sorted(watch.calls) == sorted(before.calls)


def test_a_crash_after_any_write_ends_with_all_of_them_down_and_on_record(scene: Scene) -> None:
    died = 0
    for at in range(60):
        watch = Watch(at=at, after=True)
        try:
            outcome = scene.handle(
                scene.original, attempt=at + 1, desk=watched(later(scene.desk, seconds=61 * at), watch)
            )
        except Crash:
            died += 1
            continue
        if isinstance(outcome, Skipped):
            break
        assert isinstance(outcome, Done | Retry)
    assert died > 10
    assert scene.bytes_of(scene.original, *scene.thumbs) == [None] * 4
    assert set(scene.recorded().receipts["take_renditions"]["became"].values()) == {"removed"}


def test_those_of_a_newer_upload_of_the_same_name_are_left_to_their_own_events(scene: Scene, picture: Picture) -> None:
    newer: list[Put] = []

    def upload() -> None:
        newer.append(scene.put(scene.original.key, picture()))
        newer.append(scene.put(scene.thumbs[0].key, b"of the newer"))

    event = scene.fleet.event_of(scene.original)
    assert handle(watched(scene.desk, at_call("list_objects_v2", upload)), event, attempt=1) == Done("superseded")
    assert scene.bytes_of(*newer) == [newer[0].body, b"of the newer"]
    assert scene.handle(newer[1]) == Done("allowed")


def test_what_is_hidden_until_a_person_rules_is_hidden_with_its_renditions(
    unserved: Fleet, unique: str, picture: Picture
) -> None:
    desk = replace(unserved.desk, policy=with_renditions(unserved.desk.policy, hold="withhold"))
    original = unserved.put(f"{unique}/gun.png", picture(labels={"Weapons": 70.0}))
    thumb = unserved.put(f"thumbs/{unique}/gun_64.png", b"small")
    assert handle(desk, unserved.event_of(original), attempt=1) == Done("held")
    assert unserved.tags(thumb) == {"moderation": "blocked"}
    assert unserved.public(thumb.key)[0] == 403


def test_a_pattern_that_fits_far_too_much_takes_its_limit_down_and_then_calls_an_engineer(
    unserved: Fleet, unique: str, picture: Picture
) -> None:
    few = unserved.settings.model_copy(update={"renditions": 2})
    desk = replace(unserved.desk, policy=with_renditions(unserved.desk.policy), settings=few)
    original = unserved.put(f"{unique}/gun.png", picture(**WEAPON))
    thumbs = [unserved.put(f"thumbs/{unique}/gun_{number}.png", b"x") for number in range(3)]
    outcome = handle(desk, unserved.event_of(original), attempt=1)
    assert isinstance(outcome, Parked)
    assert "MODFLEET_RENDITIONS" in outcome.why
    assert [unserved.current(put) for put in (original, *thumbs)] == [None, None, None, b"x"]


def test_they_are_taken_down_though_the_owner_deletes_the_original_first(scene: Scene) -> None:
    def delete() -> None:
        which = {"VersionId": scene.original.version} if "@" not in scene.original.version else {}
        scene.fleet.aws.s3.delete_object(Bucket=scene.original.bucket, Key=scene.original.key, **which)  # type: ignore[arg-type]

    event = scene.fleet.event_of(scene.original)
    assert handle(watched(scene.desk, at_call("get_object_tagging", delete)), event, attempt=1) == Done("gone")
    assert scene.bytes_of(scene.original, *scene.thumbs) == [None] * 4


def test_those_of_a_posts_parts_are_taken_down_with_the_post(unserved: Fleet, unique: str, picture: Picture) -> None:
    desk = replace(forgetful(unserved.desk), policy=with_renditions(unserved.desk.policy))
    part = unserved.put(f"{unique}/fine.png", picture())
    thumb = unserved.put(f"thumbs/{unique}/fine_64.png", b"small")
    manifest = {"modfleet": "post", "text": "zorblat", "media": [part.key]}
    post = unserved.put(f"{unique}/post.json", json.dumps(manifest).encode())
    assert handle(desk, unserved.event_of(part), attempt=1) == Done("allowed")
    assert handle(desk, unserved.event_of(post), attempt=1) == Done("rejected")
    assert [unserved.current(put) for put in (post, part, thumb)] == [None, None, None]
    assert unserved.public(thumb.key)[0] in (403, 404)
