"""The policy as its operator writes it: YAML in, a Policy out, or every mistake with its line."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType

from tasks.decide.account_file import read_accounts
from tasks.decide.accounts import NO_ACCOUNTS
from tasks.decide.brake_file import read_brake
from tasks.decide.document import Document, Field, nearest
from tasks.decide.kinds import CATEGORIES, PII_TYPES, PROMPT_ATTACK, TOXIC_TYPES
from tasks.decide.label_file import ladders, read_labels, read_threshold
from tasks.decide.notice_file import read_notices
from tasks.decide.notices import Notices
from tasks.decide.policy import (
    LEVELS,
    MOST_SEVERE,
    GuardrailRules,
    PersonalDataRules,
    Policy,
    TermRules,
    ToxicityRules,
    UnreadableRules,
)
from tasks.decide.retention import Retention, read_retention
from tasks.decide.review import ReviewRules
from tasks.decide.review_file import read_review
from tasks.decide.rule import MOST, Ladder, Tier
from tasks.decide.rule_file import read_rules
from tasks.decide.surface_file import read_surfaces

REQUIRED = ("surfaces", "labels", "guardrail", "classifier", "pii", "unreadable")
#: What a policy need not say: these detectors find nothing unless somebody has asked for them.
OPTIONAL = ("terms", "toxicity", "known", "rules", "brake", "notices", "retention", "review", "accounts")
SECTIONS = REQUIRED + OPTIONAL
#: Parts of a policy that came later: without them its version is what it was before there was such a thing.
_SILENT: Mapping[str, object] = {
    "brake": {},
    "notices": Notices(),
    "retention": Retention(),
    "review": ReviewRules(),
    "accounts": NO_ACCOUNTS,
}
_STEPS = ("gray", "hold", "reject")
_TIERS = {tier.name.lower(): tier for tier in Tier}
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")


class PolicyError(ValueError):
    """The text is not a policy; the message lists every problem, one a line, as `source:LINE: what is wrong`."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """`problems` are finished lines."""
        self.problems = problems
        super().__init__("\n".join(problems))


def parse_policy(text: str, *, source: str = "policy.yaml") -> Policy:
    """Read a policy. Raises PolicyError, which lists every problem at once; `source` names the file in it."""
    document = Document(source)
    root = document.root(text)
    parts = _read(document, root) if root else {}
    if document.problems:
        raise PolicyError(document.problems)
    return Policy(version=_version(parts), **parts)  # type: ignore[arg-type]  # no problems: all parts are there


def _read(document: Document, root: Field) -> dict[str, object]:
    readers: dict[str, tuple[str, Callable[[Document, Field], object]]] = {
        "guardrail": ("guardrail", _guardrail),
        "classifier": ("reject_from_severity", _classifier),
        "pii": ("pii", _personal_data),
        "unreadable": ("unreadable", _unreadable),
    }
    sections = document.known(root, SECTIONS, required=REQUIRED)
    required = {part: read(document, sections[name]) for name, (part, read) in readers.items() if name in sections}
    labels = read_labels(document, sections["labels"]) if "labels" in sections else {}
    known = _tiers(document, sections.get("known"))
    return required | {
        "surfaces": read_surfaces(document, sections["surfaces"], labels=labels) if "surfaces" in sections else (),
        "labels": ladders(labels),
        "terms": _terms(document, sections.get("terms")),
        "toxicity": _toxicity(document, sections.get("toxicity")),
        "known": MappingProxyType(known),
        "rules": read_rules(document, sections.get("rules"), known=known),
        "notices": read_notices(document, sections.get("notices"), rules=_names(document, sections.get("rules"))),
        "retention": read_retention(document, sections.get("retention")),
        "review": read_review(document, sections.get("review"), rules=_names(document, sections.get("rules"))),
        "brake": read_brake(document, sections.get("brake"), surfaces=_names(document, sections.get("surfaces"))),
        "accounts": read_accounts(document, sections.get("accounts"), rules=_names(document, sections.get("rules"))),
    }


def _names(document: Document, section: Field | None) -> tuple[str, ...]:
    return tuple(document.fields(section)) if section else ()


def _guardrail(document: Document, section: Field) -> GuardrailRules:
    known = document.known(section, ("default", *CATEGORIES, "words", "topics"))
    usual = _ladder(document, known.get("default"), Ladder(gray=LEVELS["LOW"], hold=None, reject=LEVELS["HIGH"]))
    # An attack on the judge is never left to the judge.
    attack = Ladder(hold=LEVELS["MEDIUM"], reject=None)
    words = _tiers(document, known.get("words"), ("PROFANITY", "custom"))
    topics = _tiers(document, known.get("topics"))
    inherited = dict.fromkeys(CATEGORIES, usual) | {PROMPT_ATTACK: attack}
    return GuardrailRules(
        categories=MappingProxyType({name: _ladder(document, known.get(name), inherited[name]) for name in CATEGORIES}),
        words=MappingProxyType({"PROFANITY": Tier.HOLD, "custom": Tier.REJECT} | words),
        other_topics=topics.pop("default", Tier.HOLD),
        topics=MappingProxyType(topics),
    )


def _ladder(document: Document, entry: Field | None, inherited: Ladder) -> Ladder:
    if entry is None:
        return inherited
    known = document.known(entry, _STEPS)
    if entry.name == PROMPT_ATTACK:
        _check_attack(document, known)
    said = {step: _level(document, known[step]) for step in known}
    ladder = Ladder(**{step: said.get(step, getattr(inherited, step)) for step in _STEPS})
    order = [level for level in (ladder.gray, ladder.hold, ladder.reject) if level is not None]
    if order != sorted(order):
        document.blame(entry.line, f"{entry.name}: gray, hold and reject (own or inherited) must go from low to high")
    return ladder


def _check_attack(document: Document, known: Mapping[str, Field]) -> None:
    if "gray" in known:
        document.blame(known["gray"].line, f"{PROMPT_ATTACK}: cannot be gray; the classifier is what it attacks")
    if "hold" in known and getattr(known["hold"].node, "value", None) == "never":
        document.blame(known["hold"].line, f"{PROMPT_ATTACK}: must be held from some level on")


def _level(document: Document, field: Field) -> float | None:
    level = document.choice(field, (*LEVELS, "never"))
    return LEVELS.get(level) if level else None


def _classifier(document: Document, section: Field) -> int:
    known = document.known(section, ("reject_from_severity",), required=("reject_from_severity",))
    if "reject_from_severity" not in known:
        return 0
    severity = document.number(known["reject_from_severity"], most=MOST_SEVERE) or 0.0
    if not severity.is_integer():
        document.blame(known["reject_from_severity"].line, "reject_from_severity: must be a whole number")
    return int(severity)


def _personal_data(document: Document, section: Field) -> PersonalDataRules:
    known = document.known(section, ("min_confidence", "default", "types"), required=("min_confidence", "types"))
    usual = document.choice(known["default"], ("redact", "hold", "allow")) if "default" in known else "hold"
    said = _tiers(document, known.get("types"), PII_TYPES, allowed=("redact", "hold", "allow"))
    least = document.number(known["min_confidence"], most=MOST) if "min_confidence" in known else None
    return PersonalDataRules(
        tiers=MappingProxyType({kind: said.get(kind, _TIERS[usual or "hold"]) for kind in PII_TYPES}),
        min_confidence=least or 0.0,
    )


def _terms(document: Document, section: Field | None) -> TermRules:
    lists = _tiers(document, section, allowed=("redact", "hold", "reject", "allow"))
    other = lists.pop("default", Tier.HOLD)
    return TermRules(lists=MappingProxyType(lists), other=other)


def _toxicity(document: Document, section: Field | None) -> ToxicityRules:
    known = document.known(section, ("default", *TOXIC_TYPES)) if section else {}
    usual = _thresholds(document, known.get("default"), Ladder(hold=80.0, reject=None))
    return ToxicityRules(
        types=MappingProxyType({name: _thresholds(document, known.get(name), usual) for name in TOXIC_TYPES})
    )


def _thresholds(document: Document, entry: Field | None, inherited: Ladder) -> Ladder:
    """A ladder of confidences from 0 to 100; what an entry does not say is inherited."""
    if entry is None:
        return inherited
    known = document.known(entry, ("hold", "reject"))
    said = {step: read_threshold(document, known[step]) for step in known}
    ladder = Ladder(hold=said.get("hold", inherited.hold), reject=said.get("reject", inherited.reject))
    if ladder.hold is not None and ladder.reject is not None and ladder.hold > ladder.reject:
        document.blame(entry.line, f"{entry.name}: hold (own or inherited) is above reject, so nothing would be held")
    return ladder


def _unreadable(document: Document, section: Field) -> UnreadableRules:
    # Nothing fails open: there is no word for letting pass what nobody could look at.
    reasons = _tiers(document, section, allowed=("hold", "reject"))
    for name, field in document.fields(section).items():
        if not _SLUG.fullmatch(name):
            document.blame(field.line, f'unreadable: "{name}" is no reason; they look like "image-format"')
    if "default" not in reasons:
        document.blame(section.line, 'unreadable: "default" is missing')
    other = reasons.pop("default", Tier.HOLD)
    return UnreadableRules(reasons=MappingProxyType(reasons), other=other)


def _tiers(
    document: Document,
    section: Field | None,
    names: tuple[str, ...] = (),
    *,
    allowed: tuple[str, ...] = ("hold", "reject", "allow"),
) -> dict[str, Tier]:
    """Names to tiers; without `names`, any name may stand."""
    found: dict[str, Tier] = {}
    for name, field in (document.fields(section) if section else {}).items():
        if names and name not in names:
            document.blame(field.line, f'unknown name "{name}"{nearest(name, names)}')
        tier = document.choice(field, allowed)
        if tier:
            found[name] = _TIERS[tier]
    return found


def _version(parts: Mapping[str, object]) -> str:
    said = {name: part for name, part in parts.items() if name not in _SILENT or part != _SILENT[name]}
    content = json.dumps(_plain(said), sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()[:12]


def _plain(value: object) -> object:
    if is_dataclass(value):
        said = {one: getattr(value, one.name) for one in fields(value)}
        return {one.name: _plain(part) for one, part in said.items() if part or not one.metadata.get("silent")}
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
