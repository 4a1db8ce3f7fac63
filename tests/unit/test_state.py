"""The items table: every write on a condition, every step once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tasks.aws.faults import Moved
from tasks.aws.session import Aws
from tasks.item import Item
from tasks.record.standing import Standing, Status
from tasks.record.state import HEAD, Older, State, Taken

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ITEM = Item(
    bucket="uploads-example",
    key="feed/a.jpg",
    version_id="v1",
    etag="e1",
    size=10,
    sequencer="02".ljust(32, "0"),
    event_time=NOW,
)
OLDER_ITEM = replace(ITEM, version_id="v0", sequencer="01".ljust(32, "0"))
NEWER_ITEM = replace(ITEM, version_id="v2", sequencer="03".ljust(32, "0"))


@pytest.fixture
def state(moto_aws: Aws, items_table: str) -> State:
    """The items table of the template, empty."""
    return State(moto_aws, items_table)


def decided(item: Item = ITEM, **changes: Any) -> Standing:
    """A rejected item whose actions are still to be done."""
    standing = Standing(item=item, status=Status.PENDING, tier=3, plan=("hide", "remove"), decided_at=NOW)
    return replace(standing, **changes)


def begun(item: Item = ITEM, **changes: Any) -> Standing:
    """A video whose job runs."""
    return replace(Standing(item=item, status=Status.PENDING, job_id="job", job_started_at=NOW), **changes)


class TestDeciding:
    def test_what_was_decided_is_found_again(self, state: State) -> None:
        standing = decided()
        assert state.decide(standing) is standing
        assert state.find(ITEM) == standing
        assert state.find_version(ITEM.location, "v1") == standing

    def test_a_second_decision_gives_way_to_the_first(self, state: State) -> None:
        first = state.decide(decided(tier=3))
        assert state.decide(decided(tier=0, plan=())) == first
        assert state.find(ITEM) == first

    def test_an_older_event_of_a_decided_key_is_older(self, state: State) -> None:
        state.decide(decided(NEWER_ITEM))
        with pytest.raises(Older):
            state.decide(decided(ITEM))
        assert state.find(ITEM) is None

    def test_a_newer_event_is_decided_and_becomes_the_latest(self, state: State) -> None:
        state.decide(decided(ITEM))
        newer = state.decide(decided(NEWER_ITEM))
        assert state.latest(ITEM.location) == newer
        assert state.find(ITEM) is not None

    def test_the_decided_event_itself_is_not_older_than_itself(self, state: State) -> None:
        first = state.decide(decided())
        state.decide(decided(NEWER_ITEM))
        assert state.decide(decided()) == first

    def test_an_event_without_a_sequencer_cannot_be_older(self, state: State) -> None:
        state.decide(decided(NEWER_ITEM))
        unordered = decided(replace(ITEM, sequencer=""))
        assert state.decide(unordered) is unordered

    def test_an_event_without_a_sequencer_leaves_the_order_as_it_was(self, state: State) -> None:
        state.decide(decided(NEWER_ITEM))
        state.decide(decided(replace(ITEM, sequencer="", version_id="v9")))
        with pytest.raises(Older):
            state.decide(decided(OLDER_ITEM))

    def test_keys_are_ordered_each_by_itself(self, state: State) -> None:
        state.decide(decided(NEWER_ITEM))
        other = decided(replace(OLDER_ITEM, key="feed/b.jpg"))
        assert state.decide(other) is other


class TestBeginning:
    def test_what_was_begun_is_the_latest_until_something_is_decided(self, state: State) -> None:
        standing = state.begin(begun())
        assert state.latest(ITEM.location) == standing

    def test_a_second_delivery_gets_the_job_that_the_first_began(self, state: State) -> None:
        first = state.begin(begun(job_id="first"))
        assert state.begin(begun(job_id="second")) == first

    def test_beginning_after_the_decision_gets_the_decision(self, state: State) -> None:
        state.begin(begun())
        standing = state.decide(decided())
        assert state.begin(begun()) == standing
        assert state.find(ITEM) == standing

    def test_beginning_an_older_event_than_the_decided_one_is_refused(self, state: State) -> None:
        state.decide(decided(NEWER_ITEM))
        with pytest.raises(Older):
            state.begin(begun(ITEM))

    def test_beginning_is_no_decision_so_an_older_event_is_still_decided(self, state: State) -> None:
        state.begin(begun(NEWER_ITEM))
        standing = decided(ITEM)
        assert state.decide(standing) is standing

    def test_a_decision_comes_too_late_when_a_newer_one_was_made_while_its_job_ran(self, state: State) -> None:
        state.begin(begun(ITEM))
        state.decide(decided(NEWER_ITEM))
        with pytest.raises(Older):
            state.decide(decided(ITEM))
        still = state.find(ITEM)
        assert still is not None
        assert not still.decided


class TestTheLease:
    def test_who_comes_second_learns_until_when_it_is_held(self, state: State) -> None:
        state.decide(decided())
        assert state.take(ITEM, now=1000.0, seconds=60).lease_until == 1060.0
        with pytest.raises(Taken) as caught:
            state.take(ITEM, now=1000.0, seconds=60)
        assert caught.value.until == 1060.0

    def test_it_can_be_taken_over_once_it_has_ended(self, state: State) -> None:
        state.decide(decided(lease_until=1060.0))
        with pytest.raises(Taken):
            state.take(ITEM, now=1060.0, seconds=60)
        assert state.take(ITEM, now=1060.5, seconds=60).lease_until == 1120.5

    def test_each_receipt_renews_it_for_whoever_is_acting(self, state: State) -> None:
        state.decide(decided(lease_until=1060.0))
        state.add_receipt(ITEM, "hide", {"at": NOW.isoformat()}, lease_until=1100.0)
        with pytest.raises(Taken) as caught:
            state.take(ITEM, now=1070.0, seconds=60)
        assert caught.value.until == 1100.0

    def test_it_can_be_taken_at_once_after_it_was_let_go(self, state: State) -> None:
        state.decide(decided(lease_until=1060.0))
        state.let_go(ITEM)
        assert state.take(ITEM, now=1000.0, seconds=60).lease_until == 1060.0

    def test_whoever_takes_it_sees_the_receipts_of_the_run_before(self, state: State) -> None:
        state.decide(decided())
        state.add_receipt(ITEM, "hide", {"at": NOW.isoformat()}, lease_until=0)
        assert state.take(ITEM, now=1000.0, seconds=60).to_do == ("remove",)

    def test_what_is_not_recorded_cannot_be_taken(self, state: State) -> None:
        with pytest.raises(Taken) as caught:
            state.take(ITEM, now=1000.0, seconds=60)
        assert caught.value.until == 1060.0
        assert state.find(ITEM) is None


class TestActing:
    def test_a_receipt_stays_when_the_action_is_done_again(self, state: State) -> None:
        state.decide(decided())
        state.add_receipt(ITEM, "hide", {"at": NOW.isoformat(), "tag": "blocked"}, lease_until=0)
        state.add_receipt(ITEM, "remove", {"at": NOW.isoformat()}, lease_until=0)
        found = state.find(ITEM)
        assert found is not None
        assert found.receipts == {"hide": {"at": NOW.isoformat(), "tag": "blocked"}, "remove": {"at": NOW.isoformat()}}

    @pytest.mark.parametrize("action", ["hide", "open_case", "a name.with #odd: characters"])
    def test_an_action_may_have_any_name(self, state: State, action: str) -> None:
        state.decide(decided())
        state.add_receipt(ITEM, action, {"at": NOW.isoformat()}, lease_until=0)
        found = state.find(ITEM)
        assert found is not None
        assert list(found.receipts) == [action]

    def test_finishing_sets_the_status_frees_the_item_and_writes_history(self, state: State) -> None:
        state.decide(decided(lease_until=1060.0, history=({"event": "received"},)))
        state.finish(ITEM, status=Status.REJECTED, time_to_takedown_ms=1234, at=NOW)
        found = state.find(ITEM)
        assert found is not None
        assert (found.status, found.lease_until, found.time_to_takedown_ms) == (Status.REJECTED, 0.0, 1234)
        assert [entry["event"] for entry in found.history] == ["received", "finished"]

    def test_finishing_without_a_takedown_leaves_its_time_unset(self, state: State) -> None:
        state.decide(decided())
        state.finish(ITEM, status=Status.HELD, time_to_takedown_ms=None, at=NOW)
        found = state.find(ITEM)
        assert found is not None
        assert found.time_to_takedown_ms is None

    @pytest.mark.parametrize("recorded", [None, begun()], ids=["nothing", "undecided"])
    def test_nothing_is_written_on_what_is_not_decided(self, state: State, recorded: Standing | None) -> None:
        if recorded:
            state.begin(recorded)
        with pytest.raises(Moved):
            state.add_receipt(ITEM, "hide", {}, lease_until=0)
        with pytest.raises(Moved):
            state.finish(ITEM, status=Status.REJECTED, time_to_takedown_ms=None, at=NOW)
        with pytest.raises(Moved):
            state.let_go(ITEM)
        assert state.find(ITEM) == recorded


class TestSettingAside:
    def test_it_never_overwrites_a_decision(self, state: State) -> None:
        standing = state.decide(decided())
        state.set_aside(Standing(item=ITEM, status=Status.GONE))
        assert state.find(ITEM) == standing

    @pytest.mark.parametrize("status", [Status.GONE, Status.SUPERSEDED])
    def test_it_records_what_was_never_decided(self, state: State, status: Status) -> None:
        state.begin(begun())
        state.set_aside(Standing(item=ITEM, status=status))
        found = state.find(ITEM)
        assert found is not None
        assert found.status is status

    def test_it_may_happen_twice(self, state: State) -> None:
        for _ in range(2):
            state.set_aside(Standing(item=ITEM, status=Status.GONE))
        found = state.find(ITEM)
        assert found is not None
        assert found.status is Status.GONE

    def test_an_item_set_aside_is_still_decided_if_it_can_be(self, state: State) -> None:
        state.set_aside(Standing(item=ITEM, status=Status.GONE))
        standing = decided()
        assert state.decide(standing) is standing
        assert state.find(ITEM) == standing


class TestLooking:
    def test_nothing_is_recorded_of_a_key_that_nobody_uploaded(self, state: State) -> None:
        assert state.find(ITEM) is None
        assert state.latest(ITEM.location) is None

    @pytest.mark.parametrize("claimed", ["", HEAD, "no-such-version", "x" * 1025, "é" * 513, "\ud800" * 1025])
    def test_a_version_that_an_uploader_invents_is_nothing(self, state: State, claimed: str) -> None:
        """Read as a row or sent to DynamoDB, some would fail each delivery until the upload is parked unseen."""
        state.decide(decided())
        assert state.find_version(ITEM.location, claimed) is None

    def test_the_longest_version_that_could_be_is_looked_for(self, state: State) -> None:
        item = replace(ITEM, version_id="x" * 1024)
        standing = state.decide(decided(item))
        assert state.find_version(ITEM.location, "x" * 1024) == standing

    def test_reads_are_consistent(self, state: State) -> None:
        asked: list[Mapping[str, Any]] = []
        events = cast("Any", state.aws.dynamodb).meta.events
        events.register("provide-client-params.dynamodb.GetItem", lambda params, **_: asked.append(params))
        state.find(ITEM)
        state.latest(ITEM.location)
        assert [params["ConsistentRead"] for params in asked] == [True, True]


def test_what_was_never_decided_is_found_by_its_key_too(state: State) -> None:
    assert state.latest(ITEM.location) is None
    state.set_aside(Standing(item=replace(OLDER_ITEM, event_time=NOW.replace(hour=1)), status=Status.SUPERSEDED))
    state.set_aside(Standing(item=ITEM, status=Status.GONE))
    latest = state.latest(ITEM.location)
    assert latest is not None
    assert (latest.item, latest.status) == (ITEM, Status.GONE)


def test_nobody_takes_over_what_is_finished(state: State) -> None:
    state.decide(decided())
    state.finish(ITEM, status=Status.REJECTED, time_to_takedown_ms=1, at=NOW)
    with pytest.raises(Taken):
        state.take(ITEM, now=NOW.timestamp() + 1000, seconds=60)
