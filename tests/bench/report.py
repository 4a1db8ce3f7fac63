"""The measurements as a page of markdown."""

from __future__ import annotations

import math
from typing import Any

from tests.bench.cast import TITLES
from tests.bench.program import PROGRAM, Act, Results, Spread

_HEAD = """\
| | items/s | AWS calls an item | CPU ms an item | MB | p50 ms | p99 ms |
|---|---|---|---|---|---|---|"""

_HOW = """\
Each figure is the median of {repeats} repeats, with the lowest and the highest beside it. Every contender is a process
of its own on the same machine, takes its messages from the same server (an SQS of our own in `tests/bench`, with the
named latency before each answer, at most {server:.0f} % of a core busy), and is measured over {seconds} s of a queue
that never empties; the repeats of all contenders take turns. p50 and p99 are from sent to done while 20 items a second
come: *done* is the delete, for the pipeline the decision's write. CPU and memory count child processes.

- **{stock}**: what `celery worker` does on an SQS broker; only what does not work on SQS at all is switched off.
- **{tuned}**: threads, `polling_interval` 0.02, prefetch 4, late acknowledgement.
- **{loop}**: pollers, workers and grouped deletes in a hundred lines (`tests/bench/floor.py`), without
  retries, visibility extension, policy, metrics or a drain. Its *lean clients* are told what modfleet's are told: no
  parameter validation, a short User-Agent, no retries of botocore's own.
"""


def write_report(everything: dict[str, Any]) -> str:
    """All of it."""
    results, machine = everything["acts"], everything["machine"]
    trials = [one for contenders in results.values() for some in contenders.values() for one in some]
    parts = [
        "# How fast modfleet is",
        f"Measured by `make bench` on {machine['cores']} cores with Python {machine['python']}, celery "
        f"{machine['celery']}, kombu {machine['kombu']}, boto3 {machine['boto3']}. ![bench](bench.svg)",
        _HOW.format(
            repeats=max(len(some) for contenders in results.values() for some in contenders.values()),
            server=max(one["server_busy"] for one in trials) * 100,
            seconds="2.5",
            **{name: TITLES[name] for name in ("stock", "tuned", "loop")},
        ).rstrip(),
        *(_act(act, results) for act in PROGRAM if act.name in results),
        "## Against the goals",
        "| measure | goal | measured | |\n|---|---|---|---|\n" + "\n".join(goals(everything)),
    ]
    if "shares" in everything:
        parts.append(_shares(everything["shares"]))
    if "soak" in everything:
        parts.append(_soak(everything["soak"]))
    return "\n\n".join(parts) + "\n"


def _act(act: Act, results: Results) -> str:
    rows = [_row(contender, results[act.name][contender]) for contender in act.contenders]
    return "\n".join([f"## {act.title}", "", _HEAD, *rows])


def _row(contender: str, trials: list[dict[str, float]]) -> str:
    columns = (("rate", 0), ("calls", 2), ("cpu", 2), ("peak", 0), ("p50", 0), ("p99", 0))
    cells = [cell(Spread.of(trials, name), digits) for name, digits in columns]
    title = f"**{TITLES[contender]}**" if contender == "modfleet" else TITLES[contender]
    return f"| {title} | {' | '.join(cells)} |"


def cell(spread: Spread, digits: int) -> str:
    """`1,234 <sub>1,200-1,250</sub>`; a dash where nothing was measured."""
    if math.isnan(spread.median):
        return "-"
    # Whole numbers below ten say too little.
    digits = 1 if digits == 0 and spread.median < 10 else digits
    median, low, high = (f"{value:,.{digits}f}" for value in (spread.median, spread.low, spread.high))
    return median if low == high else f"{median} <sub>{low}-{high}</sub>"


#: Around the README's table, which `make bench` writes anew.
BEGIN, END = "<!-- make bench writes this -->", "<!-- to here -->"
#: (head, act, field of Measured, digits) of each column there.
_COLUMNS = (
    ("no-op task, items/s", "plumbing-10", "rate", 0),
    ("SQS calls an item", "plumbing-10", "sqs_calls", 2),
    ("CPU ms an item", "plumbing-10", "cpu", 2),
    ("whole pipeline, items/s", "pipeline", "rate", 0),
    ("AWS calls an item", "pipeline", "calls", 2),
    ("CPU ms an item", "pipeline", "cpu", 1),
)


