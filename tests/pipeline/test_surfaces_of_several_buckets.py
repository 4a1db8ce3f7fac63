"""Uploads to several buckets: each is judged by its own bucket's surface, and any other bucket's is parked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fleet import Fleet, Put
from interrupted import Watch, forgetful, watched

from tasks.decide.policy import Policy
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Parked

Picture = Callable[..., bytes]


def with_bucket(policy: Policy, bucket: str) -> Policy:
    """The policy with a surface of one bucket, on which nothing shows before it is allowed."""
    avatars = next(one for one in policy.surfaces if one.name == "avatars")
    return replace(policy, surfaces=(replace(avatars, name="faces", prefix="", buckets=(bucket,)), *policy.surfaces))


@pytest.fixture(scope="module")
def faces(unserved: Fleet) -> str:
    """A second uploads bucket."""
    return unserved.plain_bucket(versioning=("Enabled",))


@pytest.fixture
def desk(unserved: Fleet, faces: str) -> Desk:
    settings = unserved.settings.model_copy(update={"more_uploads_buckets": (faces,)})
    return forgetful(replace(unserved.desk, settings=settings, policy=with_bucket(unserved.desk.policy, faces)))


def test_each_bucket_has_its_own_surface_and_is_neither_purged_nor_verified_where_nothing_is_set(
    desk: Desk, faces: str, unserved: Fleet, unique: str, picture: Picture
) -> None:
    def end(put: Put) -> tuple[object, str, tuple[str, ...], list[str]]:
        watch = Watch()
        outcome = handle(watched(desk, watch), unserved.event_of(put), attempt=1)
        standing = unserved.standing(put)
        assert standing is not None
        return outcome, standing.surface, standing.plan, watch.calls

    outcome, surface, plan, _ = end(unserved.put(f"feed/{unique}", picture(), bucket=faces))
    assert (outcome, surface, plan) == (Done("allowed"), "faces", ("show",))
    outcome, surface, plan, _ = end(unserved.put(f"feed/{unique}", picture()))
    assert (outcome, surface, plan) == (Done("allowed"), "feed", ())
    bad = unserved.put(f"feed/{unique}/bad", picture(labels={"Weapons": 97.5}), bucket=faces)
    outcome, surface, plan, calls = end(bad)
    assert (outcome, surface) == (Done("rejected"), "faces")
    assert not {"purge", "verify"} & set(plan)
    assert "create_invalidation" not in calls
    assert unserved.current(bad) is None


def test_an_event_of_a_bucket_that_is_not_set_is_parked(desk: Desk, faces: str, unserved: Fleet, unique: str) -> None:
    event = unserved.event_of(unserved.put(f"feed/{unique}", b"hello", bucket=faces))
    assert isinstance(handle(unserved.desk, event, attempt=1), Parked)
    assert handle(desk, event, attempt=1) == Done("allowed")
