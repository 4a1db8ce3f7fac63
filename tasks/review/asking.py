"""Appeals and reports that the application sends to a queue."""

from __future__ import annotations

from tasks.desk import Desk
from tasks.intake.message import Asked
from tasks.outcome import Done, Outcome, Parked, Retry, Skipped
from tasks.review.appeal import NotAppealable, appeal
from tasks.review.case import Side

#: Seconds until an item is asked about again with which somebody is busy.
WAIT_SECONDS = 15.0


def ask(desk: Desk, message: Asked) -> Outcome:
    """Open the case that a message asks for; the same message again finds it open. Raises Fault.

    What there is nothing to ask about is skipped, as the application should have known.
    """
    item = message.item
    known = desk.state.find_version(item.location, item.version) if item.version else desk.state.latest(item.location)
    if known is None:
        return Parked(f"{message.modfleet} of an item that is not on record")
    side = Side.REPORTER if message.modfleet == "report" else Side(message.side)
    try:
        filed = appeal(desk, known, side=side, choice=message.choice, words=message.words)
    except NotAppealable as why:
        return Retry(WAIT_SECONDS, str(why), counts=False) if why.waits else Skipped(f"no {message.modfleet}: {why}")
    return Done("opened a case") if filed.new else Skipped("asked before")
