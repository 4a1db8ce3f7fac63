"""`modfleet rescan report`: what a rescan came to, as tables, a CSV of every flip, and one HTML page with plots."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.rescan.chunk_rows import Chunks
from tasks.rescan.report import Report, causes_of, direction_of, ranked
from tasks.rescan.run import Run
from tasks.rescan.run_rows import Runs
from tasks.rescan.tally import Flipped, tally_told
from worker.backtest import cell
from worker.console.wording import lasting
from worker.cost import dollars
from worker.plot import printable
from worker.terminal import WRONG, AsJson, open_desk, print_json, stop

#: Flips on the screen, and in `--json` and the page; the CSV has all.
MOST, MOST_LISTED = 20, 1_000
COLUMNS = ("location", "version", "surface", "old", "new", "direction", "causes", "old_rules", "new_rules", "handled")

RunId = Annotated[str, typer.Argument(help="As `modfleet rescan list` shows it; the newest where none is named.")]
Csv = Annotated[Path | None, typer.Option("--csv", dir_okay=False, help="Also write every flip to this file.")]
Html = Annotated[
    Path | None,
    typer.Option("--html", dir_okay=False, help="Also write one page with plots; needs the extra `console`."),
]


def report(run_id: RunId = "", *, to_csv: Csv = None, to_html: Html = None, as_json: AsJson = False) -> None:
    """What a rescan came to: outcomes, flips against the earlier decisions, cost against plan, time, and failures.

    Of a run that goes on, it is what came of it so far. A flip is an item that the run's policy gives another tier
    than it had: `done` was acted on, `held` waits for a person instead, `left` is only counted (without --act). All of
    it is read from the run's own rows; no detector is asked.
    """
    page = _page() if to_html else None
    desk = open_desk(in_force=False)
    try:
        run = _run(desk, run_id)
        told = Report(run)
        flips = collect(flips_of(desk, told), to_csv=to_csv)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    now = desk.now()
    if to_html and page:
        _write(to_html, page(told, flips, now=now))
    if as_json:
        print_json(told.summary(now) | {"listed": [row(flip) for flip in flips]})
    else:
        print_report(Console(), told, flips, now=now)


def flips_of(desk: Desk, told: Report) -> Iterator[Flipped]:
    """Every flip of a run, read a page of messages at a time, each of which is added to the report."""
    for chunk in Chunks(desk.aws, desk.settings.items_table).all(told.run.id):
        if chunk.done_at and chunk.said:
            tally = tally_told(chunk.said)
            told.add(tally, done_at=datetime.fromisoformat(chunk.done_at))
            yield from tally.flipped


def collect(flipping: Iterator[Flipped], *, to_csv: Path | None) -> list[Flipped]:
    """The first flips, and all of them in a file; ends the command where that cannot be written."""
    flips = list[Flipped]()
    try:
        with ExitStack() as stack:
            keep = _writer(stack, to_csv) if to_csv else None
            for flip in flipping:
                if len(flips) < MOST_LISTED:
                    flips.append(flip)
                if keep:
                    keep({name: cell(value) for name, value in row(flip).items()})
    except OSError as error:
        stop(f"--csv {to_csv}: {error.strerror}")
    return flips


def row(flip: Flipped) -> dict[str, Any]:
    """A flip by the names of COLUMNS."""
    return {
        "location": flip.location,
        "version": flip.version,
        "surface": flip.surface,
        "old": flip.old,
        "new": flip.new,
        "direction": direction_of(flip).value,
        "causes": list(causes_of(flip)),
        "old_rules": list(flip.old_rules),
        "new_rules": list(flip.new_rules),
        "handled": flip.handled,
    }


def print_report(console: Console, told: Report, flips: list[Flipped], *, now: datetime) -> None:
    """What it came to, as tables."""
    run, tally = told.run, told.tally
    console.print(
        f"[bold]{run.id}[/] {run.state}, {lasting(told.seconds(now))}: {tally.items:,} objects, "
        f"[bold]{tally.flip_count:,} flips[/], {tally.redecided:,} decided again, {tally.detected:,} looked at, "
        f"{tally.ai_calls:,} AI calls",
        highlight=False,
    )
    console.print(cost_against_plan(run), highlight=False)
    _counted(console, ("was", "is now", "items"), [(*pair, n) for pair, n in ranked(tally.outcomes)])
    _counted(console, ("left as it was", "items"), [(reason, n) for reason, n in told.skipped.items()])
    _counted(console, ("tier was", "tier is", "items"), [(*pair, n) for pair, n in ranked(tally.flips)])
    _counted(console, ("rule", "direction", "items"), [(*pair, n) for pair, n in ranked(told.by_rule)])
    _counted(console, ("surface", "direction", "items"), [(*pair, n) for pair, n in ranked(told.by_surface)])
    _counted(console, ("direction", "handled", "items"), [(*pair, n) for pair, n in ranked(told.handled)])
    _counted(console, ("failed because of", "items"), [(why, n) for why, n in ranked(told.failures)])
    if not flips:
        return
    items = _table("item", "was", "is", "because of", "handled")
    for flip in flips[:MOST]:
        because = escape(printable(", ".join(causes_of(flip))))
        items.add_row(escape(printable(flip.location)), flip.old, flip.new, because, flip.handled)
    console.print(items)
    if tally.flip_count > MOST:
        console.print(f"and {tally.flip_count - min(MOST, len(flips)):,} more: --csv has all", style="bright_black")


def cost_against_plan(run: Run) -> str:
    """`$1.20 spent; planned $1.10 ($0.90 to $1.40), at most $5.00`."""
    said = f"{dollars(run.usd)} spent"
    if foreseen := run.plan.get("usd"):
        span = f" ({dollars(foreseen['low'])} to {dollars(foreseen['high'])})"
        said += f"; planned {dollars(foreseen['expected'])}{span}"
    return said + (f", at most {dollars(run.max_cost_usd)}" if run.max_cost_usd is not None else "")


def _page() -> Callable[..., str]:
    """What draws the page; ends the command where it is not installed, before anything is read."""
    try:
        # Installed where there is a console: workers need none of it.
        from worker.rescan_page import page  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        stop(f"the page needs {missing.name}: pip install 'modfleet[console]'")
    return page


def _run(desk: Desk, run_id: str) -> Run:
    runs = Runs(desk.aws, desk.settings.items_table)
    found = runs.find(run_id) if run_id else next(runs.all(), None)
    if found is None:
        stop(f"no such rescan: {run_id}; `modfleet rescan list` shows them" if run_id else "there was no rescan yet")
    return found


def _writer(stack: ExitStack, path: Path) -> Callable[[dict[str, Any]], object]:
    file = stack.enter_context(path.open("w", newline="", encoding="utf-8"))
    rows = csv.DictWriter(file, COLUMNS)
    rows.writeheader()
    return rows.writerow


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        stop(f"--html {path}: {error.strerror}")


def _counted(console: Console, titles: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """A table, where there is something to show."""
    if not rows:
        return
    table = _table(*titles)
    for *names, count in rows[:MOST]:
        table.add_row(*(escape(printable(str(name))) or "(nothing)" for name in names), f"{count:,}")
    console.print(table)
    if len(rows) > MOST:
        console.print(f"and {len(rows) - MOST:,} more, which --json has", style="bright_black")


def _table(*titles: str) -> Table:
    table = Table(box=None, header_style="bright_black", pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold", justify="right" if title == "items" else "left")
    return table
