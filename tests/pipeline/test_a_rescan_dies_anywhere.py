"""A worker that dies after any write of a rescan, or is killed: the next one ends it, and each thing counts once."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from fleet import Fleet, Put, assert_chains_hold, running_fleet, said, until
from interrupted import Crash, Watch, after_write, later, watched
from rescans import AFTER, BEFORE, Rescan, Seed, begun, policy_text, seeded, subject, under
from test_a_rescan_decides_again import KINDS, assert_ended, latest, mixed

from tasks.decide.policy_file import parse_policy
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Retry
from tasks.record.standing import Status
from tasks.rescan.on_record import rows_of

#: Every way on which something changes. All but a few are walked by `make long`.
FLIPS = [kind for kind in KINDS if kind[0] != kind[1]]
QUICK = [("allow", "reject"), ("hold", "allow")]
EACH = [pytest.param(kind, marks=() if kind in QUICK else pytest.mark.long, id="-to-".join(kind)) for kind in FLIPS]


def worked(desk: Desk, rescan: Rescan) -> None:
    """Deliver its messages until each is worked."""
    for body in rescan.bodies:
        for attempt in range(2, 9):
            if not isinstance(handle(later(desk, seconds=61.0 * attempt), body, attempt=attempt), Retry):
                break


def writes_of(fleet: Fleet, before: Desk, desk: Desk, seed: Seed) -> int:
    """Writes of one delivery that nobody interrupts."""
    whole = Watch()
    (put,) = seeded(fleet, before, [seed])
    rescan = begun(desk, [subject(put)], act=True)
    handle(watched(desk, whole), rescan.bodies[0], attempt=1)
    return len(whole.writes)


@pytest.mark.parametrize("kind", EACH)
def test_a_crash_after_any_write_of_a_flip_ends_in_the_same_state(
    kind: tuple[str, str], unserved: Fleet, unique: str
) -> None:
    before, desk = under(unserved.desk, BEFORE), under(unserved.desk, AFTER)
    label, confidence = KINDS[kind]
    seed = Seed(key=f"messages/{unique}/whole", label=label, confidence=confidence, uploader=unique)
    writes = writes_of(unserved, before, desk, seed)
    assert writes >= 2
    seeds = [replace(seed, key=f"messages/{unique}/{number}", uploader=f"{unique}{number}") for number in range(writes)]
    puts = seeded(unserved, before, seeds)
    died = 0
    for number, (one, put) in enumerate(zip(seeds, puts, strict=True)):
        rescan = begun(desk, [subject(put)], act=True)
        try:
            handle(watched(desk, after_write(number)), rescan.bodies[0], attempt=1)
        except Crash:
            died += 1
        worked(desk, rescan)
        assert_ended(unserved, desk, before, one, put)
        run, tally = rescan.now(), rescan.tally()
        assert (run.state, run.chunks_done, tally.items) == ("done", 1, 1), number
        assert tally.flips == {kind: 1}, number
        told = [notice for notice in unserved.rescan_notices(one.uploader) if notice["rescan"] == run.id]
        assert len({notice["notice_id"] for notice in told}) <= 1, number
    assert died >= writes - 1
    lines = unserved.audit_lines()
    for put in puts:
        standing = latest(unserved, put)
        if standing.status is not Status.REJECTED or kind[1] == "reject":
            about = replace(put, version=standing.item.version)
            decided = said(lines, about, "decided")
            assert [entry["policy_version"] for entry in decided].count(desk.policy.version) == 1, put.key


#: Kills, and seconds after which an unfinished message comes back; in the lanes it is 60.
KILLS, VISIBILITY = 10, "5"


@pytest.mark.timeout(1200)
@pytest.mark.long
def test_a_worker_killed_ten_times_at_random_points_changes_nothing_in_the_end(tmp_path: Path, unique: str) -> None:
    file, chance = tmp_path / "after.yaml", random.Random(unique)  # no secret
    file.write_text(policy_text(AFTER), "utf-8")
    with running_fleet(tmp_path) as fleet:
        before = under(fleet.desk, BEFORE)
        desk = replace(before, policy=parse_policy(file.read_text("utf-8")))
        seeds = mixed(unique, many=10 * len(KINDS))
        puts = seeded(fleet, before, seeds)
        rescan = begun(desk, [subject(put) for put in puts], each=13, act=True)
        for body in rescan.bodies:
            fleet.aws.sqs.send_message(QueueUrl=fleet.settings.queue_url("rescan"), MessageBody=body)
        environment = {"MODFLEET_POLICY_FILE": str(file), "MODFLEET_VISIBILITY_SECONDS": VISIBILITY}
        for done in sorted(chance.sample(range(1, len(puts) - 20), KILLS)):
            fleet.start_worker(**environment)
            until(lambda done=done: _decided(desk, puts) >= done, what=f"{done} decisions")  # type: ignore[misc]
            fleet.kill_worker()
        fleet.start_worker(**environment)
        until(lambda: rescan.now().ended, what="the end of the run", within=300)
        for seed, put in zip(seeds, puts, strict=True):
            assert_ended(fleet, desk, before, seed, put)
        tally, kinds = rescan.tally(), Counter(list(KINDS)[number % len(KINDS)] for number in range(len(puts)))
        assert (tally.items, tally.ai_calls) == (len(puts), 0)
        assert tally.flips == {kind: n for kind, n in kinds.items() if kind[0] != kind[1]}
        for uploader in {seed.uploader for seed in seeds}:
            assert len({notice["notice_id"] for notice in fleet.rescan_notices(uploader)}) == 1
        assert fleet.depth(fleet.settings.dead_letter_url("rescan")) == 0
        assert_chains_hold(fleet.audit_lines())


def _decided(desk: Desk, puts: list[Put]) -> int:
    """How many stand as the new policy has it."""
    rows = rows_of(desk.aws, desk.settings.items_table, [(put.location, put.version) for put in puts])
    return sum(row["policy_version"]["S"] == desk.policy.version for row in rows.values())
