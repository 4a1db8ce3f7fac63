"""`modfleet policy explain`: why an item was judged as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasks.aws.faults import Fault
from tasks.decide.decision import Decision, decide
from tasks.decide.explain import Explained, explain
from tasks.decide.policy import Policy
from tasks.decide.policy_file import PolicyError
from tasks.decide.rule import Rule, Tier
from tasks.desk import Desk
from tasks.record.policies import UnknownPolicy
from tasks.record.standing import Standing
from worker.in_force import policies_of
from worker.plot import printable
from worker.terminal import WRONG, AsJson, bucket_and_key, open_desk, print_json, read_policy, say, stop

TIER_WORDS = {Tier.ALLOW: "allowed", Tier.REDACT: "masked", Tier.HOLD: "held", Tier.REJECT: "rejected"}
ByPolicy = Annotated[
    Path | None,
    typer.Option("--policy", exists=True, dir_okay=False, help="A policy file; by default the policy that decided it."),
]


def explain_item(
    uri: Annotated[str, typer.Argument(help="s3://BUCKET/KEY, the key as it is (not URL-encoded).")],
    version: Annotated[str, typer.Option(help="A VersionId; by default the one decided last.")] = "",
    policy: ByPolicy = None,
    as_json: AsJson = False,
) -> None:
    """Explain an item's tier: what each finding reached, what it missed, and what it counted for.

    The findings are explained by the policy that decided it where that is stored (`modfleet policy history`), else by
    the one in force; `--policy` explains them by a file. Where another one is in force by now, its tier is told too.
    """
    location = "s3://{}/{}".format(*bucket_and_key(uri))
    desk = open_desk()
    try:
        standing = desk.state.find_version(location, version) if version else desk.state.latest(location)
        if standing is None or not standing.decided:
            stop(f"nothing has been decided on {location}", code=WRONG)
        by = read_policy(policy) if policy else _that_decided(desk, standing)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    surface, now = by.surface_of(standing.item), desk.policy.surface_of(standing.item)
    decision, explained = explain(standing.findings, by, surface)
    today = decide(standing.findings, desk.policy, now)
    if as_json:
        told = _explanation(standing, decision, explained, surface=surface.name)
        print_json(told | {"in_force": _decided(today, now.name)})
    else:
        _print_explanation(standing, decision, explained, surface=surface.name, today=today)


def _that_decided(desk: Desk, standing: Standing) -> Policy:
    """The policy that decided an item, or the one in force where that is not stored or cannot be read any more."""
    if standing.policy_version == desk.policy.version:
        return desk.policy
    try:
        return policies_of(desk).read(standing.policy_version)
    except (UnknownPolicy, PolicyError):
        return desk.policy


def _explanation(
    standing: Standing, decision: Decision, explained: tuple[Explained, ...], *, surface: str
) -> dict[str, Any]:
    return {
        "item": {"location": standing.item.location, "version": standing.item.version},
        "status": standing.status.value,
        "recorded": {"policy": standing.policy_version, "tier": standing.tier, "rules": list(standing.rules)},
        "explained_by": _decided(decision, surface),
        "findings": [
            {
                "label": one.finding.label,
                "confidence": one.finding.confidence,
                "detector": one.finding.detector,
                "part": one.finding.part,
                "times": one.times,
                "weight": one.weight,
                "reached": [rule.name for rule in one.reached],
                "alone": [rule.name for rule in one.alone],
                "missed": [rule.name for rule in one.missed],
                "beside": [rule.name for rule in one.beside],
                "lifted_by": list(one.lifted_by),
                "why": _why(one),
            }
            for one in explained
        ],
    }


def _decided(decision: Decision, surface: str) -> dict[str, Any]:
    return {
        "policy": decision.policy_version,
        "surface": surface,
        "tier": int(decision.tier),
        "rules": [rule.name for rule in decision.rules],
    }


def _print_explanation(
    standing: Standing, decision: Decision, explained: tuple[Explained, ...], *, surface: str, today: Decision
) -> None:
    then = Tier(standing.tier or 0)
    rules = f" by {', '.join(standing.rules)}" if standing.rules else ""
    say(f"{printable(standing.item.location)} was {TIER_WORDS[then]}{rules} (policy {standing.policy_version})")
    for other in {one.policy_version: one for one in (decision, today)}.values():
        if other.policy_version != standing.policy_version:
            names = ", ".join(rule.name for rule in other.rules)
            said = f"the policy {other.policy_version} would have it {TIER_WORDS[other.tier]}"
            say(said + (f" by {names}" if names else ""), style="yellow")
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
    reached, missed = " and ".join(map(_step, one.reached)), ", ".join(map(_step, one.missed))
    eased = f"; by itself {' and '.join(map(_step, one.alone))}" if one.alone else ""
    return {
        "counts": reached + eased + (f"; short of {missed}" if missed else ""),
        "outdone": f"{reached}{eased}, but something stricter was found",
        "lifted": f"{reached} by itself, but counts for nothing beside {', '.join(one.lifted_by)}",
        "below": f"allowed: short of {missed}",
        "part": f"allowed by itself; beside others {', '.join(map(_step, one.beside))}",
        "free": "allowed: no rule is about it",
    }[one.weight]


def _step(rule: Rule) -> str:
    threshold = "" if rule.threshold is None else f" from {rule.threshold:g}"
    return f"{TIER_WORDS[rule.tier]}{threshold} ({rule.name})"
