"""The fleet as `modfleet top` shows it: sums that are right, and a screen that fits."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rich.console import Console

from config.lanes import LANES
from worker.fleet import FORGOTTEN_SECONDS, LOST_SECONDS, Depth, FleetView, view_of
from worker.heartbeat import CallBeat, Heartbeat, LaneBeat, from_json, to_json
from worker.metrics import Spread, bucket_of
from worker.screen import MOST_WORKERS, draw

NOW = 1_795_305_750.0
DEPTHS = {lane: Depth(visible=10, in_flight=2, delayed=0, dead=0) for lane in LANES}
SERVICES = ("rekognition", "bedrock-runtime", "comprehend", "s3", "dynamodb", "sns", "cloudfront", "sqs")


def spread(*values: float) -> Spread:
    found = Spread()
    for value in values:
        found = found.plus(Spread({bucket_of(value): 1}, value))
    return found


BEAT = Heartbeat(
    worker="host-a/1",
    at=NOW - 1,
    started_at=NOW - 7200,
    seconds=60.0,
    usd=0.6,
    items={"allowed": 590, "rejected": 10},
    lanes={
        "uploads": LaneBeat(in_flight=5, window=36, outcomes={"done": 594, "parked": 6, "retry": 60}, age=spread(900))
    },
    calls={name: CallBeat(calls=300, throttles=6, faults=3, ms=spread(10, 20, 400)) for name in SERVICES},
    breakers=dict.fromkeys(SERVICES, "closed"),
    decision=spread(1000),
    takedown=spread(1000, 2000, 3000),
)
OTHER = replace(BEAT, worker="host-b/1", seconds=30.0, takedown=spread(9000), fail_open=1)


def seen(*beats: Heartbeat, at: float = NOW) -> FleetView:
    return view_of(beats, DEPTHS, at=at)


def plain(view: FleetView) -> list[str]:
    console = Console(width=100, color_system=None)
    with console.capture() as captured:
        console.print(draw(view))
    return captured.get().splitlines()


def test_rates_of_workers_add_up_each_over_its_own_time() -> None:
    view = seen(BEAT, OTHER)
    assert view.lanes["uploads"].done_rate == pytest.approx(600 / 60 + 600 / 30)
    assert view.lanes["uploads"].retry_rate == pytest.approx(60 / 60 + 60 / 30)
    assert view.item_rate == pytest.approx(600 / 60 + 600 / 30)
    assert view.usd_per_hour == pytest.approx((0.6 / 60 + 0.6 / 30) * 3600)
    assert view.usd_per_item == pytest.approx(1.2 / 1200)
    assert view.calls_per_item == pytest.approx(2 * 8 * 300 / 1200)
    assert (view.calls["s3"].rate, view.calls["s3"].throttle_rate) == (pytest.approx(15), pytest.approx(0.3))
    assert (view.lanes["uploads"].in_flight, view.lanes["uploads"].window, view.lanes["uploads"].parked) == (10, 72, 12)
    assert view.fail_open == 1


def test_percentiles_are_of_the_fleet_and_no_mean_of_percentiles() -> None:
    assert seen(BEAT, OTHER).takedown.quantile(0.99) == pytest.approx(9000, rel=0.04)
    assert seen(BEAT, OTHER).takedown.quantile(0.5) == pytest.approx(2000, rel=0.04)


def test_a_worker_that_tells_nothing_is_shown_as_lost_and_is_not_in_the_sums() -> None:
    view = seen(BEAT, replace(OTHER, at=NOW - LOST_SECONDS))
    assert view.lost == ("host-b/1",)
    assert view.item_rate == pytest.approx(10)
    (row,) = [line for line in plain(view) if line.startswith("host-b/1")]
    assert "LOST 20 s" in row


def test_a_worker_lost_long_ago_is_forgotten() -> None:
    assert seen(replace(BEAT, at=NOW - FORGOTTEN_SECONDS)).workers == ()


def test_a_lost_worker_that_allowed_something_unseen_is_not_forgotten_so_soon() -> None:
    assert seen(replace(OTHER, at=NOW - LOST_SECONDS)).fail_open == 1


def test_an_open_breaker_shows_even_without_a_call() -> None:
    view = seen(replace(BEAT, calls={}, breakers={"comprehend": "open", "s3": "closed"}), replace(OTHER, calls={}))
    assert set(view.calls) == {"comprehend"}
    assert any("OPEN in 1" in line for line in plain(view))


def test_an_empty_fleet_says_so_and_still_shows_the_queues() -> None:
    lines = plain(seen())
    assert any("No worker" in line for line in lines)
    assert any(line.startswith("uploads") and "10" in line for line in lines)


def test_a_queue_that_does_not_answer_is_unknown_and_not_empty() -> None:
    (row,) = [line for line in plain(view_of([BEAT], {"uploads": Depth()}, at=NOW)) if line.startswith("uploads")]
    assert row.split()[1:5] == ["?", "?", "?", "?"]


def test_a_busy_fleet_fits_a_hundred_columns_and_thirty_lines() -> None:
    lanes = dict.fromkeys(LANES, replace(BEAT.lanes["uploads"], paused=True))
    name = "ip-10-0-133-7.eu-central-1.compute.internal"
    many = [replace(BEAT, worker=f"{name}/{number}", lanes=lanes) for number in range(40)]
    big = {lane: Depth(visible=1_234_567, in_flight=119_999, delayed=88_888, dead=77_777) for lane in LANES}
    lines = plain(view_of(many, big, at=NOW))
    assert len(lines) <= 30
    assert max(len(line.rstrip()) for line in lines) <= 100
    assert not any("…" in line for line in lines)
    assert any(f"and {40 - MOST_WORKERS} more" in line for line in lines)


def test_what_was_allowed_unseen_cannot_be_overlooked() -> None:
    assert "1 ALLOWED UNSEEN" in plain(seen(BEAT, OTHER))[0]
    assert "UNSEEN" not in plain(seen(BEAT))[0]


def test_a_dry_run_cannot_be_overlooked_even_where_one_worker_of_many_is_in_it() -> None:
    dry = from_json(to_json(replace(OTHER, dry_run=True, fail_open=0)))
    title = plain(seen(BEAT, dry))
    assert any("DRY RUN, no takedowns" in line for line in title[:1])
    assert not any("DRY RUN" in line for line in plain(seen(BEAT, OTHER)))


def test_the_first_line_names_the_policy_or_says_that_not_all_workers_have_taken_up_the_same() -> None:
    old, new = (replace(BEAT, worker=name, policy=f"sha256:{name * 12}") for name in "ab")
    assert "policy aaaaaaaaaaaa" in plain(seen(old, replace(old, worker="c")))[0]
    assert "2 POLICIES" in plain(seen(old, new))[0]
    assert "POLICIES" not in plain(seen(old, replace(new, at=NOW - LOST_SECONDS)))[0]


def test_json_has_the_same_numbers_and_no_buckets() -> None:
    said = json.loads(json.dumps(seen(BEAT, replace(OTHER, at=NOW - LOST_SECONDS)).summary()))
    assert said["takedown"] == {"count": 3, "p50": pytest.approx(2000, rel=0.04), "p99": pytest.approx(3000, rel=0.04)}
    assert {worker["worker"]: worker["lost"] for worker in said["workers"]} == {"host-a/1": False, "host-b/1": True}
    assert said["lanes"]["uploads"]["depth"]["visible"] == 10
    assert "buckets" not in json.dumps(said)
