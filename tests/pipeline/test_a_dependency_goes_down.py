"""The AI services go away in the middle of the work: nothing is parked, allowed or lost, and it goes on by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from fleet import Fleet, Put, card, running_fleet, said, until

from config.lanes import LANES
from deploy.local.children import Child
from deploy.local.knobs import Knobs
from tasks.record.standing import Status

UPLOADS = 40
#: Seconds that a message may take to come back which was given back when its lane was paused, and then its work.
PATIENCE = 90.0
_AI = ("REKOGNITION", "COMPREHEND", "BEDROCK_RUNTIME")


class Outage:
    """A fleet with a worker whose AI services are a process of their own, to be ended and started again."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._ai = self._start(port=0)
        endpoint = self._ai.announced()["endpoint"]
        self.port = urlsplit(endpoint).port
        fleet.cloud.environment.update({f"AWS_ENDPOINT_URL_{service}": endpoint for service in _AI})
        fleet.start_worker()

    def begin(self, *, fail_rate: float | None) -> None:
        """Nobody listens any more; or with a fail rate, somebody does and has nothing but errors."""
        self._ai.end()
        if fail_rate is not None:
            self._restart(fail_rate=fail_rate)

    def end(self) -> None:
        """All is well again, at the same address."""
        self._ai.end()
        self._restart()

    def close(self) -> None:
        self._ai.end()

    def lines(self) -> list[dict[str, Any]]:
        """What the worker has logged so far."""
        text = self.fleet.workers[-1].log.read_text(errors="replace")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def heard(self, event: str, *, since: int = 0) -> list[dict[str, Any]]:
        return [line for line in self.lines()[since:] if line.get("event") == event]

    def _restart(self, **knobs: float) -> None:
        self._ai = self._start(port=self.port or 0, **knobs)
        self._ai.announced()

    def _start(self, *, port: int, **knobs: float) -> Child:
        s3 = self.fleet.cloud.environment["AWS_ENDPOINT_URL"]
        flags = ("--port", str(port), "--s3", s3, *Knobs(**knobs).flags())  # type: ignore[arg-type]
        log = Path(self.fleet.cloud.home) / "ai-of-its-own.log"
        return Child.module("deploy.local.ai.server", *flags, log=log)


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outage]:
    with running_fleet(tmp_path_factory.mktemp("outage")) as fleet:
        outage = Outage(fleet)
        try:
            yield outage
        finally:
            print(fleet.logs())  # noqa: T201  # shown where it fails
            outage.close()


@pytest.fixture
def upload(media: SimpleNamespace, unique: str) -> Callable[[int], tuple[str, bytes]]:
    """Every other upload violates, and of each kind every other one is a picture."""

    def make(number: int) -> tuple[str, bytes]:
        bad = number % 4 in (1, 2)
        name = f"feed/{unique}/{'bad' if bad else 'good'}/{number}"
        if number % 2:
            return f"{name}.png", media.picture(card={"labels": {"Weapons": 99.0} if bad else {}, "note": name})
        # In letters: so many digits in a row look like somebody's telephone.
        note = unique.translate(str.maketrans("0123456789", "ghijklmnop"))
        return f"{name}.txt", f"{'zorblat' if bad else 'a fine day'} {number} ".encode() + card(note=note)

    return make


@pytest.mark.parametrize(
    "fail_rate",
    [pytest.param(None, id="nobody listens"), pytest.param(1.0, id="nothing but errors", marks=pytest.mark.long)],
)
def test_uploads_of_an_outage_are_all_decided_after_it_and_none_has_burnt_its_attempts(
    outage: Outage, upload: Callable[[int], tuple[str, bytes]], fail_rate: float | None
) -> None:
    fleet, since = outage.fleet, len(outage.lines())
    before = fleet.put(*upload(0))
    assert fleet.ended(before).status is Status.ALLOWED

    outage.begin(fail_rate=fail_rate)
    puts = [fleet.put(*upload(number)) for number in range(1, UPLOADS)]
    until(lambda: {"uploads", "rescan"} <= paused(outage, since), what="the lanes to be paused")
    until(lambda: probes_failed(outage, since), what="a probe that failed, and left everything as it was")
    assert {status_of(fleet, put) for put in puts} <= {None, Status.PENDING}
    assert fleet.depth(fleet.settings.queue_url("uploads")) == len(puts)

    outage.end()
    ends = {put.key: fleet.ended(put, within=PATIENCE).status for put in puts}
    assert ends == {put.key: Status.REJECTED if "/bad/" in put.key else Status.ALLOWED for put in puts}
    assert outage.heard("resumed", since=since)
    assert not outage.heard("parked", since=since)
    assert fleet.depth(fleet.settings.dead_letter_url("uploads")) == 0
    # What was in hand when it began was tried once, and what waited was given back: no more than that is gone.
    deliveries = [line["attempt"] for line in outage.heard("item", since=since)]
    assert len(deliveries) >= len(puts)
    assert max(deliveries) <= LANES["uploads"].attempts // 2
    lines = fleet.audit_lines()
    assert all(len(said(lines, put, "decided")) == 1 for put in puts)


def paused(outage: Outage, since: int) -> set[str]:
    return {line["lane"] for line in outage.heard("paused", since=since)}


def probes_failed(outage: Outage, since: int) -> list[dict[str, Any]]:
    """Beside the line that each breaker logs when it opens, one for each probe that failed."""
    opened = [line for line in outage.heard("breaker", since=since) if line["state"] == "open"]
    dependencies = {line["dependency"] for line in opened}
    return opened[len(dependencies) :]


def status_of(fleet: Fleet, put: Put) -> Status | None:
    standing = fleet.standing(put)
    return standing.status if standing else None
