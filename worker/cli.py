"""The command line: `modfleet worker`, `doctor`, and every command of the modules beside this one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from config.lanes import LANES
from config.settings import SettingsError
from tasks.aws.breaker import Breakers
from tasks.aws.faults import Fault
from tasks.desk import Desk
from worker.account import account_app
from worker.app import create_app
from worker.appeal import appeal_app, report
from worker.attend import attend
from worker.audit import audit_app
from worker.boot import lacking
from worker.brake import brake_app
from worker.console.command import console
from worker.cost import cost
from worker.deploy.command import deploy_app
from worker.dlq import dlq_app
from worker.doctor import contested_names, examine
from worker.hold import hold_app
from worker.in_force import Unfit, as_in_force, if_fit, note_file
from worker.item import item_app
from worker.known import known_app
from worker.lines import shares
from worker.meter import Meter
from worker.metrics import Registry
from worker.otel import NoOpenTelemetry
from worker.policy import policy_app
from worker.rescan import rescan_app
from worker.restore import restore
from worker.review import review_app
from worker.scaling import scaling
from worker.submit import submit
from worker.takedowns import takedowns
from worker.terminal import WRONG, AsJson, lane_names, open_desk, print_json, stop
from worker.top import top

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
app.add_typer(item_app, name="item")
app.add_typer(hold_app, name="hold")
app.add_typer(brake_app, name="brake")
app.add_typer(account_app, name="account")
app.add_typer(dlq_app, name="dlq")
app.add_typer(known_app, name="known")
app.add_typer(policy_app, name="policy")
app.add_typer(audit_app, name="audit")
app.add_typer(rescan_app, name="rescan")
app.add_typer(review_app, name="review")
app.add_typer(appeal_app, name="appeal")
app.add_typer(deploy_app, name="deploy")
app.command()(top)
app.command()(takedowns)
app.command()(cost)
app.command()(scaling)
app.command()(submit)
app.command()(restore)
app.command()(report)
app.command()(console)


@app.callback()
def modfleet() -> None:
    """Moderate user-generated content on AWS after it has been published, and take violations down."""


@app.command()
def worker(
    lanes: Annotated[str, typer.Option(help=f"Comma-separated: {', '.join(LANES)}.")] = "uploads,video,rulings",
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=500, help="Tasks at once; by default the sum of the lanes'.")
    ] = None,
    no_checks: Annotated[bool, typer.Option("--no-checks", help="Start without a look at what it needs.")] = False,
) -> None:
    """Run a worker on some lanes until SIGTERM or Ctrl-C.

    Exits with 0 once drained, 2 where something that it needs is missing, 3 where it ran out of time and gave back
    what still ran, 4 where it could not go on: start another.
    """
    names = lane_names(lanes)
    breakers = Breakers()
    registry = Registry()
    desk = open_desk(breakers=breakers, meter=Meter(registry), in_force=False)
    if contested := contested_names():
        stop(f"another distribution owns modfleet's package names: {', '.join(contested)}")
    if not no_checks and (missing := lacking(desk)):
        stop("the worker does not start, for it lacks:\n" + "\n".join(f"  {line}" for line in missing))
    _note_policy(desk)
    threads = concurrency or sum(LANES[name].concurrency for name in names)
    try:
        celery = create_app(
            desk.settings, desk, breakers=breakers, registry=registry, concurrency=shares(names, threads)
        )
    except NoOpenTelemetry as missing:
        stop(str(missing))
    celery.reporter.start()
    celery.books.start()
    celery.watch.start()
    celery.reviewing.start()
    try:
        lifecycle = attend(desk.settings, celery.lines)
    except SettingsError as error:
        stop(str(error))
    lifecycle.last_words += [celery.reviewing.close, celery.watch.close, celery.books.close, celery.reporter.close]
    try:
        celery.worker_main(_celery_words(names, threads))
    finally:
        celery.lines.close()
        lifecycle.end()
    raise typer.Exit(lifecycle.exit_code)


def _note_policy(desk: Desk) -> None:
    try:
        desk = as_in_force(desk)
        note_file(desk)
    except Unfit as unfit:
        stop(str(unfit))
    except Fault as fault:
        stop(f"which policy is in force can neither be read nor recorded: {fault}", code=WRONG)


def _celery_words(lanes: list[str], threads: int) -> list[str]:
    """What somebody would type after `celery`."""
    without = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return ["--quiet", "worker", "-P", "threads", "-c", str(threads), "-Q", ",".join(lanes), "-l", "WARNING", *without]


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check queues, buckets, tables, policy and AI services, and say what to do about what is wrong."""
    findings = list(examine(if_fit(open_desk(in_force=False))))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        table = Table("", "check", "detail", box=None)
        for finding in findings:
            table.add_row("[green]ok[/]" if finding.ok else "[red]NO[/]", finding.check, finding.detail)
        Console().print(table)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else WRONG)


def main() -> None:
    """The console script."""
    app()
