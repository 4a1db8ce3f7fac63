"""Policies in force: what was in force when, once each, and nobody puts one in force over another's head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ConnectionClosedError
from structlog.testing import capture_logs

from config.settings import CONFIG, Settings
from tasks.aws.session import Aws
from tasks.decide.policy_file import PolicyError, parse_policy
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.policies import MOST_BYTES, Change, How, Meanwhile, Policies, TooLarge, UnknownPolicy
from tasks.record.standing import Standing, Status
from tasks.under import under_its_own
from worker.families import POLICY_STALE
from worker.in_force import Unfit, Watch, as_in_force, note_file, succeeding, told
from worker.metrics import Registry
from worker.wiring import wire

FRIDAY = datetime(2026, 11, 20, 17, tzinfo=UTC)
TEXT = (CONFIG / "policy.yaml").read_text(encoding="utf-8")
STRICTER = TEXT.replace("Weapons: {hold: 60, reject: 90}", "Weapons: {hold: 60, reject: 85}")
OLD, NEW = (parse_policy(text).version for text in (TEXT, STRICTER))


@pytest.fixture
def store(moto_aws: Aws, items_table: str) -> Policies:
    return Policies(moto_aws, items_table)


def change(number: int, *, version: str = NEW, hours: int = 0) -> Change:
    return Change(
        number=number,
        version=version,
        how=How.ACTIVATE,
        at=FRIDAY + timedelta(hours=hours),
        by="ana",
        reason=f"reason {number}",
        replaced=OLD,
        before=number - 1,
        backtest={"decided": 3, "flip_rate": 0.5},
    )


class TestTheStore:
    def test_a_change_comes_back_as_it_was_recorded(self, store: Policies) -> None:
        assert store.in_force() is None
        store.put_in_force(change(1))
        assert store.in_force() == store.change(1) == change(1)
        assert list(store.history()) == [change(1)]

    @pytest.mark.parametrize("number", [1, 2, 4], ids=["the same", "the last", "one that skips"])
    def test_only_the_change_after_the_last_one_is_taken(self, store: Policies, number: int) -> None:
        store.put_in_force(change(1))
        store.put_in_force(change(2))
        with pytest.raises(Meanwhile):
            store.put_in_force(change(number, version=OLD))
        assert store.in_force() == change(2)
        assert [one.version for one in store.history()] == [NEW, NEW]

    def test_a_change_whose_answer_was_lost_is_not_taken_for_somebody_elses(self, store: Policies) -> None:
        write = store.aws.dynamodb.transact_write_items
        answers: list[Exception | None] = [TimeoutError(), None]

        def losing(**said: object) -> object:
            done = write(**said)  # type: ignore[arg-type]
            if answers.pop(0):
                # As botocore has it where the connection breaks off after the write.
                raise ConnectionClosedError(endpoint_url="dynamodb")
            return done

        client = Recording(store.aws.dynamodb, transact_write_items=losing)
        lossy = replace(store, aws=replace(store.aws, dynamodb=client))  # type: ignore[type-var]
        lossy.put_in_force(change(1))
        assert store.in_force() == change(1)

    @pytest.mark.parametrize(
        ("hours", "number"),
        [(-1, None), (0, 1), (23, 1), (24, 2), (47, 2), (48, 3), (999, 3)],
    )
    def test_which_policy_was_in_force_when_has_an_answer(
        self, store: Policies, hours: int, number: int | None
    ) -> None:
        for one in (1, 2, 3):
            store.put_in_force(change(one, hours=24 * (one - 1)))
        found = store.in_force_at(FRIDAY + timedelta(hours=hours))
        assert (found and found.number) == number

    def test_a_document_never_changes_and_goes_by_its_name(self, store: Policies) -> None:
        store.store(OLD, TEXT)
        store.store(OLD, "something else")
        assert store.text(OLD) == TEXT
        store.store("sha256:as-it-was-once", TEXT)
        assert store.read("sha256:as-it-was-once").version == "sha256:as-it-was-once"

    def test_what_is_not_there_is_no_policy_or_too_large_is_told(self, store: Policies) -> None:
        with pytest.raises(UnknownPolicy, match=NEW):
            store.read(NEW)
        store.store(NEW, "surfaces: 3\n")
        with pytest.raises(PolicyError, match=f"{NEW}:1: "):
            store.read(NEW)
        store.store("sha256:just-fits", "x" * MOST_BYTES)
        with pytest.raises(TooLarge, match="390,001 bytes"):
            store.store("sha256:too-large", "x" * (MOST_BYTES - 1) + "é")


class Recording:
    """A client of which some methods are others."""

    def __init__(self, client: object, **others: Callable[..., object]) -> None:
        self._client, self._others = client, others

    def __getattr__(self, name: str) -> object:
        return self._others.get(name) or getattr(self._client, name)


def begun(version: str) -> Standing:
    item = Item(bucket="b", key="feed/x", version_id="v", etag="e", size=1, sequencer="", event_time=FRIDAY)
    return Standing(item=item, status=Status.PENDING, policy_version=version)


@dataclass
class Holder:
    desk: Desk


@pytest.fixture(scope="module")
def wired(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The desk of a worker that begins on Friday with the shipped policy, and has no AWS yet."""
    path = tmp_path_factory.mktemp("config") / "policy.yaml"
    path.write_text(TEXT, encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        return replace(wire(settings.model_copy(update={"policy_file": path})), now=lambda: FRIDAY)


@pytest.fixture
def desk(wired: Desk, moto_aws: Aws, items_table: str) -> Desk:
    """The same on an AWS with an items table."""
    return replace(wired, aws=moto_aws)


@pytest.fixture
def activate(desk: Desk, store: Policies) -> Callable[..., Change]:
    """Put a policy in force as the command does; its text may be none."""

    def put(text: str, version: str = NEW) -> Change:
        store.store(version, text)
        done = succeeding(store.in_force(), desk, version=version, how=How.ACTIVATE, by="ana")
        store.put_in_force(done)
        return done

    return put


class TestAProcess:
    def test_where_nothing_was_activated_each_runs_on_its_file_and_says_so_once(
        self, desk: Desk, store: Policies
    ) -> None:
        assert told(desk) == f"policy.yaml is {OLD}"
        note_file(desk)
        note_file(desk)
        (noted,) = store.history()
        assert (noted.version, noted.how, noted.at, store.text(OLD)) == (OLD, How.FILE, FRIDAY, TEXT)
        assert as_in_force(desk) is desk
        assert told(desk) == f"policy.yaml is {OLD}, in force since 2026-11-20 17:00 UTC"

    def test_another_file_of_a_later_roll_out_is_noted_too_and_changes_nobody_elses_policy(
        self, desk: Desk, store: Policies, tmp_path: Path
    ) -> None:
        path = tmp_path / "policy.yaml"
        path.write_text(STRICTER, encoding="utf-8")
        settings = desk.settings.model_copy(update={"policy_file": path})
        later = replace(desk, policy=parse_policy(STRICTER), settings=settings)
        note_file(desk)
        note_file(later)
        assert [one.version for one in store.history()] == [OLD, NEW]
        assert as_in_force(desk).policy.version == OLD
        assert NEW in told(desk)

    def test_what_was_activated_holds_whatever_the_file_says(
        self, desk: Desk, store: Policies, activate: Callable[..., Change]
    ) -> None:
        note_file(desk)
        activate(STRICTER)
        note_file(desk)
        assert [one.how for one in store.history()] == [How.FILE, How.ACTIVATE]
        assert as_in_force(desk).policy.version == NEW
        assert told(desk).startswith(f"{NEW} is in force since 2026-11-20 17:00 UTC (activate by ana)")

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("surfaces: 3\n", f"{NEW}:1: "),
            (STRICTER.replace("\nterms:\n", "\nterms:\n  of-tomorrow: reject\n"), "of-tomorrow"),
        ],
        ids=["what newer code wrote", "terms that are not here"],
    )
    def test_one_that_cannot_be_worked_by_stops_a_start_with_a_way_out(
        self, desk: Desk, activate: Callable[..., Change], text: str, why: str
    ) -> None:
        activate(text)
        with pytest.raises(Unfit, match=why) as caught:
            as_in_force(desk)
        assert "modfleet policy rollback" in str(caught.value)
        with pytest.raises(Unfit):
            told(desk)

    def test_a_stored_shadow_policy_is_read_and_one_that_is_not_there_stops_a_start(
        self, desk: Desk, store: Policies
    ) -> None:
        named = replace(desk, settings=desk.settings.model_copy(update={"shadow_policy": NEW}))
        with pytest.raises(Unfit, match="MODFLEET_SHADOW_POLICY"):
            as_in_force(named)
        store.store(NEW, STRICTER)
        taken = as_in_force(named)
        assert taken.shadow
        assert (taken.policy.version, taken.shadow.version) == (OLD, NEW)

    def test_times_never_run_backwards_where_clocks_differ(self, desk: Desk) -> None:
        last = change(7, hours=1)
        assert succeeding(last, desk, version=OLD, how=How.ROLLBACK, by="ana").at == last.at


