"""The fleet as a whole (pure): the heartbeats of its workers added up, for `modfleet top`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tasks.aws.budget import CapState
from worker.heartbeat import CallBeat, Heartbeat, LaneBeat
from worker.metrics import Spread

#: Seconds after which a worker that tells nothing is shown as lost, and then no longer shown.
LOST_SECONDS, FORGOTTEN_SECONDS = 20.0, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """A lane's queues now, as SQS counts them (approximately); None where it does not answer."""

    visible: int | None = None
    in_flight: int | None = None
    delayed: int | None = None
    dead: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """One lane in the whole fleet; rates are messages a second."""

    depth: Depth
    done_rate: float = 0.0
    retry_rate: float = 0.0
    parked: int = 0
    in_flight: int = 0
    window: int = 0
    #: Workers that serve it, and how many of them have paused it.
    workers: int = 0
    paused: int = 0
    age: Spread = field(default_factory=Spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """One dependency in the whole fleet; rates are tries a second."""

    rate: float
    throttle_rate: float
    fault_rate: float
    ms: Spread
    #: Workers whose breaker is not closed.
    open: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """Everything that `modfleet top` shows. `at` is epoch seconds."""

    at: float
    workers: tuple[Heartbeat, ...]
    lost: tuple[str, ...]
    lanes: Mapping[str, LaneView]
    calls: Mapping[str, CallView]
    #: Status -> items in the last minute.
    items: Mapping[str, int]
    item_rate: float
    calls_per_item: float | None
    usd_per_hour: float
    usd_per_item: float | None
    fail_open: int
    decision: Spread
    takedown: Spread
    #: Today's daily caps.
    caps: tuple[CapState, ...] = ()

    def summary(self) -> dict[str, Any]:
        """For `--json`: spreads as count, p50 and p99."""
        shown: dict[str, Any] = _plain(asdict(self))
        shown["caps"] = [{**asdict(cap), "over": cap.over} for cap in self.caps]
        shown["workers"] = [{**_plain(asdict(beat)), "lost": beat.worker in self.lost} for beat in self.workers]
        del shown["lost"]
        return shown


def view_of(
    beats: Iterable[Heartbeat], depths: Mapping[str, Depth], *, at: float, caps: Iterable[CapState] = ()
) -> FleetView:
    """The fleet at a moment (epoch seconds). What lost workers told last is not in the sums."""
    shown = tuple(beat for beat in beats if at - beat.at < FORGOTTEN_SECONDS)
    lost = tuple(beat.worker for beat in shown if at - beat.at >= LOST_SECONDS)
    alive = [beat for beat in shown if beat.worker not in lost]
    items = Counter[str]()
    for beat in alive:
        items.update(beat.items)
    calls, usd = sum(each.calls for beat in alive for each in beat.calls.values()), sum(p.usd for p in alive)
    return FleetView(
        at=at,
        workers=shown,
        lost=lost,
        lanes={lane: _lane(lane, depth, alive) for lane, depth in depths.items()},
        calls={name: _calls(name, alive) for name in sorted({name for beat in alive for name in _named(beat)})},
        items=dict(items),
        item_rate=sum(sum(beat.items.values()) / beat.seconds for beat in alive),
        calls_per_item=calls / items.total() if items.total() else None,
        usd_per_hour=sum(beat.usd / beat.seconds for beat in alive) * 3600,
        usd_per_item=usd / items.total() if items.total() else None,
        fail_open=sum(beat.fail_open for beat in shown),
        decision=_together(beat.decision for beat in alive),
        takedown=_together(beat.takedown for beat in alive),
        caps=tuple(caps),
    )


def _named(beat: Heartbeat) -> set[str]:
    """Dependencies that a worker has called or that are closed to it."""
    return set(beat.calls) | {name for name, state in beat.breakers.items() if state != "closed"}


def _lane(lane: str, depth: Depth, beats: list[Heartbeat]) -> LaneView:
    serving = [(beat.lanes[lane], beat.seconds) for beat in beats if lane in beat.lanes]
    return LaneView(
        depth=depth,
        done_rate=sum(_settled(each) / seconds for each, seconds in serving),
        retry_rate=sum(each.outcomes.get("retry", 0) / seconds for each, seconds in serving),
        parked=sum(each.outcomes.get("parked", 0) for each, _ in serving),
        in_flight=sum(each.in_flight for each, _ in serving),
        window=sum(each.window for each, _ in serving),
        workers=len(serving),
        paused=sum(each.paused for each, _ in serving),
        age=_together(each.age for each, _ in serving),
    )


def _settled(beat: LaneBeat) -> int:
    return sum(count for outcome, count in beat.outcomes.items() if outcome != "retry")


def _calls(name: str, beats: list[Heartbeat]) -> CallView:
    told = [(beat.calls.get(name, CallBeat()), beat.seconds) for beat in beats]
    return CallView(
        rate=sum(each.calls / seconds for each, seconds in told),
        throttle_rate=sum(each.throttles / seconds for each, seconds in told),
        fault_rate=sum(each.faults / seconds for each, seconds in told),
        ms=_together(each.ms for each, _ in told),
        open=sum(beat.breakers.get(name, "closed") != "closed" for beat in beats),
    )


def _together(spreads: Iterable[Spread]) -> Spread:
    found = Spread()
    for spread in spreads:
        found = found.plus(spread)
    return found


def _plain(value: Any) -> Any:
    """Spreads, which `asdict` has made plain too, become what a reader wants of them."""
    if not isinstance(value, dict):
        return value
    if value.keys() == {"buckets", "sum"}:
        spread = Spread(**value)
        return {"count": spread.count, "p50": spread.quantile(0.5), "p99": spread.quantile(0.99)}
    return {name: _plain(each) for name, each in value.items()}
