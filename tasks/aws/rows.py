"""Rows of the items table, in which the fleet keeps items and all else that it remembers: read, and their values.

A row is named by its `location` and `version`, both text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call

if TYPE_CHECKING:
    from tasks.aws.session import Aws

Row = dict[str, Any]


def string(value: object) -> dict[str, str]:
    """What `str` makes of a value, as DynamoDB takes it."""
    return {"S": str(value)}


def number(value: float) -> dict[str, str]:
    """A number to its last digit, as DynamoDB takes it."""
    return {"N": str(value)}


def row_at(aws: Aws, table: str, key: Mapping[str, Any]) -> Row | None:
    """The row of a key, None where there is none (consistent read). Raises Fault."""
    answer = call(aws.store, aws.dynamodb.get_item, TableName=table, Key=key, ConsistentRead=True)
    return answer.get("Item")


def rows_at(aws: Aws, table: str, location: str, *, begins: str = "", since: str = "") -> Iterator[Row]:
    """Every row of a location, by version (consistent reads). Raises Fault.

    With `begins`, those whose version does; with `since`, those from that version on. Paged to the end: one answer
    holds at most 1 MB.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
    """
    names, values = {"#location": "location"}, {":location": string(location)}
    expression = "#location = :location"
    if begins:
        names, values = names | {"#version": "version"}, values | {":begins": string(begins)}
        expression += " AND begins_with(#version, :begins)"
    elif since:
        names, values = names | {"#version": "version"}, values | {":since": string(since)}
        expression += " AND #version >= :since"
    page: dict[str, Any] = {}
    while True:
        answer = call(
            aws.store,
            aws.dynamodb.query,
            TableName=table,
            KeyConditionExpression=expression,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
            **page,
        )
        yield from answer["Items"]
        if not (last := answer.get("LastEvaluatedKey")):
            return
        page = {"ExclusiveStartKey": last}
