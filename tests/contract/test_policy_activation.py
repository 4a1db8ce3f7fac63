"""`modfleet policy activate` and `rollback`, where something stands in the way; the rest is told by tests/pipeline."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from command import Said, run

from config.settings import CONFIG
from deploy.local.run import LocalCloud
from tasks.decide.policy_file import parse_policy
from tasks.record.policies import Change, How, Policies
from tests.contract.shipped import connected
from worker.policies import _rate

SHIPPED = CONFIG / "policy.yaml"
TEXT = SHIPPED.read_text(encoding="utf-8")
VERSION = parse_policy(TEXT).version
Modfleet = Callable[..., Said]


@pytest.fixture
def table(clients: SimpleNamespace, unique: str) -> str:
    """An items table of this test's own: what comes into force in it is in force nowhere else."""
    names = ("location", "version")
    clients.dynamodb.create_table(
        TableName=unique,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=[{"AttributeName": "location", "KeyType": "HASH"}, {"AttributeName": "version", "KeyType": "RANGE"}],
    )
    return unique


@pytest.fixture
def modfleet(cloud: LocalCloud, table: str) -> Modfleet:
    return lambda *words: run(cloud.environment | {"MODFLEET_ITEMS_TABLE": table}, *words)


@pytest.fixture
def store(cloud: LocalCloud, table: str) -> Policies:
    aws, _ = connected(cloud)
    return Policies(aws, table)


def test_one_that_would_show_what_nobody_has_allowed_is_refused(
    modfleet: Modfleet, store: Policies, tmp_path: Path
) -> None:
    """The bucket policy hides what is under avatars/ until it is allowed, and nothing else."""
    path = tmp_path / "new.yaml"
    own = "surfaces:\n  covers: {prefix: covers/, visibility: before, hold: withhold}\n"
    path.write_text(TEXT.replace("surfaces:\n", own, 1), encoding="utf-8")
    done = modfleet("policy", "activate", str(path))
    assert done.code == 1
    assert "is not put in force: " in done.err
    assert "covers/" in done.err
    assert store.in_force() is None


def test_the_file_that_was_in_force_is_on_record_too_and_what_is_in_force_already_is_left(
    modfleet: Modfleet, store: Policies
) -> None:
    assert "is in force; every worker" in modfleet("policy", "activate", str(SHIPPED)).out
    assert "is in force already" in modfleet("policy", "activate", str(SHIPPED)).out
    assert [(one.how, one.version) for one in store.history()] == [(How.FILE, VERSION), (How.ACTIVATE, VERSION)]
    assert store.text(VERSION) == TEXT
    back = modfleet("policy", "rollback")
    assert (back.code, "there is none before it" in back.err) == (1, True)


def test_where_the_one_in_force_cannot_be_read_no_worker_starts_and_a_rollback_helps(
    modfleet: Modfleet, store: Policies
) -> None:
    now = datetime.now(UTC)
    store.store(VERSION, TEXT)
    store.store("sha256:of-tomorrow", "surfaces: 3\n")
    store.put_in_force(Change(number=1, version=VERSION, how=How.FILE, at=now, by="ana"))
    tomorrow = Change(number=2, version="sha256:of-tomorrow", how=How.ACTIVATE, at=now, by="ana", before=1)
    store.put_in_force(tomorrow)
    refused = modfleet("worker")
    assert refused.code == 2
    assert "sha256:of-tomorrow:1: " in refused.err
    assert "modfleet policy rollback" in refused.err
    assert modfleet("policy", "rollback", "--reason", "nobody can read it").code == 0
    shown = modfleet("policy", "show", "--text")
    assert (shown.code, shown.out) == (0, TEXT)


@pytest.mark.parametrize(("said", "rate"), [("", 0.01), ("2%", 0.02), ("0.02", 0.02), ("0", 0.0), ("100%", 1.0)])
def test_a_share_is_read_as_it_is_meant(said: str, rate: float) -> None:
    assert _rate(said, 0.01) == pytest.approx(rate)


@pytest.mark.parametrize("said", ["1", "5", "-1%", "101%", "nan", "much"])
def test_what_could_be_meant_for_two_shares_is_none(said: str) -> None:
    """`--max-flips 1` would let everything flip for somebody who means one in a hundred."""
    with pytest.raises(typer.Exit):
        _rate(said, 0.01)
