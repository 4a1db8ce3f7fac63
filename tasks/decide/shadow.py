"""Shadow: what a policy that is not in force would have made of an item, beside what was made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tasks.decide.decision import decide
from tasks.decide.policy import Policy, Surface
from tasks.decide.replay import Flip, Past, Tally
from tasks.decide.rule import Tier
from tasks.detect.finding import Finding


def shadow_of(
    findings: Iterable[Finding], shadow: Policy, surface: Surface, *, tier: int, rules: tuple[str, ...]
) -> dict[str, Any]:
    """What goes on record: `policy` and, where it is not the live decision's, `tier` and the names of its `rules`.

    `surface` is the shadow policy's own.
    """
    decision = decide(findings, shadow, surface)
    named = tuple(rule.name for rule in decision.rules)
    differs = (int(decision.tier), named) != (tier, rules)
    return {"policy": shadow.version} | ({"tier": int(decision.tier), "rules": list(named)} if differs else {})


def shadowed(past: Past, surface: str, record: Mapping[str, Any]) -> Flip:
    """Both decisions, the live one and what `shadow_of` had put on record beside it; they may be the same."""
    return Flip(
        past=past,
        surface=surface,
        old=past.tier,
        new=Tier(record.get("tier", past.tier)),
        old_rules=past.rules,
        new_rules=tuple(record.get("rules", past.rules)),
        new_policy=record["policy"],
    )


def compare(items: Iterable[Flip], tallies: dict[str, Tally]) -> Iterator[Flip]:
    """Those on whose tier the two disagree, counting all into a tally for each shadow policy."""
    for item in items:
        if tallies.setdefault(item.new_policy, Tally()).count(item):
            yield item
