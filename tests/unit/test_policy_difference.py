"""What two policies say differently: every change is one line that names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import CONFIG
from tasks.decide.combination import Rules
from tasks.decide.difference import differences
from tasks.decide.kinds import CATEGORIES, PII_TYPES, TOXIC_TYPES
from tasks.decide.policy import Policy, Surface
from tasks.decide.policy_file import parse_policy
from tasks.decide.rule import Ladder, Tier
from tasks.decide.taxonomy import PATHS

TEXT = (CONFIG / "policy.yaml").read_text(encoding="utf-8")
SHIPPED = parse_policy(TEXT)
#: A label of the file, the step, and its threshold.
WRITTEN = re.findall(r"^  ([A-Z][^:]+): \{[^}]*?(hold|reject): (\d+)", TEXT, re.MULTILINE)

tiers = st.sampled_from(Tier)
names = st.sampled_from(["drugs", "custom", "confirmed-fine", "empty"])
numbers = st.none() | st.sampled_from([0.0, 30.0, 60.0, 90.0, 99.5])
WORDS: dict[str, list[Any]] = {
    "visibility": ["before", "after"],
    "hold": ["withhold", "flag"],
    "pii": ["always", "never", "suggested"],
    "first_look": ["none", "frames"],
    "mask": ["label", "blocks"],
    "toxicity": ["always", "never"],
    "prefix": ["x/", ""],
    "pattern": ["", "x/*/y"],
    "buckets": [(), ("a", "b")],
    "renditions": [(), ("thumbs/{stem}_*",)],
    "about": ["", "for children"],
    "text_in_images": [True, False],
    "text_paths": [(), ("a", "b")],
}


def put(mapping: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    return {**mapping, name: value}


@st.composite
def ladder_changes(draw: st.DrawFn) -> tuple[str, Policy]:
    """One step of one ladder, anywhere."""
    where = draw(st.sampled_from(["labels", "guardrail", "toxicity"]))
    step = draw(st.sampled_from(["gray", "hold", "reject"]))

    def changed(ladder: Ladder) -> Ladder:
        return replace(ladder, **{step: draw(numbers.filter(lambda number: number != getattr(ladder, step)))})

    if where == "labels":
        path = draw(st.sampled_from(PATHS))
        return path.rpartition("/")[2], replace(
            SHIPPED, labels=put(SHIPPED.labels, path, changed(SHIPPED.labels[path]))
        )
    if where == "guardrail":
        name, rules = draw(st.sampled_from(CATEGORIES)), SHIPPED.guardrail
        categories = put(rules.categories, name, changed(rules.categories[name]))
        return name, replace(SHIPPED, guardrail=replace(rules, categories=categories))
    kind, types = draw(st.sampled_from(TOXIC_TYPES)), SHIPPED.toxicity.types
    return kind, replace(SHIPPED, toxicity=replace(SHIPPED.toxicity, types=put(types, kind, changed(types[kind]))))


@st.composite
def tier_changes(draw: st.DrawFn) -> tuple[str, Policy]:
    """What one named thing leads to; it may be named for the first time."""
    where = draw(st.sampled_from(["words", "topics", "pii", "unreadable", "terms", "known"]))
    name = draw(st.sampled_from(PII_TYPES)) if where == "pii" else draw(names)
    of: Mapping[str, Tier] = {
        "words": SHIPPED.guardrail.words,
        "topics": SHIPPED.guardrail.topics,
        "pii": SHIPPED.pii.tiers,
        "unreadable": SHIPPED.unreadable.reasons,
        "terms": SHIPPED.terms.lists,
        "known": SHIPPED.known,
    }[where]
    said = put(of, name, draw(tiers.filter(lambda tier: of.get(name) is not tier)))
    return name, {
        "words": lambda: replace(SHIPPED, guardrail=replace(SHIPPED.guardrail, words=said)),
        "topics": lambda: replace(SHIPPED, guardrail=replace(SHIPPED.guardrail, topics=said)),
        "pii": lambda: replace(SHIPPED, pii=replace(SHIPPED.pii, tiers=said)),
        "unreadable": lambda: replace(SHIPPED, unreadable=replace(SHIPPED.unreadable, reasons=said)),
        "terms": lambda: replace(SHIPPED, terms=replace(SHIPPED.terms, lists=said)),
        "known": lambda: replace(SHIPPED, known=said),
    }[where]()


@st.composite
def surface_changes(draw: st.DrawFn) -> tuple[str, Policy]:
    """One setting of one surface."""
    at = draw(st.integers(0, len(SHIPPED.surfaces) - 1))
    name = draw(st.sampled_from(sorted(WORDS)))
    surface = SHIPPED.surfaces[at]
    value = draw(st.sampled_from([word for word in WORDS[name] if word != getattr(surface, name)]))
    surfaces = list(SHIPPED.surfaces)
    surfaces[at] = replace(surface, **{name: value})
    return f"{surface.name}: {name}", replace(SHIPPED, surfaces=tuple(surfaces))


@given(st.one_of(ladder_changes(), tier_changes(), surface_changes()))
def test_one_change_of_one_field_is_exactly_one_line_that_names_it(change: tuple[str, Policy]) -> None:
    name, changed = change
    for old, new in ((SHIPPED, changed), (changed, SHIPPED)):
        (line,) = differences(old, new)
        assert name in line


@given(ladder_changes(), surface_changes())
def test_two_changes_are_two_lines(one: tuple[str, Policy], other: tuple[str, Policy]) -> None:
    both = replace(one[1], surfaces=other[1].surfaces)
    assert set(differences(SHIPPED, both)) == {*differences(SHIPPED, one[1]), *differences(SHIPPED, other[1])}


def test_a_policy_does_not_differ_from_itself_however_it_is_versioned() -> None:
    assert differences(SHIPPED, replace(SHIPPED, version="sha256:0")) == ()


@pytest.mark.parametrize(("label", "step", "threshold"), WRITTEN, ids=[one[0] for one in WRITTEN])
def test_a_threshold_changed_in_the_file_is_one_line_whatever_inherits_it(
    label: str, step: str, threshold: str
) -> None:
    changed = re.sub(
        rf"(?m)^(  {re.escape(label)}: {{.*?){step}: {threshold}", rf"\g<1>{step}: {int(threshold) - 1}", TEXT
    )
    (line,) = differences(SHIPPED, parse_policy(changed))
    done = {"hold": "held", "reject": "rejected"}[step]
    assert re.fullmatch(
        rf"labels: {re.escape(label)}( \(and \d+ below\))? is {done} from {int(threshold) - 1}, was {threshold}", line
    )


SENTENCE_OF_A_NEW_LIST = ("confirmed-fine: allow", "confirmed-fine: allow\n  newest: hold")
SENTENCES = {
    "labels: Weapons is rejected from 85, was 90": (
        "Weapons: {hold: 60, reject: 90}",
        "Weapons: {hold: 60, reject: 85}",
    ),
    "labels: Weapons is never rejected, was from 90": (
        "Weapons: {hold: 60, reject: 90}",
        "Weapons: {hold: 60, reject: never}",
    ),
    "labels: Gambling is rejected from 95, was never": (
        "Gambling: {hold: 90, reject: never}",
        "Gambling: {hold: 90, reject: 95}",
    ),
    "labels: Explicit (and 6 below) is held from 55, was 60": ("Explicit: {hold: 60", "Explicit: {hold: 55"),
    "guardrail: HATE, INSULTS, SEXUAL, VIOLENCE, MISCONDUCT are never rejected, was from HIGH": (
        "default: {gray: LOW, reject: HIGH}",
        "default: {gray: LOW, reject: never}",
    ),
    "guardrail: HATE, INSULTS, SEXUAL, VIOLENCE, MISCONDUCT are gray from MEDIUM, was LOW": (
        "default: {gray: LOW, reject: HIGH}",
        "default: {gray: MEDIUM, reject: HIGH}",
    ),
    "toxicity: INSULT is held from 70, was 80": (
        "  PROFANITY: {hold: never}",
        "  INSULT: {hold: 70}\n  PROFANITY: {hold: never}",
    ),
    "guardrail: words PROFANITY is held, was allowed": ("PROFANITY: allow", "PROFANITY: hold"),
    "guardrail: topics default is rejected, was held": ("topics:  ", "topics: {default: reject}\n  #"),
    "terms: default is rejected, was held": ("terms:\n  default: hold", "terms:\n  default: reject"),
    "terms: other is new: rejected": ("terms:\n  default: hold", "terms:\n  default: hold\n  other: reject"),
    "unreadable: default is rejected, was held": ("unreadable:\n  default: hold", "unreadable:\n  default: reject"),
    "unreadable: empty is new: rejected": (
        "unreadable:\n  default: hold",
        "unreadable:\n  default: hold\n  empty: reject",
    ),
    "known: second is new: held": ("confirmed-fine: allow", "confirmed-fine: allow\n  second: hold"),
    "review: second reviewer is top, was top, critical": ("[top, critical]", "[top]"),
    "pii: EMAIL is held, was masked": ("EMAIL: redact", "EMAIL: hold"),
    "pii: min_confidence is 50, was 60": ("min_confidence: 60", "min_confidence: 50"),
    "classifier: reject_from_severity is 2, was 0": ("reject_from_severity: 0", "reject_from_severity: 2"),
    "known: newest is new: held": SENTENCE_OF_A_NEW_LIST,
    "feed: hold is withhold, was flag": ("hold: flag", "hold: withhold"),
    'feed: about is For children., was ""': ('prefix: ""', 'prefix: ""\n    about: For children.'),
    "feed: text_in_images is on, was off": ('prefix: ""', 'prefix: ""\n    text_in_images: true'),
    "feed: Hate Symbols (and 3 below) is new: held from 40, rejected from 80": (
        'prefix: ""',
        'prefix: ""\n    labels: {Hate Symbols: {hold: 40}}',
    ),
    "feed: Weapons is new: ignored": ('prefix: ""', 'prefix: ""\n    labels: {Weapons: {ignore: true}}'),
    "feed: Weapons is new: held from 40, rejected from 90": (
        'prefix: ""',
        'prefix: ""\n    labels: {Weapons: {hold: 40}}',
    ),
    "rules: doxxing then is rejected, was held": (
        "    then: hold\n  minors-and-nudity",
        "    then: reject\n  minors-and-nudity",
    ),
    "rules: doxxing when is changed": ("pii/NAME: 80", "pii/NAME: 70"),
    "rules: shouting is new": (
        "\nrules:\n",
        "\nrules:\n  shouting: {when: {all of: {guardrail/INSULTS: LOW, guardrail/HATE: LOW}}, then: hold}\n",
    ),
    "rules: drawn-weapons is new": (
        "\nrules:\n",
        "\nrules:\n  drawn-weapons: {relax: [moderation/Weapons], when: {content-type/Illustrated: 90}, then: allow}\n",
    ),
    "rules: drawn-violence then is allowed, was held": (
        "content-type/Animated: 90}\n    then: hold",
        "content-type/Animated: 90}\n    then: allow",
    ),
    "surfaces: stories is new": (
        "surfaces:\n",
        "surfaces:\n  stories: {prefix: stories/, visibility: after, hold: flag}\n",
    ),
}


@pytest.mark.parametrize(("sentence", "edit"), SENTENCES.items(), ids=list(SENTENCES))
def test_it_is_said_in_words(sentence: str, edit: tuple[str, str]) -> None:
    text = TEXT.replace("    default: hold\n\n# The classifier", "\n# The classifier") if "topics" in sentence else TEXT
    assert edit[0] in text
    assert differences(SHIPPED, parse_policy(text.replace(*edit, 1))) == (sentence,)


def test_what_is_gone_is_told_with_what_it_was() -> None:
    more = parse_policy(TEXT.replace(*SENTENCE_OF_A_NEW_LIST, 1))
    assert differences(more, SHIPPED) == ("known: newest is not named any more, was held",)


def test_what_becomes_the_same_from_two_things_is_two_lines() -> None:
    new = TEXT.replace("Weapons: {hold: 60,", "Weapons: {hold: 58,").replace(
        "Hate Symbols: {hold: 50,", "Hate Symbols: {hold: 58,"
    )
    assert sorted(differences(SHIPPED, parse_policy(new))) == [
        "labels: Hate Symbols (and 3 below) is held from 58, was 50",
        "labels: Weapons is held from 58, was 60",
    ]


@pytest.mark.parametrize(
    ("edits", "lines"),
    [
        (
            {"PROFANITY: allow": "PROFANITY: hold", "confirmed-fine: allow": "confirmed-fine: hold"},
            ("guardrail: words PROFANITY is held, was allowed", "known: confirmed-fine is held, was allowed"),
        ),
        (
            {"PROFANITY: allow": "PROFANITY: hold", "drugs: allow": "drugs: hold"},
            ("guardrail: words PROFANITY is held, was allowed", "guardrail: topics drugs is held, was allowed"),
        ),
        (
            {"Sex Toys: {hold: 60": "Sex Toys: {hold: 57", "Weapons: {hold: 60": "Weapons: {hold: 58"},
            ("labels: Sex Toys is held from 57, was 60", "labels: Weapons is held from 58, was 60"),
        ),
        (
            {"reject: 90}\n  Graphic": "reject: 95}\n  Graphic", "Gambling: {hold: 90": "Gambling: {hold: 95"},
            ("labels: Weapons is rejected from 95, was 90", "labels: Gambling is held from 95, was 90"),
        ),
        (
            {"overall: 200, avatars: 200": "overall: 300, avatars: 300"},
            ("brake: overall is 300, was 200", "brake: avatars is 300, was 200"),
        ),
    ],
    ids=["sections", "parts of one", "to two things", "steps", "quotas"],
)
def test_two_things_that_have_no_change_of_a_default_in_common_are_two_lines(
    edits: dict[str, str], lines: tuple[str, str]
) -> None:
    old = TEXT.replace("overall: 1000, avatars: 200", "overall: 200, avatars: 200")
    old = new = old.replace(
        "    default: hold\n\n# The classifier", "    default: hold\n    drugs: allow\n\n# The classifier"
    )
    for written, instead in edits.items():
        assert written in new
        new = new.replace(written, instead, 1)
    assert differences(parse_policy(old), parse_policy(new)) == lines


def test_labels_that_change_alike_are_one_line() -> None:
    new = TEXT.replace("Sex Toys: {hold: 60", "Sex Toys: {hold: 58").replace("Weapons: {hold: 60", "Weapons: {hold: 58")
    assert differences(SHIPPED, parse_policy(new)) == ("labels: Sex Toys, Weapons are held from 58, was 60",)


def test_the_first_rules_of_a_policy_are_told_one_by_one() -> None:
    none = replace(SHIPPED, rules=replace(SHIPPED.rules, combinations=()))
    assert differences(none, SHIPPED) == (
        "rules: doxxing is new",
        "rules: minors-and-nudity is new",
        "rules: violence-seen-and-said is new",
    )


def test_of_no_rules_at_all_each_is_new() -> None:
    none = replace(SHIPPED, rules=Rules())
    assert differences(none, SHIPPED) == tuple(
        f"rules: {name} is new" for name in ("doxxing", "minors-and-nudity", "violence-seen-and-said", "drawn-violence")
    )


def test_a_rule_that_begins_or_ceases_to_relax_is_one_line() -> None:
    relaxing = "  drawn-violence: {relax: [moderation/Violence], when: {content-type/Animated: 90}, then: hold}\n"
    text = re.sub(r"(?m)^  drawn-violence:.*\n(?:    .*\n)+", relaxing, TEXT)
    assert relaxing in text
    strict = text.replace(relaxing, "  drawn-violence: {when: {all of: {moderation/Violence: 90}}, then: hold}\n")
    for old, new in ((text, strict), (strict, text)):
        assert differences(parse_policy(old), parse_policy(new)) == ("rules: drawn-violence is changed",)


def test_what_follows_from_a_change_is_not_told_beside_it() -> None:
    inner = "surfaces:\n  team: {prefix: avatars/team/, visibility: after, hold: flag}\n"
    old = TEXT.replace("surfaces:\n", inner, 1)
    new = old.replace("visibility: before", "visibility: after", 1)
    assert differences(parse_policy(old), parse_policy(new)) == ("avatars: visibility is after, was before",)


def test_a_context_that_a_rule_gains_or_loses_is_told_as_a_change() -> None:
    end = "    then: hold\n  minors-and-nudity"
    excused = parse_policy(TEXT.replace(end, f"    unless: {{known/confirmed-fine: seen}}\n{end}"))
    for old, new in ((SHIPPED, excused), (excused, SHIPPED)):
        assert differences(old, new) == ("rules: doxxing unless is changed",)


def test_a_surface_that_is_gone_is_one_line() -> None:
    fewer: tuple[Surface, ...] = tuple(one for one in SHIPPED.surfaces if one.name != "messages")
    assert differences(SHIPPED, replace(SHIPPED, surfaces=fewer)) == ("surfaces: messages is not named any more",)
