"""parse(print(policy)) is the same policy, whatever the policy."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from config.settings import CONFIG
from tasks.decide.accounts import STEPS as STEPS_OF_ACCOUNTS
from tasks.decide.difference import differences
from tasks.decide.kinds import CATEGORIES, PII_TYPES, TOXIC_TYPES
from tasks.decide.notices import OCCASIONS
from tasks.decide.policy import Policy
from tasks.decide.policy_file import parse_policy
from tasks.decide.policy_text import policy_text
from tasks.decide.review import SEVERITIES, WAITING
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


#: Other ways to say what a surface is about. The `*` of a bucket policy goes across `/`: such a surface is no `before`.
PLACES: list[dict[str, Any]] = [
    {"bucket": "faces", "prefix": ""},
    {"bucket": ["b-1", "a-1"], "prefix": "x/"},
    {"pattern": "u/*/face.*", "visibility": "after"},
    {"pattern": "**/raw/**", "bucket": "faces"},
    {"pattern": "avatars/**"},
]


@st.composite
def surfaces(draw: st.DrawFn) -> dict[str, Any]:
    # What a bucket policy cannot say is no prefix of a `before` surface.
    prefixes = draw(st.lists(words.filter(lambda word: not {*"*?$"} & {*word}), max_size=3, unique=True))
    more = draw(st.lists(st.sampled_from(PLACES), max_size=2, unique_by=str))
    places: list[dict[str, Any]] = [*({"prefix": prefix} for prefix in ("", *prefixes)), *more]
    names = draw(st.lists(words, min_size=len(places), max_size=len(places), unique=True))
    return {name: draw(surface(place)) for name, place in zip(names, places, strict=True)}


def surface(place: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    wanted = {
        "visibility": st.sampled_from(["before", "after"]),
        "hold": st.sampled_from(["withhold", "flag"]),
        **{name: st.just(said) for name, said in place.items()},
    }
    more = {
        "pii": st.sampled_from(["always", "suggested", "never"]),
        "mask": st.sampled_from(["label", "blocks"]),
        "first_look": st.sampled_from(["frames", "thumbnail"]),
        "toxicity": st.just("always"),
        "renditions": st.sampled_from(["thumbs/{stem}_*.jpg", ["{dir}small/{name}", "{key}@2x"]]),
        "text_in_images": st.just(True),
        "about": words,
        "text": st.sampled_from(["text", ["a", "$.b[*].c"]]),
        "labels": st.dictionaries(st.sampled_from(PATHS), ladders() | st.just({"ignore": True}), max_size=4),
    }
    # Nothing is shown there before it is allowed, so nothing can stay up with a flag.
    return st.fixed_dictionaries(wanted, optional=more).map(
        lambda said: said | ({"hold": "withhold"} if said["visibility"] == "before" else {})
    )


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
older_policies: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
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


RULE_PATHS = (
    *("moderation", "moderation/Weapons", "moderation/Violence/Graphic Violence", "guardrail/HATE", "known/bad"),
    *("guardrail/topic/a b", "classifier/reject/minor-safety", "toxicity/INSULT", "term/spam: x", "unreadable/empty"),
)
LANGUAGES = ("en", "de", "pt-BR", "zh-Hant")
days = st.integers(184, 3653)


@st.composite
def notices(draw: st.DrawFn, paths: tuple[str, ...]) -> dict[str, Any]:
    spoken = draw(st.lists(st.sampled_from(LANGUAGES), min_size=1, unique=True))
    text = words.map(lambda word: word.replace("{", "{{").replace("}", "}}"))
    everywhere = st.fixed_dictionaries(dict.fromkeys(spoken, text))
    somewhere = st.dictionaries(st.sampled_from(spoken), text, min_size=1)
    said = {
        name: draw(everywhere.map(lambda texts: {one: f"{texts[one]} {{surface}}" for one in texts}))
        for name in OCCASIONS
    }
    rules = draw(st.dictionaries(st.sampled_from(paths), somewhere, max_size=3))
    return said | {"language": draw(st.sampled_from(spoken)), "rules": {"default": draw(everywhere), **rules}}


def accounts(paths: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    ascending = st.lists(st.integers(1, 1000), max_size=3, unique=True).map(sorted)
    said = {
        "strikes": st.dictionaries(st.sampled_from(("default", *paths)), st.integers(0, 1000), max_size=3),
        "decay": st.integers(1, 3653).map(lambda number: f"{number} days"),
        "thresholds": ascending.map(lambda strikes: dict(zip(STEPS_OF_ACCOUNTS, strikes, strict=False))),
    }
    return st.fixed_dictionaries({}, optional=said)


def review(paths: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    severities = st.sampled_from(SEVERITIES)
    said = {
        "hours": st.dictionaries(st.sampled_from(WAITING), st.integers(0, 8760) | st.just(0.5), max_size=3),
        "severities": st.dictionaries(st.sampled_from(("default", "brake", *paths)), severities, max_size=3),
        "second_reviewer": severities | st.lists(severities, max_size=3, unique=True),
    }
    return st.fixed_dictionaries({}, optional=said)


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """All sections: the newer ones name surfaces and rules of the others."""
    written = draw(older_policies)
    paths = (*RULE_PATHS, *(f"rules/{name}" for name in written.get("rules", {})))
    scopes = st.sampled_from(("overall", *written["surfaces"]))
    more = {
        "brake": st.builds(
            lambda quotas: {"takedowns_per_hour": quotas},
            st.dictionaries(scopes, st.integers(0, 10_000), max_size=3),
        ),
        "notices": notices(paths),
        "retention": st.tuples(days, days).map(
            lambda two: {"appeals": f"{min(two)} days", "originals": f"{max(two)} days"}
        ),
        "review": review(paths),
        "accounts": accounts(paths),
    }
    return written | draw(st.fixed_dictionaries({}, optional=more))


@settings(max_examples=25, deadline=None)  # PyYAML takes its time
@given(policies())
def test_what_is_printed_is_the_same_policy(written: dict[str, Any]) -> None:
    policy = parse_policy(yaml.safe_dump(written, allow_unicode=True))
    printed = policy_text(policy)
    again = parse_policy(printed)
    # Not only the version: whatever it is that makes it.
    for field in fields(policy):
        assert getattr(again, field.name) == getattr(policy, field.name), field.name
    assert differences(policy, again) == ()
    assert fits(yaml.safe_load(printed), SCHEMA)


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
    # ... and of the others nothing is printed: it is as elsewhere.
    printed = yaml.safe_load(policy_text(policy))["surfaces"]["quiet"]["labels"]
    assert set(printed) == {path for path in PATHS if path.startswith("Violence")} | set(policy.surfaces[0].labels)


def test_what_a_surface_does_not_say_is_printed_only_where_a_choice_was_made_for_it() -> None:
    printed = yaml.safe_load(policy_text(parse_policy(TEXT)))["surfaces"]["feed"]
    assert set(printed) == {"prefix", "visibility", "hold", "pii", "first_look", "mask", "toxicity"}


def test_what_a_policy_does_not_have_is_no_section_when_it_is_printed() -> None:
    assert not {"brake", "accounts", "review"} & set(yaml.safe_load(policy_text(parse_policy(TEXT))))


def test_only_a_rule_that_comes_first_is_printed_with_a_priority() -> None:
    printed = yaml.safe_load(policy_text(parse_policy(TEXT)))["rules"]
    assert {name: rule["priority"] for name, rule in printed.items() if "priority" in rule} == {"minors": "top"}


def test_surfaces_are_printed_in_the_order_in_which_they_are_tried_and_what_need_only_be_seen_as_such() -> None:
    policy = parse_policy(TEXT)
    printed = yaml.safe_load(policy_text(policy))
    assert list(printed["surfaces"]) == [surface.name for surface in policy.surfaces] == ["quiet", "feed"]
    assert printed["rules"]["minors"]["when"] == {
        "all of": {"guardrail/topic/minors": "seen", "moderation/Explicit": 20}
    }


def test_letters_of_any_language_are_printed_as_they_are() -> None:
    policy = parse_policy(TEXT.replace("pii: never", "pii: never, about: Gespräche 会話"))
    assert "about: Gespräche 会話\n" in policy_text(policy)


def test_a_whole_number_is_printed_without_a_point() -> None:
    assert "pii/NAME: 80\n" in policy_text(parse_policy(TEXT))


@pytest.mark.parametrize("name", [field.name for field in fields(Policy) if field.name != "version"])
def test_two_policies_are_equal_when_their_versions_are(name: str) -> None:
    policy = parse_policy(TEXT)
    other: Any = {name: object()}
    assert replace(policy, **other) == policy
    assert replace(policy, version="sha256:0") != policy
