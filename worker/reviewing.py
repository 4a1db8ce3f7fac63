"""Reviewing: one worker a minute, of those that serve the rulings lane, sends late rulings and tells what waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog

from tasks.aws.calls import call
from tasks.aws.faults import Fault, Moved
from tasks.desk import Desk
from tasks.review.cases import workload
from tasks.review.claims import put_back_expired
from tasks.review.figures import figures
from tasks.review.ruling import send_late
from tasks.review.severity import moment
from worker.families import (
    APPEAL_OVERTURN_RATE,
    APPEALS_DECIDED,
    CASE_OVERDUE_SECONDS,
    CASES_OVERDUE,
    CASES_WAITING,
    OVERTURN_RATE,
    OVERTURN_WORST,
    REVIEW,
    RULING_SECONDS,
    RULINGS_PER_HOUR,
)
from worker.metrics import Registry
from worker.ticker import Ticker

log = structlog.get_logger("modfleet.reviewing")

#: Seconds between two rounds of the whole fleet, and of one process between two looks whether it is its turn.
SECONDS = 60.0
#: Hours that the rates are of, and cases of them that are looked through.
HOURS, MOST = 24, 1_000
#: Rulings on a rule's cases in that time, from which on its overturn rate is more than chance.
ENOUGH = 20
#: The row by which the fleet agrees whose turn it is. No case has such an id.
_TURN = {"case_id": {"S": "#turn"}}


class Reviewing:
    """Does the fleet's round. `tick` does it once; `start` has a thread do it until `close`."""

    def __init__(self, desk: Desk, registry: Registry, *, serves: Callable[[], bool], seconds: float = SECONDS) -> None:
        """`serves` says whether this process serves the rulings lane: no other does the round."""
        self._desk, self._registry, self._serves, self._seconds = desk, registry, serves, seconds
        self._ticker = Ticker(self.tick, seconds=seconds, name="reviewing")

    def start(self) -> None:
        """Begin."""
        self._ticker.start()

    def close(self) -> None:
        """No round runs any more when this returns."""
        self._ticker.stop()
        self._registry.forget(REVIEW)

    def tick(self) -> None:
        """Do the round if it is this process's turn. What fails is done in the next."""
        if not self._serves():
            return
        try:
            mine = self._is_our_turn()
            # Whoever does the next round tells the figures then; two would contradict each other.
            self._registry.forget(REVIEW)
            if mine:
                self._round()
        except Fault as fault:
            log.warning("round_failed", why=str(fault))

    def _is_our_turn(self) -> bool:
        """Whoever asks first in each minute has it. One call."""
        now = self._desk.now()
        try:
            call(
                self._desk.aws.store,
                self._desk.aws.dynamodb.update_item,
                TableName=self._desk.settings.cases_table,
                Key=_TURN,
                UpdateExpression="SET next_at = :next",
                ConditionExpression="attribute_not_exists(next_at) OR next_at <= :now",
                ExpressionAttributeValues={
                    ":next": {"S": moment(now + timedelta(seconds=self._seconds))},
                    # A process's own clock may be early by a little.
                    ":now": {"S": moment(now + timedelta(seconds=1))},
                },
            )
        except Moved:
            return False
        return True

    def _round(self) -> None:
        desk = self._desk
        if sent := send_late(desk):
            log.warning("rulings_sent_again", count=sent)
        put_back_expired(desk, most=100)
        now = desk.now()
        for load in workload(desk):
            if load.escalated and not load.waiting:
                # Each is a metric that CloudWatch bills by the month, and nobody wakes up for a 0.
                continue
            labels = (f"{load.severity}-escalated" if load.escalated else load.severity,)
            self._registry.level(CASES_WAITING, load.waiting, labels)
            self._registry.level(CASES_OVERDUE, load.overdue, labels)
            if load.overdue:
                self._registry.level(CASE_OVERDUE_SECONDS, load.overdue_seconds(now), labels)
        told = figures(desk, hours=HOURS, most=MOST)
        self._registry.level(RULINGS_PER_HOUR, told.ruled / HOURS)
        for severity, (middle, _) in told.seconds.items():
            self._registry.level(RULING_SECONDS, middle, (severity,))
        for path, one in told.rules.items():
            self._registry.level(OVERTURN_RATE, one.rate, (path,))
        if telling := [one.rate for one in told.rules.values() if one.ruled >= ENOUGH]:
            self._registry.level(OVERTURN_WORST, max(telling))
        for outcome, count in told.appeals.items():
            self._registry.level(APPEALS_DECIDED, count, (outcome,))
        for path, one in told.appealed_rules.items():
            self._registry.level(APPEAL_OVERTURN_RATE, one.rate, (path,))
