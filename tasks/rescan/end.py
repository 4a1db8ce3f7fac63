"""How one subject of a rescan ends, as a tally of one (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.decide.decision import Decision
from tasks.decide.rule import Tier
from tasks.record.costs import calls_in
from tasks.record.standing import Standing
from tasks.rescan.run import Run
from tasks.rescan.tally import Failure, Flipped, Handled, Tally
from tasks.rescan.way import tier_before


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A subject that has come to its end, and what the audit log is still to be told of it."""

    tally: Tally
    entries: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Waits:
    """A subject that has not: in how many seconds to come back for it; `counts` where something was tried in vain."""

    seconds: float
    why: str
    counts: bool = False
    #: So it is with all of a message that a detector would have to be asked about.
    is_for_all: bool = False


def counted(standing: Standing, *, entries: tuple[Mapping[str, Any], ...] = ()) -> Ended:
    """The end of an item about which a rescan has decided again, from the line of history that says so."""
    said = standing.rescanned
    assert said is not None  # whoever counts has seen to that
    was, old, new = said["was"], Tier(said["was"]["tier"]), Tier(said["tier"])
    looked = "looked" in said
    flipped = _flipped(standing, old, new, rules=(was["rules"], said["rules"]), handled=_handled(said))
    tally = Tally(
        outcomes={(was["status"], standing.status.value): 1},
        flips={(one.old, one.new): 1 for one in flipped},
        redecided=0 if looked else 1,
        detected=1 if looked else 0,
        ai_calls=said.get("calls", 0),
        usd_micros=micros(said.get("usd", 0.0)),
        flipped=flipped,
    )
    return Ended(tally=tally, entries=entries)


def first_time(standing: Standing) -> Ended:
    """The end of an item that was never decided before this run."""
    tally = Tally(
        outcomes={("", standing.status.value): 1},
        detected=1,
        ai_calls=calls_in(standing.units),
        usd_micros=micros(standing.usd),
    )
    return Ended(tally=tally)


def left(standing: Standing, decision: Decision, *, why: str = "") -> Ended:
    """The end of an item that stays as it is, whatever the policy makes of it; `why` where it should not have."""
    rules = (standing.braked or standing.rules, tuple(rule.name for rule in decision.rules))
    flipped = _flipped(standing, tier_before(standing), decision.tier, rules=rules, handled="left")
    tally = Tally(
        outcomes={(standing.status.value, standing.status.value): 1},
        flips={(one.old, one.new): 1 for one in flipped},
        redecided=1,
        flipped=flipped,
        failures=(failure(standing.item.location, standing.item.version, why),) if why else (),
    )
    return Ended(tally=tally)


def skipped(reason: str) -> Ended:
    """The end of an item that there was nothing to do about."""
    return Ended(tally=Tally(skipped={reason: 1}))


def failed(location: str, version: str, why: str) -> Ended:
    """The end of an item that no run will ever be able to work."""
    return Ended(tally=Tally(skipped={"failed": 1}, failures=(failure(location, version, why),)))


def failure(location: str, version: str, why: str) -> Failure:
    """What a list says of it: a fault's words, cut short."""
    return Failure(location=location, version=version, why=why[:200])


def is_of(standing: Standing, run: Run) -> bool:
    """Whether this run has decided about an item, in an earlier delivery."""
    said = standing.rescanned
    return said["run"] == run.id if said else standing.rescan == run.id


def ended(standing: Standing) -> Ended:
    """The end of an item that this run has decided about, told once more."""
    return counted(standing) if standing.rescanned else first_time(standing)


def micros(usd: float) -> int:
    """Millionths of a dollar, rounded up: a budget is never passed by what was cut off."""
    return -int(-usd * 1e6 // 1)


def _flipped(
    standing: Standing, old: Tier, new: Tier, *, rules: tuple[Any, Any], handled: Handled
) -> tuple[Flipped, ...]:
    if old is new:
        return ()
    flipped = Flipped(
        location=standing.item.location,
        version=standing.item.version,
        surface=standing.surface,
        old=old.name.lower(),
        new=new.name.lower(),
        old_rules=tuple(rules[0]),
        new_rules=tuple(rules[1]),
        handled=handled,
    )
    return (flipped,)


def _handled(said: Mapping[str, Any]) -> Handled:
    return "held" if said["held"] else "done"
