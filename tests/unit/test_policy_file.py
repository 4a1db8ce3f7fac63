"""Reading a policy: every mistake is reported at once, by its line, and only the meaning makes the version."""

from __future__ import annotations

import re

import pytest

from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.decide.retention import Retention
from tasks.decide.rule import Ladder
from tasks.decide.taxonomy import LEVEL_1
from tasks.detect.finding import Finding

TEXT = """\
surfaces:
  avatars:
    prefix: avatars/
    visibility: before
    hold: withhold
  feed:
    prefix: ""
    visibility: after
    hold: flag
    pii: always
labels:
  Explicit: {hold: 60, reject: 85}
  Non-Explicit Nudity of Intimate parts and Kissing: {ignore: true}
  Swimwear or Underwear: {ignore: true}
  Violence: {hold: 50, reject: 90}
  Weapons: {hold: 80}
  Visually Disturbing: {hold: 50}
  Drugs & Tobacco: {ignore: true}
  Alcohol: {ignore: true}
  Rude Gestures: {hold: never, reject: 99}
  Gambling: {ignore: true}
  Hate Symbols: {hold: 50, reject: 80}
guardrail:
  default: {gray: LOW, reject: HIGH}
  INSULTS: {reject: MEDIUM}
  PROMPT_ATTACK: {hold: MEDIUM}
  words: {PROFANITY: allow}
  topics: {default: hold}
classifier:
  reject_from_severity: 1
pii:
  min_confidence: 60
  default: allow
  types:
    EMAIL: redact
unreadable:
  default: hold
  malware: reject
"""


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as error:
        parse_policy(text, source="p")
    assert str(error.value) == "\n".join(error.value.problems)
    return list(error.value.problems)


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) == 1, f"{old!r} must stand once in the text"
    return TEXT.replace(old, new)


