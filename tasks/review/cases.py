"""Cases: what a person must look at."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.decide.moments import worst_moments
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.standing import Standing


def open_case(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Open the item's case; a second call finds it open and changes nothing.

    Of a post it is the only one: the cases of its parts go up in it.
    """
    item = standing.item
    row = {
        "case_id": item.id,
        "location": item.location,
        "version": item.version,
        "status": "open",
        "surface": standing.surface,
        "uploader": standing.uploader,
        "rules": json.dumps(list(standing.rules), ensure_ascii=False),
        "policy_version": standing.policy_version,
        "opened_at": desk.now().isoformat(),
        **_moments(desk, standing),
        **({"parts": json.dumps([part.key for part in standing.parts])} if standing.parts else {}),
    }
    for part in standing.parts:
        _merge(desk, part, into=item.id)
    try:
        call(
            desk.aws.store,
            desk.aws.dynamodb.put_item,
            TableName=desk.settings.cases_table,
            Item={name: {"S": value} for name, value in row.items()},
            ConditionExpression="attribute_not_exists(case_id)",
        )
    except Moved:
        return {"case_id": item.id, "already": True}
    return {"case_id": item.id}


def _merge(desk: Desk, part: Item, *, into: str) -> None:
    """Close a part's own case, if it is open; whoever rules on the post rules on the part."""
    # A part without one, or with one that somebody has ruled on, is left as it is.
    with suppress(Moved):
        call(
            desk.aws.store,
            desk.aws.dynamodb.update_item,
            TableName=desk.settings.cases_table,
            Key={"case_id": {"S": part.id}},
            UpdateExpression="SET #status = :merged, merged_into = :case",
            ConditionExpression="#status = :open",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":merged": {"S": "merged"}, ":open": {"S": "open"}, ":case": {"S": into}},
        )


def _moments(desk: Desk, standing: Standing) -> dict[str, str]:
    """Where in a video the reviewer should look first; nothing where there is nothing to see at any time."""
    moments = worst_moments(standing.findings, desk.policy)
    return {"moments": json.dumps([moment.summary() for moment in moments])} if moments else {}
