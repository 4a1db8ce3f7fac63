"""Why a tier: every finding is told what it reached, what it missed, and whether it counted."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import CONFIG
from tasks.decide.decision import decide
from tasks.decide.explain import Explained, explain, steps
from tasks.decide.holding import OTHER, Holding, holdings
from tasks.decide.policy import Policy
from tasks.decide.policy_file import parse_policy
from tasks.decide.rule import Tier
from tasks.decide.taxonomy import PATHS
from tasks.detect.finding import Finding

TEXT = (CONFIG / "policy.yaml").read_text(encoding="utf-8")
POLICY = parse_policy(TEXT)
FEED = POLICY.surface_for("feed/x")


def with_rule(when: str, then: str = "hold", *, text: str = TEXT) -> str:
    """The policy with a rule that a single finding reaches."""
    return text.replace("\nrules:\n", f"\nrules:\n  alone: {{when: {{any of: {{{when}}}}}, then: {then}}}\n", 1)


ALONE = parse_policy(with_rule("moderation/Weapons: 40"))
#: With a ladder whose rule comes after `rules/` by name.
INSULT = TEXT.replace("\ntoxicity:\n", "\ntoxicity:\n  INSULT: {hold: 30}\n", 1)
LABELS = (
    *("moderation/Violence/Weapons", "moderation/Violence", "moderation/Alcohol", "guardrail/HATE", "classifier/allow"),
    *("guardrail/PROMPT_ATTACK", "pii/EMAIL", "unreadable/empty", "content-type/Illustrated", "new/Kind"),
    *("pii/NAME", "pii/ADDRESS", "toxicity/VIOLENCE_OR_THREAT"),
)
DRAWN, WEAPON = "content-type/Illustrated", "moderation/Violence/Weapons"
DOXXING = ("pii/NAME", "pii/ADDRESS", "pii/PHONE")


def saw(label: str, confidence: float = 99.0, **more: Any) -> Finding:
    return Finding(detector="any", detector_version="1", label=label, confidence=confidence, **more)


def told(*findings: Finding, policy: Policy = POLICY) -> dict[str, Explained]:
    _, explained = explain(findings, policy, FEED)
    return {one.finding.label: one for one in explained}


seen = st.lists(
    st.builds(
        saw,
        st.sampled_from(LABELS),
        st.floats(0, 100),
        part=st.sampled_from(["body", "caption"]),
        time_ms=st.sampled_from([None, (0, 1), (5, 9)]),
    ),
    max_size=6,
)


@given(seen)
def test_the_decision_told_is_the_decision_made_and_some_finding_counts_unless_it_is_allowed(
    found: list[Finding],
) -> None:
    decision, explained = explain(found, POLICY, FEED)
    assert decision == decide(found, POLICY, FEED)
    assert {one.finding.label for one in explained} == {one.label for one in found}
    assert sum(one.times for one in explained) == len(found)
    for one in explained:
        assert (one.weight in ("below", "part", "free")) is (not one.reached)
        assert bool(one.beside) is (one.weight == "part")
        assert bool(one.lifted_by) is (one.weight == "lifted")
        if one.weight == "counts":
            assert {rule.name for rule in one.reached} <= {rule.name for rule in decision.rules}
        assert all(rule.threshold is not None and rule.threshold > one.finding.confidence for rule in one.missed)


def test_a_finding_that_reached_the_tier_counts_and_one_below_it_says_what_it_missed() -> None:
    one = told(saw("moderation/Violence/Weapons", 70))["moderation/Violence/Weapons"]
    assert (one.weight, one.reached[0].name) == ("counts", "labels/Violence/Weapons>=60")
    assert [rule.name for rule in one.missed] == ["labels/Violence/Weapons>=90"]
    one = told(saw("moderation/Violence/Weapons", 40))["moderation/Violence/Weapons"]
    assert (one.weight, one.reached) == ("below", ())
    assert [rule.threshold for rule in one.missed] == [60, 90]


def test_what_leads_no_further_than_it_came_and_what_no_confidence_leads_to_is_not_missed() -> None:
    careful = parse_policy(TEXT.replace("{gray: LOW, reject: HIGH}", "{gray: LOW, hold: MEDIUM, reject: HIGH}"))
    one = told(saw("guardrail/HATE", 30), policy=careful)["guardrail/HATE"]
    assert [rule.name for rule in one.missed] == ["guardrail/HATE>=HIGH"]
    seen_at_all = parse_policy(with_rule("moderation/Weapons: seen"))
    one = told(saw("moderation/Violence/Weapons", 20), policy=seen_at_all)["moderation/Violence/Weapons"]
    assert (one.weight, [rule.threshold for rule in one.missed]) == ("counts", [90])


@pytest.mark.parametrize(
    ("label", "policy", "missed"),
    [
        ("moderation/Violence/Weapons", ALONE, [(Tier.HOLD, 40), (Tier.HOLD, 60), (Tier.REJECT, 90)]),
        ("pii/NAME", parse_policy(with_rule("pii/NAME: 80")), [(Tier.HOLD, 80)]),
        ("pii/NAME", parse_policy(with_rule("pii/AGE: 30, pii/NAME: 80, pii/PIN: 90")), [(Tier.HOLD, 80)]),
        (
            "toxicity/INSULT",
            parse_policy(with_rule("toxicity/INSULT: 40", text=INSULT)),
            [(Tier.HOLD, 30), (Tier.HOLD, 40)],
        ),
        ("toxicity/INSULT", parse_policy(with_rule("toxicity/INSULT: 30", text=INSULT)), [(Tier.HOLD, 30)]),
        ("toxicity/INSULT", parse_policy(with_rule("toxicity/INSULT: 25", "reject", text=INSULT)), [(Tier.REJECT, 25)]),
        ("term/any", parse_policy(with_rule("term/any: 40", "reject")), [(Tier.REJECT, 40)]),
        ("unreadable/any", parse_policy(with_rule("unreadable/any: 40")), []),
        ("unreadable/any", parse_policy(with_rule("unreadable/any: 100", "reject")), [(Tier.REJECT, 100)]),
    ],
)
def test_a_rule_that_a_surer_one_reaches_alone_is_missed_and_hides_no_other(
    label: str, policy: Policy, missed: list[tuple[Tier, float]]
) -> None:
    one = told(saw(label, 20), policy=policy)[label]
    assert [(rule.tier, rule.threshold) for rule in one.missed] == missed
    assert one.weight == ("counts" if one.reached else "below")


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_of_rules_that_lead_to_the_same_the_one_that_asks_for_less_is_missed_first(names: tuple[str, str]) -> None:
    low, high = names
    rules = "".join(
        f"  {name}: {{when: {{any of: {{pii/NAME: {at}}}}}, then: hold}}\n" for name, at in ((low, 40), (high, 70))
    )
    policy = parse_policy(TEXT.replace("\nrules:\n", f"\nrules:\n{rules}", 1))
    one = told(saw("pii/NAME", 20), policy=policy)["pii/NAME"]
    assert [(rule.name, rule.threshold) for rule in one.missed] == [(f"rules/{low}", 40), (f"rules/{high}", 70)]


def test_a_verdict_of_the_classifiers_has_the_threshold_of_the_rule_that_names_it() -> None:
    policy = parse_policy(with_rule("classifier/hold/spam: 67", "reject"))
    one = told(saw("classifier/hold", 33, rule="spam"), policy=policy)["classifier/hold"]
    assert [(rule.name, rule.threshold) for rule in one.missed] == [("rules/alone", 67)]
    assert told(saw("classifier/hold", 33), policy=policy)["classifier/hold"].missed == ()


def test_a_confidence_that_cannot_be_has_missed_nothing() -> None:
    one = told(saw("moderation/Violence/Weapons", 101))["moderation/Violence/Weapons"]
    assert (one.weight, one.missed) == ("counts", ())


def test_the_worst_is_told_first_however_sure_the_others_are_and_of_several_alike_the_surest() -> None:
    found = [
        saw("moderation/Violence/Weapons", 91),
        saw("unreadable/empty", 100),
        saw("moderation/Violence/Weapons", 62),
    ]
    for some in (found, found[::-1]):
        _, explained = explain(some, POLICY, FEED)
        assert [(one.finding.label, one.finding.confidence, one.times) for one in explained] == [
            ("moderation/Violence/Weapons", 91, 2),
            ("unreadable/empty", 100, 1),
        ]


def test_of_those_that_lead_to_the_same_the_surer_comes_first_and_of_these_the_first_by_name() -> None:
    some = [saw(f"guardrail/{name}", sure) for name, sure in (("SEXUAL", 60), ("HATE", 60), ("VIOLENCE", 90))]
    for found in permutations(some):
        _, explained = explain(found, POLICY, FEED)
        assert [one.finding.label for one in explained] == ["guardrail/VIOLENCE", "guardrail/HATE", "guardrail/SEXUAL"]


@pytest.mark.parametrize(("sure", "place"), [(50, 0), (70, 1)])
def test_what_is_lifted_is_told_among_what_is_allowed_by_how_sure_it_was(sure: float, place: int) -> None:
    found = [saw("guardrail/HATE", 60), saw("classifier/allow", 0), saw("moderation/Alcohol", sure)]
    _, explained = explain(found, POLICY, FEED)
    assert [one.finding.label for one in explained].index("guardrail/HATE") == place
    assert explained[-1].finding.label == "classifier/allow"


def test_the_same_label_by_another_detector_is_told_by_itself() -> None:
    email = saw("pii/EMAIL", 90)
    _, explained = explain([email, replace(email, detector="other"), email], POLICY, FEED)
    assert sorted((one.finding.detector, one.times) for one in explained) == [("any", 2), ("other", 1)]


def test_the_same_label_in_another_part_is_told_by_itself() -> None:
    _, explained = explain([saw("pii/NAME", 90, part=part) for part in ("body", "caption", "body")], POLICY, FEED)
    assert sorted((one.finding.part, one.times) for one in explained) == [("body", 2), ("caption", 1)]


def test_each_part_of_a_combination_that_holds_counts_with_the_threshold_of_its_own_condition() -> None:
    all_told = told(*(saw(label, 90, span=(0, 1)) for label in DOXXING), saw("pii/EMAIL", 70, span=(2, 3)))
    for label in DOXXING:
        assert all_told[label].weight == "counts"
        assert [(rule.name, rule.tier, rule.threshold) for rule in all_told[label].reached] == [
            ("rules/doxxing", Tier.HOLD, 80)
        ]
    one = all_told["pii/EMAIL"]
    assert (one.weight, [(rule.name, rule.tier) for rule in one.reached]) == ("outdone", [("pii/EMAIL", Tier.REDACT)])
    assert [(rule.name, rule.threshold) for rule in one.beside] == []


def test_a_part_of_a_combination_says_what_it_would_lead_to_beside_the_others() -> None:
    for sure in (70, 90):
        one = told(saw("pii/NAME", sure), saw("pii/ADDRESS", 90))["pii/NAME"]
        assert (one.weight, one.reached, one.missed) == ("part", (), ())
        assert [(rule.name, rule.tier, rule.threshold, rule.confidence) for rule in one.beside] == [
            ("rules/doxxing", Tier.HOLD, 80, 100)
        ]
    one = told(saw("classifier/allow", 0, rule="minor-safety"))["classifier/allow"]
    assert (one.weight, one.beside) == ("free", ())


def test_a_part_of_several_combinations_names_each_and_no_other() -> None:
    rules = "\nrules:\n  names: {when: {all of: {pii/NAME: 60, pii/AGE: 60}}, then: reject}\n"
    one = told(saw("pii/NAME", 90), policy=parse_policy(TEXT.replace("\nrules:\n", rules, 1)))["pii/NAME"]
    assert [(rule.name, rule.tier, rule.threshold) for rule in one.beside] == [
        ("rules/doxxing", Tier.HOLD, 80),
        ("rules/names", Tier.REJECT, 60),
    ]


def test_what_leads_to_a_combination_within_another_is_told_of_each_once() -> None:
    rules = """
