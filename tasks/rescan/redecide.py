"""Decide again about an item that was decided before, and do what that asks for: as a rescan, and only once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tasks.act.edge import around
from tasks.act.notify import with_reasons
from tasks.act.plan import STATUS_OF, Action, plan, plan_overrule, plan_restore
from tasks.aws.faults import Withheld
from tasks.brake import note_braked
from tasks.decide.decision import Decision, decide
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.intake.present import current
from tasks.ledger import note_decided, used
from tasks.outcome import Retry
from tasks.pipeline import act, resume, with_decision
from tasks.record.braked import BrakedItems
from tasks.record.costs import calls_in
from tasks.record.entries import command_entry
from tasks.record.standing import Standing, Status
from tasks.rescan.end import Ended, counted, is_of, left, skipped
from tasks.rescan.on_record import is_about
from tasks.rescan.rewrite import case_closing, rewrite
from tasks.rescan.run import Run
from tasks.rescan.subject import Subject
from tasks.rescan.way import Way, tier_before, way_of
from tasks.restore import why_not
from tasks.review.case import CaseStatus
from tasks.review.cases import find_case, open_case

Beside = Sequence[Mapping[str, Any]]
#: A person has ruled, and a worker is about to carry it out.
RULING = (CaseStatus.RULED, CaseStatus.ACTING)


class NeedsLook(Exception):
    """What is on record does not tell what is to be done: the item must be looked at as it is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look at an item has brought that was decided before."""

    #: The standing as it would be at an upload.
    standing: Standing
    findings: tuple[Finding, ...]
    #: What the transaction of the decision is to remember.
    beside: Beside = ()


def redecide(desk: Desk, known: Standing, *, looked: Looked | None = None) -> Ended:
    """Decide again, on stored findings or on those of a look, and act. `desk.rescan` is the run.

    Raises NeedsLook; Moved where the item has come to something else meanwhile; Fault, to go on later.
    """
    assert desk.rescan is not None  # this is a rescan's
    findings = looked.findings if looked else known.findings
    decision = decide(findings, desk.policy, desk.policy.surface_of(known.item))
    way = way_of(known, decision, act=desk.rescan.act)
    if way is Way.LOOK and looked is None:
        raise NeedsLook
    if desk.settings.dry_run or way in (Way.LEAVE, Way.LOOK):
        return _leave(desk, known, decision)
    if way is Way.RESTORE and (reason := why_not(desk, known)):
        return left(known, decision, why=reason)
    if known.status is Status.HELD and way is Way.ACT and _is_being_ruled(desk, known):
        return skipped("ruled")
    if way is Way.REPLACE:
        return _replace(desk, known, findings)
    base = _based(known, looked)
    decided = _decided(desk, desk.rescan, base, findings, was=known, way=way)
    return _write(desk, decided, known=known, way=way, beside=looked.beside if looked else ())


def _write(desk: Desk, decided: Standing, *, known: Standing, way: Way, beside: Beside) -> Ended:
    """Record the decision over the one before, and act on it where something is to be done."""
    if way is Way.REFRESH or not (decided.to_do or decided.status is not known.status):
        refreshed = _refreshed(decided, known)
        rewrite(desk, refreshed, over=known, beside=(*beside, *_braked_beside(desk, refreshed, known)))
        note_decided()
        return counted(refreshed, entries=(entry_of(refreshed),))
    changes = (*beside, *_braked_beside(desk, decided, known), *_case_beside(desk, decided, known))
    rewrite(desk, decided, over=known, beside=changes)
    note_decided()
    return _acted(desk, decided)


def _acted(desk: Desk, decided: Standing) -> Ended:
    outcome = act(desk, decided)
    # `act` answers with nothing but where the item stands now.
    status = Status(getattr(outcome, "summary", decided.status.value))
    return counted(replace(decided, status=status))


def _replace(desk: Desk, known: Standing, findings: tuple[Finding, ...]) -> Ended:
    """Act on what modfleet put in the item's place, as an item of its own: the item's own version is no more."""
    assert desk.rescan is not None
    item = current(desk, known.item.bucket, known.item.key)
    if item is None:
        return skipped("gone")
    if not is_about(known, Subject(bucket=item.bucket, key=item.key, version_id=item.version_id, etag=item.etag)):
        return skipped("superseded")
    base = replace(known, item=item, plan=(), receipts={}, progress={}, units={}, usd=0.0, decided_at=None)
    base = replace(base, history=(), time_to_takedown_ms=None)
    decided = _decided(desk, desk.rescan, base, findings, was=known, way=Way.REPLACE)
    recorded = desk.state.decide(decided, beside=note_braked(desk, decided))
    if recorded is not decided and not is_of(recorded, desk.rescan):
        return skipped("decided")
    return _acted(desk, recorded) if recorded is decided else _finished(desk, recorded)


def _finished(desk: Desk, recorded: Standing) -> Ended:
    """What an earlier delivery has decided and may not have lived to finish. Raises Withheld while another one does."""
    if recorded.status is Status.PENDING and isinstance(outcome := resume(desk, recorded), Retry):
        raise Withheld(outcome.why, retry_after=outcome.after)
    now = desk.state.find(recorded.item)
    assert now is not None  # it is on record
    return counted(now)


def _based(known: Standing, looked: Looked | None) -> Standing:
    """What is known of the item but for its decision."""
    if looked is None:
        return known
    new = looked.standing
    return replace(
        known,
        kind=new.kind,
        parts=new.parts,
        detectors=new.detectors,
        sha256=new.sha256 or known.sha256,
        reused_from=new.reused_from,
    )


def _decided(
    desk: Desk, run: Run, base: Standing, findings: tuple[Finding, ...], *, was: Standing, way: Way
) -> Standing:
    """The standing with its new decision, the actions left to do, and a line of history that says what it was."""
    fresh = replace(base, braked=(), reasons={}, shadow={}, would=None, rescan=run.id)
    decided = with_decision(desk, fresh, findings)
    steps, kept = _steps(desk, decided, was=was, way=way)
    receipts = {name: was.receipts[name] for name in kept}
    entry = _entry(desk, run, decided, was=was) | {"kept": list(kept)}
    left_to_do = any(step not in receipts for step in steps)
    decided = replace(
        decided,
        plan=steps,
        receipts=receipts,
        progress=was.progress if kept else {},
        # What is masked stays so until it is brought back.
        spans=decided.spans or (was.spans if way is Way.REFRESH else ()),
        status=Status.PENDING if left_to_do else STATUS_OF[Tier(decided.tier or 0)],
        lease_until=desk.now().timestamp() + desk.lease_seconds if left_to_do else 0.0,
        history=(*decided.history[:-1], entry, decided.history[-1]),
    )
    return desk.spending.charged(with_reasons(desk, decided))


def _steps(desk: Desk, decided: Standing, *, was: Standing, way: Way) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The whole plan, and of what was done before what still counts."""
    where, tier = around(desk, was), Tier(decided.tier or 0)
    if way is Way.RESTORE:
        has_cdn, has_public_url = where["has_cdn"], where["has_public_url"]
        struck = Action.STRIKE in was.plan
        back = plan_restore(has_cdn=has_cdn, has_public_url=has_public_url, struck=struck)
        return (*was.plan, *back), tuple(was.receipts)
    if was.status is Status.HELD:
        wanted = tuple(Action(step) for step in decided.plan)
        return (*was.plan, *plan_overrule(was, wanted, has_cdn=where["has_cdn"])), tuple(was.receipts)
    surface = desk.policy.surface_of(was.item)
    if tier is Tier.HOLD and (surface.visibility == "before" or surface.tagged):
        # It is seen already, where what is held must not be.
        return plan(tier, replace(surface, hold="withhold"), **where, within=bool(was.within)), ()
    return decided.plan, ()


