"""What every command shares: its desk, `--json`, and how it ends when something is wrong."""

from __future__ import annotations

import atexit
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from botocore.exceptions import BotoCoreError
from rich.console import Console

from config.lanes import LANES
from config.logs import configure_logs
from config.prices import PricesError
from config.settings import Settings, SettingsError, load_settings
from tasks.aws.breaker import Breakers
from tasks.aws.calls import Guard
from tasks.aws.faults import Fault
from tasks.decide.policy import Policy
from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.desk import Desk
from tasks.detect.term_file import TermsError
from tasks.ledger import add_run
from worker.in_force import Unfit, as_in_force
from worker.wiring import wire

#: Exit codes: 1 found something wrong, 2 was called wrongly or is not configured.
WRONG, MISUSED = 1, 2

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def open_desk(*, breakers: Breakers | None = None, meter: Guard | None = None, in_force: bool = True) -> Desk:
    """Settings, logs and the desk; ends the command with a plain word on what is wrong with them.

    The policy is the one in force or, where nobody needs to know that (not `in_force`), the one that settings name.
    """
    try:
        settings: Settings = load_settings()
        configure_logs(log_format=settings.log_format, level=settings.log_level, add=(add_run,))
        desk = wire(settings, breakers=breakers, meter=meter)
        # A command has no books, which would do it every few seconds.
        atexit.register(_record_head, desk)
        return as_in_force(desk) if in_force else desk
    except (SettingsError, PolicyError, TermsError, PricesError, Unfit) as error:
        stop(str(error))
    except Fault as fault:
        stop(f"which policy is in force cannot be read: {fault}", code=WRONG)
    except BotoCoreError as error:
        # No region, no such profile: no call has been made yet that could fail otherwise.
        stop(f"the AWS variables are not a valid configuration: {error}")


def _record_head(desk: Desk) -> None:
    """Say how far this process's audit log has come, where it has written one."""
    with suppress(Fault):
        desk.audit.record_head()


def stop(message: str, *, code: int = MISUSED) -> NoReturn:
    """End the command with one message on standard error."""
    print(f"modfleet: {message}", file=sys.stderr)
    raise typer.Exit(code)


def say(text: str, *, style: str = "") -> None:
    """Print as it is: what it quotes may be anybody's words, and a line stays one line."""
    Console().print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def print_text(text: str) -> None:
    """Print a file's text, as it is."""
    print(text, end="")


def print_json(shown: object) -> None:
    """Print for a program."""
    print(json.dumps(shown, ensure_ascii=False, indent=2))


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Both from `s3://BUCKET/KEY`; ends the command where it is none."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not key:
        stop(f"not an item: {uri!r}; write s3://BUCKET/KEY")
    return bucket, key


def read_policy(path: Path) -> Policy:
    """The policy in a file; ends the command with every mistake in it."""
    try:
        return parse_policy(path.read_text("utf-8"), source=str(path))
    except PolicyError as error:
        stop(str(error), code=WRONG)
    except UnicodeDecodeError:
        stop(f"{path} is not UTF-8", code=WRONG)


def lane_names(lanes: str) -> list[str]:
    """Lanes from comma-separated names; ends the command where one is none."""
    names = [name.strip() for name in lanes.split(",") if name.strip()]
    unknown = [name for name in names if name not in LANES]
    if unknown or not names:
        stop(f"no such lane: {', '.join(unknown) or '(none given)'}; there are {', '.join(LANES)}")
    return names
