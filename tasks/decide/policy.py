"""Policy: the operator's rules, frozen, each part able to judge the findings it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from tasks.decide.accounts import NO_ACCOUNTS, AccountRules
from tasks.decide.combination import Rules
from tasks.decide.echo import moderation_path, without_echoes
from tasks.decide.notices import Notices
from tasks.decide.place import Place
from tasks.decide.retention import Retention
from tasks.decide.review import ReviewRules
from tasks.decide.rule import Ladder, Rule, Tier, possible
from tasks.detect.finding import Finding

Visibility = Literal["before", "after"]
OnHold = Literal["withhold", "flag"]
Wanted = Literal["always", "suggested", "never"]
FirstLook = Literal["none", "frames", "thumbnail"]
Mask = Literal["label", "asterisks", "blocks", "first"]
Toxicity = Literal["never", "always"]

#: Bedrock names these confidences; a finding carries the number.
LEVELS: Mapping[str, float] = {"LOW": 30.0, "MEDIUM": 60.0, "HIGH": 90.0}
#: The classifier's severities run from 0 to this; findings carry them scaled to 0-100.
MOST_SEVERE = 3


#: Of a field that came later: without it, a policy's version is what it was before there was such a thing.
LATER = {"silent": True}
#: ... and of one that follows from others, and says nothing by itself.
DERIVED = LATER | {"derived": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """One place where items show, told by the bucket and the key."""

    name: str
    #: How its keys begin; with a `pattern`, what every key that fits it begins with.
    prefix: str
    #: `before`: shown only once allowed; `after`: published at once, taken down on violation.
    visibility: Visibility
    #: What a hold means here: hidden until somebody rules, or left up with a case.
    hold: OnHold
    #: When texts are searched for personal data. `never`: it may stand here, and no rule about it applies.
    pii: Wanted
    #: Whether the words in pictures are read and judged as a text.
    text_in_images: bool
    #: What of a video is judged at once, as an image, while its job runs.
    first_look: FirstLook
    #: JSON paths of the texts in a JSON or NDJSON object; without any, all its strings are looked at.
    text_paths: tuple[str, ...]
    #: What masked data is replaced by: `[EMAIL]`, `*****`, `█████` or `a****`.
    mask: Mask
    #: What the classifier is told about this place, in the operator's words.
    about: str
    #: Whether Comprehend looks for toxic content.
    toxicity: Toxicity
    #: By full v7 path, those that are judged otherwise here than elsewhere.
    labels: Mapping[str, Ladder] = field(hash=False)
    #: What its keys look like (`tasks.decide.place`); empty where the prefix says it.
    pattern: str = field(metadata=LATER)
    #: The buckets that it is about; none names all.
    buckets: tuple[str, ...] = field(metadata=LATER)
    #: Patterns of other keys that hold the same picture (`tasks.decide.rendition`).
    renditions: tuple[str, ...] = field(metadata=LATER)
    #: Found out and not said: it lies within a `before` surface, so nothing shows here without our tag either.
    tagged: bool = field(default=False, metadata=DERIVED)

    @property
    def place(self) -> Place:
        """Which keys of which buckets are its."""
        return Place(prefix="" if self.pattern else self.prefix, pattern=self.pattern, buckets=self.buckets)

    def has(self, bucket: str, key: str) -> bool:
        """Whether a key of a bucket is its own, if no closer surface has it."""
        if self.pattern or self.buckets:
            return self.place.has(bucket, key)
        return key.startswith(self.prefix)


class Placed(Protocol):
    """What lies under a key of a bucket."""

    @property
    def bucket(self) -> str:
        """Its bucket."""

    @property
    def key(self) -> str:
        """Its key, decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailRules:
    """What the guardrail's categories, topics and word lists lead to."""

    #: By category, all of them; thresholds are numbers of LEVELS.
    categories: Mapping[str, Ladder]
    #: By list: PROFANITY and custom.
    words: Mapping[str, Tier]
    #: By topic name; the names are the operator's own.
    topics: Mapping[str, Tier]
    other_topics: Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalDataRules:
    """What personal data leads to."""

    #: By Comprehend entity type, all of them; ALLOW, REDACT or HOLD.
    tiers: Mapping[str, Tier]
    #: 0-100; a less confident finding is no finding.
    min_confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TermRules:
    """What banned terms lead to, by the name of their list."""

    lists: Mapping[str, Tier]
    other: Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxicityRules:
    """What toxic content leads to, by Comprehend's types, all of them."""

    types: Mapping[str, Ladder]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableRules:
    """What an item that could not be looked at leads to; HOLD or REJECT, never less."""

    reasons: Mapping[str, Tier]
    other: Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything an operator decides about content. Two policies are equal when their versions are."""

    #: `sha256:` and 12 hex digits of what the policy says (not of how it is written down).
    version: str
    #: The closest first (`tasks.decide.place`); the last one is about every key of every bucket.
    surfaces: tuple[Surface, ...] = field(compare=False)
    #: By full v7 path, all of them, inheritance already resolved.
    labels: Mapping[str, Ladder] = field(compare=False)
    guardrail: GuardrailRules = field(compare=False)
    #: A reject by the classifier below this severity (0-3) is a hold.
    reject_from_severity: int = field(compare=False)
    pii: PersonalDataRules = field(compare=False)
    unreadable: UnreadableRules = field(compare=False)
    terms: TermRules = field(compare=False)
    toxicity: ToxicityRules = field(compare=False)
    #: By the name of a list of known content; what is on any other list is held.
    known: Mapping[str, Tier] = field(compare=False)
    #: What counts only together, or not in its context.
    rules: Rules = field(compare=False)
    #: Takedowns an hour, by `overall` or a surface's name, above which the rest is held; without any, no brake.
    brake: Mapping[str, int] = field(default_factory=dict, compare=False)
    #: What takedowns come to for those who upload.
    accounts: AccountRules = field(default=NO_ACCOUNTS, compare=False)
    #: What uploaders are told.
    notices: Notices = field(default_factory=Notices, compare=False)
    #: How long things are kept.
    retention: Retention = field(default_factory=Retention, compare=False)
    #: How soon people must have looked at what is held.
    review: ReviewRules = field(default_factory=ReviewRules, compare=False)

    def on(self, surface: Surface) -> Policy:
        """The policy as it is on one surface: with that surface's own thresholds."""
        return replace(self, labels={**self.labels, **surface.labels}) if surface.labels else self

    def surface_for(self, key: str, bucket: str = "") -> Surface:
        """The surface of an object; without its bucket, as in a bucket that no surface names. The closest wins."""
        return next(surface for surface in self.surfaces if surface.has(bucket, key))

    def surface_of(self, item: Placed) -> Surface:
        """The surface of an item."""
        return self.surface_for(item.key, item.bucket)

    def judge(self, finding: Finding) -> Rule | None:
        """The strictest rule that one finding reaches by itself; None where it is allowed.

        What this version does not know, it holds: a new label is no reason to let something pass.
        """
        kind, _, rest = finding.label.partition("/")
        judge = _JUDGES.get(kind)
        if judge is None or not rest:
            return _unknown(finding)
        if not possible(finding.confidence):
            return Rule(f"impossible-confidence/{finding.label}", Tier.HOLD, finding.label, 0.0, None)
        return judge(self, rest, finding)

    def reached(self, findings: tuple[Finding, ...]) -> Iterator[tuple[Rule, Finding]]:
        """Every rule that findings reach, one by one or together, each with the finding that led to it."""
        for finding in without_echoes(findings):
            rule = self.judge(finding)
            eased = rule and self.rules.eased(rule, finding, findings)
            if eased:
                yield eased, finding
        yield from self.rules.reached(findings)

    def gray(self, finding: Finding) -> bool:
        """Whether the finding is one that the guardrail neither cleared nor decided."""
        kind, _, category = finding.label.partition("/")
        ladder = self.guardrail.categories.get(category)
        return (
            kind == "guardrail"
            and ladder is not None
            and possible(finding.confidence)
            and ladder.only_gray(finding.confidence)
        )

    def is_gray(self, findings: Iterable[Finding]) -> bool:
        """Whether the classifier should be asked: something is gray, and nothing is rejected anyway."""
        seen = tuple(findings)
        speaking = without_echoes(seen)
        rules = [rule for rule, _ in self.reached(seen)]
        rejected = any(rule.tier is Tier.REJECT for rule in rules)
        return not rejected and any(self.gray(finding) for finding in speaking)


