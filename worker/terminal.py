"""What every command shares: its desk, `--json`, and how it ends when something is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from botocore.exceptions import BotoCoreError

from config.lanes import LANES
from config.logs import configure_logs
from config.prices import PricesError
from config.settings import Settings, SettingsError, load_settings
from tasks.aws.breaker import Breakers
from tasks.aws.calls import Guard
from tasks.decide.policy import Policy
from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.desk import Desk
from tasks.detect.term_file import TermsError
from tasks.ledger import add_run
from worker.wiring import wire

#: Exit codes: 1 found something wrong, 2 was called wrongly or is not configured.
WRONG, MISUSED = 1, 2

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def open_desk(*, breakers: Breakers | None = None, meter: Guard | None = None) -> Desk:
    """Settings, logs and the desk; ends the command with a plain word on what is wrong with them."""
    try:
        settings: Settings = load_settings()
        configure_logs(log_format=settings.log_format, level=settings.log_level, add=(add_run,))
        return wire(settings, breakers=breakers, meter=meter)
    except (SettingsError, PolicyError, TermsError, PricesError) as error:
        stop(str(error))
    except BotoCoreError as error:
        # No region, no such profile: no call has been made yet that could fail otherwise.
        stop(f"the AWS variables are not a valid configuration: {error}")


def stop(message: str, *, code: int = MISUSED) -> NoReturn:
    """End the command with one message on standard error."""
    print(f"modfleet: {message}", file=sys.stderr)
    raise typer.Exit(code)


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
