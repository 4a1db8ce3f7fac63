"""Rules about findings together, exceptions by context, and thresholds of one surface: at their edges."""

from __future__ import annotations

from dataclasses import replace

import pytest
from verdicts import Verdicts, seen

from tasks.decide.decision import Tier, decide
from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.decide.taxonomy import full_path
from tasks.detect.finding import Finding
from tests.unit.test_decide_decision import POLICY_TEXT

ALLOW, REDACT, HOLD, REJECT = Tier
TEXT = (
    POLICY_TEXT.replace(
        "{prefix: quiet/, visibility: after, hold: flag, pii: never}",
        "{prefix: quiet/, visibility: after, hold: flag, pii: never, labels: {Violence: {hold: 30}, Kissing on the "
        "Lips: {ignore: true}, Pills: {reject: 90}}}",
    )
    + """
known: {fine: allow, bad: reject}
rules:
  doxxing:
    when: {all of: {pii/NAME: 80}, any of: {pii/ADDRESS: 80, pii/PHONE: 80}}
    then: hold
  minors:
    when: {all of: {guardrail/topic/minors: seen, moderation/Explicit: 20}}
    then: reject
    priority: top
  weak:
    when: {two of: {moderation/Violence: 40, guardrail/HATE: LOW, toxicity/INSULT: 40}}
    then: hold
  dolls:
    when: {any of: {moderation/Sex Toys: 30}}
    unless: {content-type/Illustrated: 90, known/fine: seen}
    then: reject
  drawn:
    relax: [moderation/Hate Symbols, moderation/Weapons]
    when: {content-type/Illustrated: 90}
    then: hold
  drawn-weapons:
    relax: moderation/Weapons
    when: {content-type/Animated: 90}
    then: allow
"""
)
POLICY = parse_policy(TEXT)


decided, outcome = Verdicts(POLICY).decided, Verdicts(POLICY).outcome


