"""Laws of the decision, for any findings under any policy."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.settings import CONFIG
from tasks.decide.accounts import strikes_for
from tasks.decide.brake import held_by_brake, is_braked, scope_in
from tasks.decide.combination import Combination, Condition, Rules
from tasks.decide.decision import Tier, decide
from tasks.decide.kinds import CATEGORIES, PII_TYPES, TOXIC_TYPES
from tasks.decide.moments import worst_moments
from tasks.decide.policy import GuardrailRules, Policy, Surface, TermRules, ToxicityRules
from tasks.decide.policy_file import parse_policy
from tasks.decide.rule import Ladder
from tasks.decide.taxonomy import PATHS, lineage
from tasks.detect.finding import Finding

SHIPPED: Policy = parse_policy((CONFIG / "policy.yaml").read_text(encoding="utf-8"))
CONTEXT = ("classifier/allow", "content-type/Illustrated", "content-type/Animated", "known/confirmed-fine/1")
LABELS = (
    *(f"moderation/{path}" for path in PATHS),
    *(f"guardrail/{category}" for category in CATEGORIES),
    *("guardrail/word/PROFANITY", "guardrail/word/custom", "guardrail/topic/any", "guardrail/NEW"),
    *("classifier/hold", "classifier/reject", "guardrail/topic/minors", "unreadable/empty", "unreadable/image-format"),
    *(f"pii/{kind}" for kind in PII_TYPES),
    *(f"toxicity/{kind}" for kind in TOXIC_TYPES),
    *("toxicity/NEW", "term/slurs", "term/spam", "term/swearing", "term/new-list"),
    *("known/confirmed-violating/1", "known/new-list/1", "part/held", "part/rejected"),
    *("moderation/New", "moderation/Violence/New", "new/Kind"),
)

# Few numbers, and the thresholds among them, so that findings meet often.
confidences = st.sampled_from([0.0, 30.0, 45.0, 55.0, 60.0, 79.0, 80.0, 85.0, 90.0, 95.0, 100.0]) | st.floats(0, 100)
spans = st.none() | st.tuples(st.integers(-1, 30), st.integers(0, 30))
places = st.sampled_from(["body", "caption"])


def findings(labels: tuple[str, ...]) -> st.SearchStrategy[Finding]:
    return st.builds(
        Finding,
        detector=st.sampled_from(["a", "b"]),
        detector_version=st.just("1"),
        label=st.sampled_from(labels),
        confidence=confidences,
        span=spans,
        time_ms=st.sampled_from([None, (0, 1000)]),
        part=places,
        rule=st.sampled_from(["", "minor-safety", "hate"]),
    )


seen = st.lists(findings(LABELS + CONTEXT), max_size=8)
ladders = st.builds(
    lambda steps, gray: Ladder(gray=steps[0] if gray else None, hold=steps[1], reject=steps[2]),
    st.tuples(confidences, confidences, confidences).map(sorted),
    st.booleans(),
)
surfaces = st.builds(
    lambda surface, steps: replace(surface, labels=dict(zip(PATHS, steps, strict=False))),
    st.sampled_from(SHIPPED.surfaces),
    st.lists(ladders, max_size=12),
)


def policy_of(steps: list[Ladder]) -> Policy:
    """Labels and categories take these ladders in turn: far cheaper to draw than one for each."""
    categories = dict(zip(CATEGORIES, cycle(steps), strict=False)) | {"PROMPT_ATTACK": Ladder(hold=60, reject=None)}
    return replace(
        SHIPPED,
        labels=dict(zip(PATHS, cycle(steps), strict=False)),
        guardrail=replace(SHIPPED.guardrail, categories=categories),
        toxicity=ToxicityRules(types=dict(zip(TOXIC_TYPES, cycle(steps), strict=False))),
        terms=TermRules(lists={"slurs": Tier.REJECT, "spam": Tier.REDACT, "swearing": Tier.ALLOW}, other=Tier.HOLD),
    )


RULES = parse_policy(
    (CONFIG / "policy.yaml").read_text(encoding="utf-8").split("\nrules:\n")[0]
    + """
rules:
  doxxing: {when: {all of: {pii/NAME: 60}, any of: {pii/ADDRESS: 60, pii/PHONE: 30}}, then: hold}
  minors: {when: {all of: {guardrail/topic/minors: seen}, any of: {moderation/Explicit: 45}}, then: reject,
           priority: top}
  grooming: {when: {all of: {classifier/hold/minor-safety: seen, classifier/reject/hate: 45}}, then: reject}
  weak: {when: {two of: {moderation/Violence: 30, guardrail/HATE: LOW, toxicity/INSULT: 45, term/slurs: seen}},
         unless: {content-type/Illustrated: 80}, then: reject}
  drawn: {relax: [moderation/Violence, moderation/Explicit], when: {content-type/Animated: 90,
          known/confirmed-fine: seen}, then: allow}
  maybe-drawn: {relax: moderation/Weapons, when: {content-type/Animated: 60}, then: hold}
