"""Boot checks: a worker that lacks something does not start, and says at once everything that it lacks."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable

import structlog

from tasks.aws.faults import Fault
from tasks.desk import Desk
from worker.doctor import Sick, necessities

log = structlog.get_logger("modfleet.boot")

#: Seconds for all checks together.
BOOT_SECONDS = 10.0

#: (name, what raises Sick or Fault)
Check = tuple[str, Callable[[], str]]


def lacking(desk: Desk, *, within: float = BOOT_SECONDS) -> list[str]:
    """What is missing, denied or out of reach, one line each; what is merely not as it should be is logged."""
    return run_checks(necessities(desk), within=within)


def run_checks(checks: Iterable[Check], *, within: float) -> list[str]:
    """Run checks all at once; returns a line for each that failed, or has not answered in time."""
    answers: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    waiting = dict(checks)
    for name, check in waiting.items():
        # Daemons: one that hangs must not keep a worker that refuses to start from ending.
        threading.Thread(target=_answer, args=(name, check, answers), name="boot-check", daemon=True).start()
    until = time.monotonic() + within
    trouble: dict[str, str] = {}
    while waiting.keys() - trouble.keys():
        try:
            name, why = answers.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        if why:
            trouble[name] = why
        else:
            del waiting[name]
    return [f"{name}: {trouble.get(name, f'no answer within {within:.0f} s')}" for name in waiting]


def _answer(name: str, check: Callable[[], str], answers: queue.SimpleQueue[tuple[str, str]]) -> None:
    why = "the check itself failed"
    try:
        check()
        why = ""
    except Sick as sick:
        log.warning("not_as_it_should_be", check=name, why=str(sick))
        why = ""
    except Fault as fault:
        why = str(fault)
    finally:
        answers.put((name, why))
