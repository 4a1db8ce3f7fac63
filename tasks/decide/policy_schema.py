"""The JSON Schema of a policy file, by which editors complete names and mark mistakes while somebody types.

It is `config/policy.schema.json`, which a test holds equal to what is made here. `parse_policy` knows more: what must
be in order, what excludes what, and names in any case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from tasks.decide.account_file import MOST_STRIKES, TAKEDOWNS
from tasks.decide.accounts import STEPS
from tasks.decide.brake_file import MOST_PER_HOUR, PER_HOUR
from tasks.decide.combination import CONTEXT, Priority
from tasks.decide.kinds import CATEGORIES, PII_TYPES, TOXIC_TYPES
from tasks.decide.notices import OCCASIONS
from tasks.decide.policy import LEVELS, MOST_SEVERE, OnHold, Visibility
from tasks.decide.policy_file import REQUIRED
from tasks.decide.review import SEVERITIES, WAITING
from tasks.decide.review_file import BY_RULE, HOURS, MOST_HOURS, SECOND
from tasks.decide.rule import MOST
from tasks.decide.rule_file import GROUPS, NAMED, SEEN
from tasks.decide.rule_name import FAMILIES
from tasks.decide.rule_path import DEFAULT
from tasks.decide.surface_file import BY_KEY, CHOICES, LISTS
from tasks.decide.surface_file import REQUIRED as OF_A_SURFACE
from tasks.decide.taxonomy import LEVEL_1, PATHS

Schema = dict[str, object]

_TEXT: Schema = {"type": "string"}
_TRUE: Schema = {"const": True}
#: What follows the kind of a name that somebody chooses: nothing is ever called `term/`, or `term/slurs/`.
_CHOSEN = "/.*[^/]$"
_CONFIDENCE: Schema = {"type": "number", "minimum": 0, "maximum": MOST}
_THRESHOLD: Schema = {"anyOf": [_CONFIDENCE, {"const": "never"}]}


def policy_schema() -> Schema:
    """The schema, as JSON has it."""
    sections = {
        "surfaces": {"type": "object", "minProperties": 1, "additionalProperties": _ref("surface")},
        "labels": _object(_label_names(), "label", required=LEVEL_1),
        "guardrail": _guardrail(),
        "classifier": _fields({"reject_from_severity": {"enum": list(range(MOST_SEVERE + 1))}}, required=True),
        "pii": _personal_data(),
        "unreadable": {"type": "object", "required": ["default"], "additionalProperties": _words("hold", "reject")},
        "terms": {"type": "object", "additionalProperties": _words("redact", "hold", "reject", "allow")},
        "toxicity": _object(("default", *TOXIC_TYPES), "thresholds"),
        "known": {"type": "object", "additionalProperties": _words("hold", "reject", "allow")},
        "rules": {
            "type": "object",
            "patternProperties": {"^[a-z0-9][a-z0-9-]*$": {"anyOf": [_ref("combination"), _ref("exemption")]}},
            "additionalProperties": False,
        },
        "notices": _notices(),
        "retention": _fields(dict.fromkeys(("appeals", "originals"), _ref("days"))),
        "review": _review(),
        "brake": _fields({PER_HOUR: {"type": "object", "additionalProperties": _ref("quota")}}, required=True),
        "accounts": _accounts(),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The moderation policy of modfleet",
        **_fields(sections, required=REQUIRED),
        "$defs": _definitions(),
    }


def _definitions() -> Schema:
    thresholds = _fields({"hold": _THRESHOLD, "reject": _THRESHOLD})
    return {
        "surface": _surface(),
        "label": {"anyOf": [{**thresholds, "minProperties": 1}, _fields({"ignore": _TRUE}, required=True)]},
        "thresholds": thresholds,
        "levels": _fields(dict.fromkeys(("gray", "hold", "reject"), _words(*LEVELS, "never"))),
        "combination": _combination(),
        "exemption": _exemption(),
        "severity": _words(*SEVERITIES),
        "sure": {"anyOf": [_CONFIDENCE, {"enum": [*LEVELS, SEEN]}]},
        "conditions": _conditions(("moderation", *NAMED)),
        "context": _conditions(CONTEXT),
        "texts": {"type": "object", "minProperties": 1, "additionalProperties": _TEXT},
        "days": {"type": "string", "pattern": "^[0-9]{1,5} days?$"},
        "quota": {"type": "integer", "minimum": 0, "maximum": MOST_PER_HOUR},
        "strikes": {"type": "integer", "minimum": 0, "maximum": MOST_STRIKES},
        "threshold": {"type": "integer", "minimum": 1, "maximum": MOST_STRIKES},
    }


def _surface() -> Schema:
    return _fields(
        {
            **dict.fromkeys(BY_KEY, _TEXT),
            "visibility": _words(*get_args(Visibility)),
            "hold": _words(*get_args(OnHold)),
            **{name: _words(*words) for name, (words, _) in CHOICES.items()},
            "text_in_images": _TRUE,
            **dict.fromkeys(LISTS, _one_or_more(_TEXT)),
            "about": _TEXT,
            "labels": _object(_label_names(), "label"),
        },
        required=OF_A_SURFACE,
    )


def _guardrail() -> Schema:
    tiers = _words("hold", "reject", "allow")
    return _fields(
        {
            **dict.fromkeys(("default", *CATEGORIES), _ref("levels")),
            "words": _fields({"PROFANITY": tiers, "custom": tiers}),
            "topics": {"type": "object", "additionalProperties": tiers},
        }
    )


def _personal_data() -> Schema:
    tiers = _words("redact", "hold", "allow")
    types = _fields(dict.fromkeys(PII_TYPES, tiers))
    return _fields(
        {"min_confidence": _CONFIDENCE, "default": tiers, "types": types}, required=("min_confidence", "types")
    )


def _review() -> Schema:
    hours: Schema = {"type": "number", "minimum": 0, "maximum": MOST_HOURS}
    severity = _words(*SEVERITIES)
    second: Schema = {"anyOf": [severity, {"type": "array", "items": severity}]}
    return _fields({HOURS: _fields(dict.fromkeys(WAITING, hours)), BY_RULE: _by_rule("severity"), SECOND: second})


def _combination() -> Schema:
    parts = {
        "when": {**_object(GROUPS, "conditions"), "minProperties": 1},
        "unless": _ref("context"),
        "then": _words("hold", "reject"),
        "priority": _words(*get_args(Priority)),
    }
    return _fields(parts, required=("when", "then"))


def _notices() -> Schema:
    rules = {**_by_rule("texts"), "required": [DEFAULT]}
    parts = {"language": _TEXT, **dict.fromkeys(OCCASIONS, _ref("texts")), "rules": rules}
    return _fields(parts, required=(*OCCASIONS, "rules"))


def _exemption() -> Schema:
    labels: Schema = {"enum": [f"moderation/{name}" for name in _label_names()]}
    return _fields(
        {"relax": _one_or_more(labels), "when": _ref("context"), "then": _words("allow", "hold")}, required=True
    )


def _conditions(kinds: Iterable[str]) -> Schema:
    """Names that are known, for editors to offer, and patterns for those that an operator chooses."""
    names = {kind: _label_names() if kind == "moderation" else NAMED[kind] for kind in kinds}
    free = [kind for kind, known in names.items() if not known]
    free += ["guardrail/topic"] * ("guardrail" in names) + ["classifier/(hold|reject)"] * ("classifier" in names)
    return {
        **_object((f"{kind}/{name}" for kind, known in names.items() for name in known), "sure"),
        "patternProperties": {f"^({'|'.join(free)}){_CHOSEN}": _ref("sure")},
        "minProperties": 1,
    }


def _accounts() -> Schema:
    thresholds = _object(STEPS, "threshold")
    return _fields({"strikes": _by_rule("strikes", TAKEDOWNS), "decay": _ref("days"), "thresholds": thresholds})


def _by_rule(of: str, families: Mapping[str, tuple[str, ...]] = FAMILIES) -> Schema:
    """What is said by the name of a rule: names that are known, for editors to offer, and patterns for the others."""
    known = {**families, "moderation": _label_names()}
    free = [family for family, names in known.items() if not names]
    free += ["guardrail/topic", f"classifier/({'|'.join(known['classifier'])})"]
    return {
        **_object((DEFAULT, *known, *(f"{family}/{name}" for family in known for name in known[family])), of),
        "patternProperties": {f"^({'|'.join(free)}){_CHOSEN}": _ref(of)},
    }


def _label_names() -> tuple[str, ...]:
    """Every label by its name, which is enough, and by its full path."""
    return tuple(dict.fromkeys([*(path.rpartition("/")[2] for path in PATHS), *PATHS]))


def _object(names: Iterable[str], of: str, *, required: Iterable[str] = ()) -> Schema:
    return _fields(dict.fromkeys(names, _ref(of)), required=tuple(required))


def _fields(properties: Mapping[str, object], *, required: bool | tuple[str, ...] = ()) -> Schema:
    wanted = tuple(properties) if required is True else required or ()
    return {
        "type": "object",
        "properties": dict(properties),
        **({"required": list(wanted)} if wanted else {}),
        "additionalProperties": False,
    }


def _one_or_more(one: Schema) -> Schema:
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


def _words(*words: str) -> Schema:
    return {"enum": list(words)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
