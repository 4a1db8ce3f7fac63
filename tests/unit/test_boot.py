"""Boot checks: everything that is missing is told at once, and nothing can hold them up."""

from __future__ import annotations

import threading

from tasks.aws.faults import Denied
from worker.boot import run_checks
from worker.doctor import Sick

PATIENCE = 10.0


def well() -> str:
    return "well"


def sick() -> str:
    raise Sick("a wrong number")


def denied() -> str:
    raise Denied("no permission")


def test_nothing_is_said_of_what_is_well_or_merely_not_as_it_should_be() -> None:
    assert run_checks([("a", well), ("b", sick)], within=PATIENCE) == []


def test_everything_that_is_missing_is_told_at_once_in_its_order() -> None:
    checks = [("queue", denied), ("bucket", well), ("table", denied)]
    assert run_checks(checks, within=PATIENCE) == ["queue: no permission", "table: no permission"]


def test_a_check_that_hangs_is_missing_too_and_holds_up_nobody() -> None:
    release = threading.Event()

    def hang() -> str:
        release.wait(PATIENCE)
        return "late"

    assert run_checks([("queue", hang), ("table", denied)], within=0.2) == [
        "queue: no answer within 0 s",
        "table: no permission",
    ]
    release.set()


def test_checks_run_side_by_side() -> None:
    met = threading.Barrier(3, timeout=PATIENCE)

    def meet() -> str:
        met.wait()
        return "met"

    assert run_checks([("a", meet), ("b", meet), ("c", meet)], within=PATIENCE) == []
