"""`modfleet restore`: bring back what was taken down, exactly as it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tasks.act.restore import NotServed
from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.outcome import Retry
from tasks.record.standing import Standing, Status
from tasks.restore import NotRestorable, is_let_go, lists_against, parts_by_themselves
from tasks.restore import restore as bring_back
from worker.actor import By, who
from worker.known import confirm_fine, fine_list
from worker.terminal import WRONG, AsJson, bucket_and_key, open_desk, print_json, stop

#: Seconds between two looks whether the public is served it.
POLL_SECONDS = 1.0


def restore(
    uri: Annotated[str, typer.Argument(help="s3://BUCKET/KEY, the key as it is (not URL-encoded).")],
    *,
    why: Annotated[str, typer.Option(help="Why; it goes into the audit log.", show_default=False)],
    confirmed_fine: Annotated[
        bool,
        typer.Option("--confirm-fine", help="Put its content on the list of what is fine, too, and off all others."),
    ] = False,
    by: By = "",
    within: Annotated[int, typer.Option(min=0, help="Seconds to wait until the public is served it.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Bring back the upload that was taken down last under a key: bytes, metadata, content type and tags.

    A post comes back with all its parts; what is held and hidden is shown, and its case closed. Nothing newer is ever
    written over. It is not judged again; a new upload is, also of the same bytes, unless you add --confirm-fine.
    Interrupted, the same command goes on.
    """
    bucket, key = bucket_and_key(uri)
    desk = open_desk()
    location = f"s3://{bucket}/{key}"
    if confirmed_fine:
        fine_list(desk)
    try:
        standing = desk.state.decided_last(location)
        if standing is None:
            stop(f"no such item: {location}", code=WRONG)
        standing = until_served(desk, standing, by=(me := who(by)), why=why, seconds=within)
        back = standing.status is Status.RESTORED or is_let_go(standing)
        if back and confirmed_fine:
            parts = (part.item for part in parts_by_themselves(desk, standing))
            confirm_fine(desk, (*standing.everything, *parts), by=me, reason=why)
    except NotRestorable as reason:
        stop(f"{location}: {reason}", code=WRONG)
    except Fault as fault:
        stop(f"{fault}; the same command goes on", code=WRONG)
    if as_json:
        print_json(standing.summary())
    else:
        Console().print(f"{escape(location)} is {standing.status}")
    for name in () if confirmed_fine else lists_against(desk, standing):
        say = f"the next upload of the same is taken down again: it is on the list {name} (modfleet known remove)"
        Console(stderr=True).print(escape(say))
    if not back:
        raise typer.Exit(WRONG)


def until_served(  # noqa: PLR0913  # who and why, and a clock for tests
    desk: Desk,
    standing: Standing,
    *,
    by: str,
    why: str,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Standing:
    """Bring an item back, and look until the public is served it; returns where it then stands.

    Raises NotRestorable, and the fault that is still there after so many seconds.
    """
    deadline = clock() + seconds
    while True:
        try:
            outcome = bring_back(desk, standing, by=by, why=why)
        except NotServed:
            if clock() >= deadline:
                raise
        else:
            if not isinstance(outcome, Retry):
                return desk.state.find(standing.item) or standing
            if clock() >= deadline:
                raise NotRestorable(outcome.why)
        sleep(POLL_SECONDS)
        standing = desk.state.find(standing.item) or standing