MISTAKES = [
    # keys
    ("classifier:\n", "clasifier:\n", [
        'p:1: the policy: "classifier" is missing',
        'p:29: the policy: unknown key "clasifier"; the nearest is "classifier"',
    ]),
    ("    pii: always", "    pi: always", ['p:10: feed: unknown key "pi"; the nearest is "pii"']),
    ("    hold: flag", "    hold: flag\n    hold: flag", ['p:10: "hold" stands twice; first in line 9']),
    ("    hold: flag", "    hold: flag\n    [a]: flag", ["p:10: feed: a key must be a plain name"]),
    ("  default: allow\n", "  default: allow\n  extra: 1\n", ['p:34: pii: unknown key "extra"']),
    ("Hate Symbols: {hold", "Hate Symbols: {hodl", ['p:22: Hate Symbols: unknown key "hodl"; the nearest is "hold"']),
    # surfaces
    ("prefix: avatars/", 'prefix: ""', ['p:6: feed: the prefix "" is already that of avatars (line 2)']),
    ('prefix: ""', "prefix: feed/", ['p:1: surfaces: none has the prefix "", so some keys would belong nowhere']),
    ("    visibility: after\n", "", ['p:6: feed: "visibility" is missing']),
    ("    hold: flag\n", "", ['p:6: feed: "hold" is missing']),
    # where a surface could not be read, it may have been the one of every key
    ('prefix: ""\n    visibility: after\n', "prefix: feed/\n", ['p:6: feed: "visibility" is missing']),
    ('prefix: ""', "prefix: feed/\n    mask: stars", [
        'p:8: mask: must be label or asterisks or blocks or first (it is "stars")',
    ]),
    ('prefix: ""\n    visibility: after\n    hold: flag\n', "prefix: feed/\n    visibility: after\n", [
        'p:6: feed: "hold" is missing',
    ]),
    ('prefix: ""', "prefix: feed/\n    about: 7", ["p:8: about: must be text, in quotes if need be"]),
    ("visibility: after", "visibility: afer", [
        'p:8: visibility: must be before or after (it is "afer"); the nearest is "after"',
    ]),
    ("visibility: after", "visibility: [after]", ["p:8: visibility: must be before or after"]),
    ("hold: withhold", "hold: flag", ["p:5: avatars: shows nothing before it is allowed, so hold is withhold"]),
    ("prefix: avatars/", "prefix: !!str [avatars/]", ["p:3: prefix: must be text, in quotes if need be"]),
    ("prefix: avatars/", "prefix: 7", ["p:3: prefix: must be text, in quotes if need be"]),
    ("pii: always", "pii: perhaps", ['p:10: pii: must be always or suggested or never (it is "perhaps")']),
    ("    pii: always", "    mask: stars", [
        'p:10: mask: must be label or asterisks or blocks or first (it is "stars")',
    ]),
    ("    pii: always", "    first_look: frame", [
        'p:10: first_look: must be none or frames or thumbnail (it is "frame"); the nearest is "frames"',
    ]),
    ("    pii: always", "    text_in_images: false", [
        "p:10: text_in_images: can only be true; leave it out otherwise",
    ]),
    ("    pii: always", "    toxicity: suggested", [
        'p:10: toxicity: must be never or always (it is "suggested")',
    ]),
    ("    pii: always", "    about: 7", ["p:10: about: must be text, in quotes if need be"]),
    ("    pii: always", "    text: []", ["p:10: text: names no path"]),
    ("    pii: always", "    renditions: []", ["p:10: renditions: names no pattern"]),
    ("    pii: always", "    bucket: []", ["p:10: bucket: names no bucket"]),
    ("    pii: always", '    text:\n    - title\n    - "$.["', [
        'p:12: text: "$.[" is no JSON path; they look like text or $.comments[*].body',
    ]),
    ("    pii: always", "    text: {a: 1}", ["p:10: text: must be text, in quotes if need be"]),
    # labels
    ("Weapons:", "Wepons:", ['p:16: labels: unknown label "Wepons"; the nearest is "Weapons"']),
    ("Weapons:", "drugs:", ['p:16: labels: unknown label "drugs" is a name of model v6; v7 says "Drugs & Tobacco"']),
    ("Weapons:", "violence:", ['p:16: labels: "violence" is configured twice; first in line 15']),
    ("Weapons:", "Violence:", ['p:16: "Violence" stands twice; first in line 15']),
    ("  Gambling: {ignore: true}\n", "", [
        'p:11: labels: "Gambling" is not configured; say "ignore: true" if it may pass',
    ]),
    ("Explicit: {hold: 60, reject: 85}", "Explicit: {hold: 86, reject: 85}", [
        "p:12: Explicit: hold at 86 is above reject at 85 (own or inherited), "
        "so nothing would ever be held; turn them round, or say never",
    ]),
    ("Weapons: {hold: 80}", "Weapons: {hold: 90.5}", [
        "p:16: Weapons: hold at 90.5 is above reject at 90 (own or inherited), "
        "so nothing would ever be held; turn them round, or say never",
    ]),
    ("Weapons: {hold: 80}", "Weapons: {hold: -0.1}", ['p:16: hold: must be from 0 to 100 (it is "-0.1")']),
    ("Weapons: {hold: 80}", "Weapons: {hold: 100.1}", ['p:16: hold: must be from 0 to 100 (it is "100.1")']),
    ("Weapons: {hold: 80}", "Weapons: {hold: .nan}", ['p:16: hold: must be a number from 0 to 100 (it is ".nan")']),
    ("Weapons: {hold: 80}", "Weapons: {hold: 1:20}", ['p:16: hold: must be a number from 0 to 100 (it is "1:20")']),
    ("Weapons: {hold: 80}", "Weapons: {hold: [80]}", ["p:16: hold: must be a number from 0 to 100"]),
    ("Weapons: {hold: 80}", "Weapons: {hold: always}", ['p:16: hold: must be a number from 0 to 100 (it is "always")']),
    ("Weapons: {hold: 80}", "Weapons: {redact: 80}", [
        "p:16: Weapons: a picture cannot be redacted; say hold or reject",
    ]),
    ("Weapons: {hold: 80}", "Weapons: {}", ['p:16: Weapons: says nothing; give "hold", "reject" or "ignore: true"']),
    ("Weapons: {hold: 80}", "Weapons:", ["p:16: Weapons: must be a mapping of names to values"]),
    ("Weapons: {hold: 80}", "Weapons: 80", ["p:16: Weapons: must be a mapping of names to values"]),
    ("Weapons: {hold: 80}", "Weapons: {ignore: false}", ["p:16: ignore: can only be true; leave it out otherwise"]),
    ("Weapons: {hold: 80}", "Weapons: {ignore: 'true'}", ["p:16: ignore: can only be true; leave it out otherwise"]),
    ("Weapons: {hold: 80}", "Weapons: {ignore: !!bool [true]}", [
        "p:16: ignore: can only be true; leave it out otherwise",
    ]),
    ("Weapons: {hold: 80}", "Weapons: {ignore: 1}", ["p:16: ignore: can only be true; leave it out otherwise"]),
    ("Weapons: {hold: 80}", "Weapons: {ignore: true, hold: 8}", ["p:16: Weapons: ignored labels have no thresholds"]),
    # the guardrail
    ("  INSULTS:", "  INSULT:", ['p:25: guardrail: unknown key "INSULT"; the nearest is "INSULTS"']),
    ("INSULTS: {reject: MEDIUM}", "INSULTS: {reject: MIDDLE}", [
        'p:25: reject: must be LOW or MEDIUM or HIGH or never (it is "MIDDLE")',
    ]),
    ("INSULTS: {reject: MEDIUM}", "INSULTS: {gray: HIGH, reject: LOW}", [
        "p:25: INSULTS: gray, hold and reject (own or inherited) must go from low to high",
    ]),
    ("INSULTS: {reject: MEDIUM}", "INSULTS: {gray: MEDIUM, hold: LOW}", [
        "p:25: INSULTS: gray, hold and reject (own or inherited) must go from low to high",
    ]),
    ("{gray: LOW, reject: HIGH}", "{gray: HIGH, reject: MEDIUM}", [
        "p:24: default: gray, hold and reject (own or inherited) must go from low to high",
        "p:25: INSULTS: gray, hold and reject (own or inherited) must go from low to high",
    ]),
    ("{hold: MEDIUM}", "{gray: LOW}", ["p:26: PROMPT_ATTACK: cannot be gray; the classifier is what it attacks"]),
    ("{hold: MEDIUM}", "{hold: never}", ["p:26: PROMPT_ATTACK: must be held from some level on"]),
    ("{hold: MEDIUM}", "{hold: HIGH, reject: LOW}", [
        "p:26: PROMPT_ATTACK: gray, hold and reject (own or inherited) must go from low to high",
    ]),
    ("PROFANITY: allow", "PROFANITIES: allow", ['p:27: unknown name "PROFANITIES"; the nearest is "PROFANITY"']),
    ("PROFANITY: allow", "PROFANITY: redact", ['p:27: PROFANITY: must be hold or reject or allow (it is "redact")']),
    ("topics: {default: hold}", "topics: {default: hld}", [
        'p:28: default: must be hold or reject or allow (it is "hld"); the nearest is "hold"',
    ]),
    # the classifier
    ("classifier:\n  reject_from_severity: 1\n", "classifier: {}\n", [
        'p:29: classifier: "reject_from_severity" is missing',
    ]),
    ("reject_from_severity: 1", "reject_from_severity: 4", [
        'p:30: reject_from_severity: must be from 0 to 3 (it is "4")',
    ]),
    ("reject_from_severity: 1", "reject_from_severity: 1.5", ["p:30: reject_from_severity: must be a whole number"]),
    # personal data
    ("EMAIL:", "E_MAIL:", ['p:35: unknown name "E_MAIL"; the nearest is "EMAIL"']),
    ("EMAIL:", "ALL:", ['p:35: unknown name "ALL"']),
    ("EMAIL: redact", "EMAIL: reject", ['p:35: EMAIL: must be redact or hold or allow (it is "reject")']),
    ("  default: allow", "  default: pass", ['p:33: default: must be redact or hold or allow (it is "pass")']),
    ("min_confidence: 60", "min_confidence: 101", ['p:32: min_confidence: must be from 0 to 100 (it is "101")']),
    ("  min_confidence: 60\n", "", ['p:31: pii: "min_confidence" is missing']),
    # what could not be looked at
    ("malware: reject", "malware: allow", ['p:38: malware: must be hold or reject (it is "allow")']),
    ("unreadable:\n  default: hold", "unreadable:\n  default: allow", [
        'p:36: unreadable: "default" is missing', 'p:37: default: must be hold or reject (it is "allow")',
    ]),
    ("unreadable:\n  default: hold\n", "unreadable:\n", ['p:36: unreadable: "default" is missing']),
    ("malware: reject", "Mal Ware: reject", [
        'p:38: unreadable: "Mal Ware" is no reason; they look like "image-format"',
    ]),
    # what need not be said
    ("  malware: reject", "  malware: reject\nterms: {spam: ban}", [
        'p:39: spam: must be redact or hold or reject or allow (it is "ban")',
    ]),
    ("  malware: reject", "  malware: reject\ntoxicity: {INSULTS: {hold: 1}}", [
        'p:39: toxicity: unknown key "INSULTS"; the nearest is "INSULT"',
    ]),
    ("  malware: reject", "  malware: reject\ntoxicity: {INSULT: {hold: 90, reject: 80}}", [
        "p:39: INSULT: hold (own or inherited) is above reject, so nothing would be held",
    ]),
    ("  malware: reject", "  malware: reject\ntoxicity: {INSULT: {hold: LOW}}", [
        'p:39: hold: must be a number from 0 to 100 (it is "LOW")',
    ]),
    ("  malware: reject", "  malware: reject\nknown: {fine: permit}", [
        'p:39: fine: must be hold or reject or allow (it is "permit")',
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), MISTAKES, ids=[f"{old} -> {new}" for old, new, _ in MISTAKES])
def test_a_mistake_is_reported_with_its_line_and_the_right_name(old: str, new: str, expected: list[str]) -> None:
    assert problems(changed(old, new)) == expected


def test_all_mistakes_are_reported_at_once_in_the_order_of_their_lines() -> None:
    text = TEXT.replace("Weapons", "Wepons").replace("EMAIL", "EMIAL").replace("prefix: avatars/", "prefix: 7")
    assert [line.split(":")[1] for line in problems(text)] == ["3", "16", "35"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "p:1: the policy is empty"),
        ("# nothing\n", "p:1: the policy is empty"),
        ("- a\n- b", "p:1: the policy: must be a mapping of names to values"),
        ("a:\n  b: [", "p:2: not YAML: expected the node content, but found '<stream end>'"),
        ("a: 1\n---\na: 2", "p:2: not YAML: expected a single document in the stream, but found another document"),
        ("a: &x 1\nb: 2\n\nc: &x 3", "p:4: not YAML: found duplicate anchor 'x'; first in line 1"),
        ("a: 1\nb: *x", "p:2: not YAML: found undefined alias 'x'"),
        ("\n\x00", "p:2: not YAML: special characters are not allowed"),
        ("a: 1\nb: \x00", "p:2: not YAML: special characters are not allowed"),
        ("a: 1\n\tb: 2", "p:2: not YAML: found character '\\t' that cannot start any token"),
        ("[" * 1500, "p:1: not a policy: nested too deep"),
    ],
)
def test_what_is_no_policy_at_all_is_refused_in_one_line(text: str, says: str) -> None:
    assert problems(text) == [says]


