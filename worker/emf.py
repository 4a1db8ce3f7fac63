"""Metrics as CloudWatch EMF: JSON lines on standard output, which CloudWatch Logs turns into metrics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from worker.metrics import ZERO, Family, Labels, Snapshot, Spread, value_of

#: Metrics that one directive may name, and values that one metric may have.
MAX_METRICS = MAX_VALUES = 100

#: What one line is about: the sets of dimensions, and the values of all labels in them.
_About = tuple[tuple[Labels, ...], Labels]


def emf_lines(window: Snapshot, *, namespace: str, at_ms: int, properties: Mapping[str, str]) -> Iterator[str]:
    """One line for each combination of dimensions in what came since the last lines.

    `at_ms` is now, in milliseconds since 1970; `properties` are told beside the metrics and are no dimensions.
    """
    for (dimensions, values), metrics in _by_dimensions(window).items():
        names = list(metrics)
        for start in range(0, len(names), MAX_METRICS):
            some = {family: metrics[family] for family in names[start : start + MAX_METRICS]}
            line = {
                "_aws": {"Timestamp": at_ms, "CloudWatchMetrics": [_directive(namespace, dimensions, some)]},
                **properties,
                **dict(zip(_labels_in(dimensions), values, strict=True)),
                **{family.name: _short(value) if isinstance(value, float) else value for family, value in some.items()},
            }
            yield json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def _directive(namespace: str, dimensions: tuple[Labels, ...], metrics: Mapping[Family, object]) -> dict[str, Any]:
    return {
        "Namespace": namespace,
        "Dimensions": [list(labels) for labels in dimensions],
        "Metrics": [{"Name": family.name, "Unit": family.unit} for family in metrics],
    }


def _by_dimensions(window: Snapshot) -> dict[_About, dict[Family, Any]]:
    """Metrics by what they are about; series that differ only in labels that are no dimensions become one."""
    found: dict[_About, dict[Family, Any]] = defaultdict(dict)
    for (family, labels), count in window.counts.items():
        if family.dimensions:
            metrics = found[_about(family, labels)]
            metrics[family] = metrics.get(family, 0) + count
    for (family, labels), level in window.levels.items():
        found[_about(family, labels)][family] = level
    spreads: dict[tuple[_About, Family], Spread] = {}
    for (family, labels), spread in window.spreads.items():
        about = _about(family, labels)
        spreads[about, family] = spreads.get((about, family), Spread()).plus(spread)
    for (about, family), spread in spreads.items():
        if spread.count:
            found[about][family] = _histogram(spread)
    return found


def _about(family: Family, labels: Labels) -> _About:
    by_name = dict(zip(family.labels, labels, strict=True))
    return family.dimensions, tuple(by_name[label] for label in _labels_in(family.dimensions))


def _labels_in(dimensions: tuple[Labels, ...]) -> Labels:
    return tuple(dict.fromkeys(label for labels in dimensions for label in labels))


def _histogram(spread: Spread) -> dict[str, Any]:
    """The form in which CloudWatch takes a distribution (as its agent and the OpenTelemetry collector send it)."""
    buckets = _at_most(MAX_VALUES, spread.buckets)
    values = sorted(buckets)
    return {
        "Values": [_short(value) for value in values],
        "Counts": [buckets[value] for value in values],
        "Min": _short(values[0]),
        "Max": _short(values[-1]),
        "Count": spread.count,
        "Sum": _short(spread.sum),
    }


def _at_most(most: int, buckets: Mapping[int, int]) -> dict[float, int]:
    """Value -> count, with neighbours put together until there are no more than `most`; the largest stays as it is."""
    width = 1
    while len(grouped := _grouped(buckets, width)) > most:
        width += 1
    return {value_of(bucket): count for bucket, count in grouped.items()}


def _grouped(buckets: Mapping[int, int], width: int) -> dict[int, int]:
    """Neighbouring buckets together, `width` of them, under the highest that has values."""
    highest: dict[int, int] = {}
    counts: dict[int, int] = defaultdict(int)
    for bucket, count in buckets.items():
        # Nothing is nothing, and no neighbour of a little.
        group = ZERO if bucket <= ZERO else bucket // width
        highest[group] = max(bucket, highest.get(group, bucket))
        counts[group] += count
    return {highest[group]: count for group, count in counts.items()}


def _short(value: float) -> float:
    return float(f"{value:.6g}")
