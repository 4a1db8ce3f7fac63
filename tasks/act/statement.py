"""The statement of reasons: what Article 17 of the Digital Services Act wants an uploader to be told (pure).

Its fields and words are those of the DSA Transparency Database, so that an export has nothing to translate. It is
made when the decision is, and recorded with it. https://transparency.dsa.ec.europa.eu/page/api-documentation
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from tasks.act.plan import Action
from tasks.decide.decision import Tier
from tasks.decide.policy import Policy
from tasks.decide.rule_path import above, path_of, paths_of
from tasks.detect.kind import Kind
from tasks.record.standing import Standing

Occasion = Literal["removed", "masked", "hidden"]

#: The database takes no longer facts.
MAX_FACTS = 5000
#: Findings that the facts name, the surest first.
MOST_FINDINGS = 20
#: What is done, how long it lasts, and what the database calls it.
_RESTRICTIONS: Mapping[Occasion, dict[str, Any]] = {
    "removed": {"decision_visibility": ["DECISION_VISIBILITY_CONTENT_REMOVED"], "duration": "indefinite"},
    "masked": {
        "decision_visibility": ["DECISION_VISIBILITY_OTHER"],
        "decision_visibility_other": "parts of the text are masked",
        "duration": "indefinite",
    },
    "hidden": {"decision_visibility": ["DECISION_VISIBILITY_CONTENT_DISABLED"], "duration": "until a person has ruled"},
}
#: The step by which each tier restricts something.
_STEPS: Mapping[Tier, tuple[Action, Occasion]] = {
    Tier.REJECT: (Action.REMOVE, "removed"),
    Tier.REDACT: (Action.REDACT, "masked"),
    Tier.HOLD: (Action.HIDE, "hidden"),
}
#: An item's kind -> the database's type of content; of the others it wants a word (`content_type_other`).
_TYPES = {
    Kind.IMAGE: "CONTENT_TYPE_IMAGE",
    Kind.PICTURE: "CONTENT_TYPE_IMAGE",
    Kind.VIDEO: "CONTENT_TYPE_VIDEO",
    Kind.FILM: "CONTENT_TYPE_VIDEO",
    Kind.SOUND: "CONTENT_TYPE_AUDIO",
    Kind.TEXT: "CONTENT_TYPE_TEXT",
}
_OTHER = "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
#: Category -> the paths of rules that belong to it, the gravest first: it is what an item with several is counted as.
_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "STATEMENT_CATEGORY_PROTECTION_OF_MINORS": ("classifier/reject/minor-safety", "classifier/hold/minor-safety"),
    "STATEMENT_CATEGORY_SELF_HARM": (
        "moderation/Violence/Graphic Violence/Self-Harm",
        "classifier/reject/self-harm",
        "classifier/hold/self-harm",
    ),
    "STATEMENT_CATEGORY_VIOLENCE": (
        "moderation/Violence",
        "moderation/Visually Disturbing",
        "guardrail/VIOLENCE",
        "toxicity/VIOLENCE_OR_THREAT",
        "toxicity/GRAPHIC",
        "classifier/reject/threat",
        "classifier/hold/threat",
    ),
    "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH": (
        "moderation/Hate Symbols",
        "guardrail/HATE",
        "toxicity/HATE_SPEECH",
        "classifier/reject/hate",
        "classifier/hold/hate",
    ),
    "STATEMENT_CATEGORY_CYBER_VIOLENCE": (
        "guardrail/INSULTS",
        "toxicity/HARASSMENT_OR_ABUSE",
        "toxicity/INSULT",
        "classifier/reject/harassment",
        "classifier/hold/harassment",
    ),
    "STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS": ("pii",),
    "STATEMENT_CATEGORY_SCAMS_AND_FRAUD": ("classifier/reject/spam-scam", "classifier/hold/spam-scam"),
    "STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS": (
        "moderation/Drugs & Tobacco",
        "moderation/Alcohol",
        "moderation/Gambling",
    ),
    _OTHER: (),
}


def occasion_of(standing: Standing) -> Occasion | None:
    """What the uploader is to be told of; None where nothing is restricted."""
    if not standing.tier:
        return None
    step, name = _STEPS[Tier(standing.tier)]
    return name if step in standing.plan else None


def reasons_for(policy: Policy, standing: Standing, *, at: datetime) -> dict[str, Any]:
    """The reasons of a decision that was made at this moment, as JSON has them; empty where nothing is restricted.

    No content, no name of anybody, and no file's name either: they go to the audit log.
    """
    occasion = occasion_of(standing)
    if occasion is None:
        return {}
    rules = (*standing.rules, *standing.braked)
    until = policy.retention.appeal_until(at)
    texts = policy.notices.texts(
        occasion,
        paths=paths_of(rules, standing.findings),
        surface=standing.surface,
        language=standing.language,
        appeal_until=until.date().isoformat(),
    )
    return {
        "occasion": occasion,
        **_RESTRICTIONS[occasion],
        "territorial_scope": "worldwide",
        "application_date": at.isoformat(),
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": f"policy {standing.policy_version}: {', '.join(rules)}",
        "incompatible_content_explanation": texts[policy.notices.language],
        "incompatible_content_illegal": "No",
        "decision_facts": _facts(standing, rules),
        **_categories(standing, rules),
        **_content_type(standing.kind),
        "source_type": "SOURCE_TYPE_OTHER_NOTIFICATION" if is_reported(standing) else "SOURCE_VOLUNTARY",
        "automated_detection": "No" if is_reported(standing) else "Yes",
        "automated_decision": f"AUTOMATED_DECISION_{'PARTIALLY' if _by_person(standing) else 'FULLY'}",
        "appeal_until": until.isoformat(),
        "language": policy.notices.known(standing.language) or None,
        "texts": texts,
    }


def is_reported(standing: Standing) -> bool:
    """Whether a person restricts what the machine had allowed: somebody has told them of it."""
    made = next((entry for entry in reversed(standing.history) if entry["event"] == "decided"), None)
    return standing.overruled is not None and made is not None and made["tier"] == Tier.ALLOW


def _by_person(standing: Standing) -> bool:
    """Whether somebody has had a say in what the machine decided."""
    return any("by" in entry for entry in standing.history)


def _facts(standing: Standing, rules: tuple[str, ...]) -> str:
    """What was seen, by which detector, and how sure it was."""
    named = {path_of(rule) for rule in rules}
    telling = [one for one in standing.findings if one.label in named] or list(standing.findings)
    telling.sort(key=lambda one: (-one.confidence, one.label))
    said = dict.fromkeys(
        f"{one.label} with confidence {one.confidence:.4g} of 100 ({one.detector} {one.detector_version})"
        for one in telling[:MOST_FINDINGS]
    )
    seen = f"Automated detectors found {'; '.join(said)}." if said else "Nobody but a person has looked at it."
    uploaded = standing.item.event_time.date().isoformat()
    return f"Uploaded on {uploaded} to the surface {standing.surface}. {seen}"[:MAX_FACTS]


def _categories(standing: Standing, rules: tuple[str, ...]) -> dict[str, Any]:
    """The gravest category, and the others beside it. A rule of the operator's counts as what it is made of."""
    paths = set(paths_of(rules, standing.findings))
    if any(path.startswith(("rules/", "part/")) for path in paths):
        paths |= {label for one in standing.findings for label in paths_of([one.label], [one])}
    found = [name for name, named in _CATEGORIES.items() if any(one in named for path in paths for one in above(path))]
    first, *more = found or [_OTHER]
    return {"category": first, **({"category_addition": more} if more else {})}


def _content_type(kind: Kind) -> dict[str, Any]:
    if kind in _TYPES:
        return {"content_type": [_TYPES[kind]]}
    return {"content_type": ["CONTENT_TYPE_OTHER"], "content_type_other": "post" if kind is Kind.POST else "file"}
