"""What a rescan tells uploaders: each once, in as many messages as it takes, from where a crash has stopped it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tasks.desk import Desk
from tasks.item import Item
from tasks.record.standing import Standing, Status
from tasks.rescan.ending import end_if_over
from tasks.rescan.leases import Partitions
from tasks.rescan.run import Brief, Run
from tasks.rescan.run_notices import MOST_BYTES, send_notices
from tasks.rescan.run_rows import Runs
from tasks.rescan.told import note_for_run

AT = datetime(2026, 11, 1, tzinfo=UTC)
#: Two of these fill a notice.
LONG = "x" * (MOST_BYTES // 2 + 1)


class Died(BaseException):
    """The process did not live to hear the answer."""


class Topic:
    """Takes notices, and has the process die after one of them."""

    def __init__(self, *, dies_after: int = -1) -> None:
        self.notices: list[dict[str, Any]] = []
        self._dies_after = dies_after

    def publish(self, **said: Any) -> dict[str, Any]:
        self.notices.append(json.loads(said["Message"]))
        if len(self.notices) == self._dies_after:
            raise Died
        return {"MessageId": "m"}

    def get_topic_attributes(self, **_said: Any) -> dict[str, Any]:
        return {}


@pytest.fixture
def desk(desk_at: Callable[..., Desk]) -> Desk:
    return desk_at(lambda: AT)


def judged(desk: Desk, run: Run, uploader: str, number: int, **more: Any) -> Standing:
    """An item on record that the run has held, of which its uploader is to be told."""
    item = Item(bucket="b", key=f"{uploader}/{number}", version_id="v", etag="e", size=1, sequencer="", event_time=AT)
    reasons = {"occasion": "hidden", "texts": {"en": "hidden"}, "decision_facts": LONG}
    usual: dict[str, Any] = {"status": Status.HELD, "tier": 2, "reasons": reasons, "decided_at": AT, "rescan": run.id}
    standing = Standing(item=item, uploader=uploader, **usual | more)
    desk.state.decide(standing)
    assert note_for_run(desk, standing)
    return standing


def sent(desk: Desk, run: Run, topic: Topic) -> int:
    return sum(send_notices(replace(desk, aws=replace(desk.aws, sns=topic)), run))


def test_each_uploader_is_told_of_everything_once_wherever_it_is_interrupted(desk: Desk) -> None:
    run = Runs(desk.aws, desk.settings.items_table).start(Brief(source={}, policy_version="p"), at=AT)
    for number in range(5):
        judged(desk, run, "ana", number)
    judged(desk, run, "bo", 1, status=Status.ALLOWED, tier=0, reasons={})
    ruled = ({"event": "overruled", "by": "kim", "tier": 0, "rules": [], "at": AT.isoformat()},)
    judged(desk, run, "cy", 1, history=ruled)
    dying = Topic(dies_after=2)
    with pytest.raises(Died):
        sent(desk, run, dying)
    rest = Topic()
    sent(desk, run, rest)
    notices = dying.notices + rest.notices
    by_id = {notice["notice_id"]: notice for notice in notices}
    # The one whose answer nobody heard goes out again, under the same name and word for word.
    assert len(notices) == len(by_id) + 1
    assert all(by_id[notice["notice_id"]] == notice for notice in notices)
    told = [(one["uploader"], said["item"]["key"]) for one in by_id.values() for said in one["restricted"]]
    assert sorted(told) == [("ana", f"ana/{number}") for number in range(5)]
    assert [one["uploader"] for one in by_id.values() if one["lifted"]] == ["bo"]
    assert {one["texts"][0]["en"] for one in by_id.values() if one["restricted"]} == {"hidden"}
    assert all(len(json.dumps(one)) < 256 * 1024 * 2 for one in by_id.values())
    assert sent(desk, run, Topic()) == 0


def test_a_run_is_ended_by_one_however_long_its_notices_take(desk: Desk, items_table: str) -> None:
    desk.aws.s3.create_bucket(Bucket=desk.settings.audit_bucket)
    runs, clock, others = Runs(desk.aws, items_table), [AT], list[bool]()
    run = runs.start(Brief(source={}, policy_version="p"), at=AT)
    Partitions(aws=desk.aws, table=items_table, run_id=run.id, me="me", seconds=60.0).divide((), now=AT)
    assert runs.all_sent(run.id)
    for number in range(5):
        judged(desk, run, "ana", number)

    class Slow(Topic):
        """Each notice takes most of the lease; meanwhile somebody else asks whether the run is over."""

        def publish(self, **said: Any) -> dict[str, Any]:
            clock[0] += timedelta(seconds=0.7 * desk.lease_seconds)
            others.append(end_if_over(replace(desk, now=lambda: clock[0]), run.id))
            return super().publish(**said)

    topic = Slow()
    assert end_if_over(replace(desk, now=lambda: clock[0], aws=replace(desk.aws, sns=topic)), run.id)
    assert others == [False] * 3
    assert len(topic.notices) == 3
    assert [found.state for found in runs.all()] == ["done"]


def test_an_item_that_comes_after_the_end_needs_a_notice_of_its_own(desk: Desk) -> None:
    runs = Runs(desk.aws, desk.settings.items_table)
    run = runs.start(Brief(source={}, policy_version="p"), at=AT)
    standing = judged(desk, run, "ana", 1)
    runs.cancel(run.id, at=AT)
    assert note_for_run(desk, standing) == {}
