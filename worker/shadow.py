"""`modfleet policy shadow-report`: where the policy decided beside the live one would have it otherwise."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from tasks.decide.replay import Tally
from tasks.decide.shadow import compare
from worker.backtest import MOST, Csv, collect, print_report, shadowed_shown, summary
from worker.cost import since_when
from worker.terminal import AsJson, open_desk, print_json, say, stop


def shadow_report(
    *,
    since: Annotated[str, typer.Option(help="A day (2026-11-01, UTC), or how long ago: 7d, 24h.")] = "7d",
    surface: Annotated[str, typer.Option(help="Only items that were judged on this surface.")] = "",
    to_csv: Csv = None,
    as_json: AsJson = False,
) -> None:
    """Compare what MODFLEET_SHADOW_POLICY made of items with what was decided, as a backtest does.

    Each shadow policy that was named since then has a report of its own. Both decided on the same findings: those that
    the live policy had asked for.
    """
    desk = open_desk()
    now = desk.now()
    begin = since_when(since, now=now) or stop(f"--since {since}: neither a day nor like 7d or 24h")
    tallies: dict[str, Tally] = {}
    items = shadowed_shown(desk, begin, surface, quiet=as_json)
    flips = collect(compare(items, tallies), to_csv=to_csv, most=None if as_json else MOST)
    by_shadow = {name: [flip for flip in flips if flip.new_policy == name] for name in sorted(tallies)}
    if as_json:
        reports = [summary(tallies[name], each, name) for name, each in by_shadow.items()]
        print_json({"since": begin.isoformat(), "until": now.isoformat(), "shadows": reports})
        return
    for name, each in by_shadow.items():
        say(f"shadow policy {name}")
        print_report(Console(), tallies[name], each, since=begin)
    if not tallies:
        say("no shadow policy has decided anything since then: name one by MODFLEET_SHADOW_POLICY")
