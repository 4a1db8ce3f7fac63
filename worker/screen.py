"""What `modfleet top` draws: a fleet as tables that fit 100 columns by 30 lines, calm until something is wrong."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.fleet import CallView, FleetView, LaneView
from worker.heartbeat import Heartbeat
from worker.metrics import Spread

WIDTH = 98
#: Workers that have a line of their own; the rest is a number.
MOST_WORKERS = 4
#: Milliseconds, and what to write from there on.
_UNITS = ((3_600_000.0, "h"), (60_000.0, "min"), (1000.0, "s"), (0.0, "ms"))
_STATUSES = {
    "allowed": "green",
    "redacted": "cyan",
    "held": "yellow",
    "rejected": "red",
    "restored": "blue",
    "superseded": "bright_black",
    "gone": "bright_black",
}
_NOTHING = Text("·", "bright_black")


def draw(view: FleetView) -> RenderableType:
    """The whole screen."""
    gap = Text("")
    parts: list[RenderableType] = [_title(view), gap, _figures(view), *_caps(view), gap, _lanes(view), gap]
    if not view.workers:
        return Group(*parts, Text("No worker has told anything in the last ten minutes.", "yellow"))
    return Group(*parts, _calls(view), gap, _items(view), gap, _workers(view))


def _title(view: FleetView) -> RenderableType:
    alive = len(view.workers) - len(view.lost)
    line = Table.grid(expand=False)
    line.add_column(width=WIDTH // 2)
    line.add_column(width=WIDTH // 2, justify="right")
    name = Text.assemble(("modfleet", "bold"), f"   {alive} worker{'' if alive == 1 else 's'}")
    if view.lost:
        name.append(f"   {len(view.lost)} lost", "bold red")
    if any(beat.dry_run for beat in view.workers if beat.worker not in view.lost):
        name.append("   DRY RUN, no takedowns", "bold white on red")
    if view.fail_open:
        name.append(f"   {view.fail_open} ALLOWED UNSEEN", "bold white on red")
    name.append_text(_policies(view))
    line.add_row(name, Text(f"{datetime.fromtimestamp(view.at, UTC):%H:%M:%S} UTC, the last minute", "bright_black"))
    return line


def _policies(view: FleetView) -> Text:
    """The policy that all decide by or, until all have taken up the newest, how many there are."""
    found = {
        beat.policy.removeprefix("sha256:") for beat in view.workers if beat.worker not in view.lost and beat.policy
    }
    if len(found) > 1:
        return Text(f"   {len(found)} POLICIES", "bold yellow")
    return Text("".join(f"   policy {version}" for version in found), "bright_black")


def _figures(view: FleetView) -> RenderableType:
    """The numbers that matter, each under its name."""
    per_item = "·" if view.usd_per_item is None else f"${view.usd_per_item:.5f}"
    figures = {
        "time to takedown": f"{_span(view.takedown, 0.5)} / {_span(view.takedown, 0.99)}",
        "to decision": f"{_span(view.decision, 0.5)} / {_span(view.decision, 0.99)}",
        "items/s": _rate(view.item_rate) or "0",
        "AWS calls/item": "·" if view.calls_per_item is None else f"{view.calls_per_item:.1f}",
        "an hour": f"${view.usd_per_hour:,.2f}",
        "an item": per_item,
    }
    table = Table.grid(padding=(0, 3))
    for _ in figures:
        table.add_column()
    table.add_row(*(Text(name, "bright_black") for name in figures))
    table.add_row(*(Text(value, "bold") for value in figures.values()))
    return table


def _caps(view: FleetView) -> list[RenderableType]:
    """Today's budget, where there is one: a line, red where something is held because of it."""
    if not view.caps:
        return []
    line = Text("today   ", "bright_black")
    for cap in view.caps:
        held = f", {cap.refused:,} refused" if cap.refused else ""
        said = f"{cap.name} {cap.spent:,.4g} of {cap.limit:,g} {cap.unit}{held}   "
        line.append(said, "bold red" if cap.over else "")
    line.truncate(WIDTH, overflow="ellipsis")
    return [Text(""), line]


def _lanes(view: FleetView) -> RenderableType:
    counts, rates = ("waiting", "in flight", "delayed", "dead"), ("done/s", "retry/s")
    table = _table("lane", *counts, *rates, "age p50", "age p99", "in hand")
    for name, lane in view.lanes.items():
        table.add_row(*_lane(name, lane))
    return table