PHONE = seen("pii/PHONE", 80, span=(0, 5))
TOY, BOTH = "moderation/Explicit/Sex Toys", ("rules/dolls",)
WEAPON, DRAWN, MOVED = "moderation/Violence/Weapons", "content-type/Illustrated", "content-type/Animated"


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        # all of one and any of others
        ([seen("pii/NAME", 80)], (ALLOW, ())),
        ([PHONE], (REDACT, ("pii/PHONE",))),
        ([seen("pii/NAME", 80), PHONE], (HOLD, ("rules/doxxing",))),
        ([seen("pii/NAME", 80, part="caption"), PHONE], (HOLD, ("rules/doxxing",))),
        ([seen("pii/NAME", 79.99), PHONE], (REDACT, ("pii/PHONE",))),
        ([seen("pii/NAME", 100), seen("pii/PHONE", 79.99, span=(0, 5))], (REDACT, ("pii/PHONE",))),
        ([seen("pii/NAME", 100), seen("pii/EMAIL", 100, span=(0, 5))], (REDACT, ("pii/EMAIL",))),
        # two weak ones, also by a label below
        ([seen("moderation/Violence", 45)], (ALLOW, ())),
        ([seen("moderation/Violence", 45), seen(WEAPON, 45)], (ALLOW, ())),
        ([seen("moderation/Violence", 40), seen("guardrail/HATE", 30)], (HOLD, ("rules/weak",))),
        ([seen(WEAPON, 40), seen("toxicity/INSULT", 40)], (HOLD, ("rules/weak",))),
        ([seen(WEAPON, 39.9), seen("toxicity/INSULT", 40)], (ALLOW, ())),
        ([seen(WEAPON, 40), seen("toxicity/PROFANITY", 70)], (ALLOW, ())),
        ([seen("moderation/Violence Seen", 99)], (HOLD, ("unknown-label/moderation/Violence Seen",))),
        # the strictest still wins, and what reached its tier is named beside it
        ([seen("moderation/Violence", 50), seen("guardrail/HATE", 30)], (HOLD, ("labels/Violence>=50", "rules/weak"))),
        ([seen("moderation/Violence", 90), seen("guardrail/HATE", 30)], (REJECT, ("labels/Violence>=90",))),
        # what is seen or not
        ([seen("guardrail/topic/minors", 0), seen("moderation/Explicit", 20)], (REJECT, ("rules/minors",))),
        ([seen("guardrail/topic/minors", 0), seen(TOY, 20)], (REJECT, ("rules/minors",))),
        ([seen("guardrail/topic/minors", 0), seen(TOY, 19.9)], (HOLD, ("guardrail/topic/minors",))),
        # excused by its context, and by nothing else
        ([seen(TOY, 30)], (REJECT, BOTH)),
        ([seen(TOY, 30), seen(DRAWN, 90)], (ALLOW, ())),
        ([seen(TOY, 30), seen(DRAWN, 89.9)], (REJECT, BOTH)),
        ([seen(TOY, 30), seen(DRAWN, 101)], (REJECT, BOTH)),
        ([seen(TOY, 30), seen(MOVED, 90)], (REJECT, BOTH)),
        ([seen(TOY, 30), seen(DRAWN, 90, part="thumbnail")], (REJECT, BOTH)),
        ([seen(TOY, 30, time_ms=(0, 9)), seen(DRAWN, 90)], (REJECT, BOTH)),
        ([seen(TOY, 30, time_ms=(0, 9)), seen(DRAWN, 90, time_ms=(0, 9))], (ALLOW, ())),
        ([seen(TOY, 30, time_ms=(0, 9)), seen("known/fine/1", 100)], (ALLOW, ())),
        ([seen(TOY, 30, part="caption"), seen("known/fine/1", 100)], (REJECT, BOTH)),
        ([seen(TOY, 30), seen(TOY, 30, part="caption"), seen(DRAWN, 90)], (REJECT, BOTH)),
        # its own threshold stays as it is
        ([seen(TOY, 60), seen(DRAWN, 90)], (HOLD, ("labels/Explicit/Sex Toys>=60",))),
    ],
)
def test_what_counts_together_counts_from_its_thresholds_on(
    findings: list[Finding], expected: tuple[Tier, tuple[str, ...]]
) -> None:
    assert outcome(*findings) == expected


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([seen(WEAPON, 90)], (REJECT, ("labels/Violence/Weapons>=90",))),
        ([seen(WEAPON, 90), seen(DRAWN, 90)], (HOLD, ("rules/drawn",))),
        ([seen(WEAPON, 80), seen(DRAWN, 90)], (HOLD, ("labels/Violence/Weapons>=80",))),
        ([seen(WEAPON, 90), seen(DRAWN, 89.9)], (REJECT, ("labels/Violence/Weapons>=90",))),
        ([seen(WEAPON, 90), seen(DRAWN, 90, part="caption")], (REJECT, ("labels/Violence/Weapons>=90",))),
        ([seen(WEAPON, 90), seen(MOVED, 90)], (ALLOW, ())),
        ([seen(WEAPON, 90), seen("moderation/Violence", 90), seen(MOVED, 90)], (ALLOW, ())),
        ([seen(WEAPON, 90), seen(MOVED, 90), seen(DRAWN, 90)], (ALLOW, ())),
        # nothing but what it names
        ([seen("moderation/Violence", 90), seen(MOVED, 90)], (REJECT, ("labels/Violence>=90",))),
        ([seen("moderation/Hate Symbols/Nazi Party", 90), seen(DRAWN, 90)], (HOLD, ("rules/drawn",))),
        ([seen("moderation/Hate Symbols", 90), seen(MOVED, 90)], (REJECT, ("labels/Hate Symbols>=80",))),
        ([seen("moderation/Violence/Weapons/Railgun"), seen(MOVED)],
         (HOLD, ("unknown-label/moderation/Violence/Weapons/Railgun",))),
        ([seen(WEAPON, 101), seen(MOVED)], (HOLD, (f"impossible-confidence/{WEAPON}",))),
        # together it still counts
        ([seen(WEAPON, 90), seen(MOVED, 90), seen("toxicity/INSULT", 40)], (HOLD, ("rules/weak",))),
    ],
)  # fmt: skip
def test_an_exception_relaxes_what_it_names_in_its_place_and_nothing_else(
    findings: list[Finding], expected: tuple[Tier, tuple[str, ...]]
) -> None:
    assert outcome(*findings) == expected


