"""parse(print(policy)) is the same policy, whatever the policy."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from config.settings import CONFIG
from tasks.decide.kinds import CATEGORIES, PII_TYPES, TOXIC_TYPES
from tasks.decide.policy_file import parse_policy
from tasks.decide.policy_text import policy_text
from tasks.decide.rule_file import GROUPS
from tasks.decide.taxonomy import LEVEL_1, PATHS
from tests.unit.test_decide_rules import TEXT
from tests.unit.test_policy_schema import SCHEMA, fits

SHIPPED = (CONFIG / "policy.yaml").read_text("utf-8")

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=9)
slugs = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)
numbers = st.integers(0, 100) | st.floats(0, 100).map(lambda number: round(number, 2))
tiers = st.sampled_from(["hold", "reject", "allow"])
levels = ("LOW", "MEDIUM", "HIGH")
STEPS = ("gray", "hold", "reject")


@st.composite
def ladders(draw: st.DrawFn) -> dict[str, Any]:
    hold, reject = sorted([draw(numbers), draw(numbers)])
    return {"hold": draw(st.sampled_from([hold, "never"])), "reject": draw(st.sampled_from([reject, "never"]))}


@st.composite
def categories(draw: st.DrawFn, steps: tuple[str, ...] = STEPS) -> dict[str, str]:
    drawn = sorted(draw(st.lists(st.integers(0, 2), min_size=3, max_size=3)))
    said = dict(zip(STEPS, (levels[one] for one in drawn), strict=True))
    return {step: draw(st.sampled_from([said[step], "never"])) if len(steps) == 3 else said[step] for step in steps}


@st.composite
def surfaces(draw: st.DrawFn) -> dict[str, Any]:
    # What a bucket policy cannot say is no prefix of a `before` surface.
    prefixes = draw(st.lists(words.filter(lambda word: not {*"*?$"} & {*word}), max_size=3, unique=True))
    names = draw(st.lists(words, min_size=len(prefixes) + 1, max_size=len(prefixes) + 1, unique=True))
    found = {name: draw(surface(prefix)) for name, prefix in zip(names, ["", *prefixes], strict=True)}
    more = draw(st.dictionaries(words.filter(lambda name: name not in found), st.sampled_from(PLACES), max_size=1))
    return found | {name: {**draw(surface("")), **place} for name, place in more.items()}


#: Other ways to say what a surface is about.
PLACES = [{"bucket": "faces"}, {"bucket": ["b-1", "a-1"], "prefix": "x/"}]


def surface(prefix: str) -> st.SearchStrategy[dict[str, Any]]:
    wanted = {
        "prefix": st.just(prefix),
        "visibility": st.sampled_from(["before", "after"]),
        "hold": st.just("withhold"),
    }
    more = {
        "pii": st.sampled_from(["always", "suggested", "never"]),
        "mask": st.sampled_from(["label", "blocks"]),
        "renditions": st.sampled_from(["thumbs/{stem}_*.jpg", ["{dir}small/{name}", "{key}@2x"]]),
        "text_in_images": st.just(True),
        "about": words,
        "text": st.sampled_from(["text", ["a", "$.b[*].c"]]),
        "labels": st.dictionaries(st.sampled_from(PATHS), ladders() | st.just({"ignore": True}), max_size=4),
    }
    return st.fixed_dictionaries(wanted, optional=more)


LABELS = st.sampled_from(
    [
        *("moderation/Weapons", "moderation/Explicit", "pii/NAME", "pii/PHONE", "guardrail/HATE", "term/spam: x"),
        *("toxicity/INSULT", "guardrail/topic/a b", "classifier/hold/minor-safety", "known/bad", "unreadable/empty"),
    ]
)
context = st.dictionaries(st.sampled_from(["content-type/Illustrated", "known/fine"]), numbers, min_size=1)
combinations = st.builds(
    lambda conditions, how, rest: {
        "when": {how: conditions} if len(conditions) > 1 else {"all of": conditions},
        **rest,
    },
    st.dictionaries(LABELS, numbers | st.just("seen"), min_size=1, max_size=4),
    st.sampled_from(list(GROUPS)),
    st.fixed_dictionaries(
        {"then": st.sampled_from(["hold", "reject"])}, optional={"unless": context, "priority": st.just("top")}
    ),
)
exemptions = st.fixed_dictionaries(
    {
        "relax": st.lists(st.sampled_from([f"moderation/{path}" for path in PATHS]), min_size=1, max_size=3),
        "when": context,
        "then": st.sampled_from(["allow", "hold"]),
    }
)
policies = st.fixed_dictionaries(
    {
        "surfaces": surfaces(),
        "labels": st.builds(
            lambda first, more: {**dict.fromkeys(LEVEL_1, first), **more},
            ladders(),
            st.dictionaries(st.sampled_from(PATHS), ladders() | st.just({"ignore": True}), max_size=6),
        ),
        "guardrail": st.fixed_dictionaries(
            {},
            optional={
                **dict.fromkeys(CATEGORIES[:-1], categories()),
                "PROMPT_ATTACK": categories(("hold", "reject")),
                "words": st.fixed_dictionaries({}, optional={"PROFANITY": tiers, "custom": tiers}),
                "topics": st.dictionaries(words | st.just("default"), tiers, max_size=3),
            },
        ),
        "classifier": st.fixed_dictionaries({"reject_from_severity": st.integers(0, 3)}),
        "pii": st.fixed_dictionaries(
            {
                "min_confidence": numbers,
                "types": st.dictionaries(st.sampled_from(PII_TYPES), st.sampled_from(["redact", "hold", "allow"])),
            },
            optional={"default": st.sampled_from(["redact", "hold", "allow"])},
        ),
        "unreadable": st.dictionaries(slugs, st.sampled_from(["hold", "reject"]), max_size=3).map(
            lambda said: {**said, "default": "hold"}
        ),
        "known": st.dictionaries(words, tiers, max_size=2).map(lambda said: {**said, "fine": "allow"}),
    },
    optional={
        "terms": st.dictionaries(words | st.just("default"), st.sampled_from(["redact", "hold"]), max_size=3),
        "toxicity": st.dictionaries(st.sampled_from(("default", *TOXIC_TYPES)), ladders(), max_size=3),
        "rules": st.dictionaries(slugs, combinations | exemptions, max_size=4),
    },
)


@settings(max_examples=40, deadline=None)  # PyYAML takes its time
@given(policies)
def test_what_is_printed_is_the_same_policy(written: dict[str, Any]) -> None:
    policy = parse_policy(yaml.safe_dump(written, allow_unicode=True))
    again = parse_policy(policy_text(policy))
    assert (again, again.surfaces, again.rules) == (policy, policy.surfaces, policy.rules)


@pytest.mark.parametrize("text", [SHIPPED, TEXT], ids=["shipped", "with rules"])
def test_a_policy_that_people_wrote_is_printed_whole(text: str) -> None:
    policy = parse_policy(text)
    printed = policy_text(policy)
    again = parse_policy(printed)
    assert again == policy
    # Not only the version: whatever it is that makes it.
    assert (again.surfaces, again.rules) == (policy.surfaces, policy.rules)
    assert dict(again.labels) == dict(policy.labels)
    assert set(yaml.safe_load(printed)["labels"]) == set(PATHS)
    assert policy_text(again) == printed
    assert fits(yaml.safe_load(printed), SCHEMA)


def test_a_very_small_confidence_is_printed_as_a_number() -> None:
    policy = parse_policy(TEXT.replace("pii/NAME: 80", "pii/NAME: 0.00000012"))
    assert "pii/NAME: 0.00000012\n" in policy_text(policy)
    assert parse_policy(policy_text(policy)) == policy


def test_a_label_below_one_that_is_other_on_a_surface_does_not_inherit_it() -> None:
    said = "labels: {Violence: {hold: 30}"
    policy = parse_policy(TEXT.replace(said, said + ", Graphic Violence: {hold: 50}"))
    assert "Violence/Graphic Violence" not in policy.surfaces[0].labels
    assert parse_policy(policy_text(policy)) == policy
