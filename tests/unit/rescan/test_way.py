"""Which way an item goes from where it stands: nothing milder without leave, nothing public that is to be down."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tasks.decide.decision import Decision, Span
from tasks.decide.rule import Tier
from tasks.item import Item
from tasks.record.standing import Standing, Status
from tasks.rescan.way import STANDS, Way, tier_before, way_of

AT = datetime(2026, 11, 1, tzinfo=UTC)
ITEM = Item(bucket="b", key="k", version_id="v", etag="e", size=1, sequencer="", event_time=AT)
#: Status, the policy's tier -> the way of a run that may act, and of one that may not.
WAYS = {
    (Status.ALLOWED, Tier.ALLOW): (Way.REFRESH, Way.REFRESH),
    (Status.ALLOWED, Tier.REDACT): (Way.ACT, Way.ACT),
    (Status.ALLOWED, Tier.HOLD): (Way.ACT, Way.ACT),
    (Status.ALLOWED, Tier.REJECT): (Way.ACT, Way.ACT),
    (Status.HELD, Tier.ALLOW): (Way.ACT, Way.ACT),
    (Status.HELD, Tier.REDACT): (Way.ACT, Way.ACT),
    (Status.HELD, Tier.HOLD): (Way.REFRESH, Way.REFRESH),
    (Status.HELD, Tier.REJECT): (Way.ACT, Way.ACT),
    (Status.REDACTED, Tier.ALLOW): (Way.RESTORE, Way.LEAVE),
    (Status.REDACTED, Tier.REDACT): (Way.REFRESH, Way.REFRESH),
    (Status.REDACTED, Tier.HOLD): (Way.REPLACE, Way.REPLACE),
    (Status.REDACTED, Tier.REJECT): (Way.REPLACE, Way.REPLACE),
    (Status.REJECTED, Tier.ALLOW): (Way.RESTORE, Way.LEAVE),
    (Status.REJECTED, Tier.REDACT): (Way.LEAVE, Way.LEAVE),
    (Status.REJECTED, Tier.HOLD): (Way.LEAVE, Way.LEAVE),
    (Status.REJECTED, Tier.REJECT): (Way.REFRESH, Way.REFRESH),
    (Status.RESTORED, Tier.ALLOW): (Way.REFRESH, Way.REFRESH),
    (Status.RESTORED, Tier.REDACT): (Way.REPLACE, Way.REPLACE),
    (Status.RESTORED, Tier.HOLD): (Way.REPLACE, Way.REPLACE),
    (Status.RESTORED, Tier.REJECT): (Way.REPLACE, Way.REPLACE),
}


def decision(tier: Tier, *spans: Span) -> Decision:
    return Decision(tier=tier, rules=(), policy_version="p", findings=(), spans=spans)


@pytest.mark.parametrize("case", WAYS, ids=str)
def test_each_status_and_tier_has_its_way(case: tuple[Status, Tier]) -> None:
    standing = Standing(item=ITEM, status=case[0])
    ways = tuple(way_of(standing, decision(case[1]), act=act) for act in (True, False))
    assert ways == WAYS[case]


def test_the_table_has_every_way() -> None:
    assert set(WAYS) == {(status, tier) for status in STANDS for tier in Tier}


def test_what_is_masked_is_looked_at_again_only_where_more_is_to_be_masked() -> None:
    masked = Standing(item=ITEM, status=Status.REDACTED, spans=((0, 10, "EMAIL"),))
    within, beyond = Span(2, 8, "EMAIL"), Span(5, 12, "PHONE")
    assert way_of(masked, decision(Tier.REDACT, within), act=True) is Way.REFRESH
    assert way_of(masked, decision(Tier.REDACT, within, beyond), act=True) is Way.LOOK


def test_what_went_with_its_post_comes_back_with_it_and_no_other_way() -> None:
    part = Standing(item=ITEM, status=Status.ALLOWED, post="s3://b/post", post_status="rejected")
    assert {way_of(part, decision(tier), act=True) for tier in Tier} == {Way.LEAVE}


def test_what_a_brake_holds_was_rejected_before() -> None:
    assert tier_before(Standing(item=ITEM, status=Status.HELD, braked=("labels/Weapons>=90",))) is Tier.REJECT
