"""What a rescan looks like on a terminal: its plan, how far it is, and the bar while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from tasks.rescan.run import Brief, Run, RunState
from tasks.rescan.tally import tally_of
from worker.console.wording import lasting
from worker.cost import dollars
from worker.plot import printable

_STYLES = {
    RunState.PAUSED: "yellow",
    RunState.DONE: "green",
    RunState.CANCELLED: "bright_black",
}


def state_of(run: Run) -> str:
    """Where it stands, in words: why nothing happens just now is among them."""
    if run.state is RunState.PAUSED:
        said = f"paused by {run.paused_by}" + (f": {run.paused_why}" if run.paused_why else "")
        return said
    if run.state is RunState.ENQUEUING and run.waits_for:
        return f"waits by itself: {run.waits_for}"
    return {
        RunState.PLANNED: "its source is being divided",
        RunState.ENQUEUING: "messages are sent and worked",
        RunState.WORKING: "all is sent; workers are at it",
        RunState.DONE: "done",
        RunState.CANCELLED: "cancelled",
    }[run.state]


def worked(run: Run) -> int:
    """Objects that workers have come to an end with."""
    return tally_of(run.tally).items


def print_status(console: Console, run: Run) -> None:
    """One run, some lines."""
    style, tally = _STYLES.get(run.state, "bold"), tally_of(run.tally)
    console.print(f"[bold]{run.id}[/]  [{style}]{escape(printable(state_of(run)))}[/]", highlight=False)
    rows = [
        ("begun", f"{run.created_at:%Y-%m-%d %H:%M} UTC by {run.by}" + (f": {run.why}" if run.why else "")),
        ("source", " ".join(f"{name}={said}" for name, said in run.source.items())),
        ("policy", f"{run.policy_version}, {'it acts' if run.act else 'what it would reject is held'}"),
        ("parts", f"{run.parts_done:,} of {run.parts:,} sent"),
        ("objects", f"{run.read:,} read, {run.enqueued:,} sent, {worked(run):,} worked, {tally.flip_count:,} flips"),
        ("messages", f"{run.chunks:,} sent, {run.chunks_done:,} worked"),
        ("spent", dollars(run.usd) + (f" of {dollars(run.max_cost_usd)}" if run.max_cost_usd is not None else "")),
    ]
    table = Table.grid(padding=(0, 2))
    for name, said in rows:
        table.add_row(f"[bright_black]{name}[/]", escape(printable(said)))
    for name, count in sorted({**run.skipped, **_more(run.skipped, tally.skipped)}.items()):
        table.add_row("[bright_black]left[/]", f"{count:,} {escape(name)}")
    console.print(table, highlight=False)


def print_plan(console: Console, brief: Brief) -> None:
    """What a run would come to, before it begins."""
    plan = brief.plan
    known = "all of them asked about" if plan["exact"] else f"a sample of {plan['sampled']:,} asked about"
    console.print(f"[bold]{plan['items']:,} objects[/], {known}", highlight=False)
    table = Table(box=None, header_style="bright_black", pad_edge=False)
    for title, justify in (("", "left"), ("expected", "right"), ("from", "right"), ("to", "right")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]  # one of its literals
    for name, said, shows in _plan_rows(plan):
        cells = [shows(said[end]) for end in ("expected", "low", "high")]
        table.add_row(escape(name), *(cells if said["low"] != said["high"] else cells[:1]))
    console.print(table)
    limits = {"at most": dollars(brief.max_cost_usd) if brief.max_cost_usd is not None else ""}
    limits |= {"objects at most": f"{brief.max_items:,}" if brief.max_items else ""}
    limits |= {"time is bound by": str(plan["limited_by"]), "gigabytes copied": str(plan["gigabytes_copied"])}
    for name, limit in limits.items():
        if limit:
            console.print(f"[bright_black]{name}[/] {escape(limit)}", highlight=False)
    for line in plan["assumptions"]:
        console.print(escape(printable(line)), style="bright_black", highlight=False)
    acts = "what the policy rejects is taken down" if brief.act else "what the policy would reject is held for a person"
    console.print(f"under {brief.policy_version}; {acts}", highlight=False)


def _plan_rows(plan: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, float], Callable[[float], str]]]:
    """Its lines: a name, an estimate, and how to write it. What there is none of is left out."""
    kinds = {kind: dict.fromkeys(("low", "expected", "high"), count) for kind, count in plan["kinds"].items()}
    groups = {"by name": kinds, "to do": plan["ways"], "because": plan["whys"], "to look at": plan["detect"]}
    for group, lines in groups.items():
        yield from ((f"{group}: {name}", said, _number) for name, said in lines.items() if said["high"])
    yield "messages", plan["messages"], _number
    yield "time", plan["hours"], lambda hours: lasting(hours * 3600)
    yield "dollars", plan["usd"], dollars
    yield from ((f"  {name}", said, dollars) for name, said in plan["usd_by"].items() if said["high"])


def _number(count: float) -> str:
    return f"{count:,.0f}"


def print_list(console: Console, runs: Sequence[Run]) -> None:
    """Runs, a line each."""
    table = Table(box=None, header_style="bright_black", pad_edge=False)
    for title in ("run", "begun", "by", "state"):
        table.add_column(title)
    for title in ("sent", "worked", "spent"):
        table.add_column(title, justify="right")
    for run in runs:
        state = f"[{_STYLES.get(run.state, 'bold')}]{run.state}[/]"
        counts = (f"{run.enqueued:,}", f"{worked(run):,}", dollars(run.usd))
        table.add_row(run.id, f"{run.created_at:%Y-%m-%d %H:%M}", escape(printable(run.by)), state, *counts)
    console.print(table if runs else "there was no rescan yet")


class Rate(ProgressColumn):
    """Objects a second, of late."""

    def render(self, task: Task) -> Text:
        """Nothing where nobody knows yet."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", "bright_black")


