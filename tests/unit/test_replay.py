"""Deciding past items again: exactly the flips that a slow, obvious re-computation finds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import yaml

from config.settings import CONFIG
from tasks.decide.decision import decide
from tasks.decide.policy_file import parse_policy
from tasks.decide.replay import Flip, Past, Tally, cause, replay
from tasks.decide.rule import Tier
from tasks.decide.taxonomy import PATHS
from tasks.detect.finding import Finding

#: Without the rules about what is seen together: this is about single findings.
OLD = (CONFIG / "policy.yaml").read_text(encoding="utf-8").partition("\nrules:\n")[0]
EDITS = {
    "  Weapons: {hold: 60, reject: 90}": "  Weapons: {hold: 75, reject: 85}",
    "  Hate Symbols: {hold: 50, reject: 80}": "  Hate Symbols: {hold: 50, reject: never}",
    "  Bare Back: {ignore: true}": "  Bare Back: {hold: 70}",
    "    EMAIL: redact": "    EMAIL: allow",
    "    PHONE: redact": "    PHONE: hold",
    "  min_confidence: 60": "  min_confidence: 70",
    "    custom: reject": "    custom: hold",
}
#: Labels below which there are none: no finding here is the echo of another.
LEAVES = tuple(path for path in PATHS if not any(other.startswith(f"{path}/") for other in PATHS))
MORE = ("pii/EMAIL", "pii/PHONE", "pii/NAME", "guardrail/word/custom", "unreadable/empty")


def edited() -> str:
    text = OLD
    for old, new in EDITS.items():
        assert old in text
        text = text.replace(old, new)
    return text


def pasts(count: int, *, seed: int) -> list[Past]:
    """Items as they were decided by the shipped policy."""
    policy, random = parse_policy(OLD), Random(seed)
    made = []
    for number in range(count):
        labels = random.choices([*(f"moderation/{path}" for path in LEAVES), *MORE], k=random.choice([0, 1, 1, 2, 3]))
        findings = tuple(
            Finding(
                detector="any",
                detector_version="1",
                label=label,
                confidence=random.choice([random.uniform(40, 100), 60.0, 70.0, 75.0, 85.0, 90.0]),
                span=(0, 5) if label.startswith("pii/") else None,
            )
            for label in labels
        )
        key = f"{random.choice(['avatars', 'messages', 'x'])}/{number}"
        decision = decide(findings, policy, policy.surface_for(key))
        made.append(
            Past(
                location=f"s3://b/{key}",
                version="v",
                key=key,
                decided_at="2026-11-01T00:00:00+00:00",
                tier=decision.tier,
                rules=tuple(rule.name for rule in decision.rules),
                policy_version=policy.version,
                findings=findings,
            )
        )
    return made


def by_hand(written: Any, finding: Finding) -> Tier:
    """What one finding leads to, read off the policy file as a person would."""
    kind, _, rest = finding.label.partition("/")
    if kind == "pii":
        said = written["pii"]["types"].get(rest, written["pii"]["default"])
        return Tier[said.upper()] if finding.confidence >= written["pii"]["min_confidence"] else Tier.ALLOW
    if kind == "unreadable":
        return Tier[written["unreadable"]["default"].upper()]
    if kind == "guardrail":
        return Tier[written["guardrail"]["words"]["custom"].upper()]
    for tier in (Tier.REJECT, Tier.HOLD):
        for name in reversed(rest.split("/")):
            entry = written["labels"].get(name, {})
            if "ignore" in entry or tier.name.lower() in entry:
                threshold = entry.get(tier.name.lower(), "never")
                if threshold != "never" and finding.confidence >= threshold:
                    return tier
                break
    return Tier.ALLOW


def slow_flips(text: str, items: list[Past]) -> dict[str, Tier]:
    """Location -> new tier of every item that flips."""
    written = yaml.safe_load(text)
    tiers = {past.location: max([Tier.ALLOW, *(by_hand(written, one) for one in past.findings)]) for past in items}
    return {past.location: tiers[past.location] for past in items if tiers[past.location] is not past.tier}


def test_exactly_the_flips_of_a_slow_obvious_computation_are_found() -> None:
    items, tally = pasts(2000, seed=1), Tally()
    found = {flip.past.location: flip.new for flip in replay(items, parse_policy(edited()), tally)}
    assert found == slow_flips(edited(), items)
    assert 20 < len(found) == tally.flips < tally.decided == len(items)


def test_the_tally_adds_up() -> None:
    items, tally = pasts(300, seed=2), Tally()
    flips = list(replay(items, parse_policy(edited()), tally))
    assert tally.old == Counter(past.tier for past in items)
    assert tally.old.total() == tally.new.total() == len(items)
    for tier in Tier:
        came, went = [flip for flip in flips if flip.new is tier], [flip for flip in flips if flip.old is tier]
        assert tally.change(tier) == len(came) - len(went)
    assert tally.by_label == Counter((label, f.old, f.new) for f in flips for label in f.causes)
    assert tally.flip_rate == len(flips) / len(items)


def test_the_same_policy_flips_nothing() -> None:
    tally = Tally()
    assert list(replay(pasts(200, seed=3), parse_policy(OLD), tally)) == []
    assert (tally.decided, tally.flip_rate) == (200, 0.0)


def test_no_items_are_no_flips() -> None:
    assert Tally().flip_rate == 0.0


def test_a_flip_names_the_labels_of_the_stricter_side_and_its_direction() -> None:
    flips = {flip.past.location: flip for flip in replay(pasts(400, seed=1), parse_policy(edited()), Tally())}
    stricter = [flip for flip in flips.values() if flip.direction == "stricter"]
    milder = [flip for flip in flips.values() if flip.direction == "milder"]
    assert stricter
    assert milder
    assert all(flip.new > flip.old and flip.new_rules for flip in stricter)
    assert all(flip.new < flip.old and flip.old_rules for flip in milder)
    # The rule of the stricter side has it so, whichever side that is.
    causes = {flip.causes for flip in flips.values() if not (flip.old_rules and flip.new_rules)}
    assert all(causes)
    assert {"Violence/Weapons", "pii/PHONE"} <= {label for flip in stricter for label in flip.causes}
    assert {"pii/EMAIL", "guardrail/word/custom"} <= {label for flip in milder for label in flip.causes}


def test_the_causes_of_a_flip_stand_in_one_order_each_once() -> None:
    rules = tuple(f"pii/{kind}" for kind in "HGFEDCBAA")
    flip = Flip(
        past=pasts(1, seed=0)[0],
        surface="feed",
        old=Tier.ALLOW,
        new=Tier.HOLD,
        old_rules=(),
        new_rules=rules,
        new_policy="",
    )
    assert flip.causes == tuple(f"pii/{kind}" for kind in "ABCDEFGH")


def test_what_was_recorded_counts_unless_another_policy_is_named() -> None:
    """A person may look at what was decided by a policy long gone, or compare two files."""
    past = next(past for past in pasts(400, seed=1) if past.rules == ("guardrail/word/custom",))
    longgone = replace(past, tier=Tier.ALLOW, rules=())
    new = parse_policy(edited())
    (flip,) = replay([longgone], new, Tally())
    assert (flip.old, flip.new) == (Tier.ALLOW, Tier.HOLD)
    (flip,) = replay([longgone], new, Tally(), against=parse_policy(OLD))
    assert (flip.old, flip.new, flip.old_rules) == (Tier.REJECT, Tier.HOLD, ("guardrail/word/custom",))


def gray(*more: str) -> Past:
    seen = tuple(
        Finding(detector="any", detector_version="1", label=label, confidence=60.0)
        for label in ("guardrail/HATE", *more)
    )
    return replace(pasts(1, seed=0)[0], findings=seen, tier=Tier.ALLOW, rules=())


def test_what_the_classifier_was_never_asked_about_is_counted_for_it_could_lift_it() -> None:
    tally = Tally()
    leave = Finding(detector="any", detector_version="1", label="classifier/allow", confidence=0.0, part="caption")
    asked = replace(gray(), findings=(*gray().findings, leave))
    beside = gray("content-type/Illustrated")
    fine, bad = replace(gray(), findings=()), gray("guardrail/word/custom")
    items = [gray(), beside, asked, gray("classifier/hold"), gray("unreadable/empty"), fine, bad]
    list(replay(items, parse_policy(OLD), tally))
    assert (tally.new[Tier.HOLD], tally.unasked) == (5, 2)


def test_a_past_item_is_judged_on_the_surface_that_its_bucket_has_now() -> None:
    faces = 'faces: {bucket: faces, prefix: "", visibility: after, hold: flag, labels: {Weapons: {hold: 1, reject: 2}}}'
    policy = parse_policy(OLD.replace("surfaces:\n", f"surfaces:\n  {faces}\n", 1))
    seen = Finding(detector="any", detector_version="1", label="moderation/Violence/Weapons", confidence=50.0)
    here = replace(gray(), location="s3://faces/x/1", key="x/1", findings=(seen,))
    (flip,) = replay([here, replace(here, location="s3://others/faces/1")], policy, Tally())
    assert (flip.past, flip.surface, flip.new) == (here, "faces", Tier.REJECT)


def test_the_cause_of_a_rule_is_what_it_is_about() -> None:
    assert cause("labels/Violence/Weapons>=90") == "Violence/Weapons"
    assert cause("pii/EMAIL") == "pii/EMAIL"
