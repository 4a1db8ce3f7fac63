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
from tasks.decide.replay import Past
from tasks.decide.rule import Tier
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


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer brought: decisions, and how many rows of any kind were read for them."""

    read: int
    decided: list[Past]


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
    asked = _asked(table, since, surface) | {"TotalSegments": segments}
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
                yield Page(answer["ScannedCount"], [past_of(row) for row in answer["Items"]])


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


def _asked(table: str, since: datetime | None, surface: str) -> dict[str, Any]:
    """The table holds rows of many kinds: only an item's has been decided. ISO times of one zone sort as text."""
    conditions, names, values = ["attribute_exists(#at)"], dict(_NAMES), {}
    if since is not None:
        conditions.append("#at >= :since")
        values[":since"] = {"S": since.isoformat()}
    if surface:
        conditions.append("#surface = :surface")
        names["#surface"] = "surface"
        values[":surface"] = {"S": surface}
    return {
        "TableName": table,
        "ProjectionExpression": ", ".join(_NAMES),
        "FilterExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": names,
        **({"ExpressionAttributeValues": values} if values else {}),
    }
