"""The alarms and the dashboard: on metrics that workers send, and each alarm explained in the runbook."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from config.lanes import LANES
from tasks.aws.breaker import DEPENDENCIES
from tests.unit.stacks import load, resources, settled
from worker import families
from worker.metrics import Family

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "deploy" / "runbook.md").read_text()
#: Lanes without a worker of which nobody would see what was uploaded, or what people ruled. Others may have none.
ALWAYS_SERVED = {"uploads", "rulings"}

WATCH = settled(load("watch"), Prefix="fleet")
ALARMS: dict[str, dict[str, Any]] = {
    name: alarm
    for stack in ("watch", "scaling-ecs", "scaling-ec2")
    for name, alarm in resources({"Resources": settled(load(stack), Prefix="fleet")}, "AWS::CloudWatch::Alarm").items()
}
FAMILIES = {family.name: family for family in vars(families).values() if isinstance(family, Family)}


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """What an alarm looks at, alone or in an expression."""
    stats = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
    return stats or [alarm]


@pytest.mark.parametrize("alarm", ALARMS.values(), ids=list(ALARMS))
def test_an_alarm_is_on_metrics_that_exist_by_dimensions_that_they_have(alarm: dict[str, Any]) -> None:
    for metric in metrics_of(alarm):
        if metric["Namespace"] != "fleet":
            assert metric["Namespace"] in ("AWS/SQS", "AWS/AutoScaling", "ECS/ContainerInsights")
            continue
        named = tuple(dimension["Name"] for dimension in metric.get("Dimensions", []))
        assert named in (FAMILIES[metric["MetricName"]].dimensions or ((),))


@pytest.mark.parametrize("alarm", ALARMS.values(), ids=list(ALARMS))
def test_every_alarm_says_where_in_the_runbook_it_is_explained_and_is(alarm: dict[str, Any]) -> None:
    (number,) = re.findall(r"\(runbook, (\d)\)", alarm["AlarmDescription"])
    chapter = RUNBOOK.split(f"\n## {number}. ")[1].split("\n## ")[0]
    assert f"`{alarm['AlarmName'].removeprefix('fleet-')}`" in chapter


def test_every_dependency_s_breaker_and_every_lane_s_dead_letters_are_watched() -> None:
    watched = [metric["Dimensions"][0]["Value"] for metric in metrics_of(ALARMS["BreakerOpen"])]
    assert sorted(watched) == sorted(DEPENDENCIES)
    parked = [metric["Dimensions"][0]["Value"] for metric in metrics_of(ALARMS["DeadLetters"])]
    assert parked == [f"fleet-{lane}-dlq" for lane in LANES]


def test_whichever_detector_throttles_is_noticed() -> None:
    """By services that a lane cannot do without and that look at content."""
    watched = {metric["Dimensions"][0]["Value"] for metric in metrics_of(ALARMS["Throttled"])}
    assert watched == {name for lane in LANES.values() for name in lane.needs} - {"s3", "dynamodb"}


def test_every_lane_s_age_has_a_promise_and_those_that_are_always_served_have_somebody_who_receives() -> None:
    ages = [
        alarm["Dimensions"][0]["Value"] for alarm in ALARMS.values() if "OldestMessage" in alarm.get("MetricName", "")
    ]
    assert sorted(ages) == sorted(f"fleet-{lane}" for lane in LANES)
    asked = {metric["Dimensions"][0]["Value"] for metric in metrics_of(ALARMS["NobodyReceives"])}
    assert asked == {f"fleet-{lane}" for lane in ALWAYS_SERVED}


def test_the_dashboard_shows_every_alarm_and_metrics_that_exist() -> None:
    widgets = json.loads(WATCH["Dashboard"]["Properties"]["DashboardBody"])["widgets"]
    (alarms,) = [widget["properties"]["alarms"] for widget in widgets if widget["type"] == "alarm"]
    assert alarms == [f"{{{name}.Arn}}" for name, one in WATCH.items() if one["Type"] == "AWS::CloudWatch::Alarm"]
    shown = [metric for widget in widgets for metric in widget["properties"].get("metrics", [])]
    assert len(shown) > 30
    for metric in shown:
        namespace, name, *dimensions = [word for word in metric if isinstance(word, str)]
        if namespace == "fleet":
            assert tuple(dimensions[::2]) in (FAMILIES[name].dimensions or ((),)), metric
        else:
            assert (namespace, dimensions[0]) == ("AWS/SQS", "QueueName")
            assert dimensions[1].removeprefix("fleet-").removesuffix("-dlq") in LANES


def test_widgets_lie_beside_each_other_and_not_on_top() -> None:
    widgets = json.loads(WATCH["Dashboard"]["Properties"]["DashboardBody"])["widgets"]
    places = [
        (x, y)
        for widget in widgets
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) < 24
