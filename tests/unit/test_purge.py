"""What CloudFront is told to forget: which paths, of which distribution, and how many in one call."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from config.settings import Settings
from tasks.act.edge import Edge, edge_of
from tasks.act.purge import forget, paths_of
from tasks.act.tag import distrust
from tasks.aws.calls import STORE
from tasks.aws.faults import Permanent, Transient
from tasks.aws.invalidations import MOST_PATHS, Invalidations
from tasks.aws.session import Aws
from tasks.desk import Desk
from tasks.item import Item
from tests.unit.test_places import with_surfaces

ITEM = Item(
    bucket="uploads-example",
    key="avatars/a.png",
    version_id="v1",
    etag="e",
    size=1,
    sequencer="",
    event_time=datetime(2026, 1, 1, tzinfo=UTC),
)


class CloudFront:
    """Takes invalidations, each once `gate` is open."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.asked = threading.Semaphore(0)
        self.gate = threading.Event()
        self.fails: dict[str, type[Exception]] = {}

    def create_invalidation(self, **params: Any) -> dict[str, Any]:
        self.asked.release()
        assert self.gate.wait(10)
        paths = params["InvalidationBatch"]["Paths"]["Items"]
        for path in paths:
            if path in self.fails:
                raise self.fails[path]
        self.taken.append(params)
        return {"Invalidation": {"Id": f"I{len(self.taken)}"}}

    @property
    def paths(self) -> list[list[str]]:
        return [params["InvalidationBatch"]["Paths"]["Items"] for params in self.taken]


@pytest.fixture
def cloudfront() -> CloudFront:
    return CloudFront()


@pytest.fixture
def aws(cloudfront: CloudFront) -> Aws:
    return cast("Aws", SimpleNamespace(cloudfront=cloudfront, store=STORE.instantly()))


@contextmanager
def at_once(cloudfront: CloudFront) -> Iterator[ThreadPoolExecutor]:
    """Threads, the first of which is in the middle of a call as long as this goes on."""
    with ThreadPoolExecutor(40) as threads:
        yield threads
        cloudfront.gate.set()


def wait_for(purges: Invalidations, number: int) -> None:
    """Until so many wait for the call that is under way."""
    deadline = time.monotonic() + 10
    while len(purges.waiting("D")) < number:
        assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("key", "paths"),
    [
        ("feed/a.png", ("/feed/a.png",)),
        ("a b/ü.png", ("/a%20b/%C3%BC.png",)),
        ("a~b", ("/a%7Eb",)),
        ("a*", ("/a%2A",)),
        ("a?b#c%d", ("/a%3Fb%23c%25d",)),
        ("a+(b)@c.png", ("/a+(b)@c.png", "/a%2B%28b%29%40c.png")),
    ],
)
def test_a_path_is_as_cloudfront_wants_it_and_as_viewers_may_ask_for_it(key: str, paths: tuple[str, ...]) -> None:
    assert paths_of(key) == paths


def test_a_lone_purge_waits_for_nobody_and_is_named_by_what_it_is_about(aws: Aws, cloudfront: CloudFront) -> None:
    cloudfront.gate.set()
    for _ in range(2):
        Invalidations().send(aws, "D", ["/a"], reference="r")
    Invalidations().send(aws, "D", ["/b"], reference="r")
    one, same, other = [params["InvalidationBatch"]["CallerReference"] for params in cloudfront.taken]
    assert one == same != other
    assert one.startswith("r-")


def test_what_comes_while_a_call_is_under_way_goes_together_in_the_next(aws: Aws, cloudfront: CloudFront) -> None:
    purges = Invalidations()
    with at_once(cloudfront) as threads:
        first = threads.submit(purges.send, aws, "D", ["/first"], reference="first")
        assert cloudfront.asked.acquire(timeout=10)
        rest = [threads.submit(purges.send, aws, "D", [f"/{n}"], reference=f"{n}") for n in range(30)]
        wait_for(purges, 30)
    assert first.result() == ["I1"]
    assert {tuple(one.result()) for one in rest} == {("I2",)}
    assert [len(paths) for paths in cloudfront.paths] == [1, 30]
    assert not purges.waiting("D")


def test_a_path_that_is_refused_fails_its_own_purge_and_no_other(aws: Aws, cloudfront: CloudFront) -> None:
    purges, cloudfront.fails = Invalidations(), {"/bad": Permanent}
    with at_once(cloudfront) as threads:
        threads.submit(purges.send, aws, "D", ["/first"], reference="first")
        assert cloudfront.asked.acquire(timeout=10)
        good = threads.submit(purges.send, aws, "D", ["/good"], reference="good")
        bad = threads.submit(purges.send, aws, "D", ["/bad"], reference="bad")
        wait_for(purges, 2)
    assert good.result()
    with pytest.raises(Permanent):
        bad.result()


def test_a_call_that_may_succeed_later_fails_all_who_wait_for_it_and_the_next_is_made(
    aws: Aws, cloudfront: CloudFront
) -> None:
    purges, cloudfront.fails = Invalidations(), {"/a": Transient}
    cloudfront.gate.set()
    with pytest.raises(Transient):
        purges.send(aws, "D", ["/a"], reference="a")
    assert purges.send(aws, "D", ["/b"], reference="b") == ["I1"]


