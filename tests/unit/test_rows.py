"""Rows of one location are read to the last, however many answers that takes."""

from __future__ import annotations

from tasks.aws.rows import row_at, rows_at, string
from tasks.aws.session import Aws

#: Characters of a row: three of them are more than one answer holds.
LONG = 390_000


def put(aws: Aws, table: str, version: str) -> None:
    row = {"location": string("there"), "version": string(version), "said": string("x" * LONG)}
    aws.dynamodb.put_item(TableName=table, Item=row)


def test_more_than_one_answer_holds_is_read_in_order(moto_aws: Aws, items_table: str) -> None:
    for version in ("a1", "a2", "b1", "b2"):
        put(moto_aws, items_table, version)
    first = moto_aws.dynamodb.query(
        TableName=items_table,
        KeyConditionExpression="#location = :location",
        ExpressionAttributeNames={"#location": "location"},
        ExpressionAttributeValues={":location": string("there")},
    )
    assert "LastEvaluatedKey" in first
    assert [row["version"]["S"] for row in rows_at(moto_aws, items_table, "there")] == ["a1", "a2", "b1", "b2"]
    assert [row["version"]["S"] for row in rows_at(moto_aws, items_table, "there", begins="b")] == ["b1", "b2"]


def test_where_nothing_is_there_is_none(moto_aws: Aws, items_table: str) -> None:
    assert list(rows_at(moto_aws, items_table, "nowhere")) == []
    assert row_at(moto_aws, items_table, {"location": string("nowhere"), "version": string("v")}) is None
