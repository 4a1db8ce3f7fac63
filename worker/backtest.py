"""`modfleet policy backtest`: which past decisions another policy would have made otherwise."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from tasks.aws.faults import Fault
from tasks.decide.replay import Flip, Past, Tally, replay
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.record.past import about_how_many, decided_since, shadowed_since
from worker.cost import since_when
from worker.plot import printable
from worker.terminal import WRONG, AsJson, open_desk, print_json, read_policy, stop

#: Rows of each table on the screen; `--json` and `--csv` have all.
MOST = 20
COLUMNS = (
    *("location", "version", "surface", "decided_at", "policy", "old", "new", "direction", "causes", "rules"),
    "new_policy",
)

Each = TypeVar("Each")
NewPolicy = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The policy to try.")]
Against = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Compare with what this policy makes of it, not with what was."),
]
Csv = Annotated[Path | None, typer.Option("--csv", dir_okay=False, help="Also write every flip to this file.")]


def backtest(
    new: NewPolicy,
    *,
    since: Annotated[str, typer.Option(help="A day (2026-11-01, UTC), or how long ago: 7d, 24h.")] = "7d",
    surface: Annotated[str, typer.Option(help="Only items that were judged on this surface.")] = "",
    against: Against = None,
    to_csv: Csv = None,
    as_json: AsJson = False,
) -> None:
    """Decide past items again by another policy, on the findings of then, and list those that come out otherwise.

    No detector is asked, so nothing is billed but one read of the items table. What the new policy would have looked
    for and the old one did not is not among the findings, and a post has the verdicts that its parts had then.
    """
    desk = open_desk()
    now = desk.now()
    policy, other = read_policy(new), read_policy(against) if against else None
    begin = since_when(since, now=now) or stop(f"--since {since}: neither a day nor like 7d or 24h")
    names = dict.fromkeys(one.name for one in (*desk.policy.surfaces, *policy.surfaces))
    if surface and surface not in names:
        stop(f"no such surface: {surface}; there are {', '.join(names)}")
    tally = Tally()
    flipping = replay(decided_shown(desk, begin, surface, quiet=as_json), policy, tally, against=other)
    flips = collect(flipping, to_csv=to_csv, most=None if as_json else MOST)
    if as_json:
        print_json(summary(tally, flips, policy.version) | {"since": begin.isoformat(), "until": now.isoformat()})
    else:
        print_report(Console(), tally, flips, since=begin)


def collect(flipping: Iterable[Flip], *, to_csv: Path | None, most: int | None) -> list[Flip]:
    """The first flips, without their findings, and all of them in a file; ends the command where that cannot be.

    None is all.
    """
    flips = list[Flip]()
    try:
        with ExitStack() as stack:
            keep = stack.enter_context(_Csv(to_csv)) if to_csv else None
            for flip in flipping:
                if most is None or len(flips) < most:
                    flips.append(replace(flip, past=replace(flip.past, findings=())))
                if keep:
                    keep.write(flip)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    except OSError as error:
        stop(f"--csv {to_csv}: {error.strerror}")
    return flips


def summary(tally: Tally, flips: Iterable[Flip], policy: str) -> dict[str, Any]:
    """For `--json`; `policy` is the version of the other one."""
    return {
        "policy": policy,
        "decided": tally.decided,
        "flips": tally.flips,
        "flip_rate": tally.flip_rate,
        "tiers": {_name(tier): {"old": tally.old[tier], "new": tally.new[tier]} for tier in Tier},
        "review_load": tally.change(Tier.HOLD),
        "takedowns": tally.change(Tier.REJECT),
        "held_unless_the_classifier_allows": tally.unasked,
        "by_label": [
            {"label": label, "old": _name(old), "new": _name(new), "items": count}
            for (label, old, new), count in _ranked(tally)
        ],
        "items": [_row(flip) for flip in flips],
    }


class _Csv:
    """The flips in a file, each written as it is found."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> _Csv:
        self._file = self._path.open("w", newline="", encoding="utf-8")
        self._rows = csv.DictWriter(self._file, COLUMNS)
        self._rows.writeheader()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, flip: Flip) -> None:
        row = _row(flip)
        self._rows.writerow({name: cell(value) for name, value in row.items()})