def test_a_combination_says_what_led_to_it_and_what_comes_first() -> None:
    decision = decided(seen("guardrail/topic/minors", 0), seen("moderation/Explicit", 20))
    assert decision.priority == "top"
    (rule,) = decision.rules
    assert (rule.label, rule.confidence, rule.threshold) == ("moderation/Explicit", 20, None)
    assert decided(seen("moderation/Explicit", 99)).priority == "normal"


def test_what_the_classifier_cleared_alone_still_counts_together() -> None:
    hate, leave = seen("guardrail/HATE", 60), seen("classifier/allow", 0)
    assert outcome(hate, leave) == (ALLOW, ())
    assert outcome(hate, leave, seen("moderation/Violence", 45)) == (HOLD, ("rules/weak",))


def test_what_counts_together_counts_though_the_classifier_cleared_each_of_it_alone() -> None:
    rule = "  both: {when: {all of: {guardrail/HATE: LOW, guardrail/INSULTS: LOW}}, then: hold}\n"
    decided = Verdicts(parse_policy(f"{RULES}{rule}")).outcome
    hate, insult, leave = seen("guardrail/HATE", 60), seen("guardrail/INSULTS", 60), seen("classifier/allow", 0)
    assert [decided(one, leave) for one in (hate, insult)] == [(ALLOW, ())] * 2
    assert decided(hate, insult, leave) == (HOLD, ("rules/both",))


def test_only_a_verdict_of_the_classifiers_goes_on_with_its_rule() -> None:
    rule = "  named: {when: {any of: {classifier/hold/BLOCKED: seen, term/slurs/BLOCKED: seen}}, then: reject}\n"
    named = Verdicts(parse_policy(f"{RULES}{rule}")).outcome
    assert named(seen("classifier/hold", rule="BLOCKED")) == (REJECT, ("rules/named",))
    assert named(seen("term/slurs", rule="BLOCKED")) == (HOLD, ("term/slurs",))


def test_a_rule_of_the_classifiers_can_be_a_condition() -> None:
    policy = parse_policy(TEXT.replace("guardrail/topic/minors: seen", "classifier/reject/minor-safety: seen"))
    nude = seen("moderation/Explicit", 20)
    for rule, priority in (("minor-safety", "top"), ("minor", "normal"), ("", "normal")):
        verdict = seen("classifier/reject", 100, rule=rule)
        assert decide([nude, verdict], policy, policy.surfaces[-1]).priority == priority


def test_context_can_be_a_condition_beside_a_violation() -> None:
    rule = "  drawn-nude: {when: {all of: {moderation/Explicit: 20, content-type/Illustrated: 50}}, then: reject}\n"
    outcome = Verdicts(parse_policy(f"{RULES}{rule}")).outcome
    assert outcome(seen("moderation/Explicit", 20)) == (ALLOW, ())
    assert outcome(seen("moderation/Explicit", 20), seen(DRAWN, 50)) == (REJECT, ("rules/drawn-nude",))


def test_any_verdict_of_the_classifiers_can_be_a_condition_whatever_its_rule() -> None:
    policy = parse_policy(TEXT.replace("guardrail/topic/minors: seen", "classifier/hold: seen"))
    nude = seen("moderation/Explicit", 20)
    for rule in ("minor-safety", "weapons", ""):
        verdict = seen("classifier/hold", 0, rule=rule)
        assert decide([nude, verdict], policy, policy.surfaces[-1]).priority == "top"


def test_a_list_of_known_violations_can_be_a_condition_alone() -> None:
    policy = parse_policy(f"{RULES}  bad: {{when: {{all of: {{known/bad: seen}}}}, then: reject, priority: top}}\n")
    assert decide([seen("known/bad/1", 100)], policy, policy.surfaces[-1]).priority == "top"


def test_the_classifier_is_not_asked_about_what_a_combination_rejects() -> None:
    gray, minors = seen("guardrail/HATE", 60), (seen("guardrail/topic/minors", 0), seen("moderation/Explicit", 20))
    assert POLICY.is_gray([gray])
    assert not POLICY.is_gray([gray, *minors])


def test_no_combination_counts_personal_data_where_it_may_stand() -> None:
    assert outcome(seen("pii/NAME"), seen("pii/ADDRESS"), key="quiet/a") == (ALLOW, ())


