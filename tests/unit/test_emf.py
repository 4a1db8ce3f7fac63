"""EMF: every line is what CloudWatch's specification says, and none of it is lost on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from worker import families
from worker.emf import MAX_METRICS, MAX_VALUES, emf_lines
from worker.metrics import Family, Registry

AT_MS = 1_795_305_750_000
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
UNITS = {"Seconds", "Microseconds", "Milliseconds", "Bytes", "Percent", "Count", "Count/Second", "None"}
ALL = [each for each in vars(families).values() if isinstance(each, Family)]


def lines_of(registry: Registry) -> list[dict[str, Any]]:
    written = list(emf_lines(registry.snapshot(), namespace="fleet", at_ms=AT_MS, properties={"worker": "w"}))
    assert not any("\n" in line for line in written)
    return [json.loads(line) for line in written]


def numbers(value: Any) -> Iterator[float]:
    """The numbers of a metric's value; fails where it has none of the allowed forms."""
    if isinstance(value, dict):
        assert set(value) == {"Values", "Counts", "Min", "Max", "Count", "Sum"}
        assert 1 <= len(value["Values"]) == len(value["Counts"]) <= MAX_VALUES
        assert sum(value["Counts"]) == value["Count"]
        assert min(value["Values"]) == value["Min"] <= max(value["Values"]) == value["Max"]
        yield from (*value["Values"], *value["Counts"], value["Sum"])
    else:
        yield value


def assert_is_emf(line: dict[str, Any]) -> None:
    """The specification's rules, each by its words."""
    assert set(line["_aws"]) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(line["_aws"]["Timestamp"], int)
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Namespace"]) <= 1024
        assert directive["Dimensions"]
        for names in directive["Dimensions"]:
            assert len(names) <= 30
            for name in names:
                assert isinstance(line[name], str)
                assert 1 <= len(line[name]) <= 1024
        assert 1 <= len(directive["Metrics"]) <= MAX_METRICS
        for metric in directive["Metrics"]:
            assert set(metric) <= {"Name", "Unit", "StorageResolution"}
            assert metric["Unit"] in UNITS
            assert all(isinstance(number, int | float) for number in numbers(line[metric["Name"]]))


@pytest.fixture
def busy() -> Registry:
    """Everything that can be measured, measured."""
    registry = Registry()
    for family in ALL:
        labels = tuple(f"{label}-1" for label in family.labels)
        registry.add(family, labels) if family.unit == "Count" else registry.observe(family, 12.5, labels)
    registry.level(families.IN_FLIGHT, 3.0, ("uploads",))
    return registry


def test_every_line_keeps_to_the_specification(busy: Registry) -> None:
    lines = lines_of(busy)
    for line in lines:
        assert_is_emf(line)
    named = {metric["Name"] for line in lines for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert named == {family.name for family in ALL if family.dimensions}


def test_no_two_metrics_have_one_name() -> None:
    assert len({family.name for family in ALL}) == len(ALL) > 10


def test_operations_are_added_up_by_dependency() -> None:
    registry = Registry()
    for operation, ms in (("GetObject", 10.0), ("PutObject", 100.0)):
        registry.add(families.CALLS, ("s3", operation), 2.0)
        registry.observe(families.CALL_MS, ms, ("s3", operation))
    (line,) = lines_of(registry)
    assert (line["dependency"], line["aws_calls"], line["aws_ms"]["Count"]) == ("s3", 4, 2)
    assert "operation" not in line


def test_an_item_counts_under_each_of_its_dimensions_in_one_line() -> None:
    registry = Registry()
    registry.add(families.ITEMS, ("rejected", "3", "feed", "image"))
    registry.add(families.ITEMS, ("rejected", "3", "feed", "video"), 2.0)
    (line,) = lines_of(registry)
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [[], ["status"], ["tier"], ["surface"]]
    assert (line["status"], line["tier"], line["surface"], line["items"]) == ("rejected", "3", "feed", 3)


def test_more_values_than_cloudwatch_takes_are_put_together_without_losing_any() -> None:
    registry = Registry()
    for power in range(300):
        registry.observe(families.ITEM_USD, 1e-8 * 1.09**power)
    (line,) = lines_of(registry)
    assert_is_emf(line)
    assert line["item_usd"]["Count"] == 300
    assert line["item_usd"]["Max"] == pytest.approx(1e-8 * 1.09**299, rel=0.04)


def test_more_metrics_than_a_directive_takes_are_told_in_several_lines() -> None:
    registry = Registry()
    for number in range(MAX_METRICS + 1):
        registry.add(Family(name=f"m{number}", help=""))
    lines = lines_of(registry)
    assert [len(line["_aws"]["CloudWatchMetrics"][0]["Metrics"]) for line in lines] == [MAX_METRICS, 1]
    for line in lines:
        assert_is_emf(line)
