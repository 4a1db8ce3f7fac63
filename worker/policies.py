"""`modfleet policy activate`, `rollback` and `history`: which policy is in force, who put it there, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasks.aws.faults import Fault
from tasks.decide.policy import Policy
from tasks.decide.policy_file import PolicyError
from tasks.decide.replay import Tally, replay
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.detect.term_file import TermsError
from tasks.record.entries import command_entry
from tasks.record.policies import Change, How, Meanwhile, TooLarge, UnknownPolicy
from worker.actor import By, who
from worker.backtest import collect, decided_shown, print_report
from worker.cost import since_when
from worker.doctor import Sick, before_surfaces
from worker.in_force import Unfit, fit, policies_of, put_file_in_force, succeeding
from worker.terminal import WRONG, AsJson, open_desk, print_json, read_policy, say, stop
from worker.wiring import under

#: Flips that are listed; `modfleet policy backtest` lists all.
MOST = 10

NewPolicy = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The policy to put in force.")]
Reason = Annotated[str, typer.Option(help="Why; it goes into the history and the audit log.")]
Rate = Annotated[
    str,
    typer.Option(
        "--max-flips",
        help="Share of past decisions that it may flip without a reason, as 2% or 0.02; "
        "by default MODFLEET_POLICY_MAX_FLIPS.",
    ),
]


def activate(
    file: NewPolicy,
    *,
    reason: Reason = "",
    max_flips: Rate = "",
    since: Annotated[str, typer.Option(help="Which past decisions are tried: a day (UTC), or 7d, 24h.")] = "7d",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Put a policy in force for the whole fleet: every worker takes it up within a minute, without a restart.

    First it is tried on the findings of past items, against the policy that is in force now. Where it flips a larger
    share of them than it may, it is refused unless a --reason is given. An item that a worker has begun with ends under
    the policy of before. Exits with 1 where it is refused, or where somebody else was faster.
    """
    desk = open_desk(in_force=False)
    begin = since_when(since, now=desk.now()) or stop(f"--since {since}: neither a day nor like 7d or 24h")
    limit, text = _rate(max_flips, desk.settings.policy_max_flips), _text(file)
    policy = read_policy(file)
    try:
        store = policies_of(desk)
        last = store.in_force()
        _fits(desk, policy)
        if last and last.how is not How.FILE and last.version == policy.version:
            # Perhaps an earlier try was cut short before its entry: the same entry, written again, does no harm.
            _write_down(desk, last)
            _tell(last, as_json=as_json, says="is in force already")
            return
        tally = _try(desk, policy, _policy_of(desk, last), begin=begin, quiet=as_json)
        if tally.flip_rate > limit and not reason.strip():
            _refuse(tally, limit, file)
        last = last or put_file_in_force(desk, None)
        store.store(policy.version, text)
        change = succeeding(last, desk, version=policy.version, how=How.ACTIVATE, by=who(by))
        change = replace(change, reason=reason, backtest=_figures(tally, begin))
        _put(desk, change)
    except (Fault, TooLarge, Meanwhile) as trouble:
        _not_put(trouble)
    _tell(change, as_json=as_json, says="is in force; every worker takes it up within a minute")


def rollback(*, reason: Reason = "", by: By = "", as_json: AsJson = False) -> None:
    """Put the policy of before in force again; typed again, the one before that."""
    desk = open_desk(in_force=False)
    store = policies_of(desk)
    try:
        last = store.in_force()
        if last is None or last.how is How.FILE:
            stop("no policy was ever activated: the workers' own file is in force", code=WRONG)
        target = store.change(last.before)
        while target and target.version == last.version:
            target = store.change(target.before)
        if target is None:
            stop(f"{last.version} is the first: there is none before it", code=WRONG)
        _fits(desk, fit(desk, target.version).policy)
        change = succeeding(last, desk, version=target.version, how=How.ROLLBACK, by=who(by))
        change = replace(change, reason=reason, before=target.before)
        _put(desk, change)
    except (Fault, Unfit, Meanwhile) as trouble:
        _not_put(trouble)
    _tell(change, as_json=as_json, says="is in force again; every worker takes it up within a minute")