@pytest.mark.parametrize("name", ["surfaces", "labels", "guardrail", "classifier", "pii", "unreadable"])
def test_no_section_may_be_left_out(name: str) -> None:
    text = re.sub(rf"^{name}:\n(  .*\n)+", "", TEXT, flags=re.MULTILINE)
    assert problems(text) == [f'p:1: the policy: "{name}" is missing']


def test_a_yaml_tag_makes_nothing() -> None:
    assert len(problems(changed("malware: reject", "malware: !!python/object/apply:os.getcwd []"))) == 1


def test_a_label_takes_what_it_does_not_say_from_the_nearest_label_above() -> None:
    labels = parse_policy(TEXT).labels
    assert (labels["Violence/Weapons"].hold, labels["Violence/Weapons"].reject) == (80, 90)
    deep = "Violence/Graphic Violence/Self-Harm"
    assert (labels[deep].hold, labels[deep].reject) == (50, 90)
    assert (labels["Visually Disturbing/Crashes"].hold, labels["Visually Disturbing/Crashes"].reject) == (50, None)
    assert (labels["Rude Gestures/Middle Finger"].hold, labels["Rude Gestures/Middle Finger"].reject) == (None, 99)


@pytest.mark.parametrize("true", ["True", "TRUE", "yes", "Yes", "on", "ON"])
def test_true_is_whatever_yaml_takes_for_it(true: str) -> None:
    assert parse_policy(changed("Gambling: {ignore: true}", f"Gambling: {{ignore: {true}}}")) == parse_policy(TEXT)


