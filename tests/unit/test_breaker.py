"""A breaker opens on what is down, lets nobody call, and closes when a probe is answered."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from botocore.exceptions import ConnectTimeoutError

from config.lanes import LANES
from tasks.aws.breaker import (
    DEPENDENCIES,
    FEWEST,
    FIRST_PROBE,
    IN_A_ROW,
    LONGEST_PROBE,
    RELAPSE_SECONDS,
    ROW_SECONDS,
    WINDOW_SECONDS,
    Breakers,
    State,
    breaks,
    dependency_of,
    shortened,
)
from tasks.aws.calls import DETECT, call
from tasks.aws.faults import Denied, Fault, Full, Gone, Moved, Open, Rationed, Throttled, Transient, Unreadable

CALL = "rekognition.DetectModerationLabels"
#: Seconds between two tries: ten in a row take longer than the shortest row.
TICK = 0.125


class World:
    """Breakers on a clock that only the test moves, without jitter, and what listeners heard."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.heard: list[tuple[str, State]] = []
        self.breakers = Breakers(clock=lambda: self.now, jitter=lambda wait: wait)
        self.breakers.listen(lambda dependency, state: self.heard.append((dependency, state)))

    def tries(self, *faults: Fault | None, name: str = CALL) -> None:
        for fault in faults:
            self.now += TICK
            self.breakers.after(name, seconds=0.1, fault=fault)

    def opened(self) -> World:
        self.tries(*[Transient()] * IN_A_ROW)
        return self

    def state(self, dependency: str = "rekognition") -> str:
        return self.breakers.states()[dependency]


@pytest.fixture
def world() -> World:
    return World()


def failing(fault: Fault) -> Callable[[], object]:
    def probe() -> object:
        raise fault

    return probe


@pytest.mark.parametrize("fault", [Transient(), Denied()])
def test_enough_failures_in_a_row_open_it_and_one_fewer_do_not(world: World, fault: Fault) -> None:
    world.tries(*[fault] * (IN_A_ROW - 1))
    assert world.state() == "closed"
    world.tries(fault)
    assert world.state() == "open"
    assert world.heard == [("rekognition", State.OPEN)]


def test_calls_that_hang_open_it_however_long_each_took(world: World) -> None:
    for _ in range(IN_A_ROW):
        world.now += WINDOW_SECONDS * 2
        world.tries(Transient())
    assert world.state() == "open"


def test_failures_that_overtake_slower_answers_do_not_open_it(world: World) -> None:
    now = world.now
    for _ in range(IN_A_ROW * 2):
        world.now = now
        world.tries(Transient())
    assert world.heard == []


def test_half_of_the_last_tries_open_it_where_answers_come_between(world: World) -> None:
    world.tries(*[None, Transient()] * (FEWEST - 1))
    assert world.state() == "closed"
    world.tries(None, Transient())
    assert world.state() == "open"


def test_fewer_than_half_do_not(world: World) -> None:
    world.tries(*[None, None, Transient()] * 20)
    assert world.state() == "closed"


def test_a_service_that_fails_three_times_in_ten_is_left_to_retries(world: World) -> None:
    chance = random.Random(3)
    world.tries(*[Transient() if chance.random() < 0.3 else None for _ in range(2000)])
    assert world.heard == []


def test_what_failed_long_ago_is_forgotten(world: World) -> None:
    world.tries(*[None, Transient()] * (FEWEST - 1))
    world.now += WINDOW_SECONDS + 1
    world.tries(None, Transient())
    assert world.state() == "closed"


@pytest.mark.parametrize("answer", [Throttled(), Full(), Gone(), Moved(), Unreadable(), None])
def test_an_answer_of_any_kind_is_no_failure(world: World, answer: Fault | None) -> None:
    assert not breaks(answer)
    world.tries(*[answer] * 50)
    assert world.state() == "closed"


def test_while_it_is_open_its_calls_are_withheld_and_others_are_not(world: World) -> None:
    world.opened()
    with pytest.raises(Open) as caught:
        world.breakers.before("rekognition.StartContentModeration")
    assert caught.value.retry_after > FIRST_PROBE
    world.breakers.before("s3.GetObject")
    world.breakers.before("sqs.ReceiveMessage")


