"""`modfleet top`, as an engineer calls it: on a fleet that works, and on one that does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from command import Said, run

from config.lanes import LANES
from deploy.local.run import LocalCloud
from tasks.aws.calls import STORE
from tasks.aws.session import Aws
from worker.heartbeat import Heartbeat, LaneBeat, publish, withdraw

Top = Callable[..., Said]


@pytest.fixture
def top(cloud: LocalCloud) -> Top:
    """Run `modfleet top OPTIONS` on the local cloud; keywords change its environment."""
    return lambda *options, **changes: run(cloud.environment | {"COLUMNS": "100"} | changes, "top", *options)


@pytest.fixture
def worker(cloud: LocalCloud, clients: SimpleNamespace, offline_worker: Heartbeat) -> Heartbeat:
    """A worker that has just told of itself."""
    aws, table = aws_of(clients), cloud.environment["MODFLEET_ITEMS_TABLE"]
    publish(aws, table, offline_worker)
    yield offline_worker  # type: ignore[misc]
    withdraw(aws, table, offline_worker.worker)


@pytest.fixture
def offline_worker(unique: str) -> Heartbeat:
    lanes = {"uploads": LaneBeat(in_flight=3, window=36, outcomes={"done": 600})}
    return Heartbeat(
        worker=unique[:12], at=time.time(), started_at=0.0, seconds=60.0, items={"allowed": 600}, lanes=lanes
    )


def aws_of(clients: SimpleNamespace) -> Aws:
    """As much of it as a heartbeat needs."""
    return SimpleNamespace(dynamodb=clients.dynamodb, store=replace(STORE, attempts=1))  # type: ignore[return-value]


def test_it_shows_workers_by_their_rows_and_lanes_by_their_queues(
    top: Top, worker: Heartbeat, cloud: LocalCloud, clients: SimpleNamespace
) -> None:
    url = cloud.environment["MODFLEET_RESCAN_QUEUE_URL"]
    clients.sqs.send_message(QueueUrl=f"{url}-dlq", MessageBody="parked")
    said = top("--json").json
    assert worker.worker in [each["worker"] for each in said["workers"]]
    assert list(said["lanes"]) == list(LANES)
    assert said["lanes"]["rescan"]["depth"]["dead"] == 1
    assert said["lanes"]["uploads"]["done_rate"] >= 10
    assert said["fail_open"] == 0
    clients.sqs.purge_queue(QueueUrl=f"{url}-dlq")


@pytest.mark.parametrize("options", [("--once",), ()])
def test_without_a_terminal_it_prints_once_and_ends(top: Top, worker: Heartbeat, options: tuple[str, ...]) -> None:
    done = top(*options)
    assert done.code == 0
    assert worker.worker in done.out
    assert "time to takedown" in done.out
    assert "\x1b" not in done.out


def test_a_table_that_is_not_there_is_told_in_a_sentence(top: Top, unique: str) -> None:
    done = top("--once", MODFLEET_ITEMS_TABLE=f"{unique}-none")
    assert done.code == 1
    assert done.err.startswith("modfleet: dynamodb.Query ResourceNotFoundException")


def test_prices_that_are_none_are_told_before_anything_is_called(top: Top, tmp_path: Path) -> None:
    prices = tmp_path / "mine.yaml"
    prices.write_text("as_of: lately\n")
    done = top("--once", MODFLEET_PRICES_FILE=str(prices))
    assert done.code == 2
    assert "mine.yaml is no table of prices" in done.err
