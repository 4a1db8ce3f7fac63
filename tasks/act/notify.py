"""Tell the application what was done and why, on SNS, without the content: it knows how to reach its uploader."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tasks.act.statement import occasion_of, reasons_for
from tasks.aws.calls import call
from tasks.desk import Desk
from tasks.record.entries import without_texts
from tasks.record.standing import Standing
from tasks.rescan.told import note_for_run, waits_for_run
from tasks.review.link import appeal_in


def with_reasons(desk: Desk, standing: Standing) -> Standing:
    """A standing with the reasons of its decision, to be recorded with it: nothing where nothing is restricted."""
    reasons = reasons_for(desk.policy, standing, at=standing.decided_at or desk.now())
    return replace(standing, reasons=reasons) if reasons else standing


def statement_of_reasons(desk: Desk, standing: Standing, reasons: Mapping[str, Any]) -> dict[str, Any]:
    """What Article 17 of the DSA wants the uploader to be told.

    `notice_id` is the same when a crash made modfleet say it twice: consumers drop the second.
    """
    return {
        "type": "statement_of_reasons",
        "notice_id": notice_id(standing, reasons.get("occasion", "held")),
        **about(standing),
        "restriction": next(iter(reasons.get("decision_visibility", ())), None),
        "tier": standing.tier,
        "grounds": list(standing.rules),
        "policy_version": standing.policy_version,
        "decided_at": standing.decided_at.isoformat() if standing.decided_at else None,
        **reasons,
        "appeal_url": str(desk.settings.appeal_url) if desk.settings.appeal_url else None,
        "appeal": appeal_in(desk.settings, standing, reasons),
    }


def end_of_restriction(desk: Desk, standing: Standing) -> dict[str, Any]:
    """What the uploader is told when a person has brought something back; `lifts` names the notices that it ends."""
    notices, told = desk.policy.notices, ("notify", "notify_held")
    return {
        "type": "restriction_lifted",
        "notice_id": notice_id(standing, "back"),
        "lifts": [standing.receipts[action]["notice_id"] for action in told if action in standing.receipts],
        **about(standing),
        "policy_version": standing.policy_version,
        "occasion": "back",
        "language": notices.known(standing.language) or None,
        "texts": notices.texts("back", paths=(), surface=standing.surface, language=standing.language),
    }


def notify(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Publish the statement of reasons. Its receipt has the reasons where a person's word made them other ones.

    A rescan tells an uploader once, at its end.
    """
    if waits_for_run(standing) and (receipt := note_for_run(desk, standing)):
        return receipt
    reasons = _reasons(desk, standing)
    receipt = publish(desk, statement_of_reasons(desk, standing, reasons))
    return receipt | ({} if reasons is standing.reasons else {"statement": without_texts(reasons)})


def notify_back(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Publish that a restriction has ended; at its end, where a rescan has ended it."""
    if waits_for_run(standing) and (receipt := note_for_run(desk, standing)):
        return receipt
    return publish(desk, end_of_restriction(desk, standing))


def notice_id(standing: Standing, occasion: str) -> str:
    """The same for the same decision about the same upload, whichever run tells of it."""
    return f"{standing.item.id[:32]}-{standing.policy_version}-{occasion}"


def _reasons(desk: Desk, standing: Standing) -> Mapping[str, Any]:
    if standing.reasons and standing.reasons["occasion"] == occasion_of(standing):
        return standing.reasons
    return reasons_for(desk.policy, standing, at=desk.now())


def about(standing: Standing) -> dict[str, Any]:
    """Which item a notice is about, as the application knows it."""
    item = standing.item
    return {
        "item": {"bucket": item.bucket, "key": item.key, "version": item.version},
        "parts": [part.key for part in standing.parts],
        "content_id": standing.content_id,
        "uploader": standing.uploader,
        "surface": standing.surface,
    }


def publish(desk: Desk, notice: Mapping[str, Any]) -> dict[str, Any]:
    """Tell the application; returns what a receipt says of it. Raises Fault."""
    answer = call(
        desk.aws.store,
        desk.aws.sns.publish,
        TopicArn=desk.settings.notices_topic_arn,
        Message=json.dumps(notice, ensure_ascii=False),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": notice[name]} for name in ("type", "occasion") if name in notice
        },
    )
    return {"message_id": answer["MessageId"], "notice_id": notice["notice_id"]}
