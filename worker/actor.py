"""Who types a command, and the entry of it in the audit log."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

from tasks.aws.faults import Fault
from tasks.aws.identity import caller_arn
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.entries import command_entry

#: A local cloud knows nobody else, and of an account's root user nobody knows who it is.
NOBODY = ":root"

By = Annotated[
    str,
    typer.Option(
        "--by", help="Who you are, for the audit log; by default the user of this machine. AWS's word is put beside it."
    ),
]


def who(by: str = "", *, ask: Callable[[], str] = caller_arn) -> str:
    """Who acts: the name given or the user of this machine and, beside it, whom AWS takes them for.

    One call. Anybody can write any name; the ARN is what CloudTrail has as well. Where AWS does not say, the name
    stands alone.
    """
    name = by.strip() or _user()
    try:
        arn = ask()
    except Fault:
        return name
    return name if arn.endswith(NOBODY) or arn == name else f"{name} ({arn})"


def write_command(desk: Desk, command: str, *, by: str, why: str = "", item: Item | None = None, **facts: Any) -> None:
    """Write a command's entry to the audit log, with the time and the policy in force. Returns when it is there.

    `by` is what `who` said. Raises Fault.
    """
    version = desk.policy.version
    entry = command_entry(
        command=command, by=by, at=desk.now(), why=why, item=item, **{"policy_version": version, **facts}
    )
    desk.audit.append([entry])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"
