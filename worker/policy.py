"""`modfleet policy`: what the policy says, why an item was judged as it was, and what a change would change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from config.settings import SettingsError, load_settings
from tasks.aws.faults import Fault
from tasks.decide.difference import differences
from tasks.decide.holding import Holding, holdings
from tasks.decide.policy import Policy, Surface
from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.decide.rule import Tier
from tasks.record.policies import How, UnknownPolicy
from worker.backtest import backtest
from worker.explanation import TIER_WORDS, explain_item
from worker.in_force import policies_of
from worker.policies import activate, history, rollback
from worker.shadow import shadow_report
from worker.terminal import WRONG, AsJson, open_desk, print_json, print_text, read_policy, say, stop

policy_app = typer.Typer(
    no_args_is_help=True, help="Look at the policy, at what a change to it would change, and put one in force."
)
policy_app.command()(backtest)
policy_app.command("explain")(explain_item)
policy_app.command()(activate)
policy_app.command()(rollback)
policy_app.command()(history)
policy_app.command()(shadow_report)

APolicy = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A policy file.")]
MaybeFile = Annotated[
    Path | None, typer.Argument(exists=True, dir_okay=False, help="By default the one that settings name.")
]
ByPolicy = Annotated[
    Path | None,
    typer.Option("--policy", exists=True, dir_okay=False, help="A policy file; by default the policy in force."),
]


@policy_app.command()
def check(file: MaybeFile = None, as_json: AsJson = False) -> None:
    """Say every mistake in a policy with its line, or the policy's version where there is none.

    Exits with 1 where there are mistakes.
    """
    path = file or _policy_file()
    problems: tuple[str, ...] = ()
    version = ""
    try:
        version = parse_policy(path.read_text("utf-8"), source=str(path)).version
    except PolicyError as error:
        problems = error.problems
    except UnicodeDecodeError:
        problems = (f"{path}:1: not UTF-8",)
    if as_json:
        print_json({"file": str(path), "version": version or None, "problems": list(problems)})
    else:
        say("\n".join(problems) or f"{path} is a policy: {version}")
    if problems:
        raise typer.Exit(WRONG)


@policy_app.command()
def show(
    surface: Annotated[str, typer.Option(help="One surface; by default all.")] = "",
    policy: ByPolicy = None,
    version: Annotated[str, typer.Option(help="A stored policy, as `modfleet policy history` names it.")] = "",
    text: Annotated[bool, typer.Option("--text", help="Print it as it is written, for a file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what holds on a surface: for every label the tiers, from which confidence on, and which entry says so."""
    where, read, written = (str(policy), read_policy(policy), policy.read_text("utf-8")) if policy else _stored(version)
    if text:
        print_text(written)
        return
    chosen = [one for one in read.surfaces if surface in ("", one.name)]
    if not chosen:
        stop(f"no such surface: {surface}; there are {', '.join(one.name for one in read.surfaces)}")
    held = {one.name: holdings(read, one, written) for one in chosen}
    if as_json:
        told = {one.name: {"settings": _plain(one), "labels": _told(held[one.name])} for one in chosen}
        print_json({"version": read.version, "surfaces": told, "rules": _rules(read)})
        return
    console = Console()
    say(f"{where} {read.version}" if policy else where)
    for one in chosen:
        _print_surface(console, one, held[one.name])
    for name, does in _rules(read).items():
        say(f"rule {name}: {does}")


@policy_app.command()
def diff(old: APolicy, new: APolicy, as_json: AsJson = False) -> None:
    """Say in words what one policy says otherwise than another; exits with 0 either way."""
    before, after = read_policy(old), read_policy(new)
    lines = differences(before, after)
    if as_json:
        print_json({"old": before.version, "new": after.version, "differences": list(lines)})
    else:
        say("\n".join(lines) or "both say the same")


def _stored(version: str) -> tuple[str, Policy, str]:
    """A stored policy, or without a version the one in force: what to call it, what it says, how it is written."""
    desk = open_desk()
    store = policies_of(desk)
    try:
        change = store.in_force()
        if not version and (change is None or change.how is How.FILE):
            path = desk.settings.policy_file
            return f"{path} {desk.policy.version}", desk.policy, path.read_text("utf-8")
        if not version and change:
            since = f"in force since {change.at:%Y-%m-%d %H:%M} UTC"
            return f"{change.version} {since}", desk.policy, store.text(change.version)
        return version, store.read(version), store.text(version)
    except (UnknownPolicy, PolicyError, Fault) as error:
        stop(str(error), code=WRONG)


def _policy_file() -> Path:
    try:
        return load_settings().policy_file
    except SettingsError as error:
        stop(f"name a policy file, or give the settings that do:\n{error}")


def _plain(surface: Surface) -> dict[str, Any]:
    """A surface's settings, without the labels that are told beside them."""
    return {name: value for name, value in asdict(surface).items() if name != "labels"}


def _rules(policy: Policy) -> dict[str, str]:
    """What is seen together, or in its context, and what that leads to, by the rule's name."""
    together = {one.name: f"{TIER_WORDS[one.then]}, priority {one.priority}" for one in policy.rules.combinations}
    relaxed = {one.name: f"{', '.join(one.relax)} at most {TIER_WORDS[one.then]}" for one in policy.rules.exemptions}
    return together | relaxed


def _told(held: tuple[Holding, ...]) -> dict[str, Any]:
    return {
        one.label: {
            "tiers": {tier.name.lower(): threshold for tier, threshold in sorted(one.tiers.items())},
            "from": {tier.name.lower(): where for tier, where in one.written_at.items()},
        }
        for one in held
    }


def _print_surface(console: Console, surface: Surface, held: tuple[Holding, ...]) -> None:
    settings = ", ".join(f"{name} {_shown(value)}" for name, value in _plain(surface).items() if name != "name")
    console.print(f"\n[bold]{escape(surface.name)}[/]  {escape(settings)}", highlight=False)
    table = Table("label", "masked", "held", "rejected", "from", box=None, header_style="bright_black", pad_edge=False)
    for one in held:
        cells = [_from(one.tiers, tier) for tier in (Tier.REDACT, Tier.HOLD, Tier.REJECT)]
        where = ", ".join(dict.fromkeys(one.written_at.values()))
        table.add_row(escape(_short(one.label)), *cells, f"[bright_black]{escape(where)}[/]")
    console.print(table)


def _short(label: str) -> str:
    """Labels of the taxonomy as the steps of a stair, everything else as findings have it."""
    kind, _, path = label.partition("/")
    names = path.split("/")
    return "  " * (len(names) - 1) + names[-1] if kind == "moderation" else label


def _from(tiers: Mapping[Tier, float | None], tier: Tier) -> str:
    if tier not in tiers:
        return "[bright_black]·[/]"
    threshold = tiers[tier]
    return "always" if threshold is None else f"{threshold:g}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value) or '""'
