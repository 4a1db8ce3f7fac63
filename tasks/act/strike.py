"""Strikes: a takedown counts against its uploader's account for a while, and a restore takes that back.

Where that brings the account across a threshold of the policy, the application is told on SNS, which alone knows what
a warning or a suspension is. `event_id` is the same when a crash made modfleet say it twice: consumers drop the second.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tasks.aws.calls import call
from tasks.decide.accounts import (
    FORGIVEN,
    RESTORED,
    Change,
    Lift,
    Mark,
    Strike,
    change_by,
    counting,
    place,
    strikes_for,
)
from tasks.decide.rendition import is_of_rejected
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.post import key_of
from tasks.record.accounts import Account, Accounts
from tasks.record.standing import Standing

#: Rules that a mark remembers.
MOST_RULES = 10
#: How a finding says that a part of a post was taken down by itself.
_PART = "part/rejected"


class NothingToForgive(Exception):
    """No strike counts that could be taken back."""


def is_strike(desk: Desk, standing: Standing, *, rules: Sequence[str], findings: Sequence[Finding]) -> bool:
    """Whether a takedown by these rules counts against somebody's account, as the policy has it.

    What was judged within a post counts with the post, and a rendition with its original. What a rescan finds was
    uploaded under other rules, and counts against nobody.
    """
    counts = bool(rules and standing.uploader) and not (standing.within or is_of_rejected(findings) or desk.rescan)
    return counts and strikes_for(rules, findings, desk.policy.accounts) > 0


def strike(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Write a takedown to its uploader's account, once, and tell the application where that leads. Raises Fault.

    It is one strike at least: whoever asks for it has decided that it is one.
    """
    if not standing.uploader:
        return {"strikes": 0}
    mark = _strike_of(desk, standing)
    account = accounts_of(desk).add(standing.uploader, mark)
    told = tell(desk, account, mark.id)
    accounts_of(desk).tidy(account, now=desk.now())
    return {"strikes": mark.points, **told}


def take_back(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Take back the strike of an item that was restored, and tell the application where that leads. Raises Fault."""
    if not standing.uploader:
        return {}
    item, moment = standing.item, _restored_at(standing)
    lift = Lift(
        id=_digest(item.id, RESTORED, moment),
        location=item.location,
        version=item.version,
        why=RESTORED,
        at=desk.now(),
        thresholds=desk.policy.accounts.thresholds,
    )
    account = accounts_of(desk).add(standing.uploader, lift)
    return tell(desk, account, lift.id)


def forgive(desk: Desk, uploader: str, *, location: str = "") -> tuple[Account, str]:
    """Take back all strikes of an account that count, or those for what is at a location.

    Raises NothingToForgive, and Fault.
    Returns the account and the id of the mark that did it. Interrupted, the same call goes on, unless something else
    has been written to the account meanwhile.
    """
    account = accounts_of(desk).find(uploader)
    counted = [one.id for one in counting(account.log, desk.now()) if location in ("", one.location)]
    last = account.log[-1] if account.log else None
    if counted:
        lift = Lift(
            id=_digest(FORGIVEN, location, *sorted(counted)),
            location=location,
            version="",
            why=FORGIVEN,
            at=desk.now(),
            thresholds=desk.policy.accounts.thresholds,
        )
        account = accounts_of(desk).add(uploader, lift)
    elif isinstance(last, Lift) and (last.why, last.location) == (FORGIVEN, location):
        lift = last
    else:
        raise NothingToForgive
    tell(desk, account, lift.id)
    return account, lift.id


def tell(desk: Desk, account: Account, mark_id: str) -> dict[str, Any]:
    """Publish where a mark has brought an account, if anywhere; returns what a receipt says of it. Raises Fault."""
    change = change_by(account.log, mark_id)
    if change is None:
        return {}
    event = account_event(account.uploader, change)
    answer = call(
        desk.aws.store,
        desk.aws.sns.publish,
        TopicArn=desk.settings.notices_topic_arn,
        Message=json.dumps(event, ensure_ascii=False),
        MessageAttributes={"type": {"DataType": "String", "StringValue": event["type"]}},
    )
    return {"account": change.event, "event_id": event["event_id"], "message_id": answer["MessageId"]}


def account_event(uploader: str, change: Change) -> dict[str, Any]:
    """What the application is told: `warn`, `limit` or `suspend`, or `lifted` where an account stands lower again.

    `item` is what was taken down or restored, None where it was about several; `expires_at` is when the account comes
    to stand lower by itself, of which nobody is told.
    """
    mark = change.mark
    return {
        "type": "account",
        "event": change.event,
        "event_id": _digest(mark.id, change.event),
        "uploader": uploader,
        "from": change.before,
        "to": change.after,
        "strikes": change.strikes,
        "item": item_of(mark),
        "rules": list(mark.rules) if isinstance(mark, Strike) else [],
        "at": mark.at.isoformat(),
        "expires_at": change.expires_at.isoformat() if change.expires_at else None,
    }


def item_of(mark: Mark) -> dict[str, str] | None:
    """What a mark is about, as notices name items; None where it is about more than one."""
    if not mark.location:
        return None
    bucket, _, key = mark.location.removeprefix("s3://").partition("/")
    return {"bucket": bucket, "key": key, "version": mark.version}


def accounts_of(desk: Desk) -> Accounts:
    """The accounts."""
    return Accounts(desk.aws, desk.settings.items_table)


def _strike_of(desk: Desk, standing: Standing) -> Strike:
    item, rules, at = standing.item, desk.policy.accounts, _decided_at(desk, standing)
    parts = {part.location for part in standing.parts}
    parts |= {f"s3://{item.bucket}/{key_of(found.part)}" for found in standing.findings if found.label == _PART}
    return Strike(
        id=_digest(item.id, standing.policy_version, at.isoformat()),
        location=item.location,
        version=item.version,
        rules=standing.rules[:MOST_RULES],
        points=max(1, strikes_for(standing.rules, standing.findings, rules)),
        at=at,
        until=at + timedelta(days=rules.decay),
        instead_of=tuple(sorted(map(place, parts))),
        thresholds=rules.thresholds,
    )


def _decided_at(desk: Desk, standing: Standing) -> datetime:
    """When whoever had it taken down decided so: the machine, or a person after it."""
    overruled = standing.overruled
    return datetime.fromisoformat(overruled["at"]) if overruled else standing.decided_at or desk.now()


def _restored_at(standing: Standing) -> str:
    """When the restore was asked for: a later one of the same item is another."""
    return max((str(entry["at"]) for entry in standing.history if entry["event"] == "restoring"), default="")


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]
