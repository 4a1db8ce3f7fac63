"""A rescan's report as one page of HTML that needs nothing else: its plots are SVG, drawn by its template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.rescan.report import Direction, Report, causes_of, ranked
from tasks.rescan.tally import Flipped
from worker.console.wording import lasting
from worker.cost import dollars
from worker.plot import printable

#: Bars of one plot; the tables beside it have all.
BARS = 12


def page(told: Report, flips: Sequence[Flipped], *, now: datetime) -> str:
    """The page. Whatever somebody else wrote, keys above all, is text in it and nothing else."""
    tally = told.tally
    return (
        _environment()
        .get_template("rescan_report.html")
        .render(
            told=told,
            run=told.run,
            tally=tally,
            now=now,
            flips=flips,
            tiers=[(f"{old} → {new}", n) for (old, new), n in ranked(tally.flips)],
            outcomes=[(f"{old or 'new'} → {new}", n) for (old, new), n in ranked(tally.outcomes)],
            skipped=list(told.skipped.items()),
            rules=both_ways(told.by_rule),
            surfaces=both_ways(told.by_surface),
            handled=[(f"{direction}, {how}", n) for (direction, how), n in ranked(told.handled)],
            failures=ranked(told.failures),
            over_time=told.over_time(),
            foreseen=told.run.plan.get("usd"),
            lasting=lasting,
        )
    )


def both_ways(counts: Mapping[tuple[str, Direction], int]) -> list[tuple[str, int, int]]:
    """(name, stricter, milder), the most first."""
    names = dict.fromkeys(name for name, _ in counts)
    strict, mild = Direction.STRICTER, Direction.MILDER
    pairs = [(name, counts.get((name, strict), 0), counts.get((name, mild), 0)) for name in names]
    return sorted(pairs, key=lambda pair: (-pair[1] - pair[2], pair[0]))


def _environment() -> Environment:
    jinja = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {"usd": dollars, "many": _many, "short": _short, "seen": lambda said: printable(str(said))}
    jinja.globals |= {"bars": BARS, "causes_of": causes_of}
    return jinja


def _many(number: int) -> str:
    return f"{number:,}"


def _short(said: Any) -> str:
    """As much of a name as fits beside a bar."""
    text = printable(str(said)) or "(nothing)"
    return text if len(text) <= 30 else f"{text[:29]}…"
