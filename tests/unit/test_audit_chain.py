"""A chain that is read back: whatever was done to it shows, and is named; what nobody touched is not suspected."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.record.chain import GENESIS, Chain, Head, Problem, compact, key_of, line_hash, writer_and_number

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
#: Three objects of three lines each.
LINES = [{"entry_id": f"{n:032x}", "event": "decided", "text": 'a "hash":"x", é🌴', "usd": 0.1 + n} for n in range(9)]


def sealed(said: list[dict[str, object]]) -> list[bytes]:
    """The lines as a writer would write them."""
    rows, prev = [], GENESIS
    for number, entry in enumerate(said, start=1):
        line = entry | {"writer": "w", "line": number, "prev": prev}
        prev = line_hash(line)
        rows.append(compact(line | {"hash": prev}).encode())
    return rows


ROWS = sealed(LINES)
BODIES = [b"\n".join(ROWS[begin : begin + 3]) + b"\n" for begin in (0, 3, 6)]
KEYS = [key_of("w", number, at=NOW) for number in (1, 2, 3)]
HEAD = Head(writer="w", objects=3, lines=9, hash=json.loads(ROWS[-1])["hash"], key=KEYS[-1], at=NOW)


def problems(bodies: list[bytes], *, numbers: tuple[int, ...] = (1, 2, 3), head: Head | None = HEAD) -> list[Problem]:
    """What is wrong with objects of these bodies."""
    chain = Chain("w", heads=[head] if head else [])
    found = [
        problem
        for number, body in zip(numbers, bodies, strict=True)
        for problem in chain.take(key_of("w", number, at=NOW), body, number=number)
    ]
    return [*found, *chain.lost()]


def with_second(rows: list[bytes]) -> list[bytes]:
    """The bodies, the second object having these lines instead."""
    return [BODIES[0], b"\n".join(rows) + b"\n", BODIES[2]]


def test_what_was_written_is_in_order() -> None:
    assert problems(BODIES) == []


def test_a_head_that_lags_behind_is_no_reason_to_cry() -> None:
    behind = Head(writer="w", objects=2, lines=6, hash=json.loads(ROWS[5])["hash"], key=KEYS[1], at=NOW)
    assert problems(BODIES, head=behind) == []
    assert problems(BODIES, head=None) == []


def test_a_removed_line_is_named() -> None:
    (problem,) = problems(with_second([ROWS[3], ROWS[5]]))
    assert problem == Problem(what="line 5 before it was removed", writer="w", key=KEYS[1], line=6, place=2)


def test_a_changed_line_is_named() -> None:
    (problem,) = problems(with_second([ROWS[3], ROWS[4].replace(b"decided", b"allowed"), ROWS[5]]))
    assert problem == Problem(what="the line was changed, or added", writer="w", key=KEYS[1], line=5, place=2)


def test_a_line_that_was_changed_and_hashed_anew_does_not_fit_the_next() -> None:
    line = json.loads(ROWS[4]) | {"event": "allowed"}
    forged = compact(line | {"hash": line_hash(line)}).encode()
    (problem,) = problems(with_second([ROWS[3], forged, ROWS[5]]))
    assert (problem.line, problem.place) == (6, 3)
    assert "rewritten" in problem.what


def test_added_lines_are_named_be_they_copies_forged_or_rubbish() -> None:
    for added in (ROWS[3], ROWS[0], b"{}", b"", compact(json.loads(ROWS[8]) | {"line": 5}).encode()):
        (problem, *_) = problems(with_second([ROWS[3], ROWS[4], added, ROWS[5]]))
        assert problem.key == KEYS[1]
        assert "added" in problem.what
        assert problem.place == 3 or added == ROWS[0]


def test_reordered_lines_are_named() -> None:
    (problem,) = problems(with_second([ROWS[4], ROWS[3], ROWS[5]]))
    assert problem.what == "the lines were reordered: it stands after line 5"
    assert (problem.line, problem.place) == (4, 2)


def test_a_missing_object_in_the_middle_is_named_with_its_lines() -> None:
    (problem,) = problems([BODIES[0], BODIES[2]], numbers=(1, 3))
    assert problem.what == "object 2 (lines 4 to 6) missing"


def test_a_lost_tail_is_named_with_its_lines() -> None:
    (problem,) = problems(BODIES[:1], numbers=(1,))
    assert problem.what == "objects 2 to 3 (lines 4 to 9) missing: the tail is lost"
    assert problem.key == KEYS[2]
    (problem,) = problems([], numbers=())
    assert problem.what.startswith("objects 1 to 3 (lines 1 to 9) missing")


def test_lines_cut_off_the_last_object_show_by_the_head() -> None:
    (problem,) = problems([*BODIES[:2], ROWS[6] + b"\n"])
    assert "cut off" in problem.what


def test_an_object_that_was_added_is_named() -> None:
    (problem,) = problems([BODIES[0], BODIES[1], BODIES[1], BODIES[2]], numbers=(1, 2, 2, 3))
    assert "added" in problem.what
    assert problem.key == KEYS[1]


def test_objects_that_changed_places_show() -> None:
    assert problems([BODIES[1], BODIES[0], BODIES[2]])


def test_lines_of_another_writer_do_not_pass() -> None:
    chain = Chain("other")
    assert len(chain.take(KEYS[0], BODIES[0], number=1)) == 3


def test_a_chain_is_taken_up_in_its_middle_by_the_object_before() -> None:
    for last, wrong in ((BODIES[0], 0), (BODIES[0].replace(b"decided", b"allowed"), 0), (BODIES[1], 1)):
        chain = Chain("w", heads=[HEAD])
        chain.begin_with(BODIES[1], number=2, before=last)
        found = [*chain.take(KEYS[1], BODIES[1], number=2), *chain.take(KEYS[2], BODIES[2], number=3)]
        assert bool([*found, *chain.lost()]) == bool(wrong)


@pytest.mark.parametrize("key", ["log/2026/01/02/03/notes.txt", "log/2026/01/02/w-00000001.jsonl", "log/x"])
def test_a_key_that_no_writer_would_choose_is_nobodys(key: str) -> None:
    assert writer_and_number(key) is None
    assert writer_and_number(KEYS[0]) == ("w", 1)


@given(st.data())
def test_any_single_edit_of_any_byte_is_found(data: st.DataObject) -> None:
    whole = b"".join(BODIES)
    at = data.draw(st.integers(0, len(whole) - 1))
    edit = data.draw(st.sampled_from(["change", "insert", "delete"]))
    byte = bytes([data.draw(st.integers(0, 255))])
    changed = whole[:at] + (b"" if edit == "delete" else byte) + whole[at + (edit != "insert") :]
    bounds = [0]
    for body in BODIES:
        shift = len(changed) - len(whole) if bounds[-1] <= at < bounds[-1] + len(body) else 0
        bounds.append(bounds[-1] + len(body) + shift)
    bodies = [changed[begin:end] for begin, end in pairwise(bounds)]
    assert (bodies == BODIES) == (not problems(bodies))


@given(st.lists(st.sampled_from(range(9)), max_size=12))
def test_no_other_selection_or_order_of_whole_lines_passes(chosen: list[int]) -> None:
    body = b"".join(ROWS[number] + b"\n" for number in chosen)
    head = Head(writer="w", objects=1, lines=9, hash=HEAD.hash, key=KEYS[0], at=NOW)
    assert (not problems([body], numbers=(1,), head=head)) == (chosen == list(range(9)))
