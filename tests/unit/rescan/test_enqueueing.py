"""A rescan's messages, its order, its pace, and what it waits for: each without a cloud."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from config.lanes import LANES
from tasks.desk import Desk
from tasks.intake.message import NotAMessage, read_message
from tasks.rescan.behind import Live, why_behind
from tasks.rescan.chunk import BILLED_BYTES, MOST_TO_DETECT, Chunk, packed, write_chunk
from tasks.rescan.enqueue import Enqueuer, Waits
from tasks.rescan.leases import Partitions
from tasks.rescan.order import ORDERS, band_of, banded, bands, unbanded
from tasks.rescan.pace import Pace
from tasks.rescan.run import Brief
from tasks.rescan.run_rows import Runs
from tasks.rescan.subject import Partition, Subject
from worker.fleet import Depth, view_of
from worker.heartbeat import Heartbeat, LaneBeat
from worker.rescan_enqueue import why_in

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
#: What SQS takes in a message. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
TAKEN = ({0x9, 0xA, 0xD}, range(0x20, 0xD800), range(0xE000, 0xFFFE), range(0x10000, 0x110000))

subjects = some.builds(
    Subject,
    bucket=some.sampled_from(["uploads", "more-uploads"]),
    key=some.text(some.characters(exclude_categories=["Cs"]), min_size=1, max_size=1024),
    version_id=some.none() | some.text("abcXYZ019._-", min_size=1, max_size=1024),
    etag=some.text("0123456789abcdef-", max_size=40),
    size=some.integers(-1, 50 * 10**12),
    modified_at=some.none() | some.integers(1, 4 * 10**9).map(lambda at: datetime.fromtimestamp(at, UTC)),
)


@given(some.lists(subjects, min_size=1, max_size=150), some.booleans())
def test_every_subject_is_in_one_message_that_sqs_takes_and_bills_once(found: list[Subject], redecide: bool) -> None:
    groups = list(packed(found, redecide=redecide))
    assert sorted(map(repr, (each for group in groups for each in group))) == sorted(map(repr, found))
    for group in groups:
        chunk = Chunk(run_id="20261101T120000-abcd", id="0.000123.00045-0000017", subjects=group, redecide=redecide)
        body = write_chunk(chunk)
        assert read_message(body) == chunk
        assert len(body.encode()) <= BILLED_BYTES
        assert all(any(ord(each) in some for some in TAKEN) for each in body)
        assert redecide or len(group) <= MOST_TO_DETECT


def test_as_many_as_fit_go_into_one_message() -> None:
    found = [Subject(bucket="uploads", key=f"photos/{n:06d}.jpg", version_id="v" * 32, size=n) for n in range(2000)]
    first, *_ = groups = list(packed(found, redecide=True))
    assert len(groups) == 3
    body = write_chunk(Chunk(run_id="r" * 20, id="c" * 20, subjects=first, redecide=True))
    assert BILLED_BYTES - 1024 < len(body.encode()) <= BILLED_BYTES


@pytest.mark.parametrize(
    "wrong",
    [
        {"subjects": []},
        {"subjects": [["key", "", "", -2, 0]]},
        {"subjects": [["", "", "", 1, 0]]},
        {"subjects": [["key", "", "", 1]]},
        {"run": "../../etc"},
        {"bucket": ""},
        {"redecide": "perhaps"},
    ],
)
def test_a_message_that_modfleet_did_not_write_is_none(wrong: dict[str, object]) -> None:
    right = {"modfleet": "rescan", "run": "r-1", "chunk": "0-1", "redecide": True, "bucket": "uploads"}
    right |= {"subjects": [["key", "", "", 1, 0]]}
    assert isinstance(read_message(json.dumps(right)), Chunk)
    with pytest.raises(NotAMessage, match="the rescan is not as modfleet writes it"):
        read_message(json.dumps(right | wrong))


@pytest.mark.parametrize(
    ("live", "why"),
    [
        (Live(lane="uploads", waiting=0, rate=0.0, age=None), ""),
        (Live(lane="uploads", waiting=600, rate=10.0, age=60.0), ""),
        (Live(lane="uploads", waiting=601, rate=10.0, age=1.0), "uploads is behind: 601 messages wait, some 60 s"),
        (Live(lane="uploads", waiting=1, rate=0.0, age=None), "no worker takes them"),
        (Live(lane="video", waiting=0, rate=10.0, age=61.0), "video is behind: messages waited 61 s of late"),
        (Live(lane="rulings", waiting=None, rate=10.0, age=1.0), "its queue does not answer"),
    ],
)
def test_a_rescan_waits_while_a_live_lane_is_behind(live: Live, why: str) -> None:
    told = why_behind([live], within=60.0)
    assert why in told
    assert bool(told) is bool(why)
    assert why_behind([live], within=0.0) == ""


def test_a_rescan_waits_while_a_breaker_is_open_whatever_else_is_allowed() -> None:
    assert why_behind([], down=["s3", "rekognition"], within=0.0).count("breaker") == 2


def aged(days: float | None) -> Subject:
    return Subject(bucket="b", key="k", modified_at=None if days is None else NOON - timedelta(days=days))


def test_bands_go_by_age_by_size_and_by_kind_and_what_is_unknown_comes_last() -> None:
    newest, oldest, largest, media = (band_of(order, at=NOON) for order in ORDERS)
    ages = [aged(days) for days in (-1, 6.9, 7, 100, 364, 366, None)]
    assert [newest(each) for each in ages] == [0, 0, 1, 3, 3, 4, 4]
    assert [oldest(each) for each in ages] == [4, 4, 3, 1, 1, 0, 4]
    sizes = [Subject(bucket="b", key="k", size=size) for size in (10**9, 10**8, 10**8 - 1, 10**5, 1, -1)]
    assert [largest(each) for each in sizes] == [0, 0, 1, 3, 4, 4]
    keys = [Subject(bucket="b", key=key) for key in ("a.MP4", "a.webm", "b.jpg", "c.webp", "d.txt", "e")]
    assert [media(each) for each in keys] == [0, 0, 1, 1, 2, 2]
    assert [bands(order) for order in ("", *ORDERS)] == [1, 5, 5, 5, 3]


def test_the_first_band_of_every_part_sorts_before_the_second_of_any() -> None:
    parts = [Partition(id=f"{n:04d}", spec={"n": n}) for n in range(12)]
    made = list(banded(parts, "media"))
    assert [each.id for each in made] == sorted(each.id for each in made)
    assert [unbanded(each) for each in made] == [(part, band) for band in range(3) for part in parts]
    assert [unbanded(each) for each in banded(parts, "")] == [(part, None) for part in parts]


def test_no_more_objects_are_sent_in_a_second_than_may_be() -> None:
    now, slept = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        now[0] += seconds

    pace = Pace(10.0, clock=lambda: now[0])
    pace.take(20, sleep=sleep)
    pace.take(5, sleep=sleep)
    now[0] += 60.0  # what was not sent then is not sent on top of what may be now
    pace.take(10, sleep=sleep)
    assert slept == [2.0, 0.5, 1.0]
    Pace(None).take(10**9, sleep=sleep)
    assert len(slept) == 3


@dataclass(frozen=True)
class Nine:
    """A source of nine objects in one part."""

    name: str = "nine"
    spec: Mapping[str, Any] = field(default_factory=dict)

    def requests(self, items: int) -> dict[str, float]:
        return {"s3.ListObjectsV2": float(items)}

    def partitions(self) -> Iterator[Partition]:
        yield Partition(id="p0", spec={})

    def read(self, partition: Partition, *, after: str = "") -> Iterator[tuple[Subject, str]]:
        for number in range(int(after or -1) + 1, 9):
            yield Subject(bucket="uploads-example", key=f"{partition.id}/{number}", etag="e", size=1), str(number)


def test_nobody_takes_a_part_from_whoever_waits_for_its_pace(desk_at: Callable[..., Desk], items_table: str) -> None:
    now, free = [NOON], list[object]()
    desk = desk_at(lambda: now[0])
    url = desk.aws.sqs.create_queue(QueueName="rescan")["QueueUrl"]
    desk = replace(desk, settings=desk.settings.model_copy(update={"rescan_queue_url": url}))
    run = Runs(desk.aws, items_table).start(Brief(source={}, policy_version="p", rate=0.05), at=NOON)
    other = Partitions(aws=desk.aws, table=items_table, run_id=run.id, me="other", seconds=30.0)

    def idle(seconds: float) -> None:
        now[0] += timedelta(seconds=seconds)
        free.append(other.take(now=now[0]))

    def clock() -> float:
        return (now[0] - NOON).total_seconds()

    # Three objects in a minute; a lease lasts for half of that.
    waits = Waits(idle=idle, pace=Pace(0.05, clock=clock))
    one = Enqueuer(desk=desk, run_id=run.id, source=Nine(), me="one", lease_seconds=30.0, window=3, waits=waits)
    ended = one.run()
    assert (ended.enqueued, ended.chunks, now[0] - NOON) == (9, 3, timedelta(minutes=3))
    assert free == [None] * 18


def test_what_workers_and_queues_tell_is_what_a_rescan_waits_for() -> None:
    told = Heartbeat(worker="a/1", at=1000.0, started_at=0.0, seconds=10.0, breakers={"bedrock-runtime": "open"})
    old = replace(told, worker="a/2", at=100.0, breakers={"s3": "open"})
    lanes = {"uploads": LaneBeat(outcomes={"done": 20, "retry": 70}), "rescan": LaneBeat()}
    depths = {lane: Depth(visible=0) for lane in LANES} | {
        "uploads": Depth(visible=121),
        "rescan": Depth(visible=10**6),
    }
    view = view_of([replace(told, lanes=lanes), old], depths, at=1001.0)
    assert why_in(view, within=60.0).split("; ") == [
        "the circuit breaker of bedrock-runtime is open",
        "uploads is behind: 121 messages wait, some 60 s of work (60 s are allowed)",
    ]
    calm = view_of([replace(told, lanes=lanes, breakers={"cloudfront": "open"})], depths, at=1001.0)
    assert why_in(calm, within=61.0) == ""  # a rescan can be worked without CloudFront
