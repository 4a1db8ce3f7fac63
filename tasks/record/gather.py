"""Gathering: the questions of many threads in one call. While one call is out, the next ones gather."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tasks.aws.faults import Fault

Question = TypeVar("Question")
Answer = TypeVar("Answer")

#: Seconds between the beginnings of two calls that are not full. An idle process asks at once.
APART = 0.05


@dataclass(slots=True)
class _Group(Generic[Question, Answer]):
    """Questions that go into one call, and what came of it."""

    questions: dict[Question, None] = field(default_factory=dict)
    full: threading.Event = field(default_factory=threading.Event)
    asked: bool = False
    answers: Mapping[Question, Answer] = field(default_factory=dict)
    #: Cleared by an answer, and by nothing else.
    fault: Fault | None = field(default_factory=lambda: Fault("the group was not asked"))


class Gathering(Generic[Question, Answer]):
    """Asks for many threads at once, up to `most` different questions a call."""

    def __init__(
        self,
        ask: Callable[[Sequence[Question]], Mapping[Question, Answer]],
        *,
        most: int,
        apart: float = APART,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ask` makes one call; it may leave questions unanswered, and raises Fault."""
        self._ask, self._most, self._apart, self._clock = ask, most, apart, clock
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._group = _Group[Question, Answer]()
        self._last = float("-inf")

    def __call__(self, question: Question) -> Answer | None:
        """The answer, None where there is none. Raises the Fault of the call that asked."""
        group = self._join(question)
        with self._asking:
            # Whoever comes first of a group asks for all of it.
            if not group.asked:
                self._ask_for(group)
        if group.fault:
            raise group.fault
        return group.answers.get(question)

    @property
    def waiting(self) -> int:
        """Questions that go into the next call."""
        return len(self._group.questions)

    def _join(self, question: Question) -> _Group[Question, Answer]:
        with self._lock:
            group = self._group
            group.questions[question] = None
            if len(group.questions) >= self._most:
                group.full.set()
                self._group = _Group()
            return group

    def _ask_for(self, group: _Group[Question, Answer]) -> None:
        group.full.wait(max(0.0, self._last + self._apart - self._clock()))
        with self._lock:
            if self._group is group:
                self._group = _Group()
        self._last = self._clock()
        try:
            group.answers = self._ask(list(group.questions))
            group.fault = None
        except Fault as fault:
            group.fault = fault
        finally:
            group.asked = True
