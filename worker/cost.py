"""`modfleet cost`: what the fleet has spent, from the audit log, in units of the bill and in dollars."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.prices import Prices, PricesError, parse_prices
from tasks.aws.faults import Fault
from tasks.record.costs import By, Costs, calls_in, spent_between
from worker.plot import Bar, draw_bars, printable
from worker.terminal import WRONG, AsJson, open_desk, print_json, stop

GROUPS = ("detector", "day", "surface", "item")
#: Rows of the table, and bars of the plot; `--json` has all.
MOST = 40
#: Characters of the longest bar.
BAR = 30
_AGO = re.compile(r"([1-9][0-9]{0,3})([hd])")
_HOURS = {"h": 1, "d": 24}

OtherPrices = Annotated[
    Path | None, typer.Option("--prices", exists=True, dir_okay=False, help="Another price table to reckon by.")
]
Plot = Annotated[Path | None, typer.Option("--plot", dir_okay=False, help="Also draw it: an SVG file.")]


def cost(
    since: Annotated[str, typer.Option(help="A day (2026-11-01, UTC), or how long ago: 7d, 24h.")] = "7d",
    by: Annotated[str, typer.Option(help=f"One row for each: {', '.join(GROUPS)}.")] = "detector",
    prices: OtherPrices = None,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """What the fleet has spent: every call that AWS answered, those of runs that failed as well.

    Added up from the audit log, of which it reads every object since then. Dollars are units by the price table: an
    estimate without free tiers, discounts and taxes. A process that was killed has not told what its last runs spent.
    """
    desk = open_desk(in_force=False)
    now = desk.now()
    if by not in GROUPS:
        stop(f"--by {by}: there are {', '.join(GROUPS)}")
    begin = since_when(since, now=now) or stop(f"--since {since}: neither a day nor like 7d or 24h")
    costs = Costs(_prices(prices) if prices else desk.prices, cast("By", by))
    try:
        for entry in spent_between(desk.aws, desk.settings.audit_bucket, begin, now):
            costs.add(entry)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    if plot:
        plot.write_text(draw_bars(f"{dollars(costs.usd)} since {begin:%Y-%m-%d %H:%M} UTC", _bars(costs)), "utf-8")
    if as_json:
        print_json(summary(costs, begin, now))
    else:
        _print(costs, begin, Console())


def since_when(said: str, *, now: datetime) -> datetime | None:
    """The moment that `--since` means; None where it means none."""
    if ago := _AGO.fullmatch(said):
        return now - timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
    try:
        return datetime.strptime(said, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def summary(costs: Costs, since: datetime, until: datetime) -> dict[str, Any]:
    """For `--json`."""
    return {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "prices": {"as_of": costs.prices.as_of.isoformat(), "region": costs.prices.region},
        "usd": costs.usd,
        "units": _sorted(costs.units),
        "by": costs.by,
        "rows": [
            {"name": name, "usd": costs.dollars(name), "calls": calls_in(units), "units": _sorted(units)}
            for name in costs.names
            for units in (costs.named[name],)
        ],
        "unpriced": costs.unpriced,
        "lost_calls": costs.lost,
    }


def _print(costs: Costs, since: datetime, console: Console) -> None:
    names, most = costs.names, max(map(costs.dollars, costs.named), default=0.0)
    table = Table(box=None, header_style="bright_black", pad_edge=False)
    table.add_column(costs.by, overflow="fold")
    for title in ("calls", "USD", "share"):
        table.add_column(title, justify="right")
    table.add_column("")
    for name in names[:MOST]:
        usd = costs.dollars(name)
        share = f"{usd / costs.usd:.1%}" if costs.usd else "·"
        bar = Text("━" * round(BAR * usd / most) if most else "", "green")
        table.add_row(Text(printable(name)), f"{calls_in(costs.named[name]):,}", dollars(usd), share, bar)
    console.print(table)
    if len(names) > MOST:
        console.print(f"and {len(names) - MOST:,} more, which --json has", style="bright_black")
    console.print(f"\n[bold]{dollars(costs.usd)}[/] since {since:%Y-%m-%d %H:%M} UTC, at the prices of", end=" ")
    console.print(f"{costs.prices.as_of} in {costs.prices.region}", highlight=False)
    if costs.unpriced:
        console.print(f"without a price: {', '.join(costs.unpriced)}", style="yellow")
    if costs.lost:
        console.print(f"{costs.lost:,} calls got no answer; AWS may have billed them as well", style="yellow")


def _bars(costs: Costs) -> list[Bar]:
    return [Bar(name, costs.dollars(name), dollars(costs.dollars(name))) for name in costs.names[:MOST]]


def _prices(path: Path) -> Prices:
    try:
        return parse_prices(path.read_text("utf-8"), source=path.name)
    except (PricesError, UnicodeDecodeError) as error:
        stop(str(error))


def dollars(amount: float) -> str:
    """Cents where there are some; else as many digits as show something."""
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.3g}" if amount >= 0.0001 else "<$0.0001"


def _sorted(units: Mapping[str, float]) -> dict[str, float]:
    return {unit: round(units[unit], 6) for unit in sorted(units)}