rules:
  pair: {when: {all of: {pii/NAME: 60, pii/AGE: 60}}, then: hold}
  three: {when: {all of: {pii/NAME: 70, pii/AGE: 60, pii/USERNAME: 60}}, then: reject}
"""
    policy = parse_policy(TEXT.replace("\nrules:\n", rules, 1))
    one = told(saw("pii/NAME", 90), policy=policy)["pii/NAME"]
    assert [(rule.name, rule.threshold) for rule in one.beside] == [
        ("rules/doxxing", 80),
        ("rules/pair", 60),
        ("rules/three", 70),
    ]


def test_what_a_combination_takes_further_has_missed_nothing_that_leads_as_far() -> None:
    policy = parse_policy(
        with_rule(f"{WEAPON}: 99", "reject").replace(
            f"any of: {{{WEAPON}: 99}}", f"all of: {{{WEAPON}: 50, pii/NAME: 50}}"
        )
    )
    one = told(saw(WEAPON, 70), saw("pii/NAME", 70), policy=policy)[WEAPON]
    assert (one.weight, [rule.name for rule in one.reached], one.missed) == ("counts", ["rules/alone"], ())
    assert [rule.threshold for rule in told(saw(WEAPON, 70), policy=policy)[WEAPON].missed] == [90]


def test_what_merely_leads_further_lifts_nothing() -> None:
    one = told(saw("guardrail/HATE", 60), saw("classifier/allow", 0), saw(WEAPON, 95))["guardrail/HATE"]
    assert (one.weight, one.lifted_by) == ("lifted", ("classifier/allow",))


def test_where_personal_data_may_stand_no_combination_is_about_it() -> None:
    messages = POLICY.surface_for("messages/x")
    _, (one,) = explain([saw("pii/NAME", 90)], POLICY, replace(messages, pii="never"))
    assert (one.weight, one.beside) == ("free", ())


def test_what_its_context_eases_counts_as_that_leaves_it_and_says_what_it_is_by_itself() -> None:
    all_told = told(saw(WEAPON, 95), saw(DRAWN, 95))
    one = all_told[WEAPON]
    assert (one.weight, [rule.name for rule in one.reached]) == ("counts", ["rules/drawn-violence"])
    assert [rule.name for rule in one.alone] == ["labels/Violence/Weapons>=90"]
    assert (one.lifted_by, all_told[DRAWN].weight) == ((), "free")
    assert told(saw(WEAPON, 95))[WEAPON].alone == ()
    assert told(saw(WEAPON, 70), saw(DRAWN, 95))[WEAPON].alone == ()


def test_a_film_of_which_one_scene_is_drawn_counts_by_the_other() -> None:
    drawn = [saw(WEAPON, 95, time_ms=(0, 9)), saw(DRAWN, 95, time_ms=(0, 9))]
    one = told(*drawn, saw(WEAPON, 92, time_ms=(20, 29)))[WEAPON]
    assert (one.weight, [rule.name for rule in one.reached]) == ("counts", ["labels/Violence/Weapons>=90"])
    assert (one.times, one.finding.confidence, one.alone) == (2, 95, ())


def test_what_a_scene_of_a_film_is_lifted_by_is_what_stands_in_that_scene() -> None:
    policy = parse_policy(
        TEXT.replace(
            "\n  drawn-violence:",
            f"\n  fine: {{relax: [moderation/Violence], when: {{{DRAWN}: 90}}, then: allow}}\n  drawn-violence:",
            1,
        )
    )
    scene = [saw(WEAPON, 95, time_ms=(0, 9)), saw(DRAWN, 95, time_ms=(0, 9))]
    one = told(saw(DRAWN, 99, time_ms=(20, 29)), *scene, saw(DRAWN, 99, time_ms=(30, 39)), policy=policy)[WEAPON]
    assert (one.weight, one.lifted_by) == ("lifted", (DRAWN,))


def test_a_milder_one_is_outdone_and_one_that_no_rule_is_about_is_free() -> None:
    all_told = told(saw("moderation/Violence/Weapons", 95), saw("unreadable/empty"), saw("moderation/Alcohol"))
    weights = {label: one.weight for label, one in all_told.items()}
    assert weights == {
        "moderation/Violence/Weapons": "counts",
        "unreadable/empty": "outdone",
        "moderation/Alcohol": "free",
    }


def test_what_the_classifier_allowed_is_lifted_by_it() -> None:
    one = told(saw("guardrail/HATE", 60), saw("classifier/allow", 0))["guardrail/HATE"]
    assert (one.weight, one.lifted_by) == ("lifted", ("classifier/allow",))


def test_the_classifiers_leave_lifts_nothing_where_it_was_attacked() -> None:
    all_told = told(saw("guardrail/HATE", 60), saw("classifier/allow", 0), saw("guardrail/PROMPT_ATTACK", 90))
    assert all_told["guardrail/HATE"].weight == "counts"


def test_an_ancestor_that_only_echoes_its_child_is_lifted_by_the_child() -> None:
    path = "Non-Explicit Nudity of Intimate parts and Kissing/Non-Explicit Nudity"
    all_told = told(saw(f"moderation/{path}"), saw(f"moderation/{path}/Exposed Male Nipple"))
    assert all_told[f"moderation/{path}"].lifted_by == (f"moderation/{path}/Exposed Male Nipple",)


def test_an_ancestor_is_lifted_by_each_child_that_leads_as_far_and_they_are_told_by_name() -> None:
    names = ("Weapons", *(f"Graphic Violence/{name}" for name in ("Weapon Violence", "Blood & Gore", "Self-Harm")))
    children = [f"moderation/Violence/{name}" for name in names]
    one = told(saw("moderation/Violence", 70), *(saw(child, 70) for child in children))["moderation/Violence"]
    assert (one.weight, list(one.lifted_by)) == ("lifted", sorted(children))


def test_a_label_seen_a_thousand_times_in_a_film_is_told_once_at_its_surest() -> None:
    film = [saw("moderation/Violence/Weapons", 61 + at % 20, time_ms=(at, at + 1)) for at in range(1000)]
    one = told(*film)["moderation/Violence/Weapons"]
    assert (one.times, one.finding.confidence) == (1000, 80)


def test_the_steps_of_a_label_are_its_thresholds_the_strictest_first() -> None:
    rules = steps(saw("guardrail/HATE"), POLICY, FEED)
    assert [(rule.tier, rule.threshold) for rule in rules] == [(Tier.REJECT, 90), (Tier.HOLD, 30)]
    assert steps(saw("moderation/Alcohol"), POLICY, FEED) == ()


def test_the_steps_of_a_label_go_down_to_a_rule_that_it_reaches_alone() -> None:
    assert [rule.name for rule in steps(saw("moderation/Violence/Weapons"), ALONE, FEED)] == [
        "labels/Violence/Weapons>=90",
        "labels/Violence/Weapons>=60",
        "rules/alone",
    ]


@pytest.mark.parametrize("threshold", [40, 0.5])
def test_the_steps_of_a_label_go_down_past_a_rule_that_it_reaches_alone_to_one_that_asks_for_no_confidence(
    threshold: float,
) -> None:
    policy = parse_policy(with_rule(f"unreadable/any: {threshold}"))
    rules = steps(saw("unreadable/any"), policy, FEED)
    assert [(rule.name, rule.threshold) for rule in rules] == [("rules/alone", threshold), ("unreadable/any", None)]


@pytest.mark.parametrize("threshold", ["0", "0.5", "1", "100"])
def test_a_threshold_at_the_end_of_the_scale_is_one_step(threshold: str) -> None:
    policy = parse_policy(TEXT.replace("Gambling: {hold: 90", f"Gambling: {{hold: {threshold}"))
    assert [rule.threshold for rule in steps(saw("moderation/Gambling"), policy, FEED)] == [float(threshold)]


def held(text: str = TEXT, key: str = "feed/x") -> dict[str, Holding]:
    policy = parse_policy(text)
    return {one.label: one for one in holdings(policy, policy.surface_for(key), text)}


def test_what_holds_of_a_label_is_its_ladder_whatever_it_was_inherited_from() -> None:
    shown = held()
    for path in PATHS:
        ladder = POLICY.labels[path]
        tiers = {Tier.HOLD: ladder.hold, Tier.REJECT: ladder.reject}
        assert shown[f"moderation/{path}"].tiers == {tier: at for tier, at in tiers.items() if at is not None}


def test_each_threshold_is_told_where_it_is_written() -> None:
    shown = held(TEXT.replace("  Self-Harm: {hold: 45, reject: 80} ", "  Self-Harm: {hold: 45} "))
    path = "moderation/Violence/Graphic Violence/Self-Harm"
    assert shown[path].written_at == {Tier.HOLD: "Self-Harm", Tier.REJECT: "Graphic Violence"}
    assert shown["moderation/Swimwear or Underwear/Female Swimwear or Underwear"].written_at == {
        Tier.HOLD: "Swimwear or Underwear",
        Tier.REJECT: "Swimwear or Underwear",
    }
    own = held(TEXT.replace('prefix: ""', 'prefix: ""\n    labels: {Weapons: {hold: 40}}', 1))
    assert own["moderation/Violence/Weapons"].written_at == {Tier.HOLD: "feed: Weapons", Tier.REJECT: "Weapons"}


def test_a_tier_that_no_entry_names_is_written_nowhere_and_without_the_text_none_is() -> None:
    bare = held(TEXT.replace("Hate Symbols: {hold: 50, reject: 80}", "Hate Symbols: {hold: 50}"))
    assert bare["moderation/Hate Symbols/Extremist"].written_at == {Tier.HOLD: "Hate Symbols"}
    assert all(not one.written_at for one in holdings(POLICY, FEED))


@pytest.mark.parametrize(
    ("label", "tiers"),
    {
        "guardrail/HATE": {Tier.HOLD: 30, Tier.REJECT: 90},
        "classifier/hold": {Tier.HOLD: None},
        "classifier/reject": {Tier.REJECT: None},
        "pii/EMAIL": {Tier.REDACT: 60},
        "pii/NAME": {},
        "guardrail/word/custom": {Tier.REJECT: None},
        f"guardrail/topic/{OTHER}": {Tier.HOLD: None},
        "known/confirmed-violating": {Tier.REJECT: None},
        "known/confirmed-fine": {},
        "unreadable/(any other)": {Tier.HOLD: None},
        f"term/{OTHER}": {Tier.HOLD: None},
        "toxicity/INSULT": {Tier.HOLD: 80},
    }.items(),
)
def test_all_else_that_the_policy_names_is_told_as_well(label: str, tiers: dict[Tier, float | None]) -> None:
    assert held()[label].tiers == tiers


@pytest.mark.parametrize(
    ("label", "when", "then"),
    [
        ("moderation/Violence/Weapons", "moderation/Weapons: 40", "hold"),
        ("moderation/Violence/Weapons", "moderation/Weapons: 40", "reject"),
        ("toxicity/INSULT", "toxicity/INSULT: 40", "hold"),
        ("toxicity/INSULT", "toxicity/INSULT: 90", "reject"),
        ("pii/NAME", "pii/NAME: 80", "hold"),
        ("classifier/hold", "classifier/hold: seen", "reject"),
    ],
)
def test_a_rule_that_one_finding_meets_alone_changes_nothing_of_what_its_label_holds(
    label: str, when: str, then: str
) -> None:
    assert held(with_rule(when, then))[label] == held()[label]


@pytest.mark.parametrize(("severity", "rejected"), [(1, 50 / 3), (2, 50), (3, 250 / 3)])
def test_a_verdict_below_the_severity_that_rejects_is_held_and_the_table_says_so(
    severity: int, rejected: float
) -> None:
    text = TEXT.replace("reject_from_severity: 0", f"reject_from_severity: {severity}")
    assert held(text)["classifier/reject"].tiers == {Tier.REJECT: pytest.approx(rejected), Tier.HOLD: None}
    verdicts = [saw("classifier/reject", one / 3 * 100) for one in range(4)]
    policy = parse_policy(text)
    tiers = [decide([one], policy, FEED).tier for one in verdicts]
    assert tiers == [Tier.REJECT if one >= severity else Tier.HOLD for one in range(4)]
    at = decide([saw("classifier/reject", held(text)["classifier/reject"].tiers[Tier.REJECT] or 0)], policy, FEED)
    assert at.tier is Tier.REJECT


def test_a_surface_on_which_personal_data_may_stand_has_no_rule_about_it() -> None:
    shown = held(TEXT.replace("pii: always", "pii: never"), key="messages/x")
    assert all(not one.tiers for label, one in shown.items() if label.startswith("pii/"))