def _refreshed(decided: Standing, known: Standing) -> Standing:
    """The record of what stays where it is: the decision's words are new, its day and its actions are not."""
    return replace(
        decided,
        status=known.status,
        plan=known.plan,
        receipts=known.receipts,
        progress=known.progress,
        reasons=known.reasons,
        spans=known.spans,
        decided_at=known.decided_at,
        lease_until=0.0,
        rescan=known.rescan,
        # Without the line of a new decision: it is the same one.
        history=decided.history[:-1],
    )


def _entry(desk: Desk, run: Run, decided: Standing, *, was: Standing) -> dict[str, Any]:
    """The line of history by which a second delivery knows what the first one did."""
    rules, looked = decided.braked or decided.rules, desk.prices.looking(used())
    return {
        "at": desk.now().isoformat(),
        "event": "rescanned",
        "run": run.id,
        "was": {
            "status": was.status.value,
            "tier": int(tier_before(was)),
            "rules": list(was.braked or was.rules),
            "policy_version": was.policy_version,
        },
        "tier": int(Tier.REJECT if decided.braked else decided.tier or 0),
        "rules": list(rules),
        "held": bool(decided.braked),
        **({"looked": True, "calls": calls_in(looked), "usd": round(desk.prices.cost(looked), 9)} if looked else {}),
    }


def entry_of(standing: Standing) -> dict[str, Any]:
    """What the audit log says of an item whose decision a rescan brought up to date: the same each time."""
    said = standing.rescanned
    assert said is not None  # it was rescanned
    facts = {name: said[name] for name in ("was", "tier", "rules", "held")}
    return command_entry(
        command="rescan",
        event="rescanned",
        by="machine",
        at=datetime.fromisoformat(said["at"]),
        item=standing.item,
        policy_version=standing.policy_version,
        run=said["run"],
        status=standing.status.value,
        **facts,
    )


def _leave(desk: Desk, known: Standing, decision: Decision) -> Ended:
    """Count it. Where a run may act, a person is asked about what the policy would no longer take down."""
    assert desk.rescan is not None
    milder = decision.tier < tier_before(known)
    if desk.rescan.act and milder and known.status is Status.REJECTED and not desk.settings.dry_run:
        open_case(desk, known)
    return left(known, decision)


def _braked_beside(desk: Desk, new: Standing, known: Standing) -> Beside:
    """The row of what is held in a takedown's stead comes and goes with that decision."""
    rows = BrakedItems(desk.aws, desk.settings.items_table)
    same = new.braked and known.braked and new.decided_at == known.decided_at
    gone = ({"Delete": rows.removal(known)},) if known.braked and not same else ()
    return (*gone, *note_braked(desk, new))


def _case_beside(desk: Desk, new: Standing, known: Standing) -> Beside:
    """Nobody need look any more at what is held no longer."""
    result = STATUS_OF[Tier(new.tier or 0)]
    if known.status is not Status.HELD or result is Status.HELD:
        return ()
    case = find_case(desk, known.item.id)
    if case is None or case.status not in (CaseStatus.OPEN, CaseStatus.CLAIMED):
        return ()
    return (case_closing(desk, known, by=f"rescan {new.rescan}", result=result.value),)


def _is_being_ruled(desk: Desk, known: Standing) -> bool:
    """Whether a person has said what is to become of it, alone or as the first of two."""
    case = find_case(desk, known.item.id)
    return case is not None and (case.status in RULING or case.first is not None)