def test_an_ignored_label_ignores_its_children_until_one_speaks_for_itself() -> None:
    text = changed(
        "  Alcohol: {ignore: true}\n", "  Alcohol: {ignore: true}\n  Pills: {reject: 70}\n  Products: {hold: 20}\n"
    )
    labels = parse_policy(text).labels
    assert (labels["Drugs & Tobacco"].hold, labels["Drugs & Tobacco"].reject) == (None, None)
    assert (labels["Drugs & Tobacco/Products"].hold, labels["Drugs & Tobacco/Products"].reject) == (20, None)
    assert (labels["Drugs & Tobacco/Products/Pills"].hold, labels["Drugs & Tobacco/Products/Pills"].reject) == (20, 70)


def test_equal_thresholds_and_the_ends_of_the_scale_are_fine() -> None:
    labels = parse_policy(
        changed("Weapons: {hold: 80}", "Weapons: {hold: 100, reject: 100}\n  Self-Harm: {hold: 0}")
    ).labels
    assert (labels["Violence/Weapons"].hold, labels["Violence/Weapons"].reject) == (100, 100)
    assert labels["Violence/Graphic Violence/Self-Harm"].hold == 0
    said = "  malware: reject\ntoxicity: {INSULT: {hold: 0, reject: 0}}"
    assert parse_policy(changed("  malware: reject", said)).toxicity.types["INSULT"] == Ladder(hold=0, reject=0)
    said = said.replace("hold: 0", "hold: never")
    assert parse_policy(changed("  malware: reject", said)).toxicity.types["INSULT"] == Ladder(hold=None, reject=0)


