"""`modfleet rescan status | list | pause | resume | cancel`: runs that were begun, and who sends them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console

from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.rescan.batch import look_in_later
from tasks.rescan.chunk_rows import Chunks
from tasks.rescan.run import Run, RunState
from tasks.rescan.run_rows import NotNow, Runs
from tasks.rescan.send import MAX_BATCH, send
from tasks.rescan.subject import Unreadable
from worker.actor import By, who, write_command
from worker.rescan_enqueue import SHOWN_SECONDS, enqueue, found, why_not_under
from worker.rescan_view import bar, print_list, print_status, state_of, worked
from worker.terminal import WRONG, AsJson, open_desk, print_json, say, stop
from worker.top import depth_of

#: Exit code of a command that somebody interrupted, as shells have it.
INTERRUPTED = 130
#: A run that was paused for so long has its messages sent again: a queue forgets them after some days.
FORGOTTEN = timedelta(days=1)
#: States in which there is something left to send.
TO_SEND = (RunState.PLANNED, RunState.ENQUEUING)

RunId = Annotated[
    str,
    typer.Argument(
        metavar="[RUN]", help="As `modfleet rescan list` has it; by default the one that goes on, or the last."
    ),
]
Watch = Annotated[bool, typer.Option("--watch", help="Stay, and show it until it is done.")]
Only = Annotated[bool, typer.Option("--only", help="Let others send: enqueue nothing from here.")]
Resend = Annotated[
    bool, typer.Option("--resend", help="Also send again what was sent and is not worked, where messages were lost.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until the run is done, not only sent.")]
Why = Annotated[str, typer.Option(help="Why; it goes into the audit log.")]


def status(run_id: RunId = "", *, watch: Watch = False, as_json: AsJson = False) -> None:
    """Show how far a rescan is, what it has spent, and why nothing is sent where that is so."""
    desk = open_desk(in_force=False)
    try:
        run = the_run(desk, run_id)
        if watch:
            with bar(Console(stderr=True), run) as shows:
                run = until_done(desk, run, show=shows)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    parked = None if run.ended else depth_of(desk, "rescan").dead
    if as_json:
        print_json(shown(run) | {"parked": parked})
        return
    print_status(Console(), run)
    if parked:
        say(f"{parked} messages of the rescan lane are parked: `modfleet dlq list --lane rescan` says why", style="red")


def list_runs(as_json: AsJson = False) -> None:
    """List all rescans that there were, the newest first."""
    desk = open_desk(in_force=False)
    try:
        runs = list(Runs(desk.aws, desk.settings.items_table).all())
    except Fault as fault:
        stop(str(fault), code=WRONG)
    if as_json:
        print_json([shown(run) for run in runs])
    else:
        print_list(Console(), runs)


def pause(run_id: RunId = "", *, why: Why = "", by: By = "", as_json: AsJson = False) -> None:
    """Send nothing more of a rescan, and have workers leave what was sent, until `modfleet rescan resume`."""
    desk = open_desk()
    me = who(by)
    _turn(
        desk,
        run_id,
        "pause",
        lambda runs, run: runs.pause(run.id, by=me, why=why, at=desk.now()),
        by=me,
        why=why,
        as_json=as_json,
    )


def cancel(run_id: RunId = "", *, why: Why = "", by: By = "", as_json: AsJson = False) -> None:
    """End a rescan for good: nothing more is sent, and workers drop what was. What it has decided stays decided."""
    desk = open_desk()
    me = who(by)
    _turn(desk, run_id, "cancel", lambda runs, run: runs.cancel(run.id, at=desk.now()), by=me, why=why, as_json=as_json)


def resume(  # noqa: PLR0913  # what to do beside it
    run_id: RunId = "",
    *,
    only: Only = False,
    resend: Resend = False,
    wait: Wait = False,
    why: Why = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Go on with a rescan that was paused, stopped or killed; or help those who are sending it.

    Exits with 0 once all is sent. Any number of these may run at once, on any machine.
    """
    desk = open_desk()
    try:
        run = the_run(desk, run_id)
        if other := why_not_under(desk, run):
            stop(f"{run.id}: {other}", code=WRONG)
        Runs(desk.aws, desk.settings.items_table).resume(run.id)
        write_command(desk, "rescan resume", by=who(by), why=why, run=run.id)
        if resend or _is_long_ago(desk, run.paused_at):
            send_again(desk, run)
        if run.batch:
            look_in_later(desk, run)
        run = found(desk, run.id)
    except NotNow as why_not:
        stop(str(why_not), code=WRONG)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    if only:
        tell(run, as_json=as_json)
    else:
        send_all(desk, run, wait=wait, as_json=as_json)