class TestAnItem:
    """Of which a later run, such as a check of a video's job, is told by its row under which policy it began."""

    @pytest.mark.parametrize(
        ("stored", "ends_under"),
        [({OLD: TEXT}, OLD), ({}, NEW), ({OLD: "surfaces: 3\n"}, NEW)],
        ids=["stored", "not stored", "not to be read any more"],
    )
    def test_ends_under_the_policy_it_began_with_where_that_is_stored(
        self, desk: Desk, store: Policies, stored: dict[str, str], ends_under: str
    ) -> None:
        for version, text in stored.items():
            store.store(version, text)
        now = replace(desk, policy=parse_policy(STRICTER))
        assert under_its_own(now, begun(OLD)).policy.version == ends_under

    @pytest.mark.parametrize("version", ["", OLD])
    def test_costs_no_read_where_nothing_has_changed(self, wired: Desk, version: str) -> None:
        """Without an AWS to ask."""
        assert under_its_own(wired, begun(version)) is wired


class TestTheWatch:
    @pytest.fixture
    def registry(self) -> Registry:
        return Registry()

    @pytest.fixture
    def holder(self, desk: Desk) -> Holder:
        return Holder(desk)

    @pytest.fixture
    def watch(self, holder: Holder, registry: Registry) -> Watch:
        return Watch(holder, registry, seconds=3600)

    def test_a_change_is_taken_up_and_a_run_that_has_begun_keeps_its_own(
        self, watch: Watch, holder: Holder, registry: Registry, activate: Callable[..., Change]
    ) -> None:
        begun_with = holder.desk
        watch.tick()
        assert holder.desk is begun_with
        activate(STRICTER)
        watch.tick()
        assert (begun_with.policy.version, holder.desk.policy.version) == (OLD, NEW)
        assert registry.snapshot().levels[POLICY_STALE, ()] == 0.0

    def test_one_that_cannot_be_read_leaves_the_old_one_in_force_and_is_told_once(
        self, watch: Watch, holder: Holder, registry: Registry, activate: Callable[..., Change]
    ) -> None:
        activate("surfaces: 3\n")
        with capture_logs() as logs:
            watch.tick()
            watch.tick()
        assert holder.desk.policy.version == OLD
        assert [(line["log_level"], line["event"]) for line in logs] == [("error", "policy_not_taken_up")]
        assert registry.snapshot().levels[POLICY_STALE, ()] == 1.0
        activate(TEXT, OLD)
        watch.tick()
        assert registry.snapshot().levels[POLICY_STALE, ()] == 0.0

    def test_a_table_that_does_not_answer_changes_nothing(self, holder: Holder, registry: Registry, desk: Desk) -> None:
        holder.desk = replace(desk, settings=desk.settings.model_copy(update={"items_table": "nowhere"}))
        with capture_logs() as logs:
            Watch(holder, registry, seconds=3600).tick()
        assert (holder.desk.policy.version, [line["event"] for line in logs]) == (OLD, ["policy_in_force_not_known"])
        assert registry.snapshot().levels[POLICY_STALE, ()] == 1.0