def _row(flip: Flip) -> dict[str, Any]:
    return {
        "location": flip.past.location,
        "version": flip.past.version,
        "surface": flip.surface,
        "decided_at": flip.past.decided_at,
        "policy": flip.past.policy_version,
        "old": _name(flip.old),
        "new": _name(flip.new),
        "direction": flip.direction,
        "causes": list(flip.causes),
        "rules": list(flip.new_rules),
        "new_policy": flip.new_policy,
    }


def cell(value: Any) -> str:
    """One cell. Keys are strangers' words: what a spreadsheet would take for a formula is made text."""
    text = "; ".join(value) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def decided_shown(desk: Desk, begin: datetime, surface: str, *, quiet: bool) -> Iterator[Past]:
    """The decisions since then, with a progress bar over the whole table where somebody sees it."""
    pages = decided_since(desk.aws, desk.settings.items_table, begin, surface=surface)
    return _shown(desk, ((page.read, page.decided) for page in pages), says="deciding again", quiet=quiet)


def shadowed_shown(desk: Desk, begin: datetime, surface: str, *, quiet: bool) -> Iterator[Flip]:
    """The same of those beside which a shadow policy's decision is on record."""
    pages = shadowed_since(desk.aws, desk.settings.items_table, begin, surface=surface)
    return _shown(desk, ((page.read, page.decided) for page in pages), says="comparing", quiet=quiet)


def _shown(desk: Desk, pages: Iterable[tuple[int, list[Each]]], *, says: str, quiet: bool) -> Iterator[Each]:
    console, table = Console(stderr=True), desk.settings.items_table
    columns = (TextColumn(says), BarColumn(), TaskProgressColumn(), MofNCompleteColumn())
    hidden = quiet or not console.is_terminal
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=hidden, transient=True) as progress:
        task = progress.add_task("", total=None if hidden else about_how_many(desk.aws, table) or None)
        for read, decided in pages:
            yield from decided
            progress.advance(task, read)


def print_report(console: Console, tally: Tally, flips: list[Flip], *, since: datetime) -> None:
    """What a replay has come to, as tables."""
    console.print(
        f"[bold]{tally.flips:,} of {tally.decided:,}[/] decisions since {since:%Y-%m-%d %H:%M} UTC flip "
        f"({tally.flip_rate:.2%}); review load {tally.change(Tier.HOLD):+,}, "
        f"takedowns {tally.change(Tier.REJECT):+,}",
        highlight=False,
    )
    tiers = _table("tier", "was", "would be", "change")
    for tier in Tier:
        tiers.add_row(_name(tier), f"{tally.old[tier]:,}", f"{tally.new[tier]:,}", f"{tally.change(tier):+,}")
    console.print(tiers)
    if tally.unasked:
        console.print(f"{tally.unasked:,} of the held would be asked of the classifier first, which may allow them")
    if not flips:
        return
    labels = _table("label", "was", "would be", "items")
    for (label, old, new), count in _ranked(tally)[:MOST]:
        labels.add_row(escape(printable(label)), _name(old), _name(new), f"{count:,}")
    console.print(labels)
    items = _table("item", "was", "would be", "because of")
    for flip in flips:
        because = escape(printable(", ".join(flip.causes)))
        items.add_row(escape(printable(flip.past.location)), _name(flip.old), _name(flip.new), because)
    console.print(items)
    if tally.flips > len(flips):
        console.print(f"and {tally.flips - len(flips):,} more, which --json and --csv have", style="bright_black")


def _table(*titles: str) -> Table:
    table = Table(box=None, header_style="bright_black", pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold", justify="right" if title in ("items", "change") else "left")
    return table


def _ranked(tally: Tally) -> list[tuple[tuple[str, Tier, Tier], int]]:
    return sorted(tally.by_label.items(), key=lambda pair: (-pair[1], pair[0]))


def _name(tier: Tier) -> str:
    return tier.name.lower()
