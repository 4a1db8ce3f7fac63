"""Appeals and reports: somebody asks for another look at a decision, and a case of it is opened, once.

An appeal is a case of its own, whose id is made of item, decision and side: that it can be written only once
is a condition of the table, and so is that nobody who has ruled on the item may claim it, or rule on it. Of what is
still held the words go into the case that waits, which then comes as early as an appeal does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from types import MappingProxyType

from tasks.act.statement import occasion_of
from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.decide.review import APPEAL
from tasks.desk import Desk
from tasks.record.entries import command_entry
from tasks.record.standing import Standing, Status
from tasks.review.case import Appeal, Ask, Case, CaseStatus, Side, place_of, waiting_in
from tasks.review.cases import row_of
from tasks.review.decision import appeal_id, deciders, decision_of, digest, until
from tasks.review.rows import Change, change_case, find_case
from tasks.review.severity import due_at, moment

#: Characters of somebody's own words.
MOST_WORDS = 2_000
#: What an uploader can choose from, in words that page and console show.
CHOICES: Mapping[str, str] = MappingProxyType(
    {
        "wrong-rule": "It does not break this rule",
        "context": "Context is missing: what was meant is something else",
        "exception": "It is an exception: news, art, medicine, satire or criticism",
        "changed": "I have changed it since",
        "not-mine": "It was not me who posted it",
        "other": "Something else",
    }
)
#: Severities that come after appeals.
_AFTER = ("normal", "low")
_TRIES = 5


class NotAppealable(Exception):
    """There is nothing to ask for, or not any more; the text says why, for whoever asks."""

    def __init__(self, why: str, *, waits: bool = False) -> None:
        """`waits`: something is being done about it just now, and then there may be."""
        super().__init__(why)
        self.waits = waits


@dataclass(frozen=True, slots=True)
class Filed:
    """The case of an appeal, and whether it is `new`: the decision may have been appealed before."""

    case: Case
    new: bool


def appeal(  # noqa: PLR0913  # who asks, what of, and in which words
    desk: Desk,
    standing: Standing,
    *,
    side: Side,
    choice: str = "other",
    words: str = "",
    decision: str = "",
    by_then: datetime | None = None,
) -> Filed:
    """Ask for another look at the decision in force, or find that somebody has.

    `decision` is the one that a link was about: a later one needs its own. `by_then` is until when that link says.
    Raises NotAppealable; Fault, after which the same call goes on.
    """
    if choice not in CHOICES:
        raise NotAppealable(f"no such choice: {choice!r}; there are {', '.join(CHOICES)}")
    if len(words) > MOST_WORDS:
        raise NotAppealable(f"longer than {MOST_WORDS:,} characters")
    own = find_case(desk, standing.item.id)
    asked = Appeal(side=side, decision="", choice=choice, words=words, at=moment(desk.now()))
    asked = _by_uploader(standing, asked) if side is Side.UPLOADER else _by_reporter(standing, asked, own)
    if found := find_appeal(desk, standing.item.id, decision or asked.decision, side=side):
        return _written(desk, standing, Filed(found, new=False))
    if decision and decision != asked.decision:
        raise NotAppealable("it was decided anew since; ask about that decision, by its own notice")
    if side is Side.UPLOADER and desk.now() > (by_then or until(desk.policy, standing)):
        raise NotAppealable("the time to ask is over")
    return _written(desk, standing, _file(desk, standing, asked, own))


def find_appeal(desk: Desk, item_id: str, decision: str, *, side: Side) -> Case | None:
    """The case in which somebody has asked about a decision; None where nobody has. Raises Fault."""
    if found := find_case(desk, appeal_id(item_id, decision, side)):
        return found
    own = find_case(desk, item_id)
    asked = own.appeal if own else None
    return own if asked and (asked.decision, asked.side) == (decision, side) else None


def _by_uploader(standing: Standing, asked: Appeal) -> Appeal:
    if standing.status is Status.PENDING:
        raise NotAppealable("something is being done about it just now", waits=standing.decided)
    if standing.dry_run:
        raise NotAppealable("it was judged in a dry run: nothing was done")
    restricted = (Status.REJECTED, Status.REDACTED, Status.HELD)
    if standing.status not in restricted or occasion_of(standing) is None:
        raise NotAppealable(f"it is {standing.status}: nothing of it is restricted")
    return replace(asked, decision=decision_of(standing))


def _by_reporter(standing: Standing, asked: Appeal, own: Case | None) -> Appeal:
    """A report, while nobody has looked; then an appeal of what that person has ruled."""
    if standing.status is Status.PENDING:
        raise NotAppealable("something is being done about it just now", waits=True)
    if standing.status not in (Status.ALLOWED, Status.HELD) or standing.dry_run or "hide" in standing.receipts:
        raise NotAppealable(f"it is {standing.status}, and was looked at")
    if standing.overruled is None and (own is None or own.status in (CaseStatus.OPEN, CaseStatus.CLAIMED)):
        return replace(asked, ask=Ask.REPORT, decision=decision_of(standing))
    if own and own.status in (CaseStatus.RULED, CaseStatus.ACTING):
        raise NotAppealable("somebody is deciding it just now", waits=True)
    if standing.status is Status.HELD:
        raise NotAppealable("it is held, and a person has looked at it")
    # The case's ruling or, where a command decided, that.
    return replace(asked, decision=digest(decision_of(standing), own.ruling.ruling_id if own and own.ruling else ""))


def _file(desk: Desk, standing: Standing, asked: Appeal, own: Case | None) -> Filed:
    for _ in range(_TRIES):
        if own and own.status in (CaseStatus.OPEN, CaseStatus.CLAIMED):
            if own.appeal:
                # Somebody from the other side was first; a person looks at it for both.
                return Filed(own, new=False)
            if filed := _attach(desk, own, asked):
                return filed
        elif own and own.status is CaseStatus.MERGED:
            raise NotAppealable(f"it is decided with the post that it is a part of, the case {own.merged_into}")
        elif own and own.status is not CaseStatus.CLOSED:
            raise NotAppealable("somebody is deciding it just now", waits=True)
        else:
            return _open(desk, standing, asked, own)
        own = find_case(desk, own.case_id)
    raise NotAppealable("others are busy with its case just now", waits=True)


def _open(desk: Desk, standing: Standing, asked: Appeal, own: Case | None) -> Filed:
    """Write the case: once, for its id is the decision's."""
    report = asked.ask is Ask.REPORT
    case_id = standing.item.id if report else appeal_id(standing.item.id, asked.decision, asked.side)
    row = {**row_of(desk, standing), "case_id": case_id, "appeal": _json(asked)}
    if not report:
        due = moment(due_at(desk.now(), APPEAL, reach=0, policy=desk.policy))
        place = place_of(APPEAL, standing.surface)
        row |= {"severity": APPEAL, "queue": APPEAL, "due_at": due, "rank": due, "place": place}
    names = sorted(deciders(standing, own))
    try:
        call(
            desk.aws.store,
            desk.aws.dynamodb.put_item,
            TableName=desk.settings.cases_table,
            Item={name: {"S": said} for name, said in row.items()} | ({"barred": {"SS": names}} if names else {}),
            ConditionExpression="attribute_not_exists(case_id)",
        )
    except Moved:
        return Filed(_there(desk, case_id), new=False)
    return Filed(_there(desk, case_id), new=True)


