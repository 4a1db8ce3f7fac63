"""`modfleet review`: a case is listed, claimed and ruled on from a terminal, and every refusal is a plain word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from fleet import desk_on

from deploy.local.run import LocalCloud
from tasks.item import Item
from tasks.record.standing import Standing, Status
from tasks.review.cases import open_case
from tests.contract.command import Said, run


def test_a_case_is_worked_from_a_terminal(cloud: LocalCloud, unique: str) -> None:
    case, review = held(cloud, unique), reviewing(cloud)
    listed = review("list", "--severity", "top", "--surface", unique, "--json").json
    assert [one["case_id"] for one in listed["cases"]] == [case]
    assert review("claim", "--surface", unique, "--by", "ana", "--json").json["case_id"] == case
    wrong = review("rule", case, "redact", "--why", "so", "--rule", "pii/NAME", "--span", "7", "--by", "ana")
    assert (wrong.code, wrong.err) == (2, "modfleet: not a span: '7'; write BEGIN:END, as 7:19\n")
    ruled = review("rule", case, "hold", "--why", "so", "--undo-within", "600", "--by", "ana", "--json")
    assert (ruled.json["status"], ruled.json["changed"]) == ("ruled", True)
    assert "has changed meanwhile" in ruled.err
    assert review("undo", case, "--by", "ana", "--json").json["status"] == "claimed"


def reviewing(cloud: LocalCloud) -> Callable[..., Said]:
    return lambda *words: run(cloud.environment, "review", *words)


def held(cloud: LocalCloud, key: str) -> str:
    """A held message's case; its upload is gone."""
    desk = desk_on(cloud)
    now = datetime.now(UTC)
    bucket = desk.settings.uploads_bucket
    item = Item(bucket=bucket, key=key, version_id="v1", etag="e1", size=10, sequencer="", event_time=now)
    rules = ("rules/minors-and-nudity",)
    standing = Standing(
        item=item, status=Status.HELD, surface=key, tier=2, rules=rules, decided_at=now, policy_version="p"
    )
    desk.state.decide(standing)
    open_case(desk, standing)
    return item.id
