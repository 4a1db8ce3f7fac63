"""`modfleet rescan`: look again at what was uploaded long ago, once it is known what that would cost."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from typing import Any

import typer
from rich.console import Console
from rich.prompt import Confirm

from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.rescan.batch import look_in_later
from tasks.rescan.batch_wait import is_set_up
from tasks.rescan.order import ORDERS
from tasks.rescan.run import Brief, Run, RunState
from tasks.rescan.run_rows import Runs
from tasks.rescan.sample import planned
from tasks.rescan.subject import Source, Unreadable
from worker import rescan_options as options
from worker.actor import By, who, write_command
from worker.fleet import Depth, view_of
from worker.heartbeat import read_beats
from worker.rescan_control import cancel, list_runs, pause, resume, send_all, status
from worker.rescan_options import Sources, desk_under
from worker.rescan_report import report
from worker.rescan_view import print_plan
from worker.terminal import WRONG, AsJson, open_desk, print_json, say, stop

rescan_app = typer.Typer(invoke_without_command=True)
rescan_app.command()(status)
rescan_app.command("list")(list_runs)
rescan_app.command()(pause)
rescan_app.command()(resume)
rescan_app.command()(cancel)
rescan_app.command()(report)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a command is to go about it."""

    dry_run: bool
    yes: bool
    wait: bool
    as_json: bool


@rescan_app.callback()
def rescan(  # noqa: PLR0913  # a command has as many options as it has
    context: typer.Context,
    *,
    bucket: options.Bucket = "",
    prefix: options.Prefix = "",
    inventory: options.InventoryAt = "",
    keys: options.Keys = "",
    stored: options.IsStored = False,
    label: options.Label = "",
    uploader: options.Uploader = "",
    surface: options.Surface = "",
    since: options.Since = "",
    before: options.Before = "",
    of_policy: options.OfPolicy = "",
    not_policy: options.NotPolicy = "",
    detector: options.Detector = "",
    outcome: options.Outcome = "",
    policy: options.ByPolicy = None,
    act: options.Act = False,
    quota: options.Quota = None,
    max_cost: options.MaxCost = None,
    max_items: options.MaxItems = None,
    order: options.Order = "",
    rate: options.ARate = None,
    batch: options.Batch = False,
    why: options.Why = "",
    by: By = "",
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    wait: options.Wait = False,
    as_json: AsJson = False,
) -> None:
    """Look again at what was uploaded long ago: under a new policy, by a new detector, or for the first time.

    Shows what it would come to, asks, and sends the objects to the workers of the rescan lane. What is on record is
    decided again on its stored findings, without an AI call; live traffic comes first; nothing is taken down without
    --act. Stopped or killed at any point, `modfleet rescan resume RUN` goes on, here or elsewhere, and several machines
    may send one run together. Exits with 0 once all is sent.
    """
    if context.invoked_subcommand is not None:
        return
    asked = {"label": label, "uploader": uploader, "surface": surface, "since": since, "before": before}
    asked |= {"policy": of_policy, "not_policy": not_policy, "detector": detector, "outcome": outcome}
    filters = {name: said for name, said in asked.items() if said}
    sources = Sources(bucket=bucket, prefix=prefix, inventory=inventory, keys=keys, stored=stored, filters=filters)
    if not sources.named:
        say(context.get_help())
        raise typer.Exit
    if order and order not in ORDERS:
        stop(f"--order {order}: there are {', '.join(ORDERS)}")
    desk = desk_under(open_desk(), policy, dry_run=dry_run)
    if batch and not is_set_up(desk):
        stop(
            "--batch: nothing is set up for it; it takes MODFLEET_BATCH_ROLE_ARN, MODFLEET_BATCH_BUCKET, and a "
            f"classifier model that takes batches (MODFLEET_CLASSIFIER_MODEL is {desk.settings.classifier_model})"
        )
    source = sources.open(desk)
    limits: dict[str, Any] = {"max_items": max_items, "max_cost_usd": max_cost, "rate": rate, "order": order}
    limits |= {"act": act, "quota": quota, "batch": batch, "by": who(by), "why": why}
    brief = Brief(source=source.spec, policy_version=desk.policy.version, **limits)
    begin(desk, source, brief, Way(dry_run=dry_run, yes=yes, wait=wait, as_json=as_json))


def begin(desk: Desk, source: Source, brief: Brief, way: Way) -> None:
    """Plan, ask, put the run on record, and send; ends the command where that cannot be."""
    console = Console(stderr=way.as_json)
    try:
        brief = replace(brief, plan=foresee(desk, source, brief, console=console))
        if not way.as_json:
            print_plan(console, brief)
        if way.dry_run:
            if way.as_json:
                print_json({"dry_run": True, "source": dict(brief.source), "plan": dict(brief.plan)})
            return
        _ask(way)
        run = Runs(desk.aws, desk.settings.items_table).start(brief, at=desk.now())
        facts: dict[str, Any] = {"source": source.name, "act": brief.act, "max_cost_usd": brief.max_cost_usd}
        write_command(desk, "rescan start", by=brief.by, why=brief.why, run=run.id, **facts)
        if run.batch:
            look_in_later(desk, run)
    except Unreadable as why:
        stop(str(why), code=WRONG)
    except Fault as fault:
        stop(f"{fault}; nothing was sent", code=WRONG)
    send_all(desk, run, wait=way.wait, as_json=way.as_json)


def foresee(desk: Desk, source: Source, brief: Brief, *, console: Console) -> dict[str, Any]:
    """The plan, as `tasks.rescan.plan` sums it up. Raises Unreadable and Fault."""
    run = Run(**{**asdict(brief), "source": brief.source}, id="", state=RunState.PLANNED, created_at=desk.now())
    with console.status("reading the source") as shown:
        plan = planned(
            replace(desk, rescan=run),
            source,
            workers=serving(desk),
            on_progress=lambda read: shown.update(f"reading the source: {read:,} objects"),
        )
    return plan.summary()


def serving(desk: Desk) -> int:
    """Worker processes that serve the lane of rescans just now. Raises Fault."""
    beats = read_beats(desk.aws, desk.settings.items_table)
    return view_of(beats, {"rescan": Depth()}, at=desk.now().timestamp()).lanes["rescan"].workers


def _ask(way: Way) -> None:
    if way.yes:
        return
    if way.as_json or not sys.stdin.isatty():
        stop("nobody is there to be asked: look at the plan with --dry-run, and begin with --yes")
    if not Confirm.ask("Begin?", default=False):
        raise typer.Exit(WRONG)
