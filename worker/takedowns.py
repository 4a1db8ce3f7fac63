"""`modfleet takedowns`: how long violations were visible, by surface."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.record.past import about_how_many
from tasks.record.takedowns import Page, Times, takedowns_since
from worker.cost import since_when
from worker.terminal import WRONG, AsJson, open_desk, print_json, stop

#: The row of all surfaces together.
ALL = "all"
#: By name, the shares of which the time is told.
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def takedowns(
    since: Annotated[str, typer.Option(help="A day (2026-11-01, UTC), or how long ago: 7d, 24h.")] = "7d",
    surface: Annotated[str, typer.Option(help="Only this surface.")] = "",
    promise: Annotated[
        float, typer.Option("--promise", min=0, help="Seconds that you promise; the share within them is told.")
    ] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Show how long takedowns took, by surface: p50, p95, p99 and the longest.

    From S3's event until the public could not see it any more; where there is a public URL, until it was asked for
    and refused. Of what the machine hid, removed or masked; what people ruled on afterwards took as long as they did.
    Exact, from one read of the items table, which DynamoDB bills whole.
    """
    desk = open_desk()
    now = desk.now()
    begin = since_when(since, now=now) or stop(f"--since {since}: neither a day nor like 7d or 24h")
    try:
        times = by_surface(_read(desk, begin, surface, quiet=as_json))
    except Fault as fault:
        stop(str(fault), code=WRONG)
    if as_json:
        shown = {name: summary(one, promise=promise) for name, one in times.items()}
        print_json({"since": begin.isoformat(), "until": now.isoformat(), "promise_s": promise, "surfaces": shown})
    else:
        _print(Console(), times, since=begin, promise=promise)


def by_surface(pages: Iterable[Page]) -> dict[str, Times]:
    """Times by surface, the one with the most first; and of `all` before them, where there are several."""
    found = dict[str, Times]()
    for page in pages:
        for surface, ms in page.times:
            found.setdefault(surface or "(none)", Times()).add(ms)
    ordered = dict(sorted(found.items(), key=lambda each: -each[1].count))
    together = Times()
    for one in ordered.values():
        together = together.plus(one)
    return {ALL: together} | ordered if len(ordered) > 1 else ordered


def summary(times: Times, *, promise: float) -> dict[str, Any]:
    """For `--json`: how many, milliseconds by share, and the share within the promise (seconds)."""
    told = {f"{name}_ms": times.quantile(share) for name, share in SHARES.items()}
    return {"count": times.count, **told, "within_promise": times.within(round(promise * 1000))}


def _read(desk: Desk, begin: datetime, surface: str, *, quiet: bool) -> Iterable[Page]:
    table, bar = desk.settings.items_table, Console(stderr=True)
    columns = (TextColumn("rows read"), BarColumn(), MofNCompleteColumn())
    hidden = quiet or not bar.is_terminal
    with Progress(*columns, console=bar, transient=True, disable=hidden) as progress:
        task = progress.add_task("", total=None if hidden else about_how_many(desk.aws, table) or None)
        for page in takedowns_since(desk.aws, table, begin, surface=surface):
            progress.advance(task, page.read)
            yield page


def _print(console: Console, times: dict[str, Times], *, since: datetime, promise: float) -> None:
    if not times:
        console.print(f"nothing was taken down since {since:%Y-%m-%d %H:%M} UTC")
        return
    table = Table("surface", "takedowns", *SHARES, f"within {promise:g} s", box=None)
    for name, one in times.items():
        spent = [_shown(one.quantile(share)) for share in SHARES.values()]
        table.add_row(escape(name), f"{one.count:,}", *spent, f"{one.within(round(promise * 1000)) or 0:.1%}")
    console.print(f"since {since:%Y-%m-%d %H:%M} UTC, from S3's event until nobody could see it", highlight=False)
    console.print(table)


def _shown(ms: int | None) -> str:
    if ms is None:
        return ""
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:.1f} s" if ms < 600_000 else f"{ms / 60_000:,.0f} min"
