"""Daily caps: what is over one is not asked, in the whole fleet, until midnight; rescans leave some to uploads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from config.caps import CapsError, parse_caps
from config.prices import Prices
from tasks.aws.budget import ASK_AGAIN, Budget
from tasks.aws.faults import Denied, Fault, Rationed, Unreadable
from tasks.aws.limiter import on_behalf_of
from tasks.aws.session import Aws

LOOK, READ, ASK = "rekognition.DetectModerationLabels", "rekognition.DetectText", "bedrock-runtime.ApplyGuardrail"
START, GET = "rekognition.StartContentModeration", "rekognition.GetContentModeration"
PRICES = Prices(
    date(2026, 1, 1),
    "us-east-1",
    {LOOK: 0.001, READ: 0.001, ASK: 0, START: 0, GET: 0, "guardrail-content-unit": 0.15, "video-minute": 0.1},
    {
        LOOK: "rekognition-image",
        READ: "image-text",
        ASK: "guardrail",
        "guardrail-content-unit": "guardrail",
        START: "rekognition-video",
        GET: "rekognition-video",
        "video-minute": "rekognition-video",
    },
)
MODEL = "some.model"


class Fleet:
    """Budgets of several processes on one table, on one clock that only the test moves."""

    def __init__(self, aws: Aws, table: str) -> None:
        self.aws, self.table = aws, table
        self.now = datetime(2026, 1, 2, 23, 50, tzinfo=UTC)
        #: DynamoDB operations.
        self.asked: list[str] = []
        self._names = iter("abcdefgh")

    def process(self, **caps: str | float) -> Budget:
        named = parse_caps({name.replace("_", "-"): amount for name, amount in caps.items()}, PRICES, model=MODEL)
        return Budget(
            self.aws, table=self.table, caps=named, prices=PRICES, writer=next(self._names), now=lambda: self.now
        )


@pytest.fixture
def fleet(moto_aws: Aws, items_table: str) -> Iterator[Fleet]:
    fleet = Fleet(moto_aws, items_table)
    events = cast("Any", moto_aws.dynamodb).meta.events

    def seen(model: Any, **_: Any) -> None:
        fleet.asked.append(model.name)

    events.register("before-call.dynamodb", seen)
    yield fleet
    events.unregister("before-call.dynamodb", seen)


def call(budget: Budget, name: str = LOOK, **used: float) -> None:
    """One call that is answered, and what it used up."""
    budget.before(name)
    budget.use(name, 1)
    for unit, amount in used.items():
        budget.use(unit.replace("_", "-"), amount)
    budget.after(name, seconds=0.1, fault=None)


def refused(budget: Budget, name: str = LOOK) -> str:
    with pytest.raises(Unreadable) as caught:
        budget.before(name)
    return caught.value.reason


def test_what_fits_is_asked_and_what_is_over_is_not(fleet: Fleet) -> None:
    budget = fleet.process(rekognition_image="0.002 USD")
    call(budget)
    call(budget)
    assert refused(budget) == "over-budget"


def test_a_cap_may_count_units_instead_of_dollars(fleet: Fleet) -> None:
    budget = fleet.process(rekognition_image=f"2 {LOOK}")
    call(budget)
    call(budget)
    assert refused(budget) == "over-budget"


def test_what_depends_on_the_answer_is_capped_once_it_is_known(fleet: Fleet) -> None:
    budget = fleet.process(guardrail=0.30)
    call(budget, ASK, guardrail_content_unit=1)
    call(budget, ASK, guardrail_content_unit=1)
    assert refused(budget, ASK) == "over-budget"


def test_a_service_and_all_together_are_capped_as_one(fleet: Fleet) -> None:
    budget = fleet.process(rekognition="0.002 USD", all="0.4 USD")
    call(budget, LOOK)
    call(budget, READ)
    assert refused(budget, LOOK) == refused(budget, READ) == "over-budget"
    call(budget, ASK, guardrail_content_unit=3)
    assert refused(budget, ASK) == "over-budget"


def test_what_nobody_capped_is_never_refused_and_asks_nobody(fleet: Fleet) -> None:
    budget = fleet.process(guardrail=0)
    for name in (LOOK, "s3.GetObject", "dynamodb.PutItem"):
        call(budget, name)
    assert fleet.asked == []


def test_the_answer_of_a_job_that_was_paid_for_is_fetched(fleet: Fleet) -> None:
    budget = fleet.process(rekognition_video=0.05)
    call(budget, START)
    call(budget, GET, video_minute=1)
    assert refused(budget, START) == "over-budget"
    call(budget, GET)


def test_calls_under_way_count(fleet: Fleet) -> None:
    """Two at once must not both believe that there is room for one."""
    budget = fleet.process(rekognition_image="0.001 USD")
    with ThreadPoolExecutor(1) as other:
        other.submit(budget.before, LOOK).result()
        assert refused(budget) == "over-budget"
        other.submit(budget.after, LOOK, seconds=0.1, fault=Fault()).result()
    budget.before(LOOK)


def test_a_call_that_another_guard_withheld_is_not_under_way_for_ever(fleet: Fleet) -> None:
    budget = fleet.process(rekognition_image="0.001 USD")
    budget.before(LOOK)
    budget.before("dynamodb.PutItem")
    budget.before(LOOK)


def test_the_fleet_shares_a_cap(fleet: Fleet) -> None:
    one, two = fleet.process(rekognition_image="0.003 USD"), fleet.process(rekognition_image="0.003 USD")
    for budget in (one, two):
        call(budget)
        budget.exchange()
    one.exchange()
    call(two)
    two.exchange()
    call_knowing_all(one)
    assert refused(two) == "over-budget"
    assert [state.spent for state in fleet.process(rekognition_image=1).look()] == [pytest.approx(0.003)]


def test_a_process_that_starts_has_no_budget_of_its_own(fleet: Fleet) -> None:
    before = fleet.process(rekognition_image="0.001 USD")
    call(before)
    before.exchange()
    assert refused(fleet.process(rekognition_image="0.001 USD")) == "over-budget"


def test_telling_twice_counts_once(fleet: Fleet) -> None:
    budget = fleet.process(rekognition_image=1)
    call(budget)
    budget.exchange()
    budget.use("video-minute", 0)
    budget.exchange()
    (state,) = fleet.process(rekognition_image=1).look()
    assert state.spent == pytest.approx(0.001)


def test_midnight_gives_a_new_budget(fleet: Fleet) -> None:
    budget = fleet.process(rekognition_image="0.001 USD")
    call(budget)
    budget.exchange()
    assert refused(budget) == "over-budget"
    fleet.now += timedelta(minutes=10)
    assert not budget.states()[0].over
    call(budget)
    assert refused(budget) == "over-budget"


def test_an_idle_process_asks_nothing(fleet: Fleet) -> None:
    budget = fleet.process(all=1)
    budget.exchange()
    assert fleet.asked == []
    call(budget)
    budget.exchange()
    asked = len(fleet.asked)
    budget.exchange()
    assert len(fleet.asked) == asked == 3


def test_rescans_leave_a_fifth_to_uploads_and_wait(fleet: Fleet) -> None:
    budget = fleet.process(rekognition_image=f"10 {LOOK}")
    with on_behalf_of("rescan"):
        for _ in range(8):
            call(budget)
        with pytest.raises(Rationed) as caught:
            budget.before(LOOK)
    assert 0 < caught.value.retry_after <= ASK_AGAIN + 1
    call(budget)
    call(budget)
    assert refused(budget) == "over-budget"


def test_a_day_and_cap_is_told_once(fleet: Fleet) -> None:
    budget = fleet.process(rekognition_image=0, guardrail=0)
    with capture_logs() as logs:
        for _ in range(3):
            refused(budget, LOOK)
            refused(budget, ASK)
        fleet.now += timedelta(days=1)
        refused(budget, LOOK)
    assert [(line["event"], line["cap"], line["until"][:10]) for line in logs] == [
        ("over_budget", "rekognition-image", "2026-01-03"),
        ("over_budget", "guardrail", "2026-01-03"),
        ("over_budget", "rekognition-image", "2026-01-04"),
    ]


def test_the_fleet_can_see_what_was_not_asked(fleet: Fleet) -> None:
    budget = fleet.process(rekognition_image="0.0005 USD")
    refused(budget)
    refused(budget)
    budget.exchange()
    (state,) = fleet.process(rekognition_image="0.0005 USD").look()
    assert (state.refused, state.over, state.spent) == (2, True, 0)


def test_a_cap_that_was_raised_refuses_nothing_any_more(fleet: Fleet) -> None:
    budget = fleet.process(rekognition_image="0.0005 USD")
    refused(budget)
    budget.exchange()
    raised = fleet.process(rekognition_image="1 USD")
    assert [(state.refused, state.over) for state in raised.look()] == [(0, False)]
    call(raised)


def test_where_nobody_can_say_what_was_spent_nothing_is_asked(fleet: Fleet) -> None:
    fleet.table = "none"
    with pytest.raises(Denied):
        fleet.process(all=1).before(LOOK)


def test_a_table_that_does_not_answer_is_told_once_and_what_is_known_counts_on(fleet: Fleet) -> None:
    budget = fleet.process(rekognition_image="0.002 USD")
    call(budget)
    fleet.aws.dynamodb.delete_table(TableName=fleet.table)
    with capture_logs() as logs:
        budget.exchange()
        budget.exchange()
    assert [line["event"] for line in logs] == ["budget_not_told"]
    call(budget)
    assert refused(budget) == "over-budget"


WRONG: dict[str, dict[str, str | float]] = {
    "no such detector": {"rekognitoin": 1},
    "neither dollars nor": {"all": "a lot"},
    "is no unit of it": {"guardrail": f"5 {LOOK}"},
    "no unit of it": {"guardrail": "5 EUR"},
    "some.model has no price": {"classifier": 5},
}


@pytest.mark.parametrize(("said", "caps"), WRONG.items(), ids=list(WRONG))
def test_a_cap_that_could_never_be_reached_is_a_mistake(said: str, caps: dict[str, str | float]) -> None:
    known = Prices(PRICES.as_of, "r", PRICES.usd, {**PRICES.detectors, "input-token": "classifier"})
    with pytest.raises(CapsError, match=said):
        parse_caps(caps, known, model=MODEL)


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(CapsError) as caught:
        parse_caps({"one": 1, "two": 2, "all": 3}, PRICES, model=MODEL)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["one", "two"]


def call_knowing_all(budget: Budget) -> None:
    """One call by a process that has just heard of the others, and may make none."""
    budget.use("video-minute", 0)
    budget.exchange()
    assert refused(budget) == "over-budget"