def _attach(desk: Desk, own: Case, asked: Appeal) -> Filed | None:
    """Put the words into the case that waits, and bring it forward; None where it has changed meanwhile."""
    put = {"appeal": _json(asked)}
    if own.severity in _AFTER:
        put |= {"severity": APPEAL}
        if own.status is CaseStatus.OPEN:
            queue = waiting_in(APPEAL, escalated=own.escalated)
            put |= {"queue": queue, "place": place_of(queue, own.surface)}
    note = {"at": asked.at, "event": str(asked.ask), "by": str(asked.side)}
    only_if = {"status": own.status.value, "queue": own.queue}
    try:
        return Filed(change_case(desk, own.case_id, Change(put=put, note=note, new=("appeal",)), only_if=only_if), True)
    except Moved:
        return None


def _there(desk: Desk, case_id: str) -> Case:
    case = find_case(desk, case_id)
    assert case is not None  # it was just written, or found written; cases are never deleted
    return case


def _written(desk: Desk, standing: Standing, filed: Filed) -> Filed:
    """Tell the audit log, without the words. Told again it is the same entry, so whoever comes twice does no harm."""
    asked = filed.case.appeal
    assert asked is not None  # it was found by it
    entry = command_entry(
        command=str(asked.ask),
        event=str(asked.ask),
        by=str(asked.side),
        at=datetime.fromisoformat(asked.at),
        item=standing.item,
        case_id=filed.case.case_id,
        decision=asked.decision,
        choice=asked.choice,
    )
    desk.audit.append([entry])
    return filed


def _json(asked: Appeal) -> str:
    return json.dumps(asdict(asked), ensure_ascii=False)
