"""The books: what nobody else takes along is written, once, and at the end nothing is left."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tasks.aws.faults import Denied
from tasks.desk import Desk
from worker.books import Books
from worker.families import AUDIT_FAILURES
from worker.metrics import Registry


class Log:
    """An audit log that takes what waits, or is down."""

    def __init__(self, waiting: list[int], *, down: bool = False) -> None:
        self.written: list[int] = []
        self._waiting, self._down = waiting, down
        self.heads: list[list[int]] = []

    def append(self, entries: Iterable[Any]) -> None:
        assert list(entries) == []
        if self._down:
            raise Denied
        self.written += self._waiting
        self._waiting.clear()

    def record_head(self) -> None:
        if self._down:
            raise Denied
        self.heads.append([*self.written])


class Waiting:
    def __init__(self, entries: list[int]) -> None:
        self._entries = entries

    @property
    def waiting(self) -> bool:
        return bool(self._entries)


def books(log: Log, entries: list[int], exchanged: list[str] | None = None) -> Books:
    budget = SimpleNamespace(exchange=lambda: exchanged.append("told")) if exchanged is not None else None
    return Books(cast("Desk", SimpleNamespace(audit=log, spending=Waiting(entries), budget=budget)), seconds=3600)


def test_what_waits_is_written() -> None:
    entries = [1, 2]
    log = Log(entries)
    books(log, entries).tick()
    assert log.written == [1, 2]


def test_how_far_the_log_has_come_is_recorded_after_what_waited_is_written() -> None:
    entries = [1, 2]
    log = Log(entries)
    books(log, entries).tick()
    assert log.heads == [[1, 2]]


def test_where_nothing_waits_nothing_is_called() -> None:
    log = Log([], down=True)
    books(log, []).tick()
    assert log.written == []


def test_a_log_that_is_down_costs_nothing_but_time_and_the_caps_are_told_all_the_same() -> None:
    exchanged: list[str] = []
    books(Log([], down=True), [1], exchanged).tick()
    assert exchanged == ["told"]


@pytest.mark.parametrize("started", [True, False])
def test_the_end_writes_what_is_left(started: bool) -> None:
    entries, exchanged = [1], list[str]()
    log = Log(entries)
    kept = books(log, entries, exchanged)
    if started:
        kept.start()
    kept.close()
    assert (log.written, exchanged) == ([1], ["told"])


def test_how_often_the_audit_log_could_not_be_written_is_told_once_each() -> None:
    registry, audit = Registry(), SimpleNamespace(failures=0, record_head=lambda: None)
    desk = SimpleNamespace(audit=audit, spending=Waiting([]), budget=None)
    kept = Books(cast("Desk", desk), registry, seconds=3600)
    for failures in (0, 2, 2, 3):
        audit.failures = failures
        kept.tick()
    assert registry.snapshot().total(AUDIT_FAILURES) == 3
