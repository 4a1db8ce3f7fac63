"""`modfleet top`, as an engineer calls it: on a fleet that works, and on one that does not answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from config.lanes import LANES
from deploy.local.run import LocalCloud
from tasks.aws.calls import STORE
from tasks.aws.session import Aws
from worker.heartbeat import Heartbeat, LaneBeat, publish, withdraw

MODFLEET = Path(sys.executable).parent / "modfleet"
Top = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def top(cloud: LocalCloud) -> Top:
    """Run `modfleet top OPTIONS` on the local cloud; keywords change its environment."""

    def run(*options: str, **changes: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MODFLEET_"))}
        environment: Mapping[str, str] = inherited | cloud.environment | {"COLUMNS": "100"} | changes
        words = [str(MODFLEET), "top", *options]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


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
    said = json.loads(top("--json").stdout)
    assert worker.worker in [each["worker"] for each in said["workers"]]
    assert list(said["lanes"]) == list(LANES)
    assert said["lanes"]["rescan"]["depth"]["dead"] == 1
    assert said["lanes"]["uploads"]["done_rate"] >= 10
    assert said["fail_open"] == 0
    clients.sqs.purge_queue(QueueUrl=f"{url}-dlq")


@pytest.mark.parametrize("options", [("--once",), ()])
def test_without_a_terminal_it_prints_once_and_ends(top: Top, worker: Heartbeat, options: tuple[str, ...]) -> None:
    done = top(*options)
    assert done.returncode == 0
    assert worker.worker in done.stdout
    assert "time to takedown" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_table_that_is_not_there_is_told_in_a_sentence(top: Top, unique: str) -> None:
    done = top("--once", MODFLEET_ITEMS_TABLE=f"{unique}-none")
    assert done.returncode == 1
    assert done.stderr.startswith("modfleet: dynamodb.Query ResourceNotFoundException")


def test_prices_that_are_none_are_told_before_anything_is_called(top: Top, tmp_path: Path) -> None:
    prices = tmp_path / "mine.yaml"
    prices.write_text("as_of: lately\n")
    done = top("--once", MODFLEET_PRICES_FILE=str(prices))
    assert done.returncode == 2
    assert "mine.yaml is no table of prices" in done.stderr
