"""The cases table: a row read, and changed on a condition; lists by an index, a page at a time."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import row_at
from tasks.desk import Desk
from tasks.review.case import Case, case_from

#: Cases in one page, unless told otherwise.
PAGE = 50
_NOTHING: Mapping[str, str] = MappingProxyType({})


class BadCursor(ValueError):
    """The cursor is none that a page came with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of a row. All values are text."""

    put: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    #: A line for its history.
    note: Mapping[str, Any] | None = None
    #: Somebody more who has skipped it.
    skipper: str = ""
    #: Who does it: refused where they are among those who are barred from the case.
    unbarred: str = ""
    #: Attributes that the row must not have yet.
    new: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Some cases in their order, and the cursor of those behind them; empty where there are none."""

    cases: tuple[Case, ...]
    cursor: str = ""


def find_case(desk: Desk, case_id: str) -> Case | None:
    """A case by its id (consistent read). Raises Fault."""
    row = row_at(desk.aws, desk.settings.cases_table, {"case_id": {"S": case_id}}) if case_id else None
    return case_from(row) if row else None


def change_case(
    desk: Desk, case_id: str, change: Change, *, only_if: Mapping[str, str], unless: Mapping[str, str] = _NOTHING
) -> Case:
    """Change a case of which these attributes are as told, and none of the others; returns it as it is then.

    Raises Moved; Fault.
    """
    # Where only the answer was lost, the next try must not take its own change for somebody else's.
    me = uuid.uuid4().hex
    put = {**change.put, "changed_by": me}
    names = {f"#{name}": name for name in (*put, *change.drop, *only_if, *unless, *change.new)}
    values: dict[str, Any] = {f":{name}": {"S": value} for name, value in put.items()}
    values |= {f":is_{name}": {"S": value} for name, value in only_if.items()}
    values |= {f":not_{name}": {"S": value} for name, value in unless.items()}
    conditions = [f"#{name} = :is_{name}" for name in only_if]
    conditions += [f"(attribute_not_exists(#{name}) OR #{name} <> :not_{name})" for name in unless]
    conditions += [f"attribute_not_exists(#{name})" for name in change.new]
    if change.unbarred:
        names, values = names | {"#barred": "barred"}, values | {":unbarred": {"S": change.unbarred}}
        conditions.append("(attribute_not_exists(#barred) OR NOT contains(#barred, :unbarred))")
    sets = [f"#{name} = :{name}" for name in put]
    if change.note is not None:
        names["#history"] = "history"
        sets.append("#history = list_append(if_not_exists(#history, :nothing), :note)")
        values |= {":nothing": {"L": []}, ":note": {"L": [{"S": json.dumps(change.note, ensure_ascii=False)}]}}
    expression = f"SET {', '.join(sets)}"
    if change.drop:
        expression += f" REMOVE {', '.join(f'#{name}' for name in change.drop)}"
    if change.skipper:
        expression, values = f"{expression} ADD skipped_by :skipper", values | {":skipper": {"SS": [change.skipper]}}
    try:
        answer = call(
            desk.aws.store,
            desk.aws.dynamodb.update_item,
            TableName=desk.settings.cases_table,
            Key={"case_id": {"S": case_id}},
            UpdateExpression=expression,
            ConditionExpression=" AND ".join(conditions),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )
    except Moved:
        row = row_at(desk.aws, desk.settings.cases_table, {"case_id": {"S": case_id}})
        if row is None or row.get("changed_by") != {"S": me}:
            raise
        return case_from(row)
    return case_from(answer["Attributes"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What to list: one partition of an index, in the order of its ranks, up to and from a moment."""

    index: str
    #: The index's partition: a queue, or a place.
    name: str
    until: str = ""
    newest_first: bool = False

    def query(self, table: str) -> dict[str, Any]:
        """What Query takes."""
        key = "queue" if self.index == "by-queue" else "place"
        names, values = {"#key": key}, {":name": {"S": self.name}}
        condition = "#key = :name"
        if self.until:
            condition += " AND #rank < :until"
            names, values = names | {"#rank": "rank"}, values | {":until": {"S": self.until}}
        return {
            "TableName": table,
            "IndexName": self.index,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": not self.newest_first,
        }


def page_of(desk: Desk, listing: Listing, *, limit: int = PAGE, cursor: str = "") -> Page:
    """At most so many cases: one Query, whatever the table holds. Raises BadCursor; Fault."""
    query = listing.query(desk.settings.cases_table)
    start = {"ExclusiveStartKey": _start(cursor)} if cursor else {}
    answer = call(desk.aws.store, desk.aws.dynamodb.query, Limit=limit, **query, **start)
    last = answer.get("LastEvaluatedKey")
    return Page(tuple(map(case_from, answer["Items"])), _cursor(last) if last else "")


def cases_of(desk: Desk, listing: Listing, *, most: int, page: int = PAGE) -> Iterator[Case]:
    """The first cases, at most so many; each page is asked for once the one before it is used up. Raises Fault."""
    cursor, left = "", most
    while left > 0:
        found = page_of(desk, listing, limit=min(page, left), cursor=cursor)
        yield from found.cases
        left, cursor = left - len(found.cases), found.cursor
        if not cursor:
            return


def count_of(desk: Desk, listing: Listing, *, most: int) -> int:
    """How many there are, counted no further than `most`. Raises Fault."""
    query, counted, start = listing.query(desk.settings.cases_table), 0, dict[str, Any]()
    while counted < most:
        answer = call(desk.aws.store, desk.aws.dynamodb.query, Select="COUNT", Limit=most - counted, **query, **start)
        counted += answer["Count"]
        if not (last := answer.get("LastEvaluatedKey")):
            break
        start = {"ExclusiveStartKey": last}
    return counted


def _cursor(last: Mapping[str, Any]) -> str:
    plain = {name: value["S"] for name, value in last.items()}
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode()


def _start(cursor: str) -> dict[str, Any]:
    try:
        plain = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return {str(name): {"S": str(value)} for name, value in plain.items()}
    except (ValueError, AttributeError):
        raise BadCursor("not a cursor of this list") from None
