"""The budget of a run: never passed, whoever asks at the same time, and given back once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from config.prices import parse_prices
from tasks.desk import Desk
from tasks.detect.kind import Kind
from tasks.rescan.allowance import Allowance, dearest
from tasks.rescan.run import Brief, Run
from tasks.rescan.run_rows import Runs

AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def desk(desk_at: Callable[..., Desk]) -> Desk:
    desk = desk_at(lambda: AT)
    return replace(desk, prompt="x" * 3_000, prices=parse_prices(desk.settings.prices_file.read_text("utf-8")))


def started(desk: Desk, *, usd: float | None) -> Run:
    brief = Brief(source={}, policy_version="p", max_cost_usd=usd)
    return Runs(desk.aws, desk.settings.items_table).start(brief, at=AT)


def now(desk: Desk, run: Run) -> Run:
    found = Runs(desk.aws, desk.settings.items_table).find(run.id)
    assert found is not None
    return found


def test_as_many_as_fit_from_the_first_on_and_never_more(desk: Desk) -> None:
    run = started(desk, usd=0.010)
    # Both read the run before anybody has put anything aside.
    mine, theirs = Allowance(desk, run), Allowance(desk, run)
    assert mine.reserve([3_000, 3_000]) == 2
    assert theirs.reserve([3_000, 3_000]) == 1
    assert (theirs.reserve([2_000]), now(desk, run).committed_micros) == (0, 9_000)
    assert theirs.reserve([1_000, 1]) == 1
    assert now(desk, run).committed_micros == 10_000


def test_what_was_not_spent_is_free_again(desk: Desk) -> None:
    run = started(desk, usd=0.010)
    allowance = Allowance(desk, run)
    assert allowance.reserve([10_000]) == 1
    allowance.settle(spent=1_500, released=10_000)
    assert (now(desk, run).spent_micros, now(desk, run).committed_micros) == (1_500, 1_500)
    assert Allowance(desk, now(desk, run)).reserve([8_500]) == 1


def test_a_video_s_money_is_put_aside_once_and_given_back_once(desk: Desk) -> None:
    run = started(desk, usd=0.010)
    allowance = Allowance(desk, run)
    assert [allowance.reserve_for("video", 9_000) for _ in range(3)] == [True] * 3
    assert now(desk, run).committed_micros == 9_000
    assert not allowance.reserve_for("another", 2_000)
    for _ in range(3):
        allowance.release_for("video", spent=4_000)
    assert (now(desk, run).spent_micros, now(desk, run).committed_micros) == (4_000, 4_000)


def test_without_a_maximum_everything_fits_and_nothing_is_written(desk: Desk) -> None:
    run = started(desk, usd=None)
    assert Allowance(desk, run).reserve([10**12]) == 1
    assert Allowance(desk, run).reserve_for("video", 10**12)
    assert now(desk, run) == run


def test_the_dearest_is_above_what_each_kind_costs_at_list_price(desk: Desk) -> None:
    feed, messages = (desk.policy.surface_for(key) for key in ("feed/x", "messages/x"))
    assert dearest(desk, kind=Kind.IMAGE, size=10**6, surface=feed) == 1_000
    assert dearest(desk, kind=Kind.IMAGE, size=10**6, surface=feed, caption=100) > 1_000
    assert dearest(desk, kind=Kind.PICTURE, size=10**6, surface=feed) == 1_000 * desk.settings.image_frames
    # 1,000 characters: a unit of each policy of the guardrail, and ten of Comprehend's.
    at_list = round((0.15 + 0.15 + 0.10) / 1_000 * 1e6 + 10 * 0.0001 * 1e6)
    assert dearest(desk, kind=Kind.TEXT, size=1_000, surface=messages) > at_list
    assert dearest(desk, kind=Kind.VIDEO, size=12_500 * 60, surface=feed) >= 100_000
    # An hour in few bytes.
    assert dearest(desk, kind=Kind.VIDEO, size=100, surface=feed, seconds=3_600) >= 60 * 100_000
    assert dearest(desk, kind=Kind.SOUND, size=10**6, surface=feed) == 0
