"""Holding: what a policy holds for every label on one surface, and where each threshold is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import yaml

from tasks.decide.combination import Rules
from tasks.decide.explain import steps
from tasks.decide.kinds import CATEGORIES, PII_TYPES, TOXIC_TYPES
from tasks.decide.policy import Policy, Surface
from tasks.decide.rule import Tier
from tasks.decide.taxonomy import PATHS, known_path, lineage
from tasks.detect.finding import Finding

#: Stands for every name that the policy does not name.
OTHER = "(any other)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What one label leads to."""

    #: As findings have it: `moderation/Violence/Weapons`, `pii/EMAIL`.
    label: str
    #: Tier -> the lowest confidence (0-100) that leads to it; None leads to it at any.
    tiers: Mapping[Tier, float | None]
    #: Tier -> the entry of the policy file that says so; of labels of the taxonomy only.
    written_at: Mapping[Tier, str]


def holdings(policy: Policy, surface: Surface, text: str = "") -> tuple[Holding, ...]:
    """What holds for every label that the policy can name, on one surface; `text` is the policy as it is written.

    Asked of the engine label by label, so that it is what will be decided. Combinations are not among it.
    """
    entries = _entries(text, surface)
    # One that a single finding meets would stand in the place of the label's own thresholds.
    single = replace(policy, rules=Rules())
    return tuple(_holding(label, single, surface, entries) for label in _labels(policy))


def _holding(label: str, policy: Policy, surface: Surface, entries: Mapping[str, Mapping[str, str]]) -> Holding:
    # With a place in the body, so that what would be masked can be.
    finding = Finding(detector="any", detector_version="", label=label, confidence=100.0, span=(0, 1))
    tiers: dict[Tier, float | None] = {}
    for rule in steps(finding, policy, surface):
        tiers[rule.tier] = rule.threshold
    path = label.removeprefix("moderation/")
    written = {tier: _written(entries, path, tier) for tier in (Tier.HOLD, Tier.REJECT)} if path != label else {}
    return Holding(
        label=label,
        tiers=MappingProxyType(tiers),
        written_at=MappingProxyType({tier: where for tier, where in written.items() if where}),
    )


def _labels(policy: Policy) -> Iterator[str]:
    yield from (f"moderation/{path}" for path in PATHS)
    yield from (f"guardrail/{category}" for category in CATEGORIES)
    yield from (f"guardrail/word/{name}" for name in policy.guardrail.words)
    yield from (f"guardrail/topic/{name}" for name in (*policy.guardrail.topics, OTHER))
    yield from ("classifier/hold", "classifier/reject")
    yield from (f"pii/{kind}" for kind in PII_TYPES)
    yield from (f"toxicity/{kind}" for kind in TOXIC_TYPES)
    yield from (f"term/{name}" for name in (*policy.terms.lists, OTHER))
    yield from (f"known/{name}" for name in (*policy.known, OTHER))
    yield from (f"unreadable/{reason}" for reason in (*policy.unreadable.reasons, OTHER))


def _entries(text: str, surface: Surface) -> dict[str, Mapping[str, str]]:
    """Label path -> tier's name -> where it is written; a surface's own entries come before the general ones."""
    root: Any = yaml.safe_load(text) if text else {}
    entries: dict[str, dict[str, str]] = {}
    own = root.get("surfaces", {}).get(surface.name, {}).get("labels") or {}
    for section, place in ((root.get("labels", {}), ""), (own, f"{surface.name}: ")):
        for name, entry in section.items():
            path = known_path(name)
            if path is None:
                continue
            said = ("hold", "reject") if "ignore" in entry else entry
            entries.setdefault(path, {}).update(dict.fromkeys(said, f"{place}{name}"))
    return dict(entries)


def _written(entries: Mapping[str, Mapping[str, str]], path: str, tier: Tier) -> str:
    """The entry from which a label has the threshold of a tier: its own, or its nearest ancestor's."""
    name = tier.name.lower()
    return next((entries[one][name] for one in lineage(path) if name in entries.get(one, {})), "")
