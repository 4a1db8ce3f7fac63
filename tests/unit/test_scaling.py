"""How many workers there will be: the templates' own expressions, worked out and held against calculations by hand."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from typer.testing import CliRunner

from config.lanes import LANES
from config.scaling import GROUPS, Group, groups_at
from tests.unit.stacks import load, settled
from worker.cli import app

ECS, EC2 = "scaling-ecs", "scaling-ec2"
WAITING, WORKED_ON = "ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"
#: CloudWatch's functions, at one moment; None is a metric that tells nothing.
MATH = {
    "FILL": lambda value, instead: instead if value is None else value,
    "IF": lambda condition, yes, no: yes if condition else no,
}
#: An account with 500 calls a second: 500 x 0.5 s / 16 at once keep 15.6 workers busy.
LARGE = groups_at(500, 0.5)["live"]
template = cache(load)
TOPIC = "arn:aws:sns:us-east-1:123456789012:pager"


def worked_out(queries: list[dict[str, Any]], told: dict[tuple[str, str], float]) -> float:
    """What an expression comes to. `told` is (the last dimension's value, the metric's name) -> value."""
    by_id = {query["Id"]: query for query in queries}

    class Values(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            query = by_id[name]
            if "Expression" in query:
                return eval(query["Expression"], MATH, self)
            metric = query["MetricStat"]["Metric"]
            return told.get((metric["Dimensions"][-1]["Value"], metric["MetricName"]))

    (wanted,) = [query["Id"] for query in queries if query.get("ReturnData", True)]
    return float(Values()[wanted])


def stack(name: str, **given: int) -> dict[str, Any]:
    return settled(template(name), AlarmTopicArn=TOPIC, **{key: str(value) for key, value in given.items()})


def policy(name: str, group: str, **given: Any) -> list[dict[str, Any]]:
    """The metric that target tracking holds."""
    said = stack(name, **given)[f"{group.capitalize()}Policy"]["Properties"]
    tracking = said.get("TargetTrackingScalingPolicyConfiguration") or said["TargetTrackingConfiguration"]
    queries: list[dict[str, Any]] = tracking["CustomizedMetricSpecification"]["Metrics"]
    return queries


def seen(name: str, group: str, running: float | None, **messages: float) -> dict[tuple[str, str], float]:
    """What CloudWatch tells: `uploads=3` wait, `uploads_worked_on=4` are being worked on."""
    told = {
        (f"modfleet-{lane.removesuffix('_worked_on')}", WORKED_ON if lane.endswith("_worked_on") else WAITING): count
        for lane, count in messages.items()
    }
    if running is not None:
        workers = (
            (group, "RunningTaskCount") if name == ECS else (f"modfleet-worker-{group}", "GroupInServiceInstances")
        )
        told[workers] = running
    return told


SITUATIONS = {
    # 0 / 1 = 0 for each: the floor.
    "nothing to do": (1, {"uploads": 0, "uploads_worked_on": 0, "rulings": 0}, 1),
    # (9,000 + 500 + 100) / 2 = 4,800 for each; 2 x 4,800 / 960 = 10.
    "a burst": (2, {"uploads": 9_000, "uploads_worked_on": 500, "rulings": 100}, 10),
    # 50,000 / 10 = 5,000 for each; 10 x 5,000 / 960 = 52.1, and the quota feeds 16.
    "more than the quota lets through": (10, {"uploads": 50_000}, 16),
    # 1,900 / 3 = 633 for each; 3 x 633 / 960 = 1.98: by what waits alone two that are busy would go, not one.
    "all in hand and none waiting": (3, {"uploads": 0, "uploads_worked_on": 1_900}, 2),
    # CloudWatch tells nothing of anything: 0 / 1. What runs goes down to the floor, and no further.
    "no metric at all": (None, {}, 1),
    # Workers are not told of, messages are: 1,920 / 1; of the two that run there will be four: rather too many.
    "no count of the workers": (None, {"uploads": 1_920}, 4),
}


@pytest.mark.parametrize("name", [ECS, EC2])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_there_are_as_many_workers_as_a_calculation_by_hand_says(name: str, situation: str) -> None:
    running, messages, expected = SITUATIONS[situation]
    told = seen(name, "live", running, **messages)
    assert LARGE.wanted(worked_out(policy(name, "live"), told), 2 if running is None else running) == expected


@pytest.mark.parametrize("name", [ECS, EC2])
def test_where_none_runs_the_first_message_starts_one_worker_and_no_second(name: str) -> None:
    alarm = stack(name)["RescanWaits"]["Properties"]
    value = {n: worked_out(alarm["Metrics"], seen(name, "rescan", n, rescan=4, rescan_worked_on=8)) for n in (0, 1)}
    assert (value[0] > float(alarm["Threshold"]), value[1] > float(alarm["Threshold"])) == (True, False)
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["AlarmActions"] == ["{RescanFirst}"]
    step = stack(name)["RescanFirst"]["Properties"]
    step = step.get("StepScalingPolicyConfiguration", step)
    assert step["AdjustmentType"] == "ChangeInCapacity"
    assert step["StepAdjustments"] == [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]
    assert GROUPS["rescan"].wanted(worked_out(policy(name, "rescan"), seen(name, "rescan", 0, rescan=4)), 0) == 1


def test_a_first_worker_is_started_by_a_step_only_where_there_may_be_none() -> None:
    assert "VideoFirst" not in stack(ECS)
    assert {"VideoFirst", "VideoWaits"} <= set(stack(ECS, VideoFloor=0))
    assert "RescanFirst" not in stack(ECS, RescanFloor=1)


@pytest.mark.parametrize("name", [ECS, EC2])
def test_only_a_fleet_at_its_ceiling_with_too_much_to_do_is_saturated(name: str) -> None:
    alarm = stack(name)["LiveSaturated"]["Properties"]

    def saturated(running: int, waiting: int) -> bool:
        return worked_out(alarm["Metrics"], seen(name, "live", running, uploads=waiting)) > float(alarm["Threshold"])

    ceiling = GROUPS["live"].ceiling
    assert not saturated(ceiling - 1, 1_000_000)
    assert not saturated(ceiling, 960 * ceiling)
    assert saturated(ceiling, 960 * ceiling + 1)


def test_two_processes_of_an_instance_share_what_waits() -> None:
    told = seen(EC2, "live", 3, uploads=1_200)
    assert worked_out(policy(EC2, "live"), told) == 400
    assert worked_out(policy(EC2, "live", VCpus=2), told) == 200


def test_the_numbers_are_what_a_calculation_by_hand_says() -> None:
    live, video, rescan = GROUPS["live"], GROUPS["video"], GROUPS["rescan"]
    # seconds x at once / seconds of a message
    assert live.backlog == 30 * 16 / 0.5 == 960
    assert video.backlog == 60 * 4 / 0.5 == 480
    assert rescan.backlog == 3600 * 8 / (100 * 0.5) == 576
    # 5 a second x 0.5 s / 16 at once is 0.16 of a worker: one, and one more than the floor
    assert (live.ceiling, video.ceiling, rescan.ceiling) == (2, 2, 1)
    # 500 x 0.5 / 16 = 15.6; 500 x 0.5 / 4 = 62.5; half of 500 x 0.5 / 8 = 15.6
    large = groups_at(500, 0.5)
    assert [large[name].ceiling for name in ("live", "video", "rescan")] == [16, 63, 16]


@pytest.mark.parametrize("group", GROUPS.values(), ids=list(GROUPS))
@pytest.mark.parametrize("name", [ECS, EC2, "fleet-ec2"])
def test_the_defaults_of_a_template_are_what_the_arithmetic_says(name: str, group: Group) -> None:
    said = {key: one.get("Default") for key, one in template(name)["Parameters"].items()}
    title = group.name.capitalize()
    # On EC2 floors and ceilings are the groups' own; scaling only hears of them.
    told = f"{title}Group" if name == EC2 else title
    wanted = {f"{title}Backlog": group.backlog, f"{told}Floor": group.floor, f"{told}Ceiling": group.ceiling}
    assert {key: said[key] for key in wanted if key in said} == {key: wanted[key] for key in wanted if key in said}
    assert len(set(wanted) & set(said)) >= 2


def test_the_scaling_of_instances_is_told_what_their_groups_are_by_the_fleet() -> None:
    fleet, scaling = template("fleet-ec2"), template(EC2)
    assert set(fleet["Outputs"]) <= set(scaling["Parameters"])
    # By names that the scaling of a fleet on ECS beside it does not have.
    assert not set(fleet["Outputs"]) & set(template(ECS)["Parameters"])
    for name, output in fleet["Outputs"].items():
        assert fleet["Parameters"][output["Value"]["Ref"]]["Default"] == scaling["Parameters"][name]["Default"]


def test_every_lane_is_in_one_group_and_each_group_scales_on_all_of_its_lanes() -> None:
    assert sorted(lane for group in GROUPS.values() for lane in group.lanes) == sorted(LANES)
    for name in (ECS, EC2):
        for group in GROUPS.values():
            metrics = [q["MetricStat"]["Metric"] for q in policy(name, group.name) if "MetricStat" in q]
            looked_at = {(m["Dimensions"][0]["Value"], m["MetricName"]) for m in metrics if m["Namespace"] == "AWS/SQS"}
            assert looked_at == {(f"modfleet-{lane}", kind) for lane in group.lanes for kind in (WAITING, WORKED_ON)}


def test_the_command_tells_parameters_that_the_stacks_have() -> None:
    said = json.loads(CliRunner().invoke(app, ["scaling", "--tps", "500", "--json"]).stdout)
    assert said["parameters"]["LiveCeiling"] == said["live"]["ceiling"] == LARGE.ceiling
    assert set(said["parameters"]) <= set(template(ECS)["Parameters"])
    shown = CliRunner().invoke(app, ["scaling", "--tps", "500"]).stdout
    assert "LiveBacklog=960 LiveCeiling=16 " in shown


def test_live_uploads_are_never_without_a_worker() -> None:
    assert GROUPS["live"].floor >= 1
    assert "LiveFirst" not in stack(ECS)