class Bar:
    """Two bars, of what is sent and of what is worked, with the rate, the cost so far and the time left."""

    def __init__(self, progress: Progress, run: Run) -> None:
        """As the run stands now: rates are those from here on."""
        self._progress = progress
        self._sent = progress.add_task("sent", total=foreseen(run), completed=run.enqueued, said="")
        self._worked = progress.add_task("worked", total=foreseen(run), completed=worked(run), said="")

    def __call__(self, run: Run) -> None:
        """Show the run as it is now."""
        all_sent = run.state in (RunState.WORKING, RunState.DONE)
        total = run.enqueued if all_sent else max(foreseen(run) or 0, run.enqueued) or None
        self._show(self._sent, run.enqueued, total, state_of(run))
        self._show(self._worked, worked(run), total, f"{dollars(run.usd)} so far")

    def _show(self, bar: TaskID, done: int, total: int | None, said: str) -> None:
        self._progress.update(bar, completed=done, total=total, said=escape(printable(said)))


class Lines:
    """What the bars say, for a log: a line wherever a run comes to stand otherwise, why it waits among them."""

    def __init__(self, console: Console) -> None:
        """Nothing is said yet."""
        self._console, self._stood = console, ("", False)

    def __call__(self, run: Run) -> None:
        """Say how the run stands, unless it stood so before: a reason's own figures may change every few seconds."""
        stands = (run.state, bool(run.waits_for))
        if stands != self._stood:
            self._stood = stands
            so_far = f"{run.enqueued:,} sent, {worked(run):,} worked"
            self._console.print(f"{run.id}: {printable(state_of(run))} ({so_far})", markup=False, soft_wrap=True)


@contextmanager
def bar(console: Console, run: Run) -> Iterator[Callable[[Run], None]]:
    """Bars on a terminal, and lines elsewhere."""
    if not console.is_terminal:
        yield Lines(console)
        return
    columns = (
        TextColumn("{task.description:>6}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[said]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress, run)


def foreseen(run: Run) -> int | None:
    """Objects that are to be sent, by the plan and the limit; None where nobody knows."""
    planned = run.plan.get("to_send")
    known = [int(each) for each in (planned, run.max_items) if each is not None]
    return min(known) if known else None


def _more(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + count for name, count in other.items()}
