"""Lanes are paused while what they need is down, and go on by themselves when it is back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.lanes import LANES
from tasks.aws.breaker import DEPENDENCIES, FEWEST, Breakers
from tasks.aws.faults import Transient
from worker.pausing import Pausing

PATIENCE = 10.0


class Line:
    """A line that notes what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")


class World:
    """Breakers without waits, lines, and probes that are answered when the test says so."""

    def __init__(self) -> None:
        self.lines = {lane: Line() for lane in LANES}
        self.breakers = Breakers(jitter=lambda _: 0.0)
        self.back = {dependency: threading.Event() for dependency in DEPENDENCIES}
        self.probed = {dependency: threading.Semaphore(0) for dependency in DEPENDENCIES}
        self.died: list[str] = []
        self.pausing = Pausing(
            self.breakers,
            lanes=LANES.values(),
            lines=self.lines.__getitem__,
            probes={dependency: self._probe(dependency) for dependency in DEPENDENCIES},
            died=self.died.append,
        )
        self.pausing.start()

    def break_down(self, dependency: str) -> None:
        for _ in range(FEWEST):
            self.breakers.after(f"{dependency}.Operation", seconds=0.1, fault=Transient("it is down"))
        assert self.probed[dependency].acquire(timeout=PATIENCE)

    def come_back(self, dependency: str) -> None:
        threads = [thread for thread in threading.enumerate() if thread.name == f"probe-{dependency}"]
        self.back[dependency].set()
        for thread in threads:
            thread.join(PATIENCE)
        assert self.breakers.states()[dependency] == "closed"

    def _probe(self, dependency: str) -> Callable[[], object]:
        def probe() -> str:
            self.probed[dependency].release()
            # As a dependency that is down: silent for a moment, then an error.
            if self.back[dependency].wait(0.01):
                return "answers"
            raise Transient("still down")

        return probe

    @property
    def paused(self) -> set[str]:
        return {lane for lane, line in self.lines.items() if line.told[-1:] == ["pause"]}


@pytest.fixture
def world() -> Any:
    world = World()
    yield world
    for event in world.back.values():
        event.set()
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith("probe-")]:
        thread.join(PATIENCE)
    assert world.died == []


@pytest.mark.parametrize(
    ("dependency", "lanes"),
    [
        ("rekognition", {"uploads", "rescan", "video"}),
        ("bedrock-runtime", {"uploads", "rescan"}),
        ("comprehend", {"uploads", "rescan"}),
        ("s3", {"uploads", "rescan", "video", "rulings"}),
        ("dynamodb", {"uploads", "rescan", "video", "rulings"}),
        ("sns", set()),
        ("cloudfront", set()),
    ],
)
def test_the_lanes_that_need_it_are_paused_until_it_is_back(world: World, dependency: str, lanes: set[str]) -> None:
    world.break_down(dependency)
    assert world.paused == world.pausing.paused == lanes
    world.come_back(dependency)
    assert world.paused == world.pausing.paused == set()
    assert {lane for lane, line in world.lines.items() if line.told} == lanes
    assert all(line.told in ([], ["pause", "resume"]) for line in world.lines.values())


def test_it_is_probed_until_it_answers(world: World) -> None:
    world.break_down("rekognition")
    for _ in range(3):
        assert world.probed["rekognition"].acquire(timeout=PATIENCE)
    assert world.paused
    world.come_back("rekognition")
    assert not world.paused


def test_a_lane_stays_paused_until_all_that_it_needs_is_back(world: World) -> None:
    world.break_down("rekognition")
    world.break_down("dynamodb")
    world.come_back("rekognition")
    assert world.paused == set(LANES)
    world.come_back("dynamodb")
    assert world.paused == set()


def test_what_breaks_down_again_is_seen_through_again(world: World) -> None:
    for _ in range(3):
        world.back["s3"].clear()
        world.break_down("s3")
        assert world.paused == set(LANES)
        world.come_back("s3")
    assert world.lines["rulings"].told == ["pause", "resume"] * 3


def test_one_thread_sees_a_dependency_through_however_often_its_probes_fail(world: World) -> None:
    world.break_down("s3")
    for _ in range(5):
        assert world.probed["s3"].acquire(timeout=PATIENCE)
    assert [thread.name for thread in threading.enumerate()].count("probe-s3") == 1


def test_nothing_runs_while_all_is_well(world: World) -> None:
    world.breakers.after("s3.GetObject", seconds=0.1, fault=None)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("probe-")]


def test_an_engineer_is_told_what_is_paused_and_for_what() -> None:
    with capture_logs() as logs:
        world = World()
        world.break_down("rekognition")
        world.come_back("rekognition")
    said = [(line["event"], line.get("lane", line.get("dependency"))) for line in logs]
    assert said[0] == ("breaker", "rekognition")
    assert ("paused", "video") in said
    assert said[-1] == ("resumed", "video")
    assert [line["missing"] for line in logs if line["event"] == "paused"] == [["rekognition"]] * 3


def test_closing_leaves_no_thread_behind(world: World) -> None:
    world.break_down("s3")
    world.pausing.close()
    for thread in [thread for thread in threading.enumerate() if thread.name == "probe-s3"]:
        thread.join(PATIENCE)
        assert not thread.is_alive()
