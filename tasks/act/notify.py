"""Tell the application what was done and why: a statement of reasons on SNS, without the content."""

from __future__ import annotations

import json
from typing import Any

from tasks.aws.calls import call
from tasks.desk import Desk
from tasks.record.standing import Standing

_RESTRICTION = {1: "content masked", 3: "content removed"}


def statement_of_reasons(standing: Standing) -> dict[str, Any]:
    """What Article 17 of the DSA wants the uploader to be told.

    `notice_id` is the same when a crash made modfleet say it twice: consumers drop the second.
    """
    item = standing.item
    return {
        "type": "statement_of_reasons",
        "notice_id": f"{item.id[:32]}-{standing.policy_version}",
        "item": {"bucket": item.bucket, "key": item.key, "version": item.version},
        "parts": [part.key for part in standing.parts],
        "content_id": standing.content_id,
        "uploader": standing.uploader,
        "surface": standing.surface,
        "restriction": _RESTRICTION[standing.tier or 0],
        "tier": standing.tier,
        "grounds": list(standing.rules),
        "decision_ground": "INCOMPATIBLE_CONTENT",
        "policy_version": standing.policy_version,
        "automated_detection": True,
        "automated_decision": "fully",
        "decided_at": standing.decided_at.isoformat() if standing.decided_at else None,
    }


def notify(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Publish the statement of reasons."""
    statement = statement_of_reasons(standing)
    answer = call(
        desk.aws.store,
        desk.aws.sns.publish,
        TopicArn=desk.settings.notices_topic_arn,
        Message=json.dumps(statement, ensure_ascii=False),
        MessageAttributes={"type": {"DataType": "String", "StringValue": statement["type"]}},
    )
    return {"message_id": answer["MessageId"], "notice_id": statement["notice_id"]}
