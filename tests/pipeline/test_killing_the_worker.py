"""A worker that is killed while it works through 200 uploads loses nothing and does nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from fleet import Fleet, Put, assert_chains_hold, card, running_fleet, said, until

from tasks.record.spending import SPENT
from tasks.record.standing import Standing, Status

UPLOADS = 200
#: Decisions on record when the worker is killed.
DECIDED_BEFORE = 30
#: Seconds. The lanes hide a message for 60; here an unfinished one comes back sooner, to keep the test short.
VISIBILITY = "5"
#: Seconds: what was being acted on at the kill waits for its lease (60), and everybody for a busy machine.
PATIENCE = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What there is once the second worker has finished."""

    fleet: Fleet
    puts: list[Put]
    ends: list[Standing]
    decided_at_kill: int

    @property
    def violators(self) -> list[Put]:
        return [put for put in self.puts if _violates(put)]

    @property
    def innocents(self) -> list[Put]:
        return [put for put in self.puts if not _violates(put)]


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory, media: SimpleNamespace) -> Iterator[Aftermath]:
    with running_fleet(tmp_path_factory.mktemp("killed")) as fleet:
        yield _killed_at_work(fleet, media)


def _killed_at_work(fleet: Fleet, media: SimpleNamespace) -> Aftermath:
    url = fleet.settings.queue_url("uploads")
    puts = [fleet.put(*_upload(number, media)) for number in range(UPLOADS)]
    fleet.start_worker(MODFLEET_VISIBILITY_SECONDS=VISIBILITY)
    until(lambda: _decided(fleet) >= DECIDED_BEFORE, what="the first decisions")
    fleet.kill_worker()
    decided = _decided(fleet)
    fleet.start_worker(MODFLEET_VISIBILITY_SECONDS=VISIBILITY)
    try:
        ends = [fleet.ended(put, within=PATIENCE) for put in puts]
        until(lambda: not fleet.depth(url), what="an empty queue")
    finally:
        print(fleet.logs())  # noqa: T201  # shown where it fails
    return Aftermath(fleet=fleet, puts=puts, ends=ends, decided_at_kill=decided)


def _upload(number: int, media: SimpleNamespace) -> tuple[str, bytes]:
    """Two in five violate, and of each kind every other one is a picture; a number tells every body apart."""
    kind = "bad" if number % 5 in (1, 3) else "good"
    labels, words = ({"Weapons": 99.0}, "zorblat") if kind == "bad" else ({}, "a fine day")
    if number % 2:
        return f"feed/{kind}/{number}.png", media.picture("PNG", card={"labels": labels, "note": str(number)})
    return f"feed/{kind}/{number}.txt", f"{words} {number}".encode() + b" " + card(note=str(number))


def _violates(put: Put) -> bool:
    return put.key.startswith("feed/bad/")


def _decided(fleet: Fleet) -> int:
    asked = {"FilterExpression": "attribute_exists(decided_at)", "Select": "COUNT", "ConsistentRead": True}
    return int(fleet.aws.dynamodb.scan(TableName=fleet.settings.items_table, **asked)["Count"])  # type: ignore[arg-type]


def test_it_was_killed_in_the_middle_of_its_work(aftermath: Aftermath) -> None:
    assert DECIDED_BEFORE <= aftermath.decided_at_kill < UPLOADS


def test_all_200_are_decided(aftermath: Aftermath) -> None:
    wanted = [Status.REJECTED if _violates(put) else Status.ALLOWED for put in aftermath.puts]
    assert [standing.status for standing in aftermath.ends] == wanted
    assert all(not standing.to_do for standing in aftermath.ends)


def test_each_is_decided_once_and_each_action_is_told_once(aftermath: Aftermath) -> None:
    lines = aftermath.fleet.audit_lines()
    assert_chains_hold(lines)
    told_of = [line for line in lines if line["event"] != SPENT]
    by_item = {
        put.version: [line for line in told_of if line["item"]["version"] == put.version] for put in aftermath.puts
    }
    for put, standing in zip(aftermath.puts, aftermath.ends, strict=True):
        told = by_item[put.version]
        events = ("decided", "ended", *(f"did:{action}" for action in standing.plan))
        assert {event: len(said(told, put, event)) for event in events} == dict.fromkeys(events, 1), put.key


def test_no_violator_is_readable(aftermath: Aftermath) -> None:
    fleet = aftermath.fleet
    assert [put.key for put in aftermath.violators if fleet.public(put.key)[0] == 200] == []
    assert [put.key for put in aftermath.violators if fleet.current(put) is not None] == []
    assert all(set(fleet.quarantined(put)) == {put.body} for put in aftermath.violators)


def test_every_innocent_is_readable_byte_for_byte(aftermath: Aftermath) -> None:
    assert [put.key for put in aftermath.innocents if aftermath.fleet.public(put.key) != (200, put.body)] == []


def test_nobody_is_told_of_two_takedowns(aftermath: Aftermath) -> None:
    ids = [{notice["notice_id"] for notice in aftermath.fleet.notices(put)} for put in aftermath.violators]
    assert all(len(notices) == 1 for notices in ids)
    assert all(not aftermath.fleet.notices(put) for put in aftermath.innocents)


def test_nothing_is_parked(aftermath: Aftermath) -> None:
    assert aftermath.fleet.depth(aftermath.fleet.settings.dead_letter_url("uploads")) == 0