def _moderation(policy: Policy, _rest: str, finding: Finding) -> Rule | None:
    path = moderation_path(finding)
    if path is None:
        return _unknown(finding)
    return _climb(f"labels/{path}", policy.labels[path], finding)


def _context(_policy: Policy, _rest: str, _finding: Finding) -> Rule | None:
    """Whether a picture is drawn or photographed is no violation."""
    return None


def _guardrail(policy: Policy, rest: str, finding: Finding) -> Rule | None:
    rules, (kind, _, name) = policy.guardrail, rest.partition("/")
    if kind == "topic" and name:
        return _fixed(rules.topics.get(name, rules.other_topics), finding)
    if kind == "word" and name in rules.words:
        return _fixed(rules.words[name], finding)
    ladder = rules.categories.get(rest)
    return _unknown(finding) if ladder is None else _climb(finding.label, ladder, finding)


def _classifier(policy: Policy, rest: str, finding: Finding) -> Rule | None:
    if rest == "allow":
        return None
    if rest == "hold":
        return _fixed(Tier.HOLD, finding)
    if rest != "reject":
        return _unknown(finding)
    least = policy.reject_from_severity
    # Halfway from the severity below: stored, a confidence of 66.6 is still severity 2.
    threshold = (least - 0.5) / MOST_SEVERE * 100 if least else None
    if threshold is None or finding.confidence >= threshold:
        return Rule(finding.label, Tier.REJECT, finding.label, finding.confidence, threshold)
    return _fixed(Tier.HOLD, finding, f"{finding.label} below severity {least}")


