"""`modfleet account`: the strikes of those who upload, where they lead, and a person's word that takes them back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasks.act.strike import NothingToForgive, account_event, accounts_of, forgive, item_of
from tasks.aws.faults import Fault
from tasks.decide.accounts import Strike, changes, counting, falls_at, lifted_by, points, step_at
from tasks.desk import Desk
from tasks.record.accounts import Account, account_id
from worker.actor import By, who, write_command
from worker.plot import printable
from worker.terminal import WRONG, AsJson, bucket_and_key, open_desk, print_json, stop

account_app = typer.Typer(
    no_args_is_help=True,
    help="Accounts of those who upload: what was taken down counts against them for a while, as the policy's section "
    "`accounts` says.",
)

Uploader = Annotated[
    str, typer.Argument(metavar="UPLOADER", help="As the application names them: x-amz-meta-uploader, or --uploader.")
]


@account_app.command()
def show(uploader: Uploader, as_json: AsJson = False) -> None:
    """Show an uploader's strikes: what for, until when they count, where they led, and where the account stands."""
    desk = open_desk()
    try:
        said = summary(desk, accounts_of(desk).find(uploader))
    except Fault as fault:
        stop(str(fault), code=WRONG)
    if as_json:
        print_json(said)
    else:
        _print(said)


@account_app.command("forgive")
def forgive_strikes(
    uploader: Uploader,
    *,
    item: Annotated[str, typer.Option(help="s3://BUCKET/KEY; without it, all that counts is forgiven.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes into the audit log.", show_default=False)],
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Take back an uploader's strikes; what was taken down stays down (`modfleet restore` brings it back).

    The application is told where that leads. Interrupted, the same command goes on. Exits with 1 where nothing counts.
    """
    if item:
        bucket_and_key(item)
    desk = open_desk()
    try:
        account, mark = forgive(desk, uploader, location=item)
        strikes = lifted_by(account.log, mark)
        facts: dict[str, Any] = {"strikes": points(strikes), "of": [item_of(strike) for strike in strikes]}
        # Whose account it is must not stand in the log.
        write_command(desk, "account forgive", by=who(by), why=reason, account=account_id(uploader), **facts)
    except NothingToForgive:
        stop(f"no strike{f' for {item}' if item else ''} counts against this account: {uploader!r}", code=WRONG)
    except Fault as fault:
        stop(f"{fault}; the same command goes on", code=WRONG)
    said = summary(desk, account)
    if as_json:
        print_json({"forgiven": points(strikes), **said})
    else:
        Console().print(f"forgiven: {points(strikes)}; strikes now: {said['strikes']}, standing: {said['standing']}")


def summary(desk: Desk, account: Account) -> dict[str, Any]:
    """An account as `account show --json` prints it; where it stands is by the policy in force."""
    now, thresholds = desk.now(), desk.policy.accounts.thresholds
    counted = counting(account.log, now)
    falls = falls_at(counted, thresholds)
    return {
        "uploader": account.uploader,
        "standing": step_at(points(counted), thresholds),
        "strikes": points(counted),
        "stands_lower_at": falls.isoformat() if falls else None,
        "thresholds": dict(thresholds),
        "items": [_strike(one, counts=one in counted) for one in account.log if isinstance(one, Strike)],
        "events": [account_event(account.uploader, change) for change in changes(account.log)],
    }


def _strike(strike: Strike, *, counts: bool) -> dict[str, Any]:
    return {
        "item": item_of(strike),
        "rules": list(strike.rules),
        "strikes": strike.points,
        "counts": counts,
        "at": strike.at.isoformat(),
        "until": strike.until.isoformat(),
    }


def _print(said: dict[str, Any]) -> None:
    falls, console = said["stands_lower_at"], Console()
    until = f" until {_day(falls)}" if falls else ""
    console.print(f"standing: {said['standing']}{until}, strikes: {said['strikes']}", highlight=False)
    if said["items"]:
        console.print(_strikes(said["items"]))
    for event in said["events"]:
        steps = f"from {event['from']} to {event['to']} at {event['strikes']} strikes"
        console.print(f"told on {_day(event['at'])}: {event['event']} ({steps})", highlight=False)


def _strikes(items: list[dict[str, Any]]) -> Table:
    table = Table("strikes", "taken down", "counts until", "for", "item", box=None)
    for one in items:
        item = one["item"]
        where = f"s3://{item['bucket']}/{item['key']}" if item else "older ones"
        until = _day(one["until"]) if one["counts"] else "does not count"
        said = (", ".join(one["rules"]), where)
        table.add_row(str(one["strikes"]), _day(one["at"]), until, *(escape(printable(text)) for text in said))
    return table


def _day(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M}"
