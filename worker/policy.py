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
from tasks.decide.decision import Decision
from tasks.decide.difference import differences
from tasks.decide.explain import Explained, explain
from tasks.decide.holding import Holding, holdings
from tasks.decide.policy import Policy, Surface
from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.decide.rule import Rule, Tier
from tasks.record.standing import Standing
from worker.backtest import backtest
from worker.plot import printable
from worker.terminal import WRONG, AsJson, bucket_and_key, open_desk, print_json, read_policy, stop

policy_app = typer.Typer(no_args_is_help=True, help="Look at the policy, and at what a change to it would change.")
policy_app.command()(backtest)

APolicy = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A policy file.")]
MaybeFile = Annotated[
    Path | None, typer.Argument(exists=True, dir_okay=False, help="By default the one that settings name.")
]
ByPolicy = Annotated[
    Path | None,
    typer.Option("--policy", exists=True, dir_okay=False, help="A policy file; by default the one that settings name."),
]
_TIER_WORDS = {Tier.ALLOW: "allowed", Tier.REDACT: "masked", Tier.HOLD: "held", Tier.REJECT: "rejected"}


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
        _say("\n".join(problems) or f"{path} is a policy: {version}")
    if problems:
        raise typer.Exit(WRONG)


@policy_app.command()
def show(
    surface: Annotated[str, typer.Option(help="One surface; by default all.")] = "",
    policy: ByPolicy = None,
    as_json: AsJson = False,
) -> None:
    """Show what holds on a surface: for every label the tiers, from which confidence on, and which entry says so."""
    path = policy or _policy_file()
    read, text = read_policy(path), path.read_text("utf-8")
    chosen = [one for one in read.surfaces if surface in ("", one.name)]
    if not chosen:
        stop(f"no such surface: {surface}; there are {', '.join(one.name for one in read.surfaces)}")
    held = {one.name: holdings(read, one, text) for one in chosen}
    if as_json:
        told = {one.name: {"settings": _plain(one), "labels": _told(held[one.name])} for one in chosen}
        print_json({"version": read.version, "surfaces": told, "rules": _rules(read)})
        return
    console = Console()
    _say(f"{path} {read.version}")
    for one in chosen:
        _print_surface(console, one, held[one.name])
    for name, does in _rules(read).items():
        _say(f"rule {name}: {does}")


@policy_app.command("explain")
def explain_item(
    uri: Annotated[str, typer.Argument(help="s3://BUCKET/KEY, the key as it is (not URL-encoded).")],
    version: Annotated[str, typer.Option(help="A VersionId; by default the one decided last.")] = "",
    policy: ByPolicy = None,
    as_json: AsJson = False,
) -> None:
    """Explain an item's tier: what each finding reached, what it missed, and what it counted for.

    What was recorded names its rules and thresholds itself. Where another policy is in force by now, both tiers are
    told, and the findings are explained by the one in force; `--policy` explains them by another file.
    """
    location = "s3://{}/{}".format(*bucket_and_key(uri))
    desk = open_desk()
    by = read_policy(policy) if policy else desk.policy
    try:
        standing = desk.state.find_version(location, version) if version else desk.state.latest(location)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    if standing is None or not standing.decided:
        stop(f"nothing has been decided on {location}", code=WRONG)
    surface = by.surface_for(standing.item.key)
    decision, explained = explain(standing.findings, by, surface)
    if as_json:
        print_json(_explanation(standing, decision, explained, surface=surface.name))
    else:
        _print_explanation(standing, decision, explained, surface=surface.name)


@policy_app.command()
def diff(old: APolicy, new: APolicy, as_json: AsJson = False) -> None:
    """Say in words what one policy says otherwise than another; exits with 0 either way."""
    before, after = read_policy(old), read_policy(new)
    lines = differences(before, after)
    if as_json:
        print_json({"old": before.version, "new": after.version, "differences": list(lines)})
    else:
        _say("\n".join(lines) or "both say the same")


def _say(text: str, *, style: str = "") -> None:
    """Print as it is: what it quotes may be anybody's words, and a line stays one line."""
    Console().print(text, style=style, markup=False, highlight=False, soft_wrap=True)


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
    together = {one.name: f"{_TIER_WORDS[one.then]}, priority {one.priority}" for one in policy.rules.combinations}
    relaxed = {one.name: f"{', '.join(one.relax)} at most {_TIER_WORDS[one.then]}" for one in policy.rules.exemptions}
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


def _explanation(
    standing: Standing, decision: Decision, explained: tuple[Explained, ...], *, surface: str
) -> dict[str, Any]:
    return {
        "item": {"location": standing.item.location, "version": standing.item.version},
        "status": standing.status.value,
        "recorded": {"policy": standing.policy_version, "tier": standing.tier, "rules": list(standing.rules)},
        "explained_by": {
            "policy": decision.policy_version,
            "surface": surface,
            "tier": int(decision.tier),
            "rules": [rule.name for rule in decision.rules],
        },
        "findings": [
            {
                "label": one.finding.label,
                "confidence": one.finding.confidence,
                "detector": one.finding.detector,
                "part": one.finding.part,
                "times": one.times,
                "weight": one.weight,
                "reached": [rule.name for rule in one.reached],
                "missed": [rule.name for rule in one.missed],
                "lifted_by": list(one.lifted_by),
                "why": _why(one),
            }
            for one in explained
        ],
    }


def _print_explanation(
    standing: Standing, decision: Decision, explained: tuple[Explained, ...], *, surface: str
) -> None:
    then = Tier(standing.tier or 0)
    rules = f" by {', '.join(standing.rules)}" if standing.rules else ""
    _say(f"{printable(standing.item.location)} was {_TIER_WORDS[then]}{rules} (policy {standing.policy_version})")
    if decision.policy_version != standing.policy_version:
        names = ", ".join(rule.name for rule in decision.rules)
        said = f"the policy {decision.policy_version} would have it {_TIER_WORDS[decision.tier]}"
        _say(said + (f" by {names}" if names else ""), style="yellow")
    table = Table("finding", "", f"on {escape(surface)}", box=None, header_style="bright_black", pad_edge=False)
    for one in explained:
        place = "" if one.finding.part == "body" else f" in {one.finding.part}"
        times = f" ({one.times} times)" if one.times > 1 else ""
        table.add_row(
            escape(printable(f"{one.finding.label}{place}{times}")), f"{one.finding.confidence:.1f}", escape(_why(one))
        )
    Console().print(table if explained else "nothing was found in it")


def _why(one: Explained) -> str:
    """What a finding came to, in words."""
    reached = " and ".join(_step(rule) for rule in one.reached)
    missed = ", ".join(_step(rule) for rule in one.missed)
    return {
        "counts": f"{reached}" + (f"; short of {missed}" if missed else ""),
        "outdone": f"{reached}, but something stricter was found",
        "lifted": f"{reached} by itself, but counts for nothing beside {', '.join(one.lifted_by)}",
        "below": f"allowed: short of {missed}",
        "free": "allowed: no rule is about it",
    }[one.weight]


def _step(rule: Rule) -> str:
    threshold = "" if rule.threshold is None else f" from {rule.threshold:g}"
    return f"{_TIER_WORDS[rule.tier]}{threshold} ({rule.name})"
