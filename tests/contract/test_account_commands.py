"""`modfleet account`, as a person types it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from command import run

from deploy.local.run import LocalCloud
from tasks.decide.accounts import Strike
from tasks.record.accounts import Accounts
from tests.contract.shipped import connected

THRESHOLDS = {"warn": 2, "limit": 4, "suspend": 8}


@pytest.fixture
def uploader(cloud: LocalCloud, unique: str) -> str:
    """Somebody with three strikes that count and one that has decayed."""
    aws, settings = connected(cloud)
    now, name = datetime.now(UTC), f"user-{unique}"
    one = Strike(
        id="1",
        location="s3://b/feed/a.png",
        version="v1",
        rules=("labels/Weapons>=90",),
        points=1,
        at=now,
        until=now + timedelta(days=90),
        thresholds=THRESHOLDS,
    )
    marks = [
        replace(one, id="0", at=now - timedelta(days=91), until=now - timedelta(days=1)),
        one,
        replace(one, id="2", location="s3://b/feed/b.png", points=2),
    ]
    for mark in marks:
        Accounts(aws, settings.items_table).add(name, mark)
    return name


def test_it_shows_what_counts_and_what_for_and_where_that_has_led(cloud: LocalCloud, uploader: str) -> None:
    said = run(cloud.environment, "account", "show", uploader, "--json").json
    assert (said["uploader"], said["standing"], said["strikes"]) == (uploader, "warn", 3)
    assert [one["counts"] for one in said["items"]] == [False, True, True]
    assert said["items"][2]["item"] == {"bucket": "b", "key": "feed/b.png", "version": "v1"}
    assert [(event["event"], event["strikes"]) for event in said["events"]] == [("warn", 3)]
    assert said["stands_lower_at"] == said["items"][1]["until"]
    plain = run(cloud.environment, "account", "show", uploader).out
    assert "standing: warn" in plain
    assert "labels/Weapons>=90" in plain


def test_it_forgives_one_item_and_then_all_and_then_there_is_nothing(cloud: LocalCloud, uploader: str) -> None:
    forgive = ("account", "forgive", uploader, "--reason", "an appeal was right", "--json")
    one = run(cloud.environment, *forgive, "--item", "s3://b/feed/b.png").json
    assert (one["forgiven"], one["strikes"], one["standing"]) == (2, 1, "none")
    assert one["events"][-1]["event"] == "lifted"
    rest = run(cloud.environment, *forgive).json
    assert (rest["forgiven"], rest["strikes"]) == (1, 0)
    other = run(cloud.environment, *forgive, "--item", "s3://b/feed/b.png")
    assert other.code == 1
    assert "no strike for s3://b/feed/b.png counts" in other.err


def test_it_wants_an_item_that_is_one(cloud: LocalCloud, uploader: str) -> None:
    said = run(cloud.environment, "account", "forgive", uploader, "--reason", "x", "--item", "feed/b.png")
    assert (said.code, "not an item" in said.err) == (2, True)
