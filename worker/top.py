"""`modfleet top`: the fleet, live."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from config.lanes import LANES
from tasks.aws.calls import call
from tasks.aws.faults import Fault
from tasks.desk import Desk
from worker.fleet import Depth, FleetView, view_of
from worker.heartbeat import read_beats
from worker.screen import draw
from worker.terminal import WRONG, AsJson, open_desk, print_json, stop

COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def top(
    once: Annotated[bool, typer.Option("--once", help="Print what there is now and end.")] = False,
    as_json: AsJson = False,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks.")] = 2.0,
) -> None:
    """Watch the fleet: lanes, rates, latencies, breakers, time to takedown, dollars."""
    desk, console = open_desk(in_force=False), Console()
    try:
        view = look(desk)
        if as_json:
            print_json(view.summary())
        elif once or not console.is_terminal:
            console.print(draw(view))
        else:
            _watch(desk, view, console=console, every=every)
    except Fault as fault:
        stop(str(fault), code=WRONG)


def look(desk: Desk, *, clock: Callable[[], float] = time.time) -> FleetView:
    """The fleet as it is now: workers by their rows, queues by SQS. Raises Fault where the rows cannot be read."""
    beats = read_beats(desk.aws, desk.settings.items_table)
    caps = desk.budget.look() if desk.budget else ()
    return view_of(beats, {lane: depth_of(desk, lane) for lane in LANES}, at=clock(), caps=caps)


def depth_of(desk: Desk, lane: str) -> Depth:
    """How much is on a lane's two queues; what cannot be asked is None."""
    counts = _counts(desk, desk.settings.queue_url(lane))
    dead = _counts(desk, desk.settings.dead_letter_url(lane))
    visible, hidden, delayed = (counts.get(name) for name in COUNTS)
    return Depth(visible=visible, in_flight=hidden, delayed=delayed, dead=sum(dead.values()) if dead else None)


def _counts(desk: Desk, url: str) -> dict[str, int]:
    asked: dict[str, Any] = {"QueueUrl": url, "AttributeNames": list(COUNTS)}
    try:
        told = call(desk.aws.store, desk.aws.sqs.get_queue_attributes, **asked)["Attributes"]
    except Fault:
        return {}
    return {name: int(told.get(name, 0)) for name in COUNTS}


def _watch(desk: Desk, view: FleetView, *, console: Console, every: float) -> None:
    """Until Ctrl-C."""
    try:
        with Live(draw(view), console=console, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                trouble = Text("")
                try:
                    view = look(desk)
                except Fault as fault:
                    trouble = Text(f"as it was before: {fault}", "red")
                live.update(Group(draw(view), trouble), refresh=True)
    except KeyboardInterrupt:
        return
