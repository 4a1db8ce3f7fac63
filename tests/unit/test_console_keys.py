"""Keys as people write them, and which of them nobody may take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.console.key_map import ACTIONS, COMMITS, NO_LETTERS, KeyMap, Profile, key_from, moved_from

PARTS = st.lists(
    st.sampled_from(["ctrl", "Shift", "ALT", "a", "V", "f2", "?", "+", "enter", "esc", " ", ""]), max_size=4
)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("a", "A"),
        (" ctrl + shift+enter", "Ctrl+Shift+Enter"),
        ("Shift+Ctrl+X", "Ctrl+Shift+X"),
        ("shift+?", "?"),
        ("esc", "Escape"),
        ("F12", "F12"),
        ("Ctrl++", "Ctrl++"),
        ("F13", ""),
        ("hyper+a", ""),
        ("ab", ""),
        ("", ""),
        ("+a", ""),
    ],
)
def test_a_key_is_read_as_people_write_it(written: str, key: str) -> None:
    assert key_from(written) == key


@given(PARTS.map("+".join) | st.text(max_size=8))
def test_what_was_read_reads_the_same_again(written: str) -> None:
    once = key_from(written)
    assert not once or key_from(once) == once


def test_the_usual_keys_are_all_different_and_none_is_the_browser_s() -> None:
    assert moved_from({}) == ({}, {})
    assert len(set(NO_LETTERS.values())) == len(NO_LETTERS)
    assert not [key for key in NO_LETTERS.values() if len(key) == 1]


@given(st.dictionaries(st.sampled_from(list(ACTIONS)), PARTS.map("+".join), max_size=4))
def test_what_is_taken_decides_by_two_keys_and_by_no_other_s(written: dict[str, str]) -> None:
    moved, wrong = moved_from(written)
    if wrong:
        return
    keys = KeyMap(moved=moved).keys
    assert len(set(keys.values())) == len(keys)
    assert all(key.startswith("Ctrl+") or len(key) > 1 for action, key in keys.items() if action in COMMITS)


def test_two_keys_change_places() -> None:
    moved, wrong = moved_from({"allow": "R", "remove": "A"})
    assert (moved, wrong) == ({"allow": "R", "remove": "A"}, {})


def test_keys_that_are_off_are_none_and_those_that_were_moved_are_kept_for_later() -> None:
    keys = KeyMap(profile=Profile.OFF, moved={"remove": "F2"})
    assert (dict(keys.keys), keys.letters["remove"]) == ({}, "F2")