def test_a_category_takes_what_it_does_not_say_from_the_default_and_an_attack_never_does() -> None:
    categories = parse_policy(TEXT).guardrail.categories
    assert (categories["HATE"].gray, categories["HATE"].hold, categories["HATE"].reject) == (30, None, 90)
    assert (categories["INSULTS"].gray, categories["INSULTS"].reject) == (30, 60)
    attack = categories["PROMPT_ATTACK"]
    assert (attack.gray, attack.hold, attack.reject) == (None, 60, None)


def test_an_empty_guardrail_section_is_the_careful_one() -> None:
    start, end = TEXT.index("guardrail:\n"), TEXT.index("classifier:\n")
    rules = parse_policy(TEXT[:start] + "guardrail: {}\n" + TEXT[end:]).guardrail
    assert (rules.categories["HATE"].gray, rules.categories["HATE"].reject) == (30, 90)
    assert (rules.categories["PROMPT_ATTACK"].gray, rules.categories["PROMPT_ATTACK"].hold) == (None, 60)
    assert {name: tier.name for name, tier in rules.words.items()} == {"PROFANITY": "HOLD", "custom": "REJECT"}
    assert rules.other_topics.name == "HOLD"


def test_personal_data_without_a_default_is_held() -> None:
    assert parse_policy(TEXT).pii.tiers["SSN"].name == "ALLOW"
    assert parse_policy(changed("  default: allow\n", "")).pii.tiers["SSN"].name == "HOLD"


def test_nought_is_a_number_like_any_other() -> None:
    assert parse_policy(changed("min_confidence: 60", "min_confidence: 0")).pii.min_confidence == 0
    assert parse_policy(changed("reject_from_severity: 1", "reject_from_severity: 0")).reject_from_severity == 0


def test_a_surface_that_says_nothing_about_personal_data_looks_where_it_is_suggested() -> None:
    assert parse_policy(TEXT).surface_for("avatars/a.png").pii == "suggested"
    assert parse_policy(TEXT).surface_for("a.txt").pii == "always"


def test_the_longest_prefix_wins_in_whatever_order_they_stand() -> None:
    feed = '  feed:\n    prefix: ""\n    visibility: after\n    hold: flag\n    pii: always\n'
    inner = "  inner: {prefix: avatars/team/, visibility: after, hold: flag}\n"
    text = changed(feed, "").replace("surfaces:\n", f"surfaces:\n{feed}{inner}")
    policy = parse_policy(text)
    assert [policy.surface_for(key).name for key in ("a", "avatars/a", "avatars/team/a")] == [
        "feed",
        "avatars",
        "inner",
    ]


def test_a_file_that_says_nothing_of_retention_keeps_originals_for_a_year_and_hears_appeals_for_six_months() -> None:
    assert parse_policy(TEXT).retention == Retention(appeals=184, originals=365)


def test_a_program_that_knows_more_calls_an_older_file_by_the_same_version() -> None:
    """Or each decision on record would look as if it had been made under another policy."""
    assert parse_policy(TEXT).version == "sha256:a8ea8139a007"
    assert parse_policy(f"{TEXT}review: {{hours: {{high: 0.5}}}}\n").version == "sha256:2c453c6f2146"


