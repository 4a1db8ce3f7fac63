"""Past decisions, read back from a table of rows of every kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tasks.aws.faults import Denied
from tasks.aws.session import Aws
from tasks.decide.replay import Past
from tasks.detect.finding import Finding
from tasks.item import Item
from tasks.record.past import about_how_many, decided_since
from tasks.record.standing import Standing, Status, to_row

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def standing(name: str, *, decided_at: datetime | None = NOON, surface: str = "feed") -> Standing:
    finding = Finding(
        detector="rekognition-image", detector_version="7.0", label="moderation/Violence", confidence=97.5
    )
    return Standing(
        item=Item(bucket="b", key=f"feed/{name}", version_id="v", etag="e", size=1, sequencer="", event_time=NOON),
        status=Status.HELD if decided_at else Status.PENDING,
        surface=surface,
        tier=2 if decided_at else None,
        rules=("labels/Violence>=65",) if decided_at else (),
        policy_version="sha256:0123456789ab" if decided_at else "",
        findings=(finding, replace(finding, label="pii/EMAIL", span=(1, 5), time_ms=(0, 9))),
        decided_at=decided_at,
    )


def put(aws: Aws, table: str, *standings: Standing) -> None:
    for one in standings:
        aws.dynamodb.put_item(TableName=table, Item=to_row(one))


def read(aws: Aws, table: str, since: datetime | None = None, **more: object) -> dict[str, Past]:
    pages = decided_since(aws, table, since, **more)  # type: ignore[arg-type]
    pasts = [past for page in pages for past in page.decided]
    assert len({past.location for past in pasts}) == len(pasts)
    return {past.key: past for past in pasts}


def test_a_decision_comes_back_with_its_findings(moto_aws: Aws, items_table: str) -> None:
    one = standing("a")
    put(moto_aws, items_table, one)
    (past,) = read(moto_aws, items_table).values()
    assert past == Past(
        location="s3://b/feed/a",
        version=one.item.version,
        key="feed/a",
        decided_at=NOON.isoformat(),
        tier=past.tier,
        rules=one.rules,
        policy_version=one.policy_version,
        findings=one.findings,
    )
    assert past.tier == 2


def test_only_decisions_are_read_and_only_those_since_then(moto_aws: Aws, items_table: str) -> None:
    just = NOON + timedelta(microseconds=1)
    put(moto_aws, items_table, standing("before"), standing("at", decided_at=just), standing("not", decided_at=None))
    head = {"location": {"S": "s3://b/feed/at"}, "version": {"S": "head"}, "latest": {"S": "v"}}
    moto_aws.dynamodb.put_item(TableName=items_table, Item=head)
    assert set(read(moto_aws, items_table)) == {"feed/before", "feed/at"}
    assert set(read(moto_aws, items_table, NOON)) == {"feed/before", "feed/at"}
    assert set(read(moto_aws, items_table, just)) == {"feed/at"}
    assert about_how_many(moto_aws, items_table) == 4


def test_one_surface_can_be_read_alone(moto_aws: Aws, items_table: str) -> None:
    put(moto_aws, items_table, standing("a"), standing("b", surface="avatars"))
    assert set(read(moto_aws, items_table, NOON, surface="avatars")) == {"feed/b"}


@pytest.mark.parametrize("segments", [1, 3])
def test_every_page_of_every_segment_is_read_once(moto_aws: Aws, items_table: str, segments: int) -> None:
    """Rows of 300 kB: a page of 1 MB holds three."""
    padded = [replace(standing(str(number)), trace="x" * 300_000) for number in range(14)]
    put(moto_aws, items_table, *padded)
    pages = list(decided_since(moto_aws, items_table, segments=segments))
    assert len(pages) > 4
    assert sum(page.read for page in pages) == 14
    assert sorted(past.key for page in pages for past in page.decided) == sorted(f"feed/{n}" for n in range(14))


def test_a_table_that_is_not_there_is_a_fault(moto_aws: Aws) -> None:
    with pytest.raises(Denied):
        list(decided_since(moto_aws, "nowhere"))
