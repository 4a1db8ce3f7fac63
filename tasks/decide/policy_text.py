"""A policy as text: YAML that `parse_policy` reads as the same policy, with nothing left to inherit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal

import yaml

from tasks.decide.accounts import NO_ACCOUNTS, AccountRules
from tasks.decide.brake_file import PER_HOUR
from tasks.decide.combination import Combination, Condition, Exemption, Group
from tasks.decide.kinds import CATEGORIES
from tasks.decide.policy import LEVELS, Policy, Surface
from tasks.decide.review import ReviewRules
from tasks.decide.review_file import BY_RULE, HOURS, SECOND
from tasks.decide.rule import Ladder, Tier
from tasks.decide.rule_file import SEEN
from tasks.decide.taxonomy import PATHS, lineage

Plain = dict[str, object]
_LEVEL = {number: level for level, number in LEVELS.items()}
#: A line longer than this is broken by the writer of YAML; nobody reads one.
_WIDTH = 120


def policy_text(policy: Policy) -> str:
    """The whole policy, section by section; each label and type stands there with all that holds for it."""
    return "\n".join(
        yaml.dump({name: section}, Dumper=_Plainly, sort_keys=False, allow_unicode=True, width=_WIDTH)
        for name, section in _sections(policy).items()
        if section
    )


def _sections(policy: Policy) -> Plain:
    return {
        "surfaces": {surface.name: _surface(surface, policy) for surface in policy.surfaces},
        "labels": {path: _thresholds(policy.labels[path]) for path in PATHS},
        "guardrail": {
            **{name: _levels(policy.guardrail.categories[name], name) for name in CATEGORIES},
            "words": _tiers(policy.guardrail.words),
            "topics": {**_tiers(policy.guardrail.topics), "default": _tier(policy.guardrail.other_topics)},
        },
        "classifier": {"reject_from_severity": policy.reject_from_severity},
        "pii": {"min_confidence": _number(policy.pii.min_confidence), "types": _tiers(policy.pii.tiers)},
        "unreadable": {**_tiers(policy.unreadable.reasons), "default": _tier(policy.unreadable.other)},
        "terms": {**_tiers(policy.terms.lists), "default": _tier(policy.terms.other)},
        "toxicity": {name: _thresholds(ladder) for name, ladder in policy.toxicity.types.items()},
        "known": _tiers(policy.known),
        "rules": {
            **{one.name: _combination(one) for one in policy.rules.combinations},
            **{one.name: _exemption(one) for one in policy.rules.exemptions},
        },
        "notices": {
            "language": policy.notices.language,
            **{name: dict(texts) for name, texts in policy.notices.occasions.items()},
            "rules": {name: dict(texts) for name, texts in policy.notices.rules.items()},
        },
        "retention": {
            field.name: f"{getattr(policy.retention, field.name)} days" for field in fields(policy.retention)
        },
        "review": _review(policy.review),
        "brake": {PER_HOUR: dict(policy.brake)} if policy.brake else {},
        "accounts": _accounts(policy.accounts),
    }


def _accounts(rules: AccountRules) -> Plain:
    if rules == NO_ACCOUNTS:
        return {}
    return {
        "strikes": dict(rules.strikes),
        "decay": f"{rules.decay} days",
        "thresholds": dict(rules.thresholds),
    }


def _surface(surface: Surface, policy: Policy) -> Plain:
    """What a surface says, and of the rest nothing where it is as it is left out."""
    said: Plain = {
        **({"pattern": surface.pattern} if surface.pattern else {"prefix": surface.prefix}),
        "visibility": surface.visibility,
        "hold": surface.hold,
        "pii": surface.pii,
        "first_look": surface.first_look,
        "mask": surface.mask,
        "toxicity": surface.toxicity,
    }
    lists = {"bucket": surface.buckets, "text": surface.text_paths, "renditions": surface.renditions}
    said |= {name: list(texts) for name, texts in lists.items() if texts}
    if surface.text_in_images:
        said["text_in_images"] = True
    if surface.about:
        said["about"] = surface.about
    if surface.labels:
        said["labels"] = _overrides(surface, policy)
    return said


def _overrides(surface: Surface, policy: Policy) -> Plain:
    """Also what is as elsewhere but below something that is not: it must not inherit that."""
    return {
        path: _thresholds(surface.labels.get(path, policy.labels[path]))
        for path in PATHS
        if any(one in surface.labels for one in lineage(path))
    }


def _thresholds(ladder: Ladder) -> Plain:
    return {step: "never" if level is None else _number(level) for step, level in _steps(ladder) if step != "gray"}


def _levels(ladder: Ladder, name: str) -> Plain:
    said: Plain = {step: "never" if level is None else _LEVEL[level] for step, level in _steps(ladder)}
    if name == "PROMPT_ATTACK":
        del said["gray"]  # it cannot be said
    return said


def _steps(ladder: Ladder) -> tuple[tuple[str, float | None], ...]:
    return ("gray", ladder.gray), ("hold", ladder.hold), ("reject", ladder.reject)


def _review(review: ReviewRules) -> Plain:
    said: Plain = {
        HOURS: {name: _number(hours) for name, hours in review.hours.items()},
        BY_RULE: dict(review.severities),
        SECOND: list(review.second),
    }
    return {name: one for name, one in said.items() if one}


def _combination(rule: Combination) -> Plain:
    said: Plain = {"when": {_how_many(group): _conditions(group.of) for group in rule.when}}
    if rule.unless:
        said["unless"] = _conditions(rule.unless)
    said["then"] = _tier(rule.then)
    if rule.priority != "normal":
        said["priority"] = rule.priority
    return said


def _exemption(rule: Exemption) -> Plain:
    return {"relax": list(rule.relax), "when": _conditions(rule.when), "then": _tier(rule.then)}


def _how_many(group: Group) -> str:
    if group.least == len(group.of):
        return "all of"
    return {1: "any of", 2: "two of"}[group.least]


def _conditions(conditions: tuple[Condition, ...]) -> Plain:
    return {one.label: _number(one.threshold) if one.threshold else SEEN for one in conditions}


def _tiers(tiers: Mapping[str, Tier]) -> Plain:
    return {name: _tier(tier) for name, tier in tiers.items()}


def _tier(tier: Tier) -> str:
    return tier.name.lower()


def _number(value: float) -> int | float:
    """As a person would write it."""
    return int(value) if float(value).is_integer() else value


class _Plainly(yaml.SafeDumper):
    """YAML without exponents, which are no numbers of a policy."""


_Plainly.add_representer(
    float, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", f"{Decimal(repr(value)):f}")
)