def test_the_version_is_that_of_the_meaning_not_of_the_spelling() -> None:
    version = parse_policy(TEXT).version
    assert version.startswith("sha256:")
    assert len(version) == len("sha256:") + 12
    lines = TEXT.splitlines(keepends=True)
    moved = "".join(lines[:11] + lines[11:22][::-1] + lines[22:])
    for same in ("# why\n" + TEXT, moved, changed("Weapons: {hold: 80}", "violence/weapons: {hold: 80.0, reject: 90}")):
        assert parse_policy(same).version == version
        assert parse_policy(same) == parse_policy(TEXT)
    first, second = (changed("malware: reject", order) for order in ("a: hold\n  b: reject", "b: reject\n  a: hold"))
    assert parse_policy(first).version == parse_policy(second).version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Weapons: {hold: 80}", "Weapons: {hold: 80.1}"),
        ("hold: withhold\n", "hold: withhold\n    pii: never\n"),
        ("INSULTS: {reject: MEDIUM}", "INSULTS: {reject: HIGH}"),
        ("PROFANITY: allow", "PROFANITY: hold"),
        ("topics: {default: hold}", "topics: {default: hold, spam: reject}"),
        ("reject_from_severity: 1", "reject_from_severity: 2"),
        ("min_confidence: 60", "min_confidence: 61"),
        ("EMAIL: redact", "EMAIL: hold"),
        ("malware: reject", "malware: hold"),
        ("pii: always", "pii: always\n    mask: blocks"),
        ("pii: always", "pii: always\n    text: [title, body]"),
        ("  malware: reject", "  malware: reject\nterms: {spam: reject}"),
        ("  malware: reject", "  malware: reject\ntoxicity: {INSULT: {hold: 70}}"),
        ("  malware: reject", "  malware: reject\nknown: {fine: allow}"),
    ],
)
def test_every_change_of_meaning_is_another_version(old: str, new: str) -> None:
    assert parse_policy(changed(old, new)).version != parse_policy(TEXT).version


def test_what_a_surface_may_say_and_what_holds_where_it_says_nothing() -> None:
    plain = parse_policy(TEXT).surface_for("a")
    assert (plain.text_in_images, plain.first_look, plain.text_paths) == (False, "none", ())
    assert (plain.mask, plain.about, plain.toxicity) == ("label", "", "never")
    more = (
        "pii: always\n    text_in_images: true\n    first_look: frames\n    text: [title, $.body]\n    mask: first\n"
        "    about: Homework.\n    toxicity: always"
    )
    surface = parse_policy(changed("pii: always", more)).surface_for("a")
    assert (surface.text_in_images, surface.first_look, surface.text_paths) == (True, "frames", ("title", "$.body"))
    assert (surface.mask, surface.about, surface.toxicity) == ("first", "Homework.", "always")


def found(label: str, confidence: float = 100.0) -> Finding:
    return Finding(detector="d", detector_version="1", label=label, confidence=confidence)


@pytest.mark.parametrize(
    ("sections", "finding", "tier"),
    [
        ("terms: {spam: reject}", found("term/spam"), "REJECT"),
        ("terms: {spam: reject}", found("term/new"), "HOLD"),
        ("terms: {default: allow}", found("term/new"), None),
        ("", found("term/spam"), "HOLD"),
        ("toxicity: {INSULT: {reject: 90}}", found("toxicity/INSULT", 90), "REJECT"),
        ("toxicity: {INSULT: {reject: 90}}", found("toxicity/INSULT", 89), "HOLD"),
        ("toxicity: {INSULT: {hold: never}}", found("toxicity/INSULT", 100), None),
        ("toxicity: {default: {hold: 10}}", found("toxicity/SEXUAL", 10), "HOLD"),
        ("", found("toxicity/SEXUAL", 79), None),
        ("", found("toxicity/NEXT_YEARS", 1), "HOLD"),
        ("known: {fine: allow}", found("known/fine/holiday photo"), None),
        ("known: {bad: reject}", found("known/bad/1"), "REJECT"),
        ("known: {bad: reject}", found("known/other/1"), "HOLD"),
    ],
)
def test_what_is_found_only_where_it_was_asked_for(sections: str, finding: Finding, tier: str | None) -> None:
    rule = parse_policy(changed("  malware: reject", f"  malware: reject\n{sections}")).judge(finding)
    assert (rule.tier.name if rule else None) == tier


def test_a_policy_cannot_be_changed_after_it_is_read() -> None:
    policy = parse_policy(TEXT)
    with pytest.raises(TypeError):
        policy.labels["Violence"] = policy.labels["Alcohol"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        policy.version = "mine"  # type: ignore[misc]


def test_every_missing_first_level_label_is_named() -> None:
    start, end = TEXT.index("labels:\n"), TEXT.index("guardrail:\n")
    found = problems(TEXT[:start] + "labels: {}\n" + TEXT[end:])
    assert len(found) == len(LEVEL_1)
    assert all(any(f'"{name}"' in line for line in found) for name in LEVEL_1)