def _personal_data(policy: Policy, rest: str, finding: Finding) -> Rule | None:
    rules = policy.pii
    if rest not in rules.tiers:
        return _unknown(finding)
    tier = rules.tiers[rest]
    if tier is Tier.ALLOW or finding.confidence < rules.min_confidence:
        return None
    return Rule(finding.label, tier, finding.label, finding.confidence, rules.min_confidence)


def _term(policy: Policy, rest: str, finding: Finding) -> Rule | None:
    return _fixed(policy.terms.lists.get(rest, policy.terms.other), finding)


def _toxicity(policy: Policy, rest: str, finding: Finding) -> Rule | None:
    ladder = policy.toxicity.types.get(rest)
    return _unknown(finding) if ladder is None else _climb(finding.label, ladder, finding)


def _known(policy: Policy, rest: str, finding: Finding) -> Rule | None:
    return _fixed(policy.known.get(rest.partition("/")[0], Tier.HOLD), finding)


def _part(_policy: Policy, rest: str, finding: Finding) -> Rule | None:
    """What a post's part has come to by itself, the post comes to at least; what an original, its renditions."""
    return _fixed(Tier.REJECT if rest == "rejected" else Tier.HOLD, finding)


def _unreadable(policy: Policy, rest: str, finding: Finding) -> Rule | None:
    return _fixed(policy.unreadable.reasons.get(rest, policy.unreadable.other), finding)


def _climb(name: str, ladder: Ladder, finding: Finding) -> Rule | None:
    reached = ladder.step(finding.confidence)
    if reached is None:
        return None
    tier, threshold = reached
    return Rule(f"{name}>={_level(name, threshold)}", tier, finding.label, finding.confidence, threshold)


def _level(name: str, threshold: float) -> str:
    """A guardrail's threshold by the name that the policy uses, a label's as a number."""
    levels = {number: level for level, number in LEVELS.items()} if name.startswith("guardrail/") else {}
    return levels.get(threshold, f"{threshold:g}")


def _fixed(tier: Tier, finding: Finding, name: str = "") -> Rule | None:
    return None if tier is Tier.ALLOW else Rule(name or finding.label, tier, finding.label, finding.confidence, None)


def _unknown(finding: Finding) -> Rule:
    return Rule(f"unknown-label/{finding.label}", Tier.HOLD, finding.label, finding.confidence, None)


_JUDGES: Mapping[str, Callable[[Policy, str, Finding], Rule | None]] = {
    "moderation": _moderation,
    "content-type": _context,
    "guardrail": _guardrail,
    "classifier": _classifier,
    "pii": _personal_data,
    "term": _term,
    "toxicity": _toxicity,
    "known": _known,
    "part": _part,
    "rendition": _part,
    "unreadable": _unreadable,
}
