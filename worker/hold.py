"""`modfleet hold`: originals of what was taken down that nothing may delete."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.hold import NotHoldable, hold
from tasks.hold import release as let_go
from tasks.record.standing import Standing
from worker.actor import By, who
from worker.terminal import WRONG, bucket_and_key, open_desk, stop

hold_app = typer.Typer(
    no_args_is_help=True,
    help="Legal holds: the original of what was taken down stays in quarantine until a person releases it.",
)

Uri = Annotated[str, typer.Argument(help="s3://BUCKET/KEY, the key as it is (not URL-encoded).")]
Version = Annotated[str, typer.Option(help="A VersionId; by default the one decided last.")]
Why = Annotated[str, typer.Option(help="Why; it goes into the audit log.", show_default=False)]


@hold_app.command()
def add(
    uri: Uri,
    *,
    until: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="The day until which it must be kept.", show_default=False)
    ],
    why: Why,
    version: Version = "",
    by: By = "",
) -> None:
    """Hold an original, or change a hold's date.

    The date is for people, and `item show` tells it: nothing ends a hold but `modfleet hold release`.
    """
    desk = open_desk()
    if until.date() <= desk.now().date():
        stop(f"{until:%Y-%m-%d} is not in the future")
    try:
        hold(desk, _find(desk, uri, version), until=until.date(), by=who(by), why=why)
    except (NotHoldable, Fault) as reason:
        stop(f"{uri}: {reason}", code=WRONG)
    Console().print(f"the original of {escape(uri)} is held until {until:%Y-%m-%d}")


@hold_app.command()
def release(uri: Uri, *, why: Why, version: Version = "", by: By = "") -> None:
    """Let go of an original: from now on it expires like any other."""
    desk = open_desk()
    try:
        let_go(desk, _find(desk, uri, version), by=who(by), why=why)
    except (NotHoldable, Fault) as reason:
        stop(f"{uri}: {reason}", code=WRONG)
    Console().print(f"the original of {escape(uri)} is no longer held")


def _find(desk: Desk, uri: str, version: str) -> Standing:
    bucket, key = bucket_and_key(uri)
    location = f"s3://{bucket}/{key}"
    standing = desk.state.find_version(location, version) if version else desk.state.decided_last(location)
    return standing or stop(f"no such item: {location}", code=WRONG)
