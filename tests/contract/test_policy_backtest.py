"""`modfleet policy backtest` over thousands of stored items: the very flips that a person would find by hand."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from command import run

import tests.unit.test_replay as by_hand
from deploy.local.run import LocalCloud
from tasks.decide.replay import Past
from tasks.item import Item
from tasks.record.standing import Standing, Status, to_row
from tasks.record.state import HEAD

#: Of which a hundred and more flip.
ITEMS = 1_500
#: What DynamoDB takes at once.
BATCH = 25


@pytest.fixture
def table(cloud: LocalCloud, clients: SimpleNamespace, unique: str) -> Iterator[str]:
    """A table of items that is nobody else's."""
    usual = clients.dynamodb.describe_table(TableName=cloud.environment["MODFLEET_ITEMS_TABLE"])["Table"]
    keys = {key["AttributeName"] for key in usual["KeySchema"]}
    clients.dynamodb.create_table(
        TableName=unique,
        KeySchema=usual["KeySchema"],
        AttributeDefinitions=[one for one in usual["AttributeDefinitions"] if one["AttributeName"] in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    yield unique
    clients.dynamodb.delete_table(TableName=unique)


def rows_of(past: Past, decided_at: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a worker leaves of a decided item: its row, and the head of its key."""
    item = Item(bucket=past.bucket, key=past.key, version_id="v", etag="e", size=1, sequencer="", event_time=decided_at)
    standing = Standing(
        item=item,
        status=Status.HELD,
        surface="feed",
        tier=int(past.tier),
        rules=past.rules,
        policy_version=past.policy_version,
        findings=past.findings,
        decided_at=decided_at,
    )
    head = {"location": {"S": item.location}, "version": {"S": HEAD}, "latest": {"S": item.version}}
    return to_row(standing), head


def store(dynamodb: Any, table: str, pasts: list[Past]) -> None:
    now = datetime.now(UTC)
    rows = [row for number, past in enumerate(pasts) for row in rows_of(past, now - timedelta(minutes=number))]

    def put(start: int) -> None:
        batch = [{"PutRequest": {"Item": row}} for row in rows[start : start + BATCH]]
        assert not dynamodb.batch_write_item(RequestItems={table: batch})["UnprocessedItems"]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(0, len(rows), BATCH)))


def test_of_thousands_it_lists_exactly_the_flips_of_a_slow_obvious_computation(
    cloud: LocalCloud, clients: SimpleNamespace, table: str, tmp_path: Path
) -> None:
    items, new, flips = by_hand.pasts(ITEMS, seed=9), tmp_path / "new.yaml", tmp_path / "flips.csv"
    store(clients.dynamodb, table, items)
    new.write_text(by_hand.edited(), "utf-8")
    environment = cloud.environment | {"MODFLEET_ITEMS_TABLE": table}
    done = run(environment, "policy", "backtest", str(new), "--csv", str(flips), "--json")
    assert done.code == 0, done
    with flips.open(newline="", encoding="utf-8") as file:
        listed = [(row["location"], row["old"], row["new"]) for row in csv.DictReader(file)]
    slow, was = by_hand.slow_flips(by_hand.edited(), items), {past.location: past.tier for past in items}
    assert sorted(listed) == sorted((one, was[one].name.lower(), tier.name.lower()) for one, tier in slow.items())
    assert 100 < len(listed) == done.json["flips"] < done.json["decided"] == ITEMS