"""
).rules
rules = st.sampled_from([SHIPPED.rules, RULES, Rules()])
policies = st.lists(ladders, min_size=1, max_size=5).map(policy_of) | st.just(SHIPPED)
policies = st.builds(lambda policy, together: replace(policy, rules=together), policies, rules)


def is_about_an_ancestor(one: Finding, others: list[Finding]) -> bool:
    """Whether one finding says more exactly what another one says: that can be an exception to it."""
    above = {f"moderation/{path}" for path in lineage(one.label.removeprefix("moderation/"))[1:]}
    return any(other.label in above for other in others)


@given(st.data(), seen, policies, surfaces)
def test_the_order_of_findings_never_matters(
    data: st.DataObject, found: list[Finding], policy: Policy, surface: Surface
) -> None:
    shuffled = data.draw(st.permutations(found))
    assert decide(shuffled, policy, surface) == decide(found, policy, surface)
    assert policy.is_gray(shuffled) == policy.is_gray(found)


@settings(max_examples=50)
@given(st.data(), seen, surfaces)
def test_nor_does_their_order_matter_to_what_a_decision_leads_to(
    data: st.DataObject, found: list[Finding], surface: Surface
) -> None:
    shuffled = data.draw(st.permutations(found))
    rules = [rule.name for rule in decide(found, SHIPPED, surface).rules]
    for shown in (rules, rules[::-1]):
        assert SHIPPED.review.severity_of(shown, shuffled) == SHIPPED.review.severity_of(rules, found)
        assert strikes_for(shown, shuffled, SHIPPED.accounts) == strikes_for(rules, found, SHIPPED.accounts)
    assert worst_moments(shuffled, SHIPPED) == worst_moments(found, SHIPPED)


@given(seen, policies, surfaces)
def test_what_the_brake_holds_was_to_be_taken_down_by_rules_of_no_priority_and_names_the_quota(
    found: list[Finding], policy: Policy, surface: Surface
) -> None:
    decision = decide(found, policy, surface)
    if is_braked(decision):
        assert (decision.tier, decision.priority) == (Tier.REJECT, "normal")
        assert not any(rule.name.startswith(("known/", "part/")) for rule in decision.rules)
        held = held_by_brake(decision, "feed")
        assert (held.tier, scope_in(rule.name for rule in held.rules)) == (Tier.HOLD, "feed")
        assert held.rules[0].label in {finding.label for finding in found}


@given(seen, findings(LABELS), policies, surfaces)
def test_one_more_finding_is_never_more_lenient(
    found: list[Finding], more: Finding, policy: Policy, surface: Surface
) -> None:
    if not is_about_an_ancestor(more, found):
        assert decide([*found, more], policy, surface).tier >= decide(found, policy, surface).tier


@given(seen, st.sampled_from(PATHS), confidences, surfaces)
def test_a_more_exact_label_never_weakens_more_than_what_it_is_judged_by_itself(
    found: list[Finding], path: str, confidence: float, surface: Surface
) -> None:
    """What a child silences is only its own ancestors: all else still stands."""
    child = Finding(detector="a", detector_version="1", label=f"moderation/{path}", confidence=confidence)
    above = {f"moderation/{ancestor}" for ancestor in lineage(path)[1:]}
    rest = [one for one in found if one.label not in above]
    both = decide([*found, child], SHIPPED, surface).tier
    assert both >= decide([child], SHIPPED, surface).tier
    assert both >= decide(rest, SHIPPED, surface).tier


@given(
    seen, findings(("content-type/Illustrated", "content-type/Animated", "known/confirmed-fine/1")), policies, surfaces
)
def test_context_decides_nothing_where_no_rule_names_it(
    found: list[Finding], more: Finding, policy: Policy, surface: Surface
) -> None:
    policy = replace(
        policy, rules=Rules(combinations=tuple(replace(one, unless=()) for one in policy.rules.combinations))
    )
    assert decide([*found, more], policy, surface).tier is decide(found, policy, surface).tier


@given(seen, places, policies, surfaces)
def test_the_classifiers_leave_never_makes_a_tier_stricter_nor_lifts_more_than_a_hold(
    found: list[Finding], part: str, policy: Policy, surface: Surface
) -> None:
    leave = Finding(detector="c", detector_version="1", label="classifier/allow", confidence=0, part=part)
    before, after = decide(found, policy, surface).tier, decide([*found, leave], policy, surface).tier
    assert after is before or (before is Tier.HOLD and after < before)


def surer(conditions: tuple[Condition, ...], by: float) -> tuple[Condition, ...]:
    return tuple(replace(one, threshold=one.threshold + by) for one in conditions)


def higher(rule: Combination, by: float) -> Combination:
    return replace(rule, when=tuple(replace(group, of=surer(group.of, by)) for group in rule.when))


def raised(ladder: Ladder, by: float) -> Ladder:
    up = [None if step is None else step + by for step in (ladder.gray, ladder.hold, ladder.reject)]
    return Ladder(gray=up[0], hold=up[1], reject=up[2])


@given(
    seen,
    policies,
    surfaces,
    st.tuples(st.sampled_from(PATHS), st.sampled_from(CATEGORIES), st.sampled_from(TOXIC_TYPES)),
    st.floats(0, 100),
)
@example([], SHIPPED, SHIPPED.surfaces[0], (PATHS[0], CATEGORIES[0], TOXIC_TYPES[0]), 0.0)
def test_raising_a_threshold_never_makes_a_tier_stricter(
    found: list[Finding], policy: Policy, surface: Surface, names: tuple[str, str, str], by: float
) -> None:
    path, category, kind = names
    rules: GuardrailRules = policy.guardrail
    milder = replace(
        policy,
        rules=replace(policy.rules, combinations=tuple(higher(one, by) for one in policy.rules.combinations)),
        labels={**policy.labels, path: raised(policy.labels[path], by)},
        guardrail=replace(rules, categories={**rules.categories, category: raised(rules.categories[category], by)}),
        pii=replace(policy.pii, min_confidence=policy.pii.min_confidence + by),
        toxicity=ToxicityRules(types={**policy.toxicity.types, kind: raised(policy.toxicity.types[kind], by)}),
    )
    there = replace(surface, labels={path: raised(ladder, by) for path, ladder in surface.labels.items()})
    assert decide(found, milder, there).tier <= decide(found, policy, surface).tier


@given(seen, policies, surfaces, st.floats(0, 100))
def test_asking_for_more_context_never_excuses_more(
    found: list[Finding], policy: Policy, surface: Surface, by: float
) -> None:
    rules = policy.rules
    stricter = Rules(
        combinations=tuple(replace(one, unless=surer(one.unless, by)) for one in rules.combinations),
        exemptions=tuple(replace(one, when=surer(one.when, by)) for one in rules.exemptions),
    )
    before, after = (decide(found, replace(policy, rules=one), surface).tier for one in (rules, stricter))
    assert after >= before


@given(seen, findings(CONTEXT[1:]), policies, surfaces)
def test_context_makes_only_that_more_lenient_which_a_rule_says(
    found: list[Finding], context: Finding, policy: Policy, surface: Surface
) -> None:
    """What no rule relaxes and nothing combined reached, it leaves as it is."""
    rules = policy.rules
    named = [f"{label}/" for one in rules.exemptions for label in one.relax]
    rest = [one for one in found if not any(f"{one.label}/".startswith(label) for label in named)]
    alone = decide(rest, replace(policy, rules=Rules()), surface).tier
    assert decide([*rest, context], policy, surface).tier >= alone


@given(seen, policies, surfaces)
def test_every_decision_but_allow_names_a_rule_and_every_rule_has_its_tier(
    found: list[Finding], policy: Policy, surface: Surface
) -> None:
    decision = decide(found, policy, surface)
    assert bool(decision.rules) is (decision.tier is not Tier.ALLOW)
    assert {rule.tier for rule in decision.rules} <= {decision.tier}
    names = [rule.name for rule in decision.rules]
    assert names == sorted(set(names))
    assert {rule.label for rule in decision.rules} <= {finding.label for finding in found}
    assert decision.priority == "normal" or decision.tier is Tier.REJECT


@given(st.lists(findings(("pii/EMAIL", "pii/PHONE", "pii/SSN", "pii/NAME")), max_size=8), surfaces)
def test_exactly_the_personal_data_found_is_masked_and_no_piece_twice(found: list[Finding], surface: Surface) -> None:
    decision = decide(found, SHIPPED, surface)
    masked = [point for span in decision.spans for point in range(span.begin, span.end)]
    to_mask = {
        point
        for one in found
        if one.span and one.label != "pii/NAME" and one.confidence >= SHIPPED.pii.min_confidence
        for point in range(*one.span)
    }
    assert masked == (sorted(to_mask) if decision.tier is Tier.REDACT else [])


@given(seen, policies, surfaces)
def test_where_the_classifier_is_asked_its_reject_makes_a_difference(
    found: list[Finding], policy: Policy, surface: Surface
) -> None:
    if policy.is_gray(found):
        verdict = Finding(detector="c", detector_version="1", label="classifier/reject", confidence=100)
        assert decide(found, policy, surface).tier is Tier.HOLD or any(f.label == "classifier/allow" for f in found)
        assert decide([*found, verdict], policy, surface).tier is Tier.REJECT
