"""The shipped policy: it loads, leaves nothing unsaid, and does what its comments promise."""

from __future__ import annotations

import pytest
import yaml
from botocore.loaders import Loader

from config.settings import CONFIG
from tasks.decide.decision import Tier, decide
from tasks.decide.kinds import CATEGORIES, PII_TYPES
from tasks.decide.policy import Policy
from tasks.decide.policy_file import parse_policy
from tasks.decide.taxonomy import LEVEL_1, PATHS, full_path
from tasks.detect.finding import Finding

TEXT = (CONFIG / "policy.yaml").read_text(encoding="utf-8")
POLICY: Policy = parse_policy(TEXT)
RAW = yaml.safe_load(TEXT)


def enum(service: str, shape: str) -> set[str]:
    return set(Loader().load_service_model(service, "service-2")["shapes"][shape]["enum"])


def tier(label: str, confidence: float) -> Tier:
    finding = Finding(detector="d", detector_version="1", label=label, confidence=confidence, span=(0, 3))
    return decide([finding], POLICY, POLICY.surface_for("feed/x")).tier


def test_it_covers_every_label_of_the_taxonomy() -> None:
    assert set(POLICY.labels) == set(PATHS)


def test_it_says_something_about_each_first_level_label() -> None:
    assert set(LEVEL_1) <= {full_path(name) for name in RAW["labels"]}


def test_it_knows_the_guardrail_categories_and_the_personal_data_that_aws_can_report() -> None:
    assert set(CATEGORIES) == enum("bedrock-runtime", "GuardrailContentFilterType")
    assert set(PII_TYPES) == enum("comprehend", "PiiEntityType") - {"ALL"}


def test_it_names_every_type_of_personal_data() -> None:
    assert set(RAW["pii"]["types"]) == set(PII_TYPES)


def test_its_surfaces_are_avatars_before_and_everything_else_after_publication() -> None:
    kinds = {s.name: (s.prefix, s.visibility, s.hold, s.pii) for s in POLICY.surfaces}
    assert kinds == {
        "avatars": ("avatars/", "before", "withhold", "suggested"),
        "messages": ("messages/", "after", "withhold", "always"),
        "feed": ("", "after", "flag", "suggested"),
    }
    assert POLICY.surfaces[-1].name == "feed"


@pytest.mark.parametrize(
    ("label", "confidence", "expected"),
    [
        ("moderation/Explicit", 59.9, Tier.ALLOW),
        ("moderation/Explicit", 60, Tier.HOLD),
        ("moderation/Explicit", 85, Tier.REJECT),
        ("moderation/Violence/Weapons", 89.9, Tier.HOLD),
        ("moderation/Violence/Weapons", 90, Tier.REJECT),
        ("moderation/Violence/Graphic Violence/Self-Harm", 80, Tier.REJECT),
        ("moderation/Hate Symbols/Nazi Party", 80, Tier.REJECT),
        ("moderation/Visually Disturbing/Death and Emaciation/Corpses", 88, Tier.REJECT),
        ("moderation/Swimwear or Underwear/Female Swimwear or Underwear", 100, Tier.ALLOW),
        ("moderation/Alcohol/Alcohol Use/Drinking", 100, Tier.ALLOW),
        ("moderation/Rude Gestures/Middle Finger", 100, Tier.HOLD),
        ("moderation/Drugs & Tobacco/Products/Pills", 100, Tier.HOLD),
        (
            "moderation/Non-Explicit Nudity of Intimate parts and Kissing/Non-Explicit Nudity/Exposed Male Nipple",
            100,
            Tier.ALLOW,
        ),
        ("guardrail/HATE", 30, Tier.HOLD),
        ("guardrail/HATE", 90, Tier.REJECT),
        ("guardrail/PROMPT_ATTACK", 90, Tier.HOLD),
        ("guardrail/word/custom", 100, Tier.REJECT),
        ("guardrail/word/PROFANITY", 100, Tier.ALLOW),
        ("guardrail/topic/anything", 100, Tier.HOLD),
        ("classifier/reject", 0, Tier.REJECT),
        ("pii/EMAIL", 60, Tier.REDACT),
        ("pii/NAME", 100, Tier.ALLOW),
        ("unreadable/anything", 100, Tier.HOLD),
    ],
)
def test_it_does_what_it_says(label: str, confidence: float, expected: Tier) -> None:
    assert tier(label, confidence) is expected


def test_its_rules_look_at_what_is_seen_together() -> None:
    def come_to(*labels: str) -> tuple[Tier, tuple[str, ...], str]:
        seen = [
            Finding(detector="d", detector_version="1", label=label, confidence=float(sure), span=(0, 3), rule=rule)
            for label, _, sure, rule in ((*one.partition("@")[:2], *one.partition("@")[2].split("@")) for one in labels)
        ]
        decision = decide(seen, POLICY, POLICY.surface_for("feed/x"))
        return decision.tier, tuple(rule.name for rule in decision.rules), decision.priority

    weapon = "moderation/Violence/Weapons@95@"
    assert come_to("pii/NAME@99@", "pii/ADDRESS@99@")[0] is Tier.REDACT
    assert come_to("pii/NAME@99@", "pii/ADDRESS@99@", "pii/PHONE@99@") == (Tier.HOLD, ("rules/doxxing",), "normal")
    assert come_to("guardrail/SEXUAL@30@", "classifier/reject@100@minor-safety")[1:] == (
        ("classifier/reject", "rules/minors-and-nudity"),
        "top",
    )
    assert come_to("moderation/Violence@50@") == (Tier.ALLOW, (), "normal")
    assert come_to("moderation/Violence@50@", "guardrail/VIOLENCE@30@", "classifier/allow@0@") == (
        Tier.HOLD,
        ("rules/violence-seen-and-said",),
        "normal",
    )
    assert come_to(weapon)[0] is Tier.REJECT
    assert come_to(weapon, "content-type/Illustrated@95@") == (Tier.HOLD, ("rules/drawn-violence",), "normal")
