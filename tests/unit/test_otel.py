"""OpenTelemetry: an extra that is asked for by name, and hears exactly what the registry hears."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from worker.families import CALL_MS, CALLS
from worker.metrics import Registry
from worker.otel import Exporter, NoOpenTelemetry, connect_otel

INSTALLED = find_spec("opentelemetry") is not None


@pytest.mark.skipif(INSTALLED, reason="the extra is installed")
def test_without_the_extra_it_says_what_to_install() -> None:
    with pytest.raises(NoOpenTelemetry, match=r"pip install 'modfleet\[otel\]'"):
        connect_otel(worker="w")


class Instrument:
    """A counter or a histogram that remembers."""

    def __init__(self, name: str, unit: str, description: str) -> None:
        assert description
        self.name, self.unit = name, unit
        self.said: list[tuple[float, dict[str, str]]] = []

    def add(self, amount: float, attributes: dict[str, str]) -> None:
        self.said.append((amount, attributes))

    record = add


class Provider:
    """A MeterProvider that exports nowhere."""

    def __init__(self) -> None:
        self.made: list[Instrument] = []
        self.ended = False

    def get_meter(self, name: str) -> Provider:
        assert name == "modfleet"
        return self

    def create_counter(self, name: str, *, unit: str, description: str) -> Instrument:
        self.made.append(Instrument(name, unit, description))
        return self.made[-1]

    create_histogram = create_counter

    def shutdown(self) -> None:
        self.ended = True


def test_each_observation_reaches_its_instrument_with_its_labels() -> None:
    provider = Provider()
    exporter = Exporter(provider)
    registry = Registry([exporter])
    registry.add(CALLS, ("s3", "GetObject"))
    registry.add(CALLS, ("s3", "PutObject"), 2.0)
    registry.observe(CALL_MS, 12.5, ("s3", "GetObject"))
    exporter.close()
    counter, histogram = provider.made
    assert (counter.name, counter.unit, histogram.name, histogram.unit) == (
        "modfleet.aws_calls",
        "1",
        "modfleet.aws_ms",
        "ms",
    )
    get, put = {"dependency": "s3", "operation": "GetObject"}, {"dependency": "s3", "operation": "PutObject"}
    assert counter.said == [(1.0, get), (2.0, put)]
    assert histogram.said == [(12.5, get)]
    assert provider.ended


@pytest.mark.skipif(not INSTALLED, reason="the extra `otel` is not installed")
def test_the_sdk_takes_it() -> None:
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415

    reader: Any = InMemoryMetricReader()
    registry = Registry([connect_otel(worker="w", reader=reader)])
    registry.add(CALLS, ("s3", "GetObject"), 3.0)
    registry.observe(CALL_MS, 12.5, ("s3", "GetObject"))
    (resource,) = reader.get_metrics_data().resource_metrics
    points = {metric.name: metric.data.data_points[0] for scope in resource.scope_metrics for metric in scope.metrics}
    assert (points["modfleet.aws_calls"].value, points["modfleet.aws_ms"].sum) == (3.0, 12.5)