def _lane(name: str, lane: LaneView) -> list[Text]:
    paused = lane.paused > 0
    title = Text.assemble(name, (" paused", "yellow")) if paused else Text(name)
    depth = lane.depth
    return [
        title if lane.workers else Text(name, "bright_black"),
        _number(depth.visible),
        _number(depth.in_flight),
        _number(depth.delayed),
        _number(depth.dead, bad="bold red"),
        _text(_rate(lane.done_rate)),
        _text(_rate(lane.retry_rate), "yellow"),
        _text(_span(lane.age, 0.5)),
        _text(_span(lane.age, 0.99)),
        _text(f"{lane.in_flight}/{lane.window}" if lane.workers else ""),
    ]


def _calls(view: FleetView) -> RenderableType:
    table = _table("dependency", "calls/s", "p50", "p99", "throttled/s", "failed/s", "breaker")
    for name, each in view.calls.items():
        table.add_row(*_call(name, each))
    return table


def _call(name: str, each: CallView) -> list[Text]:
    breaker = Text("closed", "bright_black") if not each.open else Text(f"OPEN in {each.open}", "bold red")
    return [
        Text(name),
        _text(_rate(each.rate)),
        _text(_span(each.ms, 0.5)),
        _text(_span(each.ms, 0.99)),
        _text(_rate(each.throttle_rate), "yellow"),
        _text(_rate(each.fault_rate), "red"),
        breaker,
    ]


def _items(view: FleetView) -> RenderableType:
    """A bar of where items ended, by status."""
    total = sum(view.items.values())
    if not total:
        return Text("no item has ended in the last minute", "bright_black")
    bar, legend = Text(), Text()
    for status in [*_STATUSES, *sorted(view.items.keys() - _STATUSES.keys())]:
        if count := view.items.get(status, 0):
            color = _STATUSES.get(status, "white")
            bar.append("━" * max(1, round(WIDTH * count / total)), color)
            legend.append("● ", color).append(f"{status} {count:,}   ")
    bar.truncate(WIDTH)
    return Group(bar, legend)


def _workers(view: FleetView) -> RenderableType:
    table = _table("worker", "lanes", "busy", "done/s", "CPU", "memory", "up", "told ago")
    for beat in view.workers[:MOST_WORKERS]:
        table.add_row(*_worker(beat, view))
    if more := len(view.workers) - MOST_WORKERS:
        table.add_row(Text(f"and {more} more", "bright_black")) if more > 0 else None
    return table


def _worker(beat: Heartbeat, view: FleetView) -> list[Text]:
    lost = beat.worker in view.lost
    done = sum(count for lane in beat.lanes.values() for what, count in lane.outcomes.items() if what != "retry")
    ago = _duration((view.at - beat.at) * 1000)
    cells = [
        Text(beat.worker[-28:]),
        Text("all" if set(beat.lanes) == set(view.lanes) else ",".join(beat.lanes)),
        _text(str(sum(lane.in_flight for lane in beat.lanes.values()))),
        _text(_rate(done / beat.seconds)),
        Text(f"{beat.cpu:.0%}"),
        Text(f"{beat.memory / 2**20:.0f} MB"),
        Text(_duration((view.at - beat.started_at) * 1000)),
        Text(f"LOST {ago}" if lost else ago, "bold red" if lost else "bright_black"),
    ]
    for cell in cells[1:-1]:
        cell.stylize("bright_black" if lost else "")
    return cells


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black", pad_edge=False)
    table.add_column(first, no_wrap=True, min_width=12)
    for name in others:
        table.add_column(name, justify="left" if name in ("lanes", "breaker", "told ago") else "right", no_wrap=True)
    return table


def _number(count: int | None, *, bad: str = "") -> Text:
    if count is None:
        return Text("?", "red")
    return Text(f"{count:,}", bad) if count else _NOTHING.copy()


def _text(value: str, style: str = "") -> Text:
    return Text(value, style) if value and value != "·" else _NOTHING.copy()


def _rate(each_second: float) -> str:
    if each_second < 0.005:
        return ""
    return f"{each_second:,.2f}" if each_second < 10 else f"{each_second:,.0f}"


def _span(spread: Spread, share: float) -> str:
    value = spread.quantile(share)
    return "·" if value is None else _duration(value)


def _duration(ms: float) -> str:
    size, unit = next((size, unit) for size, unit in _UNITS if ms >= size or not size)
    value = ms / (size or 1.0)
    return f"{value:.1f} {unit}" if value < 10 and size else f"{value:.0f} {unit}"
