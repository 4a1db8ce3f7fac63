"""Which surface a key of a bucket belongs to, and which of two is closer."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.decide.place import Place, fits
from tasks.decide.policy import Policy
from tasks.decide.policy_file import PolicyError, parse_policy
from tests.unit.test_policy_file import TEXT

#: Every key of up to four characters of these, which is enough for the patterns below.
KEYS = ["".join(key) for length in range(5) for key in itertools.product("ab/", repeat=length)]
patterns = st.lists(st.sampled_from(["a", "b", "/", "*", "**"]), min_size=1, max_size=3).map("".join)


def with_surfaces(*lines: str) -> Policy:
    """The test policy with more surfaces, each a line."""
    more = "".join(f"  {line}\n" for line in lines)
    return parse_policy(TEXT.replace("surfaces:\n", f"surfaces:\n{more}", 1), source="p")


def place(pattern: str, *buckets: str) -> Place:
    return Place(prefix="", pattern=pattern, buckets=buckets)


@pytest.mark.parametrize(
    ("pattern", "key", "is_one"),
    [
        ("users/*/avatar/*", "users/7/avatar/x.jpg", True),
        ("users/*/avatar/*", "users/7/avatar/", True),
        ("users/*/avatar/*", "users/7/8/avatar/x.jpg", False),
        ("users/*/avatar/*", "users/7/avatar/x/y.jpg", False),
        ("users/**/avatar/**", "users/7/8/avatar/x/y.jpg", True),
        ("a.jpg", "aXjpg", False),
        ("a[b]?", "a[b]?", True),
        ("a\n*", "a\nb", True),
    ],
)
def test_one_asterisk_stays_within_a_folder_and_two_do_not(pattern: str, key: str, *, is_one: bool) -> None:
    assert fits(pattern, key) is is_one


@given(patterns, patterns)
def test_two_places_meet_where_some_key_belongs_to_both(one: str, other: str) -> None:
    both = any(fits(one, key) and fits(other, key) for key in KEYS)
    assert place(one).meets(place(other)) is both


def test_a_place_of_some_buckets_meets_one_of_any_and_none_of_others() -> None:
    anywhere, faces = place("a/*"), place("a/b", "faces")
    assert anywhere.meets(faces)
    assert faces.meets(anywhere)
    assert faces.meets(place("a/*", "raw", "faces"))
    assert not faces.meets(place("a/*", "raw"))


def test_a_prefix_means_its_asterisks_as_they_stand() -> None:
    odd = Place(prefix="a*b/", pattern="", buckets=())
    assert not odd.meets(place("axb/c"))
    assert odd.meets(place("a*b/c"))
    assert odd.rank == Place(prefix="axb/", pattern="", buckets=()).rank


def test_the_closest_surface_wins_in_whatever_order_they_stand() -> None:
    policy = with_surfaces(
        'faces: {bucket: [faces, more-faces], prefix: "", visibility: before, hold: withhold}',
        "banners: {bucket: faces, prefix: banners/, visibility: before, hold: withhold}",
        "portraits: {pattern: users/*/avatar/*, visibility: after, hold: flag}",
        "users: {prefix: users/, visibility: after, hold: flag}",
        "deep: {pattern: users/**/avatar/*, visibility: after, hold: flag}",
    )
    said = {
        ("uploads", "users/7/avatar/x"): "portraits",
        ("uploads", "users/7/8/avatar/x"): "deep",
        ("uploads", "users/7/x"): "users",
        ("uploads", "avatars/x"): "avatars",
        ("uploads", "x"): "feed",
        ("faces", "avatars/x"): "faces",
        ("faces", "banners/x"): "banners",
        ("more-faces", "banners/x"): "faces",
    }
    assert {where: policy.surface_for(where[1], where[0]).name for where in said} == said


@pytest.mark.parametrize(
    ("closer", "other"),
    [
        ("users/7/*", "users/*/*"),
        ("abc*", "a*b*"),
        ("abc**", "a*b*"),
        ("users/*/face", "users/**/face"),
        ("users/*/*/face", "users/**/*face"),
        ("users/*/face", "users/*/face*"),
    ],
)
def test_the_pattern_with_more_characters_is_closer_then_the_one_with_fewer_wildcards(closer: str, other: str) -> None:
    assert place(closer).meets(place(other))
    assert place(closer).rank > place(other).rank


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (
            [
                "one: {pattern: a/*/b, visibility: after, hold: flag}",
                "two: {pattern: a/b/*, visibility: after, hold: flag}",
            ],
            "p:3: two: some keys would belong to one (line 2) just as well; make one of both longer",
        ),
        (
            [
                "one: {pattern: a/*, visibility: after, hold: flag}",
                "two: {pattern: a/*, visibility: after, hold: flag}",
            ],
            "p:3: two: some keys would belong to one (line 2) just as well; make one of both longer",
        ),
        (
            [
                'one: {bucket: [x-1, y-1], prefix: "", visibility: after, hold: flag}',
                'two: {bucket: y-1, prefix: "", visibility: after, hold: flag}',
            ],
            "p:3: two: some keys would belong to one (line 2) just as well; make one of both longer",
        ),
        (
            ["one: {pattern: users/*/face, visibility: before, hold: withhold}"],
            "p:2: pattern: `visibility: before` is for the bucket policy to guard: "
            "the * of a bucket policy goes across /, so write ** here",
        ),
        (
            ["one: {prefix: 'what?/', visibility: before, hold: withhold}"],
            'p:2: prefix: `visibility: before` is for the bucket policy to guard: "?" means something else in a bucket '
            "policy",
        ),
        (["one: {visibility: after, hold: flag}"], 'p:2: one: "prefix" is missing (or "pattern")'),
        (
            ["one: {prefix: a, pattern: b, visibility: after, hold: flag}"],
            'p:2: one: has both "prefix" and "pattern"; one says it',
        ),
        (
            ['one: {pattern: "", visibility: after, hold: flag}'],
            'p:2: pattern: is empty; a surface of every key has the prefix ""',
        ),
        (["one: {prefix: a, bucket: A_B, visibility: after, hold: flag}"], 'p:2: bucket: "A_B" is no name of a bucket'),
        (
            ["one: {prefix: a, bucket: [7, faces], visibility: after, hold: flag}"],
            "p:2: bucket: must be text, in quotes if need be",
        ),
        (
            ["one: {prefix: a, renditions: '{stm}_{nam}_*', visibility: after, hold: flag}"],
            'p:2: renditions: "{stm}" stands for nothing; the nearest is "stem"',
        ),
        (
            ["one: {prefix: a, renditions: ['{key}.png', 'thumbs/*{stem}'], visibility: after, hold: flag}"],
            'p:2: renditions: "thumbs/*{stem}" has no {key} or {name} or {stem} before a wildcard, so it would be '
            "about everybody's uploads",
        ),
    ],
)
def test_a_mistake_about_a_place_is_told_with_its_line(lines: list[str], wrong: str) -> None:
    with pytest.raises(PolicyError) as error:
        with_surfaces(*lines)
    assert error.value.problems == (wrong,)


def test_surfaces_that_no_key_can_belong_to_both_of_may_be_equally_long() -> None:
    policy = with_surfaces(
        "one: {pattern: a/*/b, visibility: after, hold: flag}",
        "two: {pattern: a/*/c, visibility: after, hold: flag}",
        'three: {bucket: x-1, prefix: "", visibility: after, hold: flag}',
        'four: {bucket: y-1, prefix: "", visibility: after, hold: flag}',
    )
    assert policy.surface_for("a/x/c").name == "two"
    assert policy.surface_for("", "y-1").name == "four"


def test_what_shows_at_once_within_a_surface_that_shows_nothing_unseen_needs_the_tag_too() -> None:
    policy = with_surfaces("team: {prefix: avatars/team/, visibility: after, hold: flag}")
    assert policy.surface_for("avatars/team/x").tagged
    assert not policy.surface_for("x").tagged
    # One that shows nothing unseen itself says so already, wherever it lies.
    guarded = with_surfaces("team: {prefix: avatars/team/, visibility: before, hold: withhold}")
    assert not guarded.surface_for("avatars/team/x").tagged


def test_what_the_keys_of_a_surface_begin_with_is_known_of_a_pattern_too() -> None:
    policy = with_surfaces("portraits: {pattern: users/*/avatar/*, visibility: after, hold: flag}")
    assert policy.surface_for("users/7/avatar/x").prefix == "users/"


def test_the_order_of_a_surface_s_buckets_is_no_other_version() -> None:
    one, other = (
        with_surfaces(f"one: {{prefix: a, bucket: {buckets}, visibility: after, hold: flag}}")
        for buckets in ("[x-1, y-1]", "[y-1, x-1]")
    )
    assert one.version == other.version


def test_what_a_policy_does_not_say_of_places_leaves_its_version_as_it_was() -> None:
    known = "sha256:a8ea8139a007"
    assert parse_policy(TEXT).version == known
    assert with_surfaces("one: {prefix: a, visibility: after, hold: flag}").version != known


@pytest.mark.parametrize(
    ("written", "guarded"),
    [
        (Place(prefix="avatars/", pattern="", buckets=()), "avatars/*"),
        (Place(prefix="", pattern="", buckets=()), "*"),
        (place("users/**/face/**"), "users/*/face/*"),
        (place("faces/me.jpg"), "faces/me.jpg"),
    ],
)
def test_a_surface_is_told_to_a_bucket_policy_exactly(written: Place, guarded: str) -> None:
    assert written.of_bucket_policy() == guarded


@pytest.mark.parametrize("written", [place("a/*"), place("a?/**"), Place(prefix="${x}", pattern="", buckets=())])
def test_what_a_bucket_policy_cannot_say_exactly_is_no_guarded_place(written: Place) -> None:
    with pytest.raises(ValueError, match="bucket policy"):
        written.of_bucket_policy()


def test_what_a_pattern_may_not_say_in_a_bucket_policy_is_told_from_how_it_is_said_there() -> None:
    with pytest.raises(ValueError, match=r'^"\?" means something else in a bucket policy$'):
        place("a?/**").of_bucket_policy()
    with pytest.raises(ValueError, match=r"^the \* of a bucket policy goes across /, so write \*\* here$"):
        place("a/*").of_bucket_policy()


def test_a_star_in_a_prefix_is_no_pattern_that_could_be_written_otherwise() -> None:
    with pytest.raises(ValueError, match=r'^"\*" means something else in a bucket policy$'):
        Place(prefix="a*b/", pattern="", buckets=()).of_bucket_policy()