@pytest.mark.parametrize(
    ("label", "confidence", "here", "elsewhere"),
    [
        ("Violence", 30, HOLD, ALLOW),
        ("Violence", 90, REJECT, REJECT),
        ("Violence/Graphic Violence", 30, HOLD, ALLOW),
        # it has its own thresholds
        ("Violence/Weapons", 79, ALLOW, ALLOW),
        ("Drugs & Tobacco/Products/Pills", 90, REJECT, HOLD),
        ("Drugs & Tobacco/Products/Pills", 75, HOLD, HOLD),
        ("Non-Explicit Nudity of Intimate parts and Kissing/Kissing on the Lips", 90, ALLOW, HOLD),
        ("Explicit", 85.5, REJECT, REJECT),
    ],
)
def test_a_surface_has_its_own_thresholds_and_inherits_the_others(
    label: str, confidence: float, here: Tier, elsewhere: Tier
) -> None:
    finding = seen(f"moderation/{label}", confidence)
    assert (decided(finding, key="quiet/a").tier, decided(finding, key="a").tier) == (here, elsewhere)


def test_only_what_differs_on_a_surface_is_said_of_it() -> None:
    said = "labels: {Violence: {hold: 30}"
    assert parse_policy(TEXT.replace(said, said + ", Weapons: {hold: 80}, Explicit: {reject: 85.5}")) == POLICY
    assert parse_policy(TEXT.replace(said, said + ", Weapons: {hold: 81}")).version != POLICY.version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pii/NAME: 80", "pii/NAME: 81"),
        ("two of", "any of"),
        ("known/fine: seen}", "known/fine: 1}"),
        ("    priority: top\n", ""),
        ("then: allow", "then: hold"),
        ("[moderation/Hate Symbols, moderation/Weapons]", "moderation/Hate Symbols"),
        ("  dolls:", "  puppets:"),
        ("{content-type/Animated: 90}", "{content-type/Animated: 91}"),
        ("{hold: 30}", "{hold: 31}"),
    ],
)
def test_every_change_of_a_rule_is_another_version(old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert parse_policy(TEXT.replace(old, new)).version != POLICY.version


def test_the_order_of_rules_and_how_they_are_spelled_is_no_other_version() -> None:
    head, _, rules = TEXT.partition("\nrules:\n")
    drawn, weapons = rules.index("  drawn:"), rules.index("  drawn-weapons:")
    for old, new in (
        (rules, rules[drawn:] + rules[:drawn]),
        (rules, rules[:drawn] + rules[weapons:] + rules[drawn:weapons]),
        ("[moderation/Hate Symbols, moderation/Weapons]", "[moderation/weapons, moderation/Hate Symbols]"),
        ("all of: {pii/NAME: 80}", "all of: {pii/NAME: 80.0}"),
        ("any of: {moderation/Sex Toys: 30}", "all of: {moderation/Explicit/Sex Toys: 30}"),
        ("guardrail/HATE: LOW", "guardrail/HATE: 30"),
        (
            "all of: {guardrail/topic/minors: seen, moderation/Explicit: 20}",
            "all of: {moderation/Explicit: 20}, any of: {guardrail/topic/minors: seen}",
        ),
    ):
        assert parse_policy(f"{head}\nrules:\n{rules.replace(old, new)}") == POLICY


def test_what_an_exception_relaxes_stands_in_one_order_so_that_a_version_is_the_same_everywhere() -> None:
    labels = ("Weapons", "Violence", "Pills", "Gambling", "Explicit", "Drinking", "Corpses", "Alcohol")
    written = ", ".join(f"moderation/{label}" for label in labels)
    policy = parse_policy(TEXT.replace("moderation/Hate Symbols, moderation/Weapons", written))
    (relaxed,) = (one.relax for one in policy.rules.exemptions if one.name == "drawn")
    assert relaxed == tuple(sorted(f"moderation/{full_path(label)}" for label in labels))


RULES = TEXT[: TEXT.index("rules:\n")] + "rules:\n"
LINE = RULES.count("\n") + 1
MISTAKES = [
    ("Bad Name: {when: {any of: {pii/NAME: 1}}, then: hold}",
     'rules: "Bad Name" is no name of a rule; they look like "drawn-weapons"'),
    ("a: {when: {any of: {pii/NAME: 1}}}", 'a: "then" is missing'),
    ("a: {then: hold}", 'a: "when" is missing'),
    ("a: {when: {any of: {pii/NAME: 1}}, then: allow}", 'then: must be hold or reject (it is "allow")'),
    ("a: {when: {any of: {pii/NAME: 1}}, than: hold, then: hold}", 'a: unknown key "than"; the nearest is "then"'),
    ("a: {when: {some of: {pii/NAME: 1}, all of: {pii/NAME: 1}}, then: hold}",
     'when: unknown key "some of"; the nearest is "two of"'),
    ("a: {when: {}, then: hold}", "when: names nothing; say all of or any of or two of"),
    ("a: {when: {any of: {}}, then: hold}", "when: names nothing; say all of or any of or two of"),
    ("a: {when: {any off: {pii/NAME: 1}}, then: hold}", 'when: unknown key "any off"; the nearest is "any of"'),
    ("a: {when: {any of: {moderation/Wepons: 1}}, then: hold}", 'unknown label "Wepons"; the nearest is "Weapons"'),
    ("a: {when: {any of: 7}, then: hold}", "any of: must be a mapping of names to values"),
    ("a: {when: 7, then: hold}", "when: must be a mapping of names to values"),
    ("a: {when: {any of: {pii/NAME: 1}}, unless: 7, then: hold}", "unless: must be a mapping of names to values"),
    ("a: {when: {two of: {pii/NAME: 1}}, then: hold}", "two of: names fewer than 2 labels"),
    ("a: {when: {any of: {pii/NAMES: 1}, all of: {pii/SSN: 1}}, then: hold}",
     'unknown label "pii/NAMES"; the nearest is "pii/NAME"'),
    ("a: {when: {any of: {moderation/Wepons: 1}, all of: {pii/SSN: 1}}, then: hold}",
     'unknown label "Wepons"; the nearest is "Weapons"'),
    ("a: {when: {any of: {moderation/Drugs: 1}, all of: {pii/SSN: 1}}, then: hold}",
     'unknown label "Drugs" is a name of model v6; v7 says "Drugs & Tobacco"'),
    ("a: {when: {any of: {moderatoin/Weapons: 1}, all of: {pii/SSN: 1}}, then: hold}",
     'unknown label "moderatoin/Weapons"; the nearest is "moderation"'),
    ("a: {when: {any of: {Weapons: 1}, all of: {pii/SSN: 1}}, then: hold}",
     'unknown label "Weapons"; they look like moderation/Weapons or pii/NAME'),
    ("a: {when: {any of: {classifier/allow: 1}, all of: {pii/SSN: 1}}, then: hold}",
     'unknown label "classifier/allow"'),
    ("a: {when: {any of: {guardrail/topic/: 1}, all of: {pii/SSN: 1}}, then: hold}",
     'unknown label "guardrail/topic/"; nothing stands behind its last "/"'),
    ("a: {when: {any of: {guardrail/HAT: 1}, all of: {pii/SSN: 1}}, then: hold}",
     'unknown label "guardrail/HAT"; the nearest is "guardrail/HATE"'),
    ("a: {when: {any of: {pii/NAME/first: 1}, all of: {pii/SSN: 1}}, then: hold}",
     'unknown label "pii/NAME/first"'),
    ("a: {when: {any of: {pii/topic/weapons: 1}, all of: {pii/SSN: 1}}, then: hold}",
     'unknown label "pii/topic/weapons"'),
    ("a: {when: {any of: {term/: 1}, all of: {pii/SSN: 1}}, then: hold}",
     'unknown label "term/"; nothing stands behind its last "/"'),
    (
        "a: {when: {any of: {term/slurs/: 1}, all of: {pii/SSN: 1}}, then: hold}",
        'unknown label "term/slurs/"; nothing stands behind its last "/"',
    ),
    (
        "a: {when: {any of: {known/bad/: seen}, all of: {pii/SSN: 1}}, then: hold}",
        'unknown label "known/bad/"; nothing stands behind its last "/"',
    ),
    ("a: {when: {any of: {guardrail/topic/x/: 1}, all of: {pii/SSN: 1}}, then: hold}",
     'unknown label "guardrail/topic/x/"; nothing stands behind its last "/"'),
    ("a: {when: {any of: {classifier/hold/: 1}, all of: {pii/SSN: 1}}, then: hold}",
     'unknown label "classifier/hold/"; nothing stands behind its last "/"'),
    ("a: {when: {any of: {pii/NAME: LOW}, all of: {pii/SSN: 1}}, then: hold}",
     'pii/NAME: must be a number from 0 to 100 (it is "LOW")'),
    ("a: {when: {any of: {pii/NAME: LOW, pii/AGE: 1}, all of: {pii/NAME: 1}}, then: hold}",
     'pii/NAME: must be a number from 0 to 100 (it is "LOW")'),
    ("a: {when: {any of: {pii/NAME: 101}, all of: {pii/SSN: 1}}, then: hold}",
     'pii/NAME: must be from 0 to 100 (it is "101")'),
    ("a: {when: {any of: {moderation/Violence: 1}, all of: {moderation/Weapons: 1}}, then: hold}",
     f'all of: "moderation/Violence/Weapons" and "moderation/Violence" in line {LINE} are met by one'),
    ("a: {when: {any of: {moderation/Weapons: 1}, all of: {moderation/Violence: 1}}, then: hold}",
     f'all of: "moderation/Violence" and "moderation/Violence/Weapons" in line {LINE} are met by one'),
    ("a: {when: {any of: {known/fine: 1}}, then: hold}", "a: names only context, which is no violation by itself"),
    ("a: {when: {any of: {content-type/Illustrated: 1}}, then: hold}",
     "a: names only context, which is no violation by itself"),
    ("a: {when: {any of: {content-type/Illustrated/Comic: 1}}, then: hold}",
     "a: names only context, which is no violation by itself"),
    ("a: {when: {any of: {pii/NAME: 1}}, unless: {pii/AGE: 1}, then: hold}",
     'unknown label "pii/AGE"; here can stand only content-type/ or known/'),
    ("a: {when: {any of: {pii/NAME: 1}}, unless: {known/bad: 1}, then: hold}",
     'unless: "bad" is no list that "known" allows'),
    ("a: {when: {any of: {pii/NAME: 1}}, unless: {known/bad/1: 1}, then: hold}",
     'unless: "bad/1" is no list that "known" allows'),
    ("a: {when: {any of: {pii/NAME: 1}}, unless: {}, then: hold}", "unless: names nothing"),
    ("a: {when: {any of: {pii/NAME: 1}}, then: hold, priority: high}",
     'priority: must be normal or top (it is "high")'),
    ("a: {relax: [Weapons], when: {known/fine: seen}, then: hold}",
     'unknown label "Weapons"; they look like moderation/Weapons or pii/NAME'),
    ("a: {relax: [pii/NAME], when: {known/fine: seen}, then: hold}",
     'unknown label "pii/NAME"; here can stand only moderation/'),
    ("a: {relax: [moderation/Wepons, moderation/Weapons], when: {known/fine: seen}, then: hold}",
     'unknown label "Wepons"; the nearest is "Weapons"'),
    ("a: {relax: [7], when: {known/fine: seen}, then: hold}", "relax: must be text, in quotes if need be"),
    ("a: {relax: [], when: {known/fine: seen}, then: hold}", "relax: names no label"),
    ("a: {relax: moderation/Weapons, when: {known/fine: seen}}", 'a: "then" is missing'),
    ("a: {relax: moderation/Weapons, then: hold}", 'a: "when" is missing'),
    ("a: {relax: moderation/Weapons, when: {known/fine: seen}, then: reject}",
     'then: must be allow or hold (it is "reject")'),
    ("a: {relax: moderation/Weapons, when: {known/fine: seen}, then: hold, priority: top}",
     'a: a rule that relaxes has no "priority"'),
    ("a: {relax: moderation/Weapons, when: {known/fine: seen}, unless: {known/fine: seen}, then: hold}",
     'a: a rule that relaxes has no "unless"'),
    ("a: {relax: moderation/Weapons, when: {moderation/Violence: 1}, then: hold}",
     'unknown label "moderation/Violence"; here can stand only content-type/ or known/'),
    ("[a]", "rules: must be a mapping of names to values"),
]  # fmt: skip


def test_a_banned_term_is_no_context_though_known_content_that_is_fine_is_called_the_same() -> None:
    policy = parse_policy(f"{RULES}  a: {{when: {{any of: {{term/fine: seen}}}}, then: reject}}\n")
    assert "a" in {one.name for one in policy.rules.combinations}


def test_two_labels_that_nobody_knows_are_two_mistakes() -> None:
    written = "a: {when: {all of: {moderation/Wepons: 1, moderation/Violense: 1}}, then: hold}"
    with pytest.raises(PolicyError) as error:
        parse_policy(f"{RULES}  {written}\n", source="p")
    assert [one.partition(": ")[2] for one in error.value.problems] == [
        'unknown label "Violense"; the nearest is "Violence"',
        'unknown label "Wepons"; the nearest is "Weapons"',
    ]


@pytest.mark.parametrize(
    "label",
    [
        *("guardrail/word/custom", "guardrail/word/PROFANITY", "guardrail/topic/x", "guardrail/PROMPT_ATTACK"),
        *("classifier/hold", "classifier/reject/spam", "term/slurs", "unreadable/empty", "toxicity/INSULT"),
    ],
)
def test_whatever_is_found_can_stand_in_a_rule(label: str) -> None:
    policy = parse_policy(f"{RULES}  a: {{when: {{all of: {{{label}: seen, pii/SSN: 1}}}}, then: reject}}\n")
    other = Finding(detector="any", detector_version="", label="pii/SSN", confidence=50)
    rule = "spam" if label.endswith("/spam") else ""
    found = replace(other, label=label.removesuffix("/spam"), rule=rule)
    assert "rules/a" in {one.name for one in decide([found, other], policy, policy.surfaces[-1]).rules}


@pytest.mark.parametrize(("written", "says"), MISTAKES, ids=[written for written, _ in MISTAKES])
def test_a_mistake_in_a_rule_is_one_message_with_its_line(written: str, says: str) -> None:
    with pytest.raises(PolicyError) as error:
        parse_policy(f"{RULES}  {written}\n", source="p")
    assert [one.partition(": ")[2] for one in error.value.problems] == [says]
    assert error.value.problems[0].startswith(f"p:{LINE - (written == '[a]')}: ")


def test_each_mistake_among_the_labels_of_a_rule_is_told() -> None:
    with pytest.raises(PolicyError) as error:
        parse_policy(
            f"{RULES}  a: {{when: {{all of: {{pii/NAMES: 1, pii/SSN: LOW, pii/EMIAL: 1, pii/URL: 1}}}}, then: hold}}\n"
        )
    assert sorted(one.partition(": ")[2] for one in error.value.problems) == [
        'pii/SSN: must be a number from 0 to 100 (it is "LOW")',
        'unknown label "pii/EMIAL"; the nearest is "pii/EMAIL"',
        'unknown label "pii/NAMES"; the nearest is "pii/NAME"',
    ]


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("Wepons: {hold: 50}", 'labels: unknown label "Wepons"; the nearest is "Weapons"'),
        ("Weapons: {hold: 91}", "Weapons: hold at 91 is above reject at 90 (own or inherited), so nothing would ever "
         "be held; turn them round, or say never"),
        ("Violence: {reject: 70}", 'Violence: hold of "Weapons" at 80 is above reject at 70 (own or inherited), so '
         "nothing would ever be held; turn them round, or say never"),
        ("Violence: {hold: 91}", "Violence: hold at 91 is above reject at 90 (own or inherited), so nothing would ever "
         "be held; turn them round, or say never"),
        ("Weapons: {}", 'Weapons: says nothing; give "hold", "reject" or "ignore: true"'),
    ],
)  # fmt: skip
def test_a_mistake_in_a_surfaces_thresholds_is_one_message_with_its_line(written: str, says: str) -> None:
    text = TEXT.replace("labels: {Violence: {hold: 30}", f"labels: {{{written}", 1)
    with pytest.raises(PolicyError) as error:
        parse_policy(text, source="p")
    assert list(error.value.problems) == [f"p:3: {says}"]


def test_a_label_far_below_whose_thresholds_a_surface_turns_round_is_told_by_its_last_name() -> None:
    text = TEXT.replace("labels: {Violence: {hold: 30}", "labels: {Violence: {hold: 75}", 1)
    text = text.replace("  Weapons: {hold: 80}\n", "  Weapons: {hold: 80}\n  Self-Harm: {reject: 70}\n", 1)
    with pytest.raises(PolicyError, match=r'^p:3: Violence: hold of "Self-Harm" at 75 is above reject at 70 '):
        parse_policy(text, source="p")
