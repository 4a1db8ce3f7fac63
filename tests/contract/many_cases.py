"""Cases by the thousand, in tables of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.desk import Desk

START = datetime(2026, 11, 22, 6, tzinfo=UTC)


def row(number: int, **said: Any) -> dict[str, Any]:
    """A waiting case, due after so many minutes from START."""
    severity, surface = said.pop("severity", "normal"), said.pop("surface", "feed")
    due = (START + timedelta(minutes=said.pop("due", number))).isoformat(timespec="milliseconds")
    texts = {
        "case_id": f"{severity}-{surface}-{number:06}",
        "location": f"s3://uploads/{number}",
        "version": f"v{number}",
        "status": "open",
        "surface": surface,
        "severity": severity,
        "rules": said.pop("rules", '["labels/Violence/Weapons>=60"]'),
        "opened_at": (START - timedelta(hours=1)).isoformat(timespec="milliseconds"),
        "due_at": due,
        "queue": severity,
        "rank": due,
        "place": f"{severity} {surface}",
    }
    return {name: {"S": value} for name, value in (texts | said).items()}


def seed(desk: Desk, rows: list[dict[str, Any]]) -> None:
    """Put them all."""
    table = desk.settings.cases_table
    for start in range(0, len(rows), 25):
        puts: Any = [{"PutRequest": {"Item": one}} for one in rows[start : start + 25]]
        assert not desk.aws.dynamodb.batch_write_item(RequestItems={table: puts})["UnprocessedItems"]


def copy_table(dynamodb: Any, like: str, name: str, *, to: Any = None) -> None:
    """Make an empty table of another name with the keys and indexes of this one, at `to` if it is another DynamoDB."""
    table = dynamodb.describe_table(TableName=like)["Table"]
    indexes = [
        {each: index[each] for each in ("IndexName", "KeySchema", "Projection")}
        for index in table.get("GlobalSecondaryIndexes", [])
    ]
    (to or dynamodb).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=table["AttributeDefinitions"],
        KeySchema=table["KeySchema"],
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )
