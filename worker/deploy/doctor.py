"""`modfleet deploy doctor`: follow one object through the deployment, and say where it got stuck."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError

from tasks.aws.deployer import Deployer
from worker.deploy.follow import Follower, Step
from worker.deploy.probe import make_probe
from worker.terminal import WRONG, AsJson, open_desk, print_json, say, stop

_SIGNS = {True: "ok", False: "NO", None: "? "}
_STYLES = {True: "green", False: "bold red", None: "yellow"}


def doctor(
    *,
    bucket: Annotated[str, typer.Option(help="The uploads bucket; by default the first.", show_default=False)] = "",
    prefix: Annotated[
        str | None,
        typer.Option(
            help="What its key begins with; by default a place that shows nothing unjudged.", show_default=False
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Upload these bytes, which may end as they must, instead of a harmless picture."),
    ] = None,
    within: Annotated[float, typer.Option(min=1, help="Seconds to wait for a verdict.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Follow one object through the deployment: from the upload to the verdict, the public's view and the audit log.

    Every link on its way is looked at, and the first that is broken says what is wrong and what to do: a missing
    notification, the queue's policy or KMS key, no worker, a role, model access, a quota. The object is a picture made
    for it, and deleted afterwards with all its versions; what was recorded of it stays. It costs one look of each
    detector that the place asks for. Exits with 1 where it got stuck. `modfleet doctor` looks at each setting instead.
    """
    desk = open_desk()
    where = bucket or desk.settings.uploads_bucket
    if where not in desk.settings.uploads_buckets:
        stop(f"{where} is no uploads bucket; there are {', '.join(desk.settings.uploads_buckets)}")
    try:
        probe = make_probe(desk, bucket=where, prefix=prefix, file=file)
        follower = Follower(desk=desk, deployer=Deployer(), probe=probe, within=within)
    except OSError as error:
        stop(f"cannot read {file}: {error.strerror}")
    except BotoCoreError as error:
        stop(f"the AWS variables are not a valid configuration: {error}")
    steps: list[Step] = []
    try:
        for step in follower.steps():
            _note(step, steps, quiet=as_json)
    finally:
        if last := follower.cleared():
            _note(last, steps, quiet=as_json)
    if as_json:
        print_json([asdict(step) for step in steps])
    raise typer.Exit(WRONG if any(step.ok is False for step in steps) else 0)


def _note(step: Step, steps: list[Step], *, quiet: bool) -> None:
    steps.append(step)
    if quiet:
        return
    say(f"{_SIGNS[step.ok]} {step.name:20} {step.detail} ({step.seconds} s)", style=_STYLES[step.ok])
    if step.todo:
        say(f"   what to do: {step.todo}")
