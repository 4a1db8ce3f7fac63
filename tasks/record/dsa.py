"""Statements of reasons for the DSA Transparency Database, made of the audit log's entries (pure).

One for each takedown, masking or hiding that was done, with what was recorded when it was decided: no key, no uploader,
no text. https://transparency.dsa.ec.europa.eu/page/api-documentation (schema of July 2025; check it before you send)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Entry = Mapping[str, Any]

#: Every field, in the order of the columns. A list has several values.
FIELDS = (
    "decision_visibility",
    "decision_visibility_other",
    "decision_ground",
    "incompatible_content_ground",
    "incompatible_content_explanation",
    "incompatible_content_illegal",
    "content_type",
    "content_type_other",
    "category",
    "category_addition",
    "application_date",
    "decision_facts",
    "source_type",
    "automated_detection",
    "automated_decision",
    "puid",
)
#: The longest that the database takes, in characters.
LONGEST = {"incompatible_content_ground": 500, "incompatible_content_explanation": 2000, "decision_facts": 5000}
#: Of a category by what stands in a rule's path; the first that fits any of the rules, the gravest first.
CATEGORIES = (
    ("minor", "STATEMENT_CATEGORY_PROTECTION_OF_MINORS"),
    ("self-harm", "STATEMENT_CATEGORY_SELF_HARM"),
    ("threat", "STATEMENT_CATEGORY_VIOLENCE"),
    ("violence", "STATEMENT_CATEGORY_VIOLENCE"),
    ("graphic", "STATEMENT_CATEGORY_VIOLENCE"),
    ("visually disturbing", "STATEMENT_CATEGORY_VIOLENCE"),
    ("doxxing", "STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS"),
    ("harass", "STATEMENT_CATEGORY_CYBER_VIOLENCE"),
    ("hate", "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH"),
    ("insult", "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH"),
    ("spam-scam", "STATEMENT_CATEGORY_SCAMS_AND_FRAUD"),
    ("drugs", "STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS"),
    ("pii/", "STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS"),
)
#: Everything else breaks the terms of the service: nudity, banned words, gambling, what nobody could look at.
OTHER = "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
_CONTENT = {
    "image": "CONTENT_TYPE_IMAGE",
    "picture": "CONTENT_TYPE_IMAGE",
    "video": "CONTENT_TYPE_VIDEO",
    "film": "CONTENT_TYPE_VIDEO",
    "sound": "CONTENT_TYPE_AUDIO",
    "text": "CONTENT_TYPE_TEXT",
}
#: What an item's entries end with, where something may have been done about its visibility.
ENDS = ("ended", "overrule")
#: Statements told, by which one that is told again is known: a crash writes an entry again within hours, if at all.
REMEMBERED = 100_000


def statements(entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
    """The statements that entries, in the order of the log, are about; each once. Memory is bounded."""
    decided: dict[str, Any] = {}
    hidden = False
    told: OrderedDict[str, None] = OrderedDict()
    for entry in entries:
        event = entry.get("event")
        if event == "decided":
            # Decision, receipts and end stand together: they are written at once.
            decided, hidden = dict(entry), False
        elif event == "did:hide":
            hidden = True
        elif event not in ENDS or entry.get("item") != decided.get("item") or entry["entry_id"] in told:
            continue
        elif how := _restriction(entry, hidden=hidden):
            # Who overruled the machine says by which rules, and when: what was stated before is not what holds now.
            if event == "overrule":
                decided |= {name: entry[name] for name in ("actor", "at", "rules")} | {"statement": None}
            yield _statement(decided, how, puid=entry["entry_id"])
            _remember(told, entry["entry_id"])


def _remember(told: OrderedDict[str, None], entry_id: str) -> None:
    told[entry_id] = None
    if len(told) > REMEMBERED:
        told.popitem(last=False)


def _restriction(ended: Entry, *, hidden: bool) -> dict[str, Any]:
    """What was done about visibility; nothing where nothing was."""
    if ended.get("dry_run"):
        return {}
    if ended["status"] == "rejected":
        return {"decision_visibility": ["DECISION_VISIBILITY_CONTENT_REMOVED"]}
    if ended["status"] == "redacted":
        said = "Part of the content was masked; the rest stays visible."
        return {"decision_visibility": ["DECISION_VISIBILITY_OTHER"], "decision_visibility_other": said}
    if ended["status"] == "held" and hidden:
        return {"decision_visibility": ["DECISION_VISIBILITY_CONTENT_DISABLED"]}
    return {}


def _statement(decided: Entry, how: Mapping[str, Any], *, puid: str) -> dict[str, Any]:
    rules = [str(rule) for rule in decided["rules"]]
    by_machine = decided["actor"] == "machine"
    kind = _CONTENT.get(str(decided.get("kind")))
    stated = decided.get("statement") or {}
    said = {
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": ", ".join(rules),
        "incompatible_content_explanation": "The content reached what our published policy "
        f"(version {decided['policy_version']}) does not allow: {', '.join(rules)}.",
        "incompatible_content_illegal": "No",
        "content_type": [kind or "CONTENT_TYPE_OTHER"],
        "content_type_other": None if kind else "file",
        "category": category(rules),
        "decision_facts": _facts(decided),
        "source_type": "SOURCE_VOLUNTARY",
        "automated_detection": "Yes",
        "automated_decision": "AUTOMATED_DECISION_FULLY" if by_machine else "AUTOMATED_DECISION_PARTIALLY",
        # What the uploader was told says it better, where they were told.
        **stated,
        "decision_visibility_other": None,
        **how,
        "application_date": str(decided["at"])[:10],
        "puid": puid,
    }
    return {name: _cut(name, said.get(name)) for name in FIELDS}


def category(rules: Iterable[str]) -> str:
    """The statement category of a decision by its rules."""
    paths = [rule.lower() for rule in rules]
    return next((name for word, name in CATEGORIES if any(word in path for path in paths)), OTHER)


def _facts(decided: Entry) -> str:
    found = sorted({f"{label} ({confidence:.0f} of 100)" for label, confidence, _ in decided["findings"]})
    detectors = ", ".join(f"{name} {version}" for name, version in sorted(decided["detectors"].items()))
    return f"Found by automated detection: {'; '.join(found) or 'nothing that could be looked at'}. By: {detectors}."


def _cut(name: str, value: Any) -> Any:
    longest = LONGEST.get(name)
    return value if longest is None or not value or len(value) <= longest else f"{value[: longest - 1]}…"
