"""What a person makes of what the brake holds: taken down after all, or left up."""

from __future__ import annotations

from tasks.brake import note_settled
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.outcome import Outcome, Skipped
from tasks.overrule import NotHeld, Verdict, overrule
from tasks.record.standing import Standing


def confirm(desk: Desk, standing: Standing, *, by: str, why: str) -> Outcome:
    """Take down what the brake held, by the rules of then; or go on. Raises NotHeld; Fault, to go on later."""
    return _settle(desk, standing, (Tier.REJECT, standing.braked), by=by, why=why)


def release(desk: Desk, standing: Standing, *, by: str, why: str) -> Outcome:
    """Leave up what the brake held, or show it again; or go on. Raises NotHeld; Fault, to go on later."""
    return _settle(desk, standing, (Tier.ALLOW, ()), by=by, why=why)


def _settle(desk: Desk, standing: Standing, verdict: Verdict, *, by: str, why: str) -> Outcome:
    try:
        outcome = overrule(desk, standing, verdict, by=by, why=why)
    except NotHeld:
        # It may have ended otherwise, in a run that did not live to say so.
        note_settled(desk, standing)
        raise
    if isinstance(outcome, Skipped) and (ended := desk.state.find(standing.item)):
        note_settled(desk, ended)
    return outcome
