"""Past decisions, read back from the whole items table, a page at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.aws.calls import call
from tasks.aws.session import Aws
from tasks.decide.replay import Flip, Past
from tasks.decide.rule import Tier
from tasks.decide.shadow import shadowed
from tasks.record.standing import finding_from

#: Parts of the table that are read at once; one page of each is in memory, which DynamoDB limits to 1 MB.
SEGMENTS = 8
_NAMES = {
    "#location": "location",
    "#version": "version",
    "#key": "key",
    "#at": "decided_at",
    "#tier": "tier",
    "#rules": "rules",
    "#policy": "policy_version",
    "#braked": "braked",
    "#findings": "findings",
}
#: Without the findings, which are most of what a row weighs: nothing is decided again.
_SHADOW_NAMES = {name: said for name, said in _NAMES.items() if said != "findings"} | {
    "#surface": "surface",
    "#shadow": "shadow",
}


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer brought: decisions, and how many rows of any kind were read for them."""

    read: int
    decided: list[Past]


@dataclass(frozen=True, slots=True)
class ShadowPage:
    """What one answer brought: decisions beside which a shadow policy's is on record, and how many rows were read."""

    read: int
    decided: list[Flip]


def about_how_many(aws: Aws, table: str) -> int:
    """Rows of the table, as DynamoDB counted them some hours ago. Raises Fault."""
    answer = call(aws.store, aws.dynamodb.describe_table, TableName=table)
    return int(answer["Table"].get("ItemCount", 0))


def decided_since(
    aws: Aws, table: str, since: datetime | None = None, *, surface: str = "", segments: int = SEGMENTS
) -> Iterator[Page]:
    """Every decision since then (UTC; None is ever), in no order, by a scan in parallel segments. Raises Fault.

    DynamoDB bills the whole table whatever is asked for. What is decided meanwhile may be among it or not.
    """
    asked = _asked(table, since, surface=surface)
    for answer in scanned(aws, asked, segments=segments):
        yield Page(answer["ScannedCount"], [past_of(row) for row in answer["Items"]])


def shadowed_since(
    aws: Aws, table: str, since: datetime, *, surface: str = "", segments: int = SEGMENTS
) -> Iterator[ShadowPage]:
    """Every decision since then beside which a shadow policy's is on record, without its findings. Raises Fault.

    Read and billed as `decided_since` is.
    """
    asked = _asked(table, since, surface=surface, names=_SHADOW_NAMES)
    asked["FilterExpression"] += " AND attribute_exists(#shadow)"
    for answer in scanned(aws, asked, segments=segments):
        yield ShadowPage(answer["ScannedCount"], [_shadowed_of(row) for row in answer["Items"]])


def scanned(aws: Aws, asked: Mapping[str, Any], *, segments: int) -> Iterator[dict[str, Any]]:
    """Each answer of a scan in parallel segments."""
    asked = {**asked, "TotalSegments": segments}
    with ThreadPoolExecutor(segments, thread_name_prefix="scan") as pool:

        def ask(segment: int, start: Mapping[str, Any] | None) -> tuple[int, Any]:
            begin = {"ExclusiveStartKey": start} if start else {}
            return segment, call(aws.store, aws.dynamodb.scan, **asked, Segment=segment, **begin)

        running: set[Future[tuple[int, Any]]] = {pool.submit(ask, segment, None) for segment in range(segments)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                segment, answer = one.result()
                if last := answer.get("LastEvaluatedKey"):
                    running.add(pool.submit(ask, segment, last))
                yield answer


def _shadowed_of(row: Mapping[str, Any]) -> Flip:
    past = past_of({**row, "findings": {"S": "[]"}})
    return shadowed(past, row["surface"]["S"], json.loads(row["shadow"]["S"]))


def past_of(row: Mapping[str, Any]) -> Past:
    """The decision in a row that `standing.to_row` wrote."""
    return Past(
        location=row["location"]["S"],
        version=row["version"]["S"],
        key=row["key"]["S"],
        decided_at=row["decided_at"]["S"],
        # What the brake has held, the policy had decided to take down.
        tier=Tier.REJECT if "braked" in row else Tier(int(row["tier"]["N"])),
        rules=tuple(json.loads(row["braked" if "braked" in row else "rules"]["S"])),
        policy_version=row["policy_version"]["S"],
        findings=tuple(finding_from(finding) for finding in json.loads(row["findings"]["S"])),
    )


def _asked(table: str, since: datetime | None, *, surface: str, names: Mapping[str, str] = _NAMES) -> dict[str, Any]:
    """The table holds rows of many kinds: only an item's has been decided. ISO times of one zone sort as text."""
    conditions, projected, values = ["attribute_exists(#at)"], ", ".join(names), {}
    if since is not None:
        conditions.append("#at >= :since")
        values[":since"] = {"S": since.isoformat()}
    if surface:
        conditions.append("#surface = :surface")
        names = {**names, "#surface": "surface"}
        values[":surface"] = {"S": surface}
    return {
        "TableName": table,
        "ProjectionExpression": projected,
        "FilterExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": dict(names),
        **({"ExpressionAttributeValues": values} if values else {}),
    }