def brief(results: Results) -> str:
    """The table that the README shows: medians alone, every contender."""
    lines = ["", "| | " + " | ".join(column[0] for column in _COLUMNS) + " |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for contender, title in TITLES.items():
        cells = [_brief_cell(results[act].get(contender), field, digits) for _, act, field, digits in _COLUMNS]
        name = f"**{title}**" if contender == "modfleet" else title
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([BEGIN, *lines, "", END])


def with_brief(page: str, results: Results) -> str:
    """A page that has the table's place, with the table."""
    before, _, rest = page.partition(BEGIN)
    return before + brief(results) + rest.partition(END)[2]


def _brief_cell(trials: list[dict[str, float]] | None, field: str, digits: int) -> str:
    if not trials:
        return "-"
    median = Spread.of(trials, field).median
    return cell(Spread(median, median, median), digits)


def goals(everything: dict[str, Any]) -> list[str]:
    """One row for each goal of the design that was measured: what, how much, how it stands."""
    results: Results = everything["acts"]

    def at(act: str, contender: str, name: str) -> float:
        return Spread.of(results[act][contender], name).median

    plumbing = at("plumbing-10", "modfleet", "rate")
    rows = [
        ("no-op task at 10 ms, items/s a process", ">=", 1200.0, plumbing),
        ("no-op task at 10 ms, SQS calls an item", "<=", 0.25, at("plumbing-10", "modfleet", "sqs_calls")),
        ("times stock tuned", ">=", 18.0, plumbing / at("plumbing-10", "tuned", "rate")),
        ("pipeline, AWS calls an item", "<=", 3.5, at("pipeline", "modfleet", "calls")),
        (
            "pipeline, items a CPU second, of the boto3 loop's",
            ">=",
            0.9,
            at("pipeline", "loop", "cpu") / at("pipeline", "modfleet", "cpu"),
        ),
        (
            "the same of the loop with lean clients",
            ">=",
            0.9,
            at("pipeline", "lean", "cpu") / at("pipeline", "modfleet", "cpu"),
        ),
        ("200 ms call, 64 in flight, of 320 items/s", ">=", 0.95, at("waiting-64", "modfleet", "rate") / 320),
    ]
    if "idle" in everything:
        idle = everything["idle"]
        rows.append(("idle, % CPU", "<=", 1.0, idle["cpu_percent"]))
        rows.append(("idle, ReceiveMessage a minute and lane", "<=", 3.0, idle["receives"]))
    if "soak" in everything:
        rows.append(("100,000 items, % memory growth", "<=", 5.0, everything["soak"]["growth_percent"]))
    return [_goal(*row) for row in rows]


def _goal(what: str, sign: str, goal: float, measured: float) -> str:
    met = measured >= goal if sign == ">=" else measured <= goal
    # Close to 1, two digits would round a goal that is missed to one that is met.
    digits = 0 if measured >= 100 else 2 if measured >= 1 else 3
    return f"| {what} | {sign} {goal:,g} | {measured:,.{digits}f} | {'met' if met else 'not met'} |"


def _shares(shares: dict[str, float]) -> str:
    return (
        "## Where the pipeline's CPU goes\n\n"
        f"`python -m tests.bench shares`: one image on one thread, without Celery, with an audit object of its own: "
        f"{shares['cpu']:.1f} ms, {shares['boto3_percent']:.0f} % of it inside boto3 (profiled). What is left of the "
        "distance to the loop is Celery's and this: reading and checking the event, the policy, the row and the "
        "chained audit line, breakers, metrics, and the line that is logged."
    )


def _soak(soak: dict[str, Any]) -> str:
    steps = soak["items"] // len(soak["rss"])
    rss = ", ".join(f"{megabytes:.1f}" for megabytes in soak["rss"])
    return (
        f"## {soak['items']:,} items\n\n`python -m tests.bench soak`: {soak['rate']:,.0f} items/s from start to end; "
        f"MB resident after each {steps:,} items: {rss}."
    )
