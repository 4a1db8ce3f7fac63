"""The moments of a video that a reviewer should see first."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from config.settings import CONFIG
from tasks.decide.moments import Moment, worst_moments
from tasks.decide.policy_file import parse_policy
from tasks.decide.rule import Tier
from tasks.detect.finding import Finding

POLICY = parse_policy((Path(CONFIG) / "policy.yaml").read_text("utf-8"), source="policy.yaml")
WEAPONS, EXPLICIT, SMOKING = "Violence/Weapons", "Explicit", "Drugs & Tobacco"


def seen(label: str, confidence: float, begin: int, end: int, *, part: str = "body") -> Finding:
    return Finding(
        detector="rekognition-video",
        detector_version="7.0",
        label=f"moderation/{label}",
        confidence=confidence,
        time_ms=(begin, end),
        part=part,
    )


def test_the_strictest_come_first_and_then_the_surest() -> None:
    findings = [
        seen(WEAPONS, 60.0, 0, 500),
        seen(WEAPONS, 99.0, 9000, 9500),
        seen(WEAPONS, 97.0, 3000, 3500),
        seen(EXPLICIT, 99.5, 5000, 6000),
    ]
    moments = worst_moments(findings, POLICY)
    assert [(moment.begin_ms, moment.tier) for moment in moments] == [
        (5000, Tier.REJECT),
        (9000, Tier.REJECT),
        (3000, Tier.REJECT),
        (0, Tier.HOLD),
    ]
    assert worst_moments(findings, POLICY, most=2) == moments[:2]


def test_what_is_as_bad_and_as_sure_comes_in_the_order_of_the_video_and_the_stricter_before_the_surer() -> None:
    findings = [seen(WEAPONS, 95.0, begin, begin + 100) for begin in (4000, 1000, 2000)]
    held = seen("Explicit/Sex Toys", 99.9, 7000, 7100)
    assert [moment.begin_ms for moment in worst_moments([held, *findings], POLICY)] == [1000, 2000, 4000, 7000]


def test_a_case_names_the_five_worst() -> None:
    findings = [seen(WEAPONS, 90.0 + number, 1000 * number, 1000 * number + 100) for number in range(7)]
    assert [moment.confidence for moment in worst_moments(findings, POLICY)] == [96.0, 95.0, 94.0, 93.0, 92.0]


def test_what_overlaps_or_touches_is_one_moment() -> None:
    findings = [
        seen(WEAPONS, 95.0, 0, 1000),
        seen(EXPLICIT, 97.0, 800, 1500),
        seen(WEAPONS, 93.0, 1500, 2000),
        seen(WEAPONS, 92.0, 2001, 3000),
    ]
    assert [(m.begin_ms, m.end_ms, m.confidence, m.labels) for m in worst_moments(findings, POLICY)] == [
        (0, 2000, 97.0, ("moderation/Explicit", "moderation/Violence/Weapons")),
        (2001, 3000, 92.0, ("moderation/Violence/Weapons",)),
    ]


def test_the_labels_of_a_moment_stand_in_their_order_however_they_were_seen() -> None:
    labels = ["Hate Symbols/Nazi Party", "Explicit/Explicit Nudity", WEAPONS, "Visually Disturbing", EXPLICIT]
    findings = [seen(label, 99.0 - number, number, 9) for number, label in enumerate(labels)]
    (moment,) = worst_moments(findings, POLICY)
    assert list(moment.labels) == sorted(f"moderation/{label}" for label in labels)


def test_a_mild_film_does_not_hide_where_the_weapon_is() -> None:
    findings = [seen(WEAPONS, 60.0, 0, 60_000), seen(WEAPONS, 97.0, 30_000, 31_000)]
    assert [(m.begin_ms, m.end_ms, m.tier) for m in worst_moments(findings, POLICY)] == [
        (30_000, 31_000, Tier.REJECT),
        (0, 60_000, Tier.HOLD),
    ]


def test_a_parent_that_only_repeats_its_child_is_not_named() -> None:
    findings = [seen("Violence", 95.0, 0, 1000), seen(WEAPONS, 95.0, 0, 1000)]
    assert [m.labels for m in worst_moments(findings, POLICY)] == [("moderation/Violence/Weapons",)]


def test_a_confidence_that_cannot_be_is_held_and_told_as_none() -> None:
    (moment,) = worst_moments([seen(WEAPONS, float("nan"), 0, 500)], POLICY)
    assert (moment.tier, moment.confidence) == (Tier.HOLD, 0.0)


def test_what_has_no_time_is_no_moment() -> None:
    still = Finding(detector="d", detector_version="1", label="moderation/Explicit", confidence=99.0)
    assert worst_moments([still], POLICY) == ()


def test_a_moment_of_a_single_frame_is_one() -> None:
    (moment,) = worst_moments([seen(EXPLICIT, 99.0, 2000, 2000, part="frame:1")], POLICY)
    assert moment.summary() == {
        "begin_ms": 2000,
        "end_ms": 2000,
        "tier": 3,
        "labels": ["moderation/Explicit"],
        "confidence": 99.0,
    }


def _overlap(one: Moment, other: Moment) -> bool:
    return one.begin_ms <= other.end_ms and other.begin_ms <= one.end_ms


SEEN = st.builds(
    lambda label, confidence, begin, length: seen(label, confidence, begin, begin + length),
    st.sampled_from([WEAPONS, EXPLICIT, SMOKING]),
    st.floats(30, 100),
    st.integers(0, 50),
    st.integers(0, 10),
)


@given(st.lists(SEEN, max_size=12), st.randoms())
def test_moments_of_one_tier_never_overlap_and_the_order_of_findings_never_matters(
    findings: list[Finding], random: object
) -> None:
    moments = worst_moments(findings, POLICY, most=99)
    for tier in Tier:
        same = [moment for moment in moments if moment.tier is tier]
        assert not any(_overlap(one, other) for n, one in enumerate(same) for other in same[:n])
    shuffled = list(findings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert worst_moments(shuffled, POLICY, most=99) == moments
    assert {finding.label for finding in findings} == {label for moment in moments for label in moment.labels}