def test_sqs_and_what_is_no_service_have_no_breaker(world: World) -> None:
    world.tries(*[Transient()] * 50, name="sqs.ReceiveMessage")
    world.tries(*[Transient()] * 50, name="read_body")
    assert set(world.breakers.states().values()) == {"closed"}
    assert dependency_of("read_body") == ""


def test_a_probe_that_is_answered_closes_it_with_a_clean_slate(world: World) -> None:
    world.opened().tries(*[Transient()] * 3)
    assert world.breakers.probe("rekognition", lambda: "answers")
    assert world.heard == [("rekognition", state) for state in (State.OPEN, State.HALF_OPEN, State.CLOSED)]
    world.breakers.before(CALL)
    world.tries(*[Transient()] * (IN_A_ROW - 1))
    assert world.state() == "closed"


@pytest.mark.parametrize("answer", [Throttled(), Unreadable(), Gone()])
def test_a_probe_that_is_refused_for_its_content_is_answered(world: World, answer: Fault) -> None:
    assert world.opened().breakers.probe("rekognition", failing(answer))


@pytest.mark.parametrize("fault", [Transient(), Denied(), Open(), Rationed()])
def test_each_probe_that_fails_waits_twice_as_long_up_to_a_minute(world: World, fault: Fault) -> None:
    world.opened()
    waits = []
    for _ in range(6):
        waits.append(world.breakers.probe_in("rekognition"))
        world.now += waits[-1]
        assert not world.breakers.probe("rekognition", failing(fault))
    assert waits == [5, 10, 20, 40, 60, 60]
    assert max(waits) == LONGEST_PROBE


def test_what_breaks_again_at_once_is_probed_as_rarely_as_before(world: World) -> None:
    world.opened().breakers.probe("rekognition", failing(Transient()))
    world.breakers.probe("rekognition", lambda: None)
    world.now += 1
    world.opened()
    assert world.breakers.probe_in("rekognition") == 20
    world.breakers.probe("rekognition", lambda: None)
    world.now += RELAPSE_SECONDS
    world.opened()
    assert world.breakers.probe_in("rekognition") == FIRST_PROBE


def test_one_probe_goes_through_at_a_time_and_none_where_all_is_well(world: World) -> None:
    def ask_again() -> None:
        assert world.state() == "half-open"
        assert not world.breakers.probe("rekognition", failing(Transient()))
        with pytest.raises(Open):
            world.breakers.before(CALL)

    assert world.opened().breakers.probe("rekognition", ask_again)
    assert world.breakers.probe("rekognition", failing(Transient()))
    assert world.state() == "closed"


def test_a_probe_that_breaks_in_another_way_leaves_it_open(world: World) -> None:
    def broken() -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        world.opened().breakers.probe("rekognition", broken)
    assert world.state() == "open"


def test_a_call_that_is_withheld_is_not_made_and_not_tried_again(world: World) -> None:
    made = list[str]()
    slept = list[float]()
    world.opened()
    policy = replace(DETECT.guarded((world.breakers,)), sleep=slept.append)

    def detect() -> dict[str, object]:
        made.append("a call")
        return {}

    detect.__name__ = CALL
    with pytest.raises(Open):
        call(policy, detect)
    assert made == slept == []


def test_a_call_that_opens_it_keeps_its_own_fault_so_that_it_counts(world: World) -> None:
    made = list[str]()
    world.tries(*[Transient()] * (IN_A_ROW - 2))
    world.now += ROW_SECONDS
    policy = DETECT.guarded((world.breakers,)).instantly()

    def detect() -> dict[str, object]:
        made.append("a call")
        raise ConnectTimeoutError(endpoint_url="http://nowhere")

    detect.__name__ = CALL
    with pytest.raises(Transient) as caught:
        call(policy, detect)
    assert not isinstance(caught.value, Open)
    assert caught.value.code == "ConnectTimeoutError"
    assert len(made) == 2


def test_many_threads_open_it_once() -> None:
    world = World()
    threads = [threading.Thread(target=lambda: world.tries(*[Transient()] * 100)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.heard == [("rekognition", State.OPEN)]


def test_waits_are_spread_over_their_later_half() -> None:
    waits = [shortened(10) for _ in range(300)]
    assert 5 <= min(waits) < 6
    assert 9 < max(waits) <= 10


def test_every_dependency_that_a_lane_needs_has_a_breaker() -> None:
    assert {need for lane in LANES.values() for need in lane.needs} <= set(DEPENDENCIES)