def history(
    *,
    at: Annotated[
        str, typer.Option(help="Only what was in force then: 2026-11-01, 2026-11-01T12:30 (UTC), or how long ago, 7d.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show which policy was in force when, who put it there and why, the last first.

    Exits with 1 where nothing was on record at that time.
    """
    desk = open_desk(in_force=False)
    store = policies_of(desk)
    try:
        if at:
            found = store.in_force_at(_moment(desk, at))
            changes = [found] if found else []
        else:
            changes = [*store.history()][::-1]
    except Fault as fault:
        stop(str(fault), code=WRONG)
    if as_json:
        print_json([change.summary() for change in changes])
    elif changes:
        _print(changes)
    else:
        say("nothing is on record" + (f" at {at}" if at else ": no worker has begun yet"))
    if at and not changes:
        raise typer.Exit(WRONG)


def _put(desk: Desk, change: Change) -> None:
    policies_of(desk).put_in_force(change)
    try:
        _write_down(desk, change)
    except Fault as fault:
        stop(f"{change.version} is in force, but not in the audit log yet: {fault}; type it again", code=WRONG)


def _write_down(desk: Desk, change: Change) -> None:
    """One entry for each change, however often it is written."""
    said: dict[str, Any] = {"number": change.number, "from": change.replaced, "backtest": dict(change.backtest)}
    desk.audit.append(
        [
            command_entry(
                command=f"policy {change.how}",
                by=change.by,
                at=change.at,
                why=change.reason,
                policy_version=change.version,
                **said,
            )
        ]
    )


def _not_put(trouble: Exception) -> NoReturn:
    again = "; see `modfleet policy history`, and type it again" if isinstance(trouble, Meanwhile) else ""
    stop(f"{trouble}{again}", code=WRONG)


def _fits(desk: Desk, policy: Policy) -> None:
    """End the command where workers could not work by a policy, or where it would show what nobody has allowed."""
    try:
        before_surfaces(under(desk, policy))
    except (TermsError, Sick) as why:
        stop(f"{policy.version} is not put in force: {why}", code=WRONG)


def _policy_of(desk: Desk, last: Change | None) -> Policy | None:
    """The policy in force; None where it cannot be read: then it is tried against what was decided."""
    if last is None:
        return desk.policy
    try:
        return policies_of(desk).read(last.version)
    except (PolicyError, UnknownPolicy):
        return desk.policy if last.how is How.FILE else None


def _try(desk: Desk, policy: Policy, old: Policy | None, *, begin: datetime, quiet: bool) -> Tally:
    """What the policy would have made of past items, shown."""
    tally = Tally()
    flipping = replay(decided_shown(desk, begin, "", quiet=quiet), policy, tally, against=old)
    flips = collect(flipping, to_csv=None, most=MOST)
    if not quiet:
        print_report(Console(), tally, flips, since=begin)
    return tally


def _refuse(tally: Tally, limit: float, file: Path) -> NoReturn:
    stop(
        f"it flips {tally.flip_rate:.2%} of {tally.decided:,} decisions, more than {limit:.2%}: say --reason, "
        f"or look at them with `modfleet policy backtest {file}`",
        code=WRONG,
    )


def _figures(tally: Tally, begin: datetime) -> dict[str, Any]:
    return {
        "decided": tally.decided,
        "flips": tally.flips,
        "flip_rate": round(tally.flip_rate, 6),
        "review_load": tally.change(Tier.HOLD),
        "takedowns": tally.change(Tier.REJECT),
        "since": begin.isoformat(),
    }


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        stop(f"{file} is not UTF-8", code=WRONG)


def _rate(said: str, default: float) -> float:
    """A share from `2%` or `0.02`. A bare 1 could be meant for either and so is neither."""
    if not said:
        return default
    number, percent = said.removesuffix("%"), said.endswith("%")
    try:
        rate = float(number) / (100 if percent else 1)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1 or (rate == 1 and not percent):
        stop(f"--max-flips {said}: not a share; write 2% or 0.02")
    return rate


def _moment(desk: Desk, said: str, *, parse: Callable[[str], datetime] = datetime.fromisoformat) -> datetime:
    try:
        moment = parse(said)
    except ValueError:
        return since_when(said, now=desk.now()) or stop(f"--at {said}: neither a time nor like 7d or 24h")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _tell(change: Change, *, as_json: bool, says: str) -> None:
    if as_json:
        print_json(change.summary())
    else:
        say(f"{change.version} {says}")


def _print(changes: list[Change]) -> None:
    table = Table("since (UTC)", "policy", "how", "by", "flips", "reason", box=None, header_style="bright_black")
    for change in changes:
        rate = f"{change.backtest['flip_rate']:.2%}" if change.backtest else "·"
        said = (change.how.value, escape(change.by), rate, escape(change.reason))
        table.add_row(f"{change.at:%Y-%m-%d %H:%M:%S}", change.version, *said)
    Console().print(table)
