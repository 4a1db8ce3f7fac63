"""The alarms: lint-clean, on metrics that workers send, and each of them explained in the runbook."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.lanes import LANES
from tasks.aws.breaker import DEPENDENCIES
from worker import families
from worker.metrics import Family

ROOT = Path(__file__).parents[2]
WATCH = ROOT / "deploy" / "watch.yaml"
RUNBOOK = (ROOT / "deploy" / "runbook.md").read_text()


class Template(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their plain values."""


Template.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))

ALARMS: dict[str, dict[str, Any]] = {
    name: resource["Properties"]
    for name, resource in yaml.load(WATCH.read_text(), Template)["Resources"].items()  # a SafeLoader
}
FAMILIES = {family.name: family for family in vars(families).values() if isinstance(family, Family)}


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """What an alarm looks at, alone or in an expression."""
    stats = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
    return stats or [alarm]


def test_cfn_lint_finds_nothing_in_it() -> None:
    lint = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run([lint, "-t", WATCH], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("alarm", ALARMS.values(), ids=list(ALARMS))
def test_an_alarm_is_on_metrics_that_exist_by_dimensions_that_they_have(alarm: dict[str, Any]) -> None:
    for metric in metrics_of(alarm):
        if metric["Namespace"] == "AWS/SQS":
            continue
        named = tuple(dimension["Name"] for dimension in metric.get("Dimensions", []))
        assert named in (FAMILIES[metric["MetricName"]].dimensions or ((),))


@pytest.mark.parametrize("alarm", ALARMS.values(), ids=list(ALARMS))
def test_every_alarm_says_where_in_the_runbook_it_is_explained_and_is(alarm: dict[str, Any]) -> None:
    (number,) = re.findall(r"\(runbook, (\d)\)", alarm["AlarmDescription"])
    chapter = RUNBOOK.split(f"\n## {number}. ")[1].split("\n## ")[0]
    assert f"`{alarm['AlarmName'].removeprefix('${Prefix}-')}`" in chapter


def test_every_dependency_s_breaker_and_every_lane_s_dead_letters_are_watched() -> None:
    watched = [metric["Dimensions"][0]["Value"] for metric in metrics_of(ALARMS["BreakerOpen"])]
    assert sorted(watched) == sorted(DEPENDENCIES)
    parked = [metric["Dimensions"][0]["Value"] for metric in metrics_of(ALARMS["DeadLetters"])]
    assert parked == [f"${{Prefix}}-{lane}-dlq" for lane in LANES]
