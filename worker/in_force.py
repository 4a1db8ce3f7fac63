"""Which policy is in force: the one that was activated last or, until somebody activates one, each process's own file.

A process takes it up at its start, and a worker every `MODFLEET_POLICY_SECONDS` while it runs. A run works with the
desk that it began with, and so ends under the policy that it began with.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Protocol

import structlog

from tasks.aws.faults import Fault
from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.desk import Desk
from tasks.detect.term_file import TermsError
from tasks.record.policies import Change, How, Meanwhile, Policies, TooLarge, UnknownPolicy
from worker.families import POLICY_STALE
from worker.metrics import Registry
from worker.ticker import Ticker
from worker.wiring import under

log = structlog.get_logger("modfleet.in_force")

#: How versions begin: `sha256:` and 12 hex digits.
STORED = "sha256:"


class Unfit(Exception):
    """A stored policy cannot be worked by; the text says which, why, and what to do."""


class HasDesk(Protocol):
    """A Celery app, as far as its desk goes."""

    desk: Desk


def policies_of(desk: Desk) -> Policies:
    """Where policies are stored."""
    return Policies(desk.aws, desk.settings.items_table)


def as_in_force(desk: Desk) -> Desk:
    """The desk under the policy in force, with the shadow policy where a stored one is named. Raises Unfit and Fault.

    One read where nothing was activated.
    """
    desk = _with_stored_shadow(desk)
    change = policies_of(desk).in_force()
    if change is None or change.how is How.FILE or change.version == desk.policy.version:
        return desk
    return fit(desk, change.version)


def if_fit(desk: Desk) -> Desk:
    """The desk under the policy in force where that can be read, else as it is: for looking at what is wrong."""
    try:
        return as_in_force(desk)
    except (Unfit, Fault):
        return desk


def told(desk: Desk) -> str:
    """Which policy is in force, and since when. Raises Unfit and Fault."""
    file, change = desk.settings.policy_file.name, policies_of(desk).in_force()
    if change is None:
        return f"{file} is {desk.policy.version}"
    since = f"{change.at:%Y-%m-%d %H:%M} UTC"
    if change.how is not How.FILE:
        fit(desk, change.version)
        return f"{change.version} is in force since {since} ({change.how} by {change.by}), whatever {file} says"
    if change.version == desk.policy.version:
        return f"{file} is {change.version}, in force since {since}"
    return f"{file} is {desk.policy.version}; the worker that began last, {since}, has {change.version}"


def fit(desk: Desk, version: str) -> Desk:
    """The desk under a stored policy. Raises Unfit and Fault."""
    try:
        return under(desk, policies_of(desk).read(version))
    except (PolicyError, TermsError, UnknownPolicy) as error:
        raise Unfit(
            f"the policy {version} cannot be worked by here, for:\n{error}\nRun the modfleet that it was written for, "
            "or put another in force: `modfleet policy rollback`, or `modfleet policy activate FILE`"
        ) from None


def _with_stored_shadow(desk: Desk) -> Desk:
    named = desk.settings.shadow_policy or ""
    if not named.startswith(STORED) or (desk.shadow and desk.shadow.version == named):
        return desk
    try:
        return replace(desk, shadow=policies_of(desk).read(named))
    except (PolicyError, UnknownPolicy) as error:
        raise Unfit(f"MODFLEET_SHADOW_POLICY:\n{error}") from None


def note_file(desk: Desk) -> None:
    """Record that a worker begins to run on its file, unless one was activated or it is on record. Raises Fault.

    So "which policy was in force when" has an answer from the first worker on.
    """
    store = policies_of(desk)
    last = store.in_force()
    if last and (last.how is not How.FILE or last.version == desk.policy.version):
        return
    try:
        put_file_in_force(desk, last)
    except Meanwhile:
        # The other workers of the same roll-out begin at the same time: one of them tells of all.
        log.debug("policy_noted_by_another", policy=desk.policy.version)
    except TooLarge as large:
        log.warning("policy_not_stored", policy=desk.policy.version, why=str(large))


def put_file_in_force(desk: Desk, last: Change | None) -> Change:
    """Record the file that settings name as what is in force. Raises Meanwhile, TooLarge and Fault."""
    text = desk.settings.policy_file.read_text("utf-8")
    policy = parse_policy(text, source=desk.settings.policy_file.name)
    change = succeeding(last, desk, version=policy.version, how=How.FILE, by=f"worker on {socket.gethostname()}")
    policies_of(desk).store(policy.version, text)
    policies_of(desk).put_in_force(change)
    return change


def succeeding(last: Change | None, desk: Desk, *, version: str, how: How, by: str) -> Change:
    """The change that comes after the last one, now or, where clocks differ, at the moment of the last."""
    now = desk.now()
    return Change(
        number=last.number + 1 if last else 1,
        version=version,
        how=how,
        at=max(now, last.at) if last else now,
        by=by,
        replaced=last.version if last else "",
        before=last.number if last else 0,
    )


class Watch:
    """Takes up what comes into force while a worker runs. `tick` does it once; `start` has a thread do it.

    What cannot be taken up leaves the policy as it is: told once in the log, and by a metric as long as it lasts.
    """

    def __init__(self, holder: HasDesk, registry: Registry, *, seconds: float) -> None:
        """Nothing is looked at yet."""
        self._holder, self._registry = holder, registry
        self._told = ""
        self._ticker = Ticker(self.tick, seconds=seconds, name="policy")

    def start(self) -> None:
        """Begin looking."""
        self._ticker.start()

    def close(self) -> None:
        """Look no more."""
        self._ticker.stop()

    def tick(self) -> None:
        """Look once which policy is in force: one read, and one more where it is another than before."""
        old = self._holder.desk
        stale, told = 1.0, ""
        try:
            self._holder.desk = taken = as_in_force(old)
        except Unfit as unfit:
            told = str(unfit)
            if told != self._told:
                log.error("policy_not_taken_up", in_use=old.policy.version, why=told)
        except Fault as fault:
            told = fault.call
            if told != self._told:
                log.warning("policy_in_force_not_known", in_use=old.policy.version, why=str(fault))
        else:
            stale = 0.0
            if taken.policy.version != old.policy.version:
                log.info("policy_taken_up", policy=taken.policy.version, replaced=old.policy.version)
        self._told = told
        self._registry.level(POLICY_STALE, stale)
