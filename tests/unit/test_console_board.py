"""The board's figures: read once for however many look, and how sure a share is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.review.interval import wilson
from worker.console.lately import Lately
from worker.console.log_range import in_chunks


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_value_is_worked_out_anew_only_once_it_is_old() -> None:
    clock, made = Clock(), list[int]()

    def make() -> int:
        made.append(len(made))
        return made[-1]

    lately = Lately(make, seconds=5, clock=clock)
    assert [lately.get(), lately.get()] == [0, 0]
    clock.now = 4.9
    assert lately.get() == 0
    clock.now = 5.0
    assert [lately.get(), lately.get()] == [1, 1]


def test_what_failed_is_tried_again_by_the_next_who_asks() -> None:
    answers = iter([ZeroDivisionError(), 7])

    def make() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    lately = Lately(make, seconds=5, clock=Clock())
    with pytest.raises(ZeroDivisionError):
        lately.get()
    assert lately.get() == 7


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 0, 0.0, 1.0), (0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (1, 100, 0.0018, 0.0545)],
)
def test_an_interval_is_that_of_the_textbook(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_an_interval_holds_the_share_and_more_cases_make_it_narrower(counted: tuple[int, int]) -> None:
    hits, of = counted
    low, high = wilson(hits, of)
    assert 0 <= low <= hits / of <= high <= 1
    closer_low, closer_high = wilson(hits * 4, of * 4)
    assert closer_high - closer_low < high - low


def test_an_export_reads_no_further_than_it_sends() -> None:
    read = list[int]()

    def lines() -> object:
        number = 0
        while True:
            read.append(number)
            yield f"{number}\n"
            number += 1

    chunks = in_chunks(lines(), size=100)  # type: ignore[arg-type]
    assert next(chunks).count("\n") == 100
    assert len(read) == 100
    assert "".join(in_chunks(iter(["a\n", "b\n", "c\n"]), size=2)) == "a\nb\nc\n"
