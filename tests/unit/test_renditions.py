"""Which keys are an original's renditions, and how an original is found by the key of one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.act.plan import Action, plan
from tasks.decide.brake import is_braked
from tasks.decide.decision import decide
from tasks.decide.policy_file import parse_policy
from tasks.decide.rendition import MOST_HEADS, OF_REJECTED, heads, is_of_rejected, is_rendition, listed_under
from tasks.decide.rule import Tier
from tasks.detect.finding import Finding
from tests.unit.test_places import with_surfaces
from tests.unit.test_policy_file import TEXT

PATTERNS = [
    *("thumbs/{stem}_*.jpg", "thumbs/{dir}{stem}_**", "{dir}.small/{name}", "{key}@*x", "x/{stem}/{ext}/{stem}-*.png"),
    *("{dir}{stem}.preview", "{name}", "sizes/{stem}**{ext}"),
]
keys = st.text("ab._*/-", min_size=1, max_size=9)
fills = st.text("ab._-", max_size=3)


def rendition_of(pattern: str, key: str, fill: str) -> str:
    """One rendition of a key, its wildcards being `fill`."""
    rest = pattern[len(pattern.partition("*")[0]) :]
    directory, slash, name = key.rpartition("/")
    stem, dot, ext = name.rpartition(".")
    stem, ext = (stem, ext) if dot else (name, "")
    for placeholder, said in {"key": key, "dir": directory + slash, "name": name, "stem": stem, "ext": ext}.items():
        rest = rest.replace(f"{{{placeholder}}}", said)
    return listed_under(pattern, key) + rest.replace("**", "*").replace("*", fill)


def test_a_stem_is_all_before_the_last_dot_of_the_name() -> None:
    assert is_rendition("thumbs/{stem}_s.{ext}", "thumbs/holiday.2026_s.jpg", of="feed/holiday.2026.jpg")
    assert not is_rendition("thumbs/{stem}_s.{ext}", "thumbs/holiday_s.2026.jpg", of="feed/holiday.2026.jpg")


@pytest.mark.parametrize(
    ("pattern", "key", "of", "is_one"),
    [
        ("thumbs/{stem}_*.jpg", "thumbs/cat_200.jpg", "photos/cat.png", True),
        ("thumbs/{stem}_*.jpg", "thumbs/cat_a/b.jpg", "photos/cat.png", False),
        ("thumbs/{stem}_*.jpg", "thumbs/cats_200.jpg", "photos/cat.png", False),
        ("thumbs/{stem}_*.jpg", "thumbs/cat_200xjpg", "photos/cat.png", False),
        ("{dir}small/{name}", "small/cat.png", "cat.png", True),
        ("{dir}small/{name}", "photos/small/cat.png", "photos/cat.png", True),
        ("{stem}.{ext}", "cat.png", "cat.png", False),
        ("{dir}{stem}*", "photos/cat_small.png", "photos/cat.png", True),
        ("t/{stem}.jpg", "t/cat.jpg", "cat", True),
        ("{ext}/{stem}.jpg", "/cat.jpg", "cat", True),
        ("t/{stem}.jpg", "t/anything.jpg", "*.png", False),
        ("t/{stem}.jpg", "t/*.jpg", "*.png", True),
        ("t/{stem}.jpg", "t/.jpg", ".hidden", True),
    ],
)
def test_a_rendition_is_told_by_its_key(pattern: str, key: str, of: str, *, is_one: bool) -> None:
    assert is_rendition(pattern, key, of=of) is is_one


@given(st.sampled_from(PATTERNS), keys, fills)
def test_an_original_is_found_by_the_key_of_any_of_its_renditions(pattern: str, key: str, fill: str) -> None:
    rendition = rendition_of(pattern, key, fill)
    if not is_rendition(pattern, rendition, of=key) or key.rpartition("/")[2].startswith("."):
        return  # a name that is all extension has no stem to be found by
    assert rendition.startswith(listed_under(pattern, key))
    if key.rpartition("/")[2]:
        assert listed_under(pattern, key) in heads(pattern, rendition)


def test_a_key_that_is_like_no_rendition_is_no_reason_to_ask() -> None:
    assert list(heads("thumbs/{stem}_*.jpg", "photos/cat.png")) == []


@pytest.mark.parametrize(
    ("pattern", "key", "found"),
    [
        ("thumbs/{stem}_*.jpg", "thumbs/my_cat_200.jpg", ["thumbs/my_cat_", "thumbs/my_"]),
        ("thumbs/{stem}_*_s.jpg", "thumbs/my_cat_200_s.jpg", ["thumbs/my_cat_", "thumbs/my_"]),
        ("{key}**", "abc", ["abc", "ab", "a"]),
        ("{dir}small/{name}", "photos/small/cat.png", ["photos/small/cat.png"]),
    ],
)
def test_only_where_the_rest_of_a_key_fits_as_well_may_an_originals_part_of_it_end(
    pattern: str, key: str, found: list[str]
) -> None:
    assert list(heads(pattern, key)) == found


def test_of_a_key_that_could_have_very_many_originals_the_longest_names_are_tried() -> None:
    found = list(heads("t/{stem}_*", "t/" + "_" * 100))
    assert found == [f"t/{'_' * length}" for length in range(100, 100 - MOST_HEADS, -1)]


def test_only_where_there_are_renditions_are_they_looked_for() -> None:
    surface = parse_policy(TEXT).surface_for("x")
    with_them = plan(Tier.REJECT, surface, has_cdn=True, has_public_url=True, has_renditions=True)
    without = plan(Tier.REJECT, surface, has_cdn=True, has_public_url=True)
    ours = (Action.RENDITIONS, Action.TAKE_RENDITIONS)
    assert tuple(one for one in with_them if one not in ours) == without
    assert with_them.index(Action.HIDE) < with_them.index(ours[0]) < with_them.index(Action.PURGE)
    assert with_them.index(Action.REMOVE) < with_them.index(ours[1]) < with_them.index(Action.VERIFY)


def test_what_is_allowed_within_a_surface_that_shows_nothing_unseen_is_shown_by_its_tag() -> None:
    policy = with_surfaces("team: {prefix: avatars/team/, visibility: after, hold: flag}")
    shown = {
        key: plan(Tier.ALLOW, policy.surface_for(key), has_cdn=True, has_public_url=True)
        for key in ("x", "avatars/team/x")
    }
    assert shown == {"x": (), "avatars/team/x": (Action.SHOW,)}


def test_a_rendition_of_what_was_taken_down_is_rejected_and_does_not_count_against_the_brake() -> None:
    policy = parse_policy(TEXT)
    found = Finding(detector="renditions", detector_version="1", label=OF_REJECTED, confidence=100.0)
    decision = decide((found,), policy, policy.surface_for("x"))
    assert (decision.tier, [rule.name for rule in decision.rules]) == (Tier.REJECT, [OF_REJECTED])
    assert not is_braked(decision)
    other = replace(found, label="moderation/Explicit")
    assert is_of_rejected((other, found))
    assert not is_of_rejected((other,))
    assert not is_of_rejected(())
