"""Write a decision over another one: on condition that nothing has become of the item since it was read."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import number, row_at, string
from tasks.desk import Desk
from tasks.record.standing import Standing, to_row
from tasks.review.case import CaseStatus
from tasks.review.settle import closing
from tasks.review.severity import moment

#: What others change of a row without a line of history.
_SINGLE = ("content_id", "uploader", "post", "post_status", "held_until")


def rewrite(desk: Desk, new: Standing, *, over: Standing, beside: Sequence[Mapping[str, Any]] = ()) -> Standing:
    """Put a standing in the place of another, and in the same transaction what is to stand `beside` it.

    The key's head is left as it is. Raises Moved where the item does not stand as `over` says any more, or what is
    beside it does not fit.
    """
    # Where only the answer was lost, the next try must not take its own row for somebody else's.
    me = string(uuid.uuid4().hex)
    put = {"TableName": desk.settings.items_table, "Item": to_row(new) | {"put_by": me}, **_as_it_was(over)}
    dynamodb = desk.aws.dynamodb
    try:
        if beside:
            call(desk.aws.store, dynamodb.transact_write_items, TransactItems=[{"Put": put}, *beside])
        else:
            call(desk.aws.store, dynamodb.put_item, **put)
    except Moved:
        key = {"location": string(new.item.location), "version": string(new.item.version)}
        row = row_at(desk.aws, desk.settings.items_table, key)
        if row is None or row.get("put_by") != me:
            raise
    return new


def case_closing(desk: Desk, standing: Standing, *, by: str, result: str) -> dict[str, Any]:
    """Close an item's open case in the transaction of its decision: a ruling given meanwhile makes that fail."""
    change = closing(moment(desk.now()), by=by, result=result)
    names = {f"#{name}": name for name in (*change.put, *change.drop, "status", "history")}
    sets = [f"#{name} = :{name}" for name in change.put]
    sets.append("#history = list_append(if_not_exists(#history, :nothing), :note)")
    values: dict[str, Any] = {f":{name}": string(value) for name, value in change.put.items()}
    values |= {":open": string(CaseStatus.OPEN), ":claimed": string(CaseStatus.CLAIMED), ":nothing": {"L": []}}
    return {
        "Update": {
            "TableName": desk.settings.cases_table,
            "Key": {"case_id": string(standing.item.id)},
            "UpdateExpression": f"SET {', '.join(sets)} REMOVE {', '.join(f'#{name}' for name in change.drop)}",
            "ConditionExpression": "#status IN (:open, :claimed)",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values | {":note": {"L": [string(_note(change.note))]}},
        }
    }


def _note(note: Mapping[str, Any] | None) -> str:
    return json.dumps(note, ensure_ascii=False)


def _as_it_was(standing: Standing) -> dict[str, Any]:
    """The condition that nobody has touched a row: every step of an item's life adds a line to its history."""
    names = {f"#{name}": name for name in ("status", "history", "decided_at", "policy_version", *_SINGLE)}
    at = standing.decided_at.isoformat() if standing.decided_at else ""
    values = {
        ":status": string(standing.status),
        ":lines": number(len(standing.history)),
        ":decided_at": string(at),
        ":policy_version": string(standing.policy_version),
    }
    conditions = [
        "#status = :status",
        "size(#history) = :lines",
        "#decided_at = :decided_at",
        "#policy_version = :policy_version",
    ]
    for name in _SINGLE:
        if said := getattr(standing, name):
            values[f":{name}"] = string(said)
            conditions.append(f"#{name} = :{name}")
        else:
            conditions.append(f"(attribute_not_exists(#{name}) OR #{name} = :none)")
            values[":none"] = string("")
    return {
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
