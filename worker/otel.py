"""Metrics to OpenTelemetry, for fleets that are watched by something else than CloudWatch: the extra `otel`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from worker.metrics import Family, Labels

#: The units of OpenTelemetry (UCUM) for CloudWatch's.
UNITS = {"Milliseconds": "ms", "Count": "1", "None": "1"}


class NoOpenTelemetry(Exception):
    """MODFLEET_OTEL=1 needs the extra: pip install 'modfleet[otel]'."""


class Exporter:
    """A `worker.metrics.Listener` that hands every observation to OpenTelemetry's instruments."""

    def __init__(self, provider: Any) -> None:
        """`provider` is an opentelemetry.sdk.metrics.MeterProvider; see `connect_otel`."""
        self._provider = provider
        self._meter = provider.get_meter("modfleet")
        self._instruments: dict[Family, Any] = {}

    def counted(self, family: Family, labels: Labels, amount: float) -> None:
        """Add to the counter `modfleet.NAME`."""
        self._instrument(family, self._meter.create_counter).add(amount, _attributes(family, labels))

    def observed(self, family: Family, labels: Labels, value: float) -> None:
        """Record in the histogram `modfleet.NAME`."""
        self._instrument(family, self._meter.create_histogram).record(value, _attributes(family, labels))

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _instrument(self, family: Family, create: Callable[..., Any]) -> Any:
        # Two threads may both create it; the SDK then gives both the same one.
        if family not in self._instruments:
            unit = UNITS[family.unit]
            self._instruments[family] = create(f"modfleet.{family.name}", unit=unit, description=family.help)
        return self._instruments[family]


def connect_otel(*, worker: str, reader: Any = None) -> Exporter:
    """An exporter over OTLP/HTTP, where the standard OTEL_EXPORTER_OTLP_* variables say.

    `worker` names this process; `reader` takes the place of the periodic OTLP reader. Raises NoOpenTelemetry
    when the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    except ImportError as missing:
        raise NoOpenTelemetry(f"{NoOpenTelemetry.__doc__} ({missing})") from None
    reader = reader or PeriodicExportingMetricReader(OTLPMetricExporter())
    resource = Resource.create({"service.name": "modfleet", "service.instance.id": worker})
    return Exporter(MeterProvider(metric_readers=[reader], resource=resource))


def _attributes(family: Family, labels: Labels) -> dict[str, str]:
    return dict(zip(family.labels, labels, strict=True))