def send_all(desk: Desk, run: Run, *, wait: bool, as_json: bool) -> None:
    """Send what is left of a run, with a bar; with `wait`, stay until it is done. Ends the command."""
    again = f"`modfleet rescan resume {run.id}` goes on"
    try:
        with bar(Console(stderr=True), run) as shows:
            if run.state in TO_SEND:
                run = enqueue(desk, run, tell=shows)
            if wait:
                run = until_done(desk, run, show=shows)
    except KeyboardInterrupt:
        stop(f"stopped; {again}", code=INTERRUPTED)
    except Unreadable as why:
        stop(
            f"{why}; nothing more of it can be sent: `modfleet rescan cancel {run.id}`, or mend it, and {again}",
            code=WRONG,
        )
    except (NotNow, Fault) as fault:
        stop(f"{fault}; {again}", code=WRONG)
    tell(run, as_json=as_json)


def tell(run: Run, *, as_json: bool) -> None:
    """How a command leaves a run."""
    if as_json:
        print_json(shown(run))
        return
    print_status(Console(), run)
    if run.state is RunState.PAUSED:
        say(f"`modfleet rescan resume {run.id}` goes on", style="bright_black")
    elif not run.ended:
        say(f"`modfleet rescan status {run.id} --watch` shows how workers get on with it", style="bright_black")


def until_done(desk: Desk, run: Run, *, show: Callable[[Run], None]) -> Run:
    """Show a run until it has ended; returns it as it is then. Raises Fault."""
    while not (run := found(desk, run.id)).ended:
        show(run)
        time.sleep(SHOWN_SECONDS)
    return run


def _is_long_ago(desk: Desk, moment: str) -> bool:
    return bool(moment) and desk.now() - datetime.fromisoformat(moment) > FORGOTTEN


def send_again(desk: Desk, run: Run) -> int:
    """Send what was sent and is not worked; how many messages. What comes twice counts once. Raises Fault."""
    sent, bodies = 0, list[str]()
    for row in Chunks(desk.aws, desk.settings.items_table).all(run.id):
        if row.body:
            bodies.append(row.body)
        if len(bodies) == MAX_BATCH:
            sent += _send(desk, run, bodies)
    return sent + _send(desk, run, bodies)


def _send(desk: Desk, run: Run, bodies: list[str]) -> int:
    send(desk.aws, desk.settings.queue_url("rescan"), bodies, group=run.id)
    count = len(bodies)
    bodies.clear()
    return count


def the_run(desk: Desk, run_id: str) -> Run:
    """The run that is meant: by its id, or else the only one that goes on, or the last. Raises Fault."""
    runs = Runs(desk.aws, desk.settings.items_table)
    if run_id:
        return runs.find(run_id) or stop(f"no such rescan: {run_id}; `modfleet rescan list` shows them", code=WRONG)
    last: Run | None = None
    going = list[Run]()
    for run in runs.all():
        last = last or run
        going += [] if run.ended else [run]
    if len(going) > 1:
        stop(f"several rescans go on: {', '.join(run.id for run in going)}; name one of them")
    return going[0] if going else last or stop("there was no rescan yet", code=WRONG)


def shown(run: Run) -> dict[str, object]:
    """For `--json`."""
    return run.summary() | {"worked": worked(run), "says": state_of(run)}


def _turn(  # noqa: PLR0913  # what, to which, by whom
    desk: Desk, run_id: str, name: str, turn: Callable[[Runs, Run], None], *, by: str, why: str, as_json: bool
) -> None:
    try:
        run = the_run(desk, run_id)
        turn(Runs(desk.aws, desk.settings.items_table), run)
        write_command(desk, f"rescan {name}", by=by, why=why, run=run.id)
        run = found(desk, run.id)
    except NotNow as why_not:
        stop(str(why_not), code=WRONG)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    tell(run, as_json=as_json)
