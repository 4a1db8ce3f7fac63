"""Enqueue a run from this machine: a few threads, each an enqueuer of its own, until all is sent or one is stopped."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from config.lanes import LANES
from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.rescan.behind import Live, why_behind
from tasks.rescan.ending import end_if_over
from tasks.rescan.enqueue import Enqueuer, Waits
from tasks.rescan.pace import Pace
from tasks.rescan.run import Run
from tasks.rescan.run_rows import Runs
from tasks.rescan.source import source_of
from worker.fleet import FleetView
from worker.in_force import Unfit, as_in_force
from worker.top import look
from worker.wiring import writer_name

#: Lanes that a rescan never delays.
LIVE = ("uploads", "video", "rulings")
#: Parts that one process works at the same time.
THREADS = 4
#: Seconds between two looks: at live traffic, at the policy in force, and for the progress bar.
LIVE_SECONDS, POLICY_SECONDS, SHOWN_SECONDS = 5.0, 30.0, 0.5

#: Told of the run as it is now, every half a second.
Tell = Callable[[Run], object]


def enqueue(desk: Desk, run: Run, *, threads: int = THREADS, tell: Tell) -> Run:
    """Send a run's messages until all are sent; returns the run as it is then. Raises Unreadable and Fault.

    Ctrl-C and SIGTERM end it by KeyboardInterrupt, once what is under way is on record; another enqueuer, or the next
    one, goes on at once.
    """
    desk = replace(desk, rescan=run)
    stop, source = threading.Event(), source_of(run.source, desk)
    waits = Waits(behind=Behind(desk, run), stop=stop, idle=stop.wait, pace=Pace(run.rate))
    each = [
        Enqueuer(
            desk=desk,
            run_id=run.id,
            source=source,
            me=f"{writer_name()}-{number}",
            lease_seconds=desk.settings.rescan_lease_seconds,
            waits=waits,
        )
        for number in range(threads)
    ]
    with ThreadPoolExecutor(threads, thread_name_prefix="enqueue") as hands, _interrupted_by_sigterm():
        working = [hands.submit(one.run) for one in each]
        try:
            _watch(desk, run.id, working, tell)
        finally:
            stop.set()
    return found(desk, run.id)


def found(desk: Desk, run_id: str) -> Run:
    """The run as it is now, ended where there is nothing left to do. Raises Fault."""
    end_if_over(desk, run_id)
    run = Runs(desk.aws, desk.settings.items_table).find(run_id)
    assert run is not None  # runs are never taken away
    return run


class Behind:
    """Asks now and then whether live traffic comes first; in between it remembers. For any thread."""

    def __init__(self, desk: Desk, run: Run, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is asked yet."""
        self._desk, self._run, self._clock = desk, run, clock
        self._told, self._policy, self._lock = "", "", threading.Lock()
        self._look_at = self._policy_at = clock()

    def __call__(self) -> str:
        """Why nothing may be sent just now; empty where it may."""
        with self._lock:
            now = self._clock()
            if now >= self._policy_at:
                self._policy, self._policy_at = why_not_under(self._desk, self._run), now + POLICY_SECONDS
            if now >= self._look_at:
                self._told, self._look_at = why_of(self._desk), now + LIVE_SECONDS
            return self._policy or self._told


def why_not_under(desk: Desk, run: Run) -> str:
    """Why a run cannot go on, where another policy than its own is in force; empty where its own is."""
    try:
        version = as_in_force(desk).policy.version
    except (Unfit, Fault) as why:
        return f"which policy is in force cannot be told: {why}"
    if version == run.policy_version:
        return ""
    return f"{version} is in force, and this run is under {run.policy_version}: put that in force again, or cancel it"


def why_of(desk: Desk) -> str:
    """Why live traffic comes first; empty where it does not."""
    try:
        view = look(desk)
    except Fault as fault:
        return f"nobody knows how live lanes do: {fault}"
    return why_in(view, within=desk.settings.rescan_live_seconds)


def why_in(view: FleetView, *, within: float) -> str:
    """The same of a look at the fleet."""
    lanes = {name: view.lanes[name] for name in LIVE}
    live = [
        Live(lane=name, waiting=lane.depth.visible, rate=lane.done_rate, age=_seconds(lane.age.quantile(0.9)))
        for name, lane in lanes.items()
    ]
    needed = set(LANES["rescan"].needs)
    return why_behind(
        live, down=[name for name, each in view.calls.items() if each.open and name in needed], within=within
    )


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000


def _watch(desk: Desk, run_id: str, working: list[Future[Run]], tell: Tell) -> None:
    """Until all is sent, which the first thread that ends has seen; raises what one of them raised."""
    runs = Runs(desk.aws, desk.settings.items_table)
    ended: set[Future[Run]] = set()
    while not ended:
        ended, _ = wait(working, timeout=SHOWN_SECONDS, return_when=FIRST_COMPLETED)
        if run := runs.find(run_id):
            tell(run)
    for each in ended:
        each.result()


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