def test_those_who_joined_a_leader_that_died_go_on_by_themselves(aws: Aws, cloudfront: CloudFront) -> None:
    class Crash(BaseException):
        pass

    purges, cloudfront.fails = Invalidations(), {"/dies": Crash}  # type: ignore[dict-item]
    with at_once(cloudfront) as threads:
        threads.submit(purges.send, aws, "D", ["/first"], reference="first")
        assert cloudfront.asked.acquire(timeout=10)
        dies = threads.submit(purges.send, aws, "D", ["/dies"], reference="dies")
        wait_for(purges, 1)
        rest = [threads.submit(purges.send, aws, "D", [f"/{n}"], reference=f"{n}") for n in range(5)]
        wait_for(purges, 6)
    assert isinstance(dies.exception(), Crash)
    assert {tuple(one.result(timeout=10)) for one in rest} == {("I2",)}


def test_more_paths_than_fit_into_a_call_are_several_calls(aws: Aws, cloudfront: CloudFront) -> None:
    cloudfront.gate.set()
    ids = Invalidations().send(aws, "D", [f"/{n}" for n in range(MOST_PATHS + 1)], reference="r")
    assert ids == ["I1", "I2"]
    assert [len(paths) for paths in cloudfront.paths] == [MOST_PATHS, 1]
    assert len({params["InvalidationBatch"]["CallerReference"] for params in cloudfront.taken}) == 2


class S3:
    """One object's tags and metadata."""

    def __init__(self, **tags: str) -> None:
        self.tags, self.puts, self.metadata = tags, [], {}  # type: ignore[var-annotated]

    def head_object(self, **_: object) -> dict[str, Any]:
        return {"Metadata": self.metadata}

    def get_object_tagging(self, **_: object) -> dict[str, Any]:
        return {"TagSet": [{"Key": name, "Value": said} for name, said in self.tags.items()]}

    def put_object_tagging(self, **params: Any) -> dict[str, Any]:
        self.tags = {tag["Key"]: tag["Value"] for tag in params["Tagging"]["TagSet"]}
        self.puts.append(dict(self.tags))
        return {}


def desk_with(settings: Settings, cloudfront: CloudFront, s3: S3 | None = None, **said: object) -> Desk:
    policy = with_surfaces(
        "banners: {prefix: banners/, visibility: after, hold: flag}",
        'faces: {bucket: faces, prefix: "", visibility: after, hold: flag}',
    )
    made = Settings.model_validate(settings.model_dump() | {"more_uploads_buckets": "faces, logos"} | said)
    aws = SimpleNamespace(cloudfront=cloudfront, s3=s3, store=STORE.instantly())
    cloudfront.gate.set()
    desk = SimpleNamespace(aws=aws, settings=made, policy=policy, invalidations=Invalidations())
    return cast("Desk", desk)


def test_each_item_is_purged_where_it_is_served(settings: Settings, cloudfront: CloudFront) -> None:
    more = {"distributions": '{"banners": "DB", "logos": "DL"}', "public_urls": {"logos": "https://l.example/"}}
    desk = desk_with(settings, cloudfront, distribution_id="D", public_url="https://u.example", **more)
    items = {
        ("uploads-example", "x"): Edge("D", "https://u.example"),
        ("uploads-example", "banners/x"): Edge("DB", "https://u.example"),
        ("faces", "x"): Edge(None, None),
        ("logos", "x"): Edge("DL", "https://l.example"),
        ("logos", "banners/x"): Edge("DB", "https://l.example"),
    }
    each = tuple(replace(ITEM, bucket=bucket, key=key) for bucket, key in items)
    assert [edge_of(desk, item) for item in each] == list(items.values())
    assert forget(desk, each, "r") == {"invalidation": "I1,I2,I3"}
    purged = {params["DistributionId"]: params["InvalidationBatch"]["Paths"]["Items"] for params in cloudfront.taken}
    assert purged == {"D": ["/x"], "DB": ["/banners/x"], "DL": ["/x"]}


def test_the_cache_tags_that_an_object_names_are_purged_too(settings: Settings, cloudfront: CloudFront) -> None:
    s3 = S3()
    s3.metadata = {"cache-tag": "item-7, two words,#x, user-9"}
    forget(desk_with(settings, cloudfront, s3, distribution_id="D", cache_tag="cache-tag"), (ITEM,), "r")
    forget(desk_with(settings, cloudfront, s3, distribution_id="D"), (ITEM,), "r")
    assert cloudfront.paths == [["#item-7", "#user-9", "/avatars/a.png"], ["/avatars/a.png"]]


def test_what_an_uploads_own_verdict_let_be_seen_is_hidden_then_forgotten_and_then_untagged(
    settings: Settings, cloudfront: CloudFront
) -> None:
    s3 = S3(moderation="allowed", album="9")
    assert distrust(desk_with(settings, cloudfront, s3, distribution_id="D"), ITEM)
    assert cloudfront.paths == [["/avatars/a.png"]]
    assert s3.puts == [{"album": "9", "moderation": "blocked"}, {"album": "9"}]


def test_a_run_that_dies_before_the_cdn_forgets_leaves_the_tag_to_the_next(
    settings: Settings, cloudfront: CloudFront
) -> None:
    s3, cloudfront.fails = S3(moderation="allowed"), {"/avatars/a.png": Permanent}
    desk = desk_with(settings, cloudfront, s3, distribution_id="D")
    with pytest.raises(Permanent):
        distrust(desk, ITEM)
    cloudfront.fails = {}
    assert distrust(desk, ITEM)
    assert cloudfront.paths == [["/avatars/a.png"]]
    assert s3.tags == {}


def test_a_verdict_that_let_nothing_more_be_seen_costs_no_purge(settings: Settings, cloudfront: CloudFront) -> None:
    s3 = S3(moderation="allowed")
    assert distrust(desk_with(settings, cloudfront, s3, distribution_id="D"), replace(ITEM, key="feed/a.png"))
    assert (cloudfront.paths, s3.puts) == ([], [{}])
