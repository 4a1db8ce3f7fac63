"""Questions of many threads go out in one call, and each gets its own answer, or the fault of its call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tasks.aws.faults import Fault, Transient
from tasks.record.gather import Gathering


class Calls:
    """Answers each question with itself twice; the first call waits until it is let go."""

    def __init__(self, fail: Callable[[int], bool] = lambda _: False) -> None:
        self.groups: list[list[str]] = []
        self.begun, self.go = threading.Event(), threading.Event()
        self._fail = fail

    def __call__(self, questions: Sequence[str]) -> dict[str, str]:
        self.groups.append(list(questions))
        self.begun.set()
        if len(self.groups) == 1:
            assert self.go.wait(20)
        if self._fail(len(self.groups)):
            raise Transient("down")
        return {question: question * 2 for question in questions if question != "unknown"}


def asked_meanwhile(calls: Calls, questions: Sequence[str], *, most: int = 10) -> list[Future[str | None]]:
    """Ask the first question, and all others while its call is out."""
    gathering = Gathering[str, str](calls, most=most, apart=0)
    with ThreadPoolExecutor(len(questions)) as pool:
        first = pool.submit(gathering, questions[0])
        assert calls.begun.wait(20)
        others = [pool.submit(gathering, question) for question in questions[1:]]
        # Where they are more than one call takes, the last group is not full.
        while gathering.waiting != len(set(questions[1:])) % most:
            assert not any(other.done() for other in others)
        calls.go.set()
    return [first, *others]


def test_what_comes_while_one_call_is_out_goes_out_in_the_next() -> None:
    calls = Calls()
    answers = asked_meanwhile(calls, ["a", "b", "c", "unknown", "b"])
    assert [answer.result() for answer in answers] == ["aa", "bb", "cc", None, "bb"]
    assert calls.groups[0] == ["a"]
    assert sorted(calls.groups[1]) == ["b", "c", "unknown"]


def test_a_fault_is_everybodys_who_was_in_the_call_and_nobody_elses() -> None:
    calls = Calls(fail=lambda number: number == 2)
    first, *others = asked_meanwhile(calls, ["a", "b", "c"])
    assert first.result() == "aa"
    assert [type(other.exception()) for other in others] == [Transient, Transient]


def test_no_call_asks_more_than_it_may() -> None:
    calls = Calls()
    answers = asked_meanwhile(calls, [*"abcdef"], most=3)
    assert [answer.result() for answer in answers] == [one * 2 for one in "abcdef"]
    assert max(map(len, calls.groups)) == 3
    assert sorted(one for group in calls.groups for one in group) == [*"abcdef"]


def test_a_call_that_ends_in_a_bug_leaves_nobody_with_an_answer() -> None:
    def broken(_: Sequence[str]) -> dict[str, str]:
        raise KeyError("a bug")

    gathering = Gathering[str, str](broken, most=5, apart=0)
    with pytest.raises(KeyError):
        gathering("a")
    with pytest.raises((KeyError, Fault)):
        gathering("b")
