"""A survey counts all that a source has, and what it says of a sample is true of the whole."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.desk import Desk
from tasks.detect.kind import Kind
from tasks.item import Item
from tasks.record.standing import Standing, Status
from tasks.rescan.classify import Way, classify
from tasks.rescan.sample import Counted, draw, planned, survey, thin
from tasks.rescan.subject import Partition, Subject
from worker.heartbeat import Heartbeat, LaneBeat, publish
from worker.rescan import serving

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
OTHER = "sha256:000000000000"


@pytest.fixture
def desk(desk_at: Callable[..., Desk]) -> Desk:
    return desk_at(lambda: NOON)


@dataclass(frozen=True, slots=True)
class Given:
    """A source of these subjects, a part for each list."""

    parts: tuple[tuple[Subject, ...], ...]
    name: str = "given"

    @property
    def spec(self) -> dict[str, Any]:
        return {}

    def requests(self, items: int) -> dict[str, float]:
        return {"s3.ListObjectsV2": items / 1_000}

    def partitions(self) -> Iterator[Partition]:
        yield from (Partition(id=f"{n:04d}", spec={"n": n}) for n in range(len(self.parts)))

    def read(self, partition: Partition, *, after: str = "") -> Iterator[tuple[Subject, str]]:  # noqa: ARG002
        yield from ((subject, subject.key) for subject in self.parts[partition.spec["n"]])


def decided(desk: Desk, name: str, **more: object) -> Subject:
    """A picture on record, as it was allowed under this policy."""
    item = Item(
        bucket="uploads-example", key=f"feed/{name}.jpg", version_id=f"v-{name}", etag=f"e-{name}", size=7,
        sequencer="", event_time=NOON,
    )  # fmt: skip
    said = {
        "status": Status.ALLOWED,
        "surface": "feed",
        "kind": Kind.IMAGE,
        "tier": 0,
        "policy_version": desk.policy.version,
        "detectors": {"rekognition-image": "7.0"},
        "decided_at": NOON,
        "units": {"rekognition.DetectModerationLabels": 1.0},
    } | more
    desk.state.decide(Standing(item=said.pop("item", item), **said))  # type: ignore[arg-type]
    return Subject(bucket=item.bucket, key=item.key, version_id=item.version_id, etag=item.etag, size=7)


def test_every_subject_is_sorted_by_what_is_on_record_of_its_version(desk: Desk) -> None:
    overruled = {"event": "overruled", "at": NOON.isoformat(), "by": "ann", "tier": 3, "rules": []}
    masked = {"redact": {"version_id": "v-mask", "etag": "e-mask", "at": NOON.isoformat()}}
    same = decided(desk, "same")
    subjects = {
        same: (Way.SKIP, "unchanged"),
        replace(same, version_id="v-newer"): (Way.DETECT, "never-seen"),
        replace(same, version_id=None): (Way.SKIP, "unchanged"),
        replace(same, version_id=None, etag="e-other"): (Way.DETECT, "never-seen"),
        Subject(bucket=same.bucket, key=same.key): (Way.UNKNOWN, "version-unknown"),
        decided(desk, "older", policy_version=OTHER): (Way.REDECIDE, "policy"),
        decided(desk, "unlooked", detectors={}): (Way.DETECT, "detector:rekognition-image"),
        decided(desk, "ruled", history=(overruled,), policy_version=OTHER): (Way.RULED, "ruled"),
        decided(desk, "acting", status=Status.PENDING): (Way.SKIP, "in-progress"),
        replace(
            decided(desk, "masked", receipts=masked, plan=("redact",), status=Status.REDACTED, policy_version=OTHER),
            version_id="v-mask",
            etag="e-mask",
        ): (Way.REDECIDE, "policy"),
        Subject(bucket=same.bucket, key="feed/new.jpg", version_id="v", etag="e", size=1): (Way.DETECT, "never-seen"),
    }
    # More than one call takes, and some of them twice.
    asked = [*subjects, *(replace(same, key=f"feed/{n}.jpg") for n in range(150)), same]
    found = classify(desk, asked)
    assert [one.subject for one in found] == asked
    assert {one.subject: (one.way, one.why) for one in found[: len(subjects)]} == subjects
    assert {one.why for one in found[len(subjects) : -1]} == {"never-seen"}
    assert found[-1].standing == found[0].standing


def test_a_small_source_is_planned_to_the_last_object(desk: Desk) -> None:
    known = tuple(decided(desk, f"k{n}", policy_version=OTHER if n % 2 else desk.policy.version) for n in range(8))
    new = tuple(
        Subject(bucket="uploads-example", key=f"feed/{n}.jpg", version_id="v", etag="e", size=9) for n in range(5)
    )
    told: list[int] = []
    plan = planned(desk, Given((known, new, ())), on_progress=told.append)
    assert plan.exact
    assert {way: each.expected for way, each in plan.ways.items() if each.expected} == {
        "skip": 4,
        "redecide": 4,
        "detect": 5,
    }
    assert plan.kinds == {"image": 13}
    assert plan.bytes == 8 * 7 + 5 * 9
    assert told[-1] == 13


def test_a_key_without_a_version_is_planned_by_what_is_there_now(desk: Desk) -> None:
    desk.aws.s3.create_bucket(Bucket="uploads-example")
    desk.aws.s3.put_bucket_versioning(Bucket="uploads-example", VersioningConfiguration={"Status": "Enabled"})
    made = desk.aws.s3.put_object(Bucket="uploads-example", Key="feed/known.jpg", Body=b"x")
    desk.aws.s3.put_object(Bucket="uploads-example", Key="feed/new.jpg", Body=b"x")
    item = Item(
        bucket="uploads-example", key="feed/known.jpg", version_id=made["VersionId"], etag="e", size=1,
        sequencer="", event_time=NOON,
    )  # fmt: skip
    decided(desk, "known", item=item)
    names = [
        *(("uploads-example", f"feed/{name}.jpg") for name in ("known", "new", "gone")),
        ("elsewhere", "feed/a.jpg"),
    ]
    plan = planned(desk, Given((tuple(Subject(bucket=bucket, key=key) for bucket, key in names),)))
    assert {why: each.expected for why, each in plan.whys.items()} == {
        "unchanged": 1,
        "never-seen": 1,
        "gone": 1,
        "not an uploads bucket": 1,
    }


def test_a_sample_of_a_large_source_says_what_is_true_of_the_whole(desk: Desk) -> None:
    known = tuple(decided(desk, f"k{n}") for n in range(20))
    new = Subject(bucket="uploads-example", key="feed/new.jpg", version_id="v", etag="e", size=9)
    # Of 6,000 in three parts, 1,000 are on record: each of twenty, fifty times.
    parts = (known * 50, *([tuple(replace(new, key=f"feed/{part}-{n}.jpg") for n in range(2_500)) for part in "ab"]))
    found = survey(desk, Given(parts), most=300, seed=3)
    assert found.items == 6_000
    assert 300 <= found.asked <= 305
    skipped = found.in_way(Way.SKIP)
    # Parts that are all alike are known exactly, but for what was not seen.
    assert skipped.expected == pytest.approx(1_000)
    assert skipped.low <= 1_000 <= skipped.high
    assert found.reading == {"s3.ListObjectsV2": 6}
    assert found.seen[Kind.IMAGE].count == 50


def test_a_plan_is_made_for_the_workers_that_serve_the_lane(desk: Desk) -> None:
    def beat(worker: str, lane: str, *, ago: float = 0.0) -> Heartbeat:
        at = NOON.timestamp() - ago
        return Heartbeat(worker=worker, at=at, started_at=at, seconds=5.0, lanes={lane: LaneBeat()})

    assert serving(desk) == 0
    for each in (beat("a", "rescan"), beat("b", "rescan"), beat("c", "uploads"), beat("lost", "rescan", ago=60.0)):
        publish(desk.aws, desk.settings.items_table, each)
    assert serving(desk) == 2


def test_every_subject_is_as_likely_as_any_other_to_be_drawn() -> None:
    drawn = Counter[int]()
    for seed in range(3_000):
        places = [-1] * 5
        for number, at in draw(5, random.Random(seed)):
            if number >= 50:
                break
            places[at] = number
        drawn.update(places)
    # 300 each; four standard deviations of a binomial number.
    assert set(drawn) == set(range(50))
    assert all(abs(count - 300) < 4 * (3_000 * 0.1 * 0.9) ** 0.5 for count in drawn.values())


def test_samples_are_thinned_to_the_shares_of_their_parts() -> None:
    subject = Subject(bucket="b", key="k")
    parts = [Counted(str(size), size=size, sample=[subject] * min(size, 100)) for size in (9_000, 1_000, 3)]
    thin(parts, most=100, seed=0)
    assert [len(part.sample) for part in parts] == [90, 10, 3]
    thin(parts, most=1_000, seed=0)
    assert [len(part.sample) for part in parts] == [90, 10, 3]
