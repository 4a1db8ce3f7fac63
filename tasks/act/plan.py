"""A tier on a surface becomes a list of actions (pure)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from tasks.decide.decision import Tier
from tasks.decide.policy import Surface
from tasks.record.standing import Standing, Status


class Action(StrEnum):
    """One thing to do to an item. Each can run twice and do its work once."""

    SHOW = "show"
    HIDE = "hide"
    RENDITIONS = "renditions"
    PURGE = "purge"
    QUARANTINE = "quarantine"
    REDACT = "redact"
    REMOVE = "remove"
    TAKE_RENDITIONS = "take_renditions"
    VERIFY = "verify"
    OPEN_CASE = "open_case"
    NOTIFY = "notify"
    #: Of a hold that hides: another notice than that of the takedown which may follow.
    NOTIFY_HELD = "notify_held"
    NOTIFY_BACK = "notify_back"
    PUT_BACK = "put_back"
    PURGE_AGAIN = "purge_again"
    VERIFY_BACK = "verify_back"
    STRIKE = "strike"
    TAKE_BACK = "take_back"


#: What a tier comes to, once every action is done.
STATUS_OF = {
    Tier.ALLOW: Status.ALLOWED,
    Tier.REDACT: Status.REDACTED,
    Tier.HOLD: Status.HELD,
    Tier.REJECT: Status.REJECTED,
}

_REDACT = (Action.QUARANTINE, Action.REDACT, Action.PURGE, Action.NOTIFY)
_WITHHOLD = (
    Action.HIDE,
    Action.RENDITIONS,
    Action.PURGE,
    Action.VERIFY,
    Action.OPEN_CASE,
    Action.NOTIFY_HELD,
)
#: Of a restore, which comes after a takedown's plan.
_RESTORE = (Action.PUT_BACK, Action.PURGE_AGAIN, Action.VERIFY_BACK, Action.NOTIFY_BACK, Action.TAKE_BACK)
#: What even a dry run does.
HARMLESS = (Action.SHOW, Action.OPEN_CASE)
#: Hiding is instant and can be undone, so it comes first; removing cannot, so evidence comes before it.
_REJECT = (
    Action.HIDE,
    Action.RENDITIONS,
    Action.PURGE,
    Action.QUARANTINE,
    Action.REMOVE,
    Action.TAKE_RENDITIONS,
    Action.VERIFY,
    Action.NOTIFY,
    Action.STRIKE,
)


def plan(  # noqa: PLR0913  # it depends on as much
    tier: Tier,
    surface: Surface,
    *,
    has_cdn: bool,
    has_public_url: bool,
    has_renditions: bool = False,
    within: bool = False,
    strikes: bool = False,
) -> tuple[Action, ...]:
    """The actions that a tier asks for on a surface, in order.

    `has_cdn`, `has_public_url` and `has_renditions` say what there is to purge, to verify with and to take down as
    well. `within` a post, which comes to the same tier at least, the post's notice speaks for its part; that a part was
    masked is the part's own matter. Where it `strikes`, a takedown counts against its uploader's account.
    """
    lacking = {Action.PURGE: not has_cdn, Action.VERIFY: not has_public_url}
    lacking |= dict.fromkeys((Action.RENDITIONS, Action.TAKE_RENDITIONS), not has_renditions)
    lacking |= {Action.NOTIFY: within and tier is Tier.REJECT, Action.NOTIFY_HELD: within, Action.STRIKE: not strikes}
    return tuple(action for action in _wanted(tier, surface) if not lacking.get(action))


def plan_restore(*, has_cdn: bool, has_public_url: bool, struck: bool = False) -> tuple[Action, ...]:
    """The actions that bring back what was taken down, in order; `struck` where there is a strike to take back."""
    lacking = {Action.PURGE_AGAIN: not has_cdn, Action.VERIFY_BACK: not has_public_url, Action.TAKE_BACK: not struck}
    return tuple(action for action in _RESTORE if not lacking.get(action))


def plan_overrule(standing: Standing, wanted: tuple[Action, ...], *, has_cdn: bool) -> tuple[Action, ...]:
    """What is left of the actions of another tier once those of the first were done; what was hidden is shown again.

    What is to be masked is shown by its masked text, and never before.
    """
    hidden = Action.HIDE in standing.receipts and Action.HIDE not in wanted
    shown = (Action.SHOW,) if hidden and Action.REDACT not in wanted else ()
    again = (Action.PURGE_AGAIN,) if hidden and has_cdn else ()
    told = (Action.NOTIFY_BACK,) if shown and Action.NOTIFY_HELD in standing.receipts else ()
    return tuple(dict.fromkeys(one for one in (*shown, *wanted, *again, *told) if one not in standing.receipts))


def end_of(standing: Standing) -> Status:
    """Where an item stands once every action of its plan is done."""
    return Status.RESTORED if Action.PUT_BACK in standing.plan else STATUS_OF[Tier(standing.tier or 0)]


def rehearse(actions: tuple[Action, ...]) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
    """What of a plan is done in a dry run, and what would have been.

    A case harms nobody. What is allowed is shown: else a dry run would take down all of a `before` surface.
    """
    done = tuple(action for action in actions if action in HARMLESS)
    return done, tuple(action for action in actions if action not in HARMLESS)


def _wanted(tier: Tier, surface: Surface) -> tuple[Action, ...]:
    if tier is Tier.REJECT:
        return _REJECT
    if tier is Tier.HOLD:
        return _WITHHOLD if surface.hold == "withhold" else (Action.OPEN_CASE,)
    if tier is Tier.REDACT:
        return _REDACT
    return (Action.SHOW,) if surface.visibility == "before" or surface.tagged else ()


def time_to_takedown_ms(standing: Standing) -> int | None:
    """From S3's event time until the public could no longer see the content; None where it still can.

    What was hidden once is not taken down a second time: the first time stays. What a rescan takes down was seen for
    as long as the rules let it.
    """
    if standing.time_to_takedown_ms is not None or standing.rescan:
        return standing.time_to_takedown_ms
    steps = (Action.HIDE, Action.REMOVE, Action.REDACT, Action.VERIFY)
    moments = [datetime.fromisoformat(standing.receipts[step]["at"]) for step in steps if step in standing.receipts]
    if not moments:
        return None
    return round((max(moments) - standing.item.event_time).total_seconds() * 1000)
