"""A person decides what the machine has held: their word becomes actions, which run like any other decision's."""

from __future__ import annotations

from tasks.act.edge import around
from tasks.act.plan import plan, plan_overrule
from tasks.act.strike import is_strike
from tasks.aws.faults import Moved
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.outcome import Outcome
from tasks.pipeline import resume
from tasks.record.standing import Standing, Status

Verdict = tuple[Tier, tuple[str, ...]]
#: What to mask of a text: [begin, end) in code points, and what the mask calls it.
Spans = tuple[tuple[int, int, str], ...]


class NotHeld(Exception):
    """The item is not held, or not any more; the text says how it stands."""

    def __init__(self, why: str, *, waits: bool = False) -> None:
        """`waits`: something is still being done about it, and then it may be."""
        super().__init__(why)
        self.waits = waits


def overrule(  # noqa: PLR0913  # what, by whom, why, and what a person may choose of it
    desk: Desk,
    standing: Standing,
    verdict: Verdict,
    *,
    by: str,
    why: str,
    spans: Spans = (),
    strikes: bool | None = None,
    of: Status = Status.HELD,
) -> Outcome:
    """Let a held item come to another tier by these rules, or go on where an earlier run stopped.

    Whether a takedown counts against the uploader's account, the policy says, unless `strikes` does. The item's case
    is the caller's to close. `of` is where the item must stand: what was reported is allowed. Raises NotHeld where
    somebody else was first; Fault, to go on later. What is held of a dry run stays as it is.
    """
    if desk.settings.dry_run or standing.dry_run:
        raise NotHeld("it was held in a dry run, or this is one (MODFLEET_DRY_RUN), which touches nothing", waits=True)
    if not _is_begun(standing, verdict):
        rules = verdict[1]
        usual = is_strike(desk, standing, rules=rules, findings=standing.findings) if strikes is None else strikes
        said = {"by": by, "why": why}
        if standing.status is not of:
            raise _not_held(standing)
        standing = _begin(desk, standing, verdict, said=said, spans=spans, strikes=usual)
    return resume(desk, standing)


def _is_begun(standing: Standing, verdict: Verdict) -> bool:
    """Whether this is what somebody had it come to, be it done yet or not."""
    return standing.overruled is not None and (standing.tier, standing.rules) == verdict


def _begin(
    desk: Desk, standing: Standing, verdict: Verdict, *, said: dict[str, str], spans: Spans, strikes: bool
) -> Standing:
    tier, rules = verdict
    where = around(desk, standing)
    wanted = plan(tier, desk.policy.surface_of(standing.item), **where, strikes=strikes and bool(standing.uploader))
    steps = plan_overrule(standing, wanted, has_cdn=where["has_cdn"])
    at = desk.now().isoformat()
    entry = {"event": "overruled", "tier": int(tier), "rules": list(rules), "at": at, **said}
    try:
        desk.state.reopen(
            standing.item,
            ended=standing.status,
            plan=(*standing.plan, *steps),
            entry=entry,
            verdict=verdict,
            spans=spans,
        )
    except Moved:
        # Somebody else has begun it, or our own try did arrive and only its answer was lost.
        begun = desk.state.find(standing.item)
        if begun is None or not _is_begun(begun, verdict):
            raise _not_held(begun) from None
        return begun
    begun = desk.state.find(standing.item)
    assert begun is not None  # the conditional update just touched it
    return begun


def _not_held(standing: Standing | None) -> NotHeld:
    if standing is None:
        return NotHeld("it is not on record")
    overruled = standing.overruled
    said = f", for {overruled['by']} has said so" if overruled else ""
    return NotHeld(f"it is {standing.status}{said}", waits=standing.status is Status.PENDING)
