"""A rescan that is not to act holds what it would take down, leaves people's decisions alone, and tells each once."""

from __future__ import annotations

from datetime import timedelta

from fleet import Fleet, said
from rescans import AFTER, BEFORE, Seed, begun, seeded, subject, under
from test_a_rescan_decides_again import KINDS, latest, seen

from tasks.desk import Desk
from tasks.hold import hold
from tasks.moderation import handle
from tasks.outcome import Done, Retry, Skipped
from tasks.overrule import overrule
from tasks.record.brake import Takedowns
from tasks.record.standing import Status
from tasks.rescan.run_rows import Runs
from tasks.unbrake import confirm
from worker.brake import Chosen


def seed(key: str, kind: tuple[str, str], uploader: str = "") -> Seed:
    label, confidence = KINDS[kind]
    return Seed(key=key, label=label, confidence=confidence, uploader=uploader)


def both(fleet: Fleet) -> tuple[Desk, Desk]:
    return under(fleet.desk, BEFORE), under(fleet.desk, AFTER)


def test_what_it_would_take_down_is_held_until_a_person_or_a_run_that_may_act_takes_it_down(
    unserved: Fleet, unique: str
) -> None:
    before, desk = both(unserved)
    kinds = [("allow", "reject"), ("hold", "reject"), ("reject", "allow"), ("hold", "allow"), ("allow", "allow")]
    seeds = [seed(f"messages/{unique}/{number}", kind, unique) for number, kind in enumerate(kinds)]
    puts = seeded(unserved, before, seeds)
    rescan = begun(desk, [subject(put) for put in puts])
    assert handle(desk, rescan.bodies[0], attempt=1) == Done("rescanned")
    newly, still, down, free, same = (latest(unserved, put) for put in puts)
    rule = f"brake/rescan/{rescan.run.id}"
    for standing in (newly, still):
        assert (standing.status, standing.rules, standing.braked) == (
            Status.HELD,
            (rule,),
            ("labels/Violence/Weapons>=50",),
        )
    assert (down.status, free.status, same.policy_version) == (
        Status.REJECTED,
        Status.ALLOWED,
        desk.policy.version,
    )
    assert [seen(unserved, put) is not None for put in puts] == [False, False, False, True, True]
    assert {flip.handled for flip in rescan.tally().flipped if flip.new == "reject"} == {"held"}
    assert [flip.handled for flip in rescan.tally().flipped if flip.old == "reject"] == ["left"]
    # What is held says when its appeal ends: the window begins with the rescan's decision.
    assert newly.decided_at is not None
    until = desk.policy.retention.appeal_until(newly.decided_at)
    assert newly.reasons["appeal_until"] == until.isoformat()
    # One notice for all of it, at the end.
    (notice,) = unserved.rescan_notices(unique)
    assert [one["item"]["key"] for one in notice["restricted"]] == [puts[0].key]
    assert notice["restricted"][0]["grounds"] == [rule]
    assert notice["texts"][notice["restricted"][0]["text"]]["en"]
    assert [one["item"]["key"] for one in notice["lifted"]] == [puts[3].key]
    assert not [n for put in puts[:1] for n in unserved.notices(put)]
    # A person takes one down, as anything that a brake holds; a later run that may act takes down the other.
    confirm(desk, next(iter(_held(desk, newly.item.location))), by="kim", why="seen it")
    acting = begun(desk, [subject(put) for put in puts], act=True)
    assert handle(desk, acting.bodies[0], attempt=1) == Done("rescanned")
    assert [latest(unserved, put).status for put in puts[:2]] == [Status.REJECTED, Status.REJECTED]
    assert len(unserved.notices(puts[0])) == 1
    assert acting.tally().skipped == {"ruled": 1, "decided": 2}
    assert latest(unserved, puts[2]).status is Status.RESTORED


def _held(desk: Desk, location: str) -> list:  # type: ignore[type-arg]
    rows = [row for row in Chosen(surface="messages").among(desk) if row.location == location]
    found = [desk.state.find_version(row.location, row.version) for row in rows]
    return [one for one in found if one]


def test_above_its_own_quota_it_holds_and_takes_nothing_of_the_policy_s(unserved: Fleet, unique: str) -> None:
    before, desk = both(unserved)
    seeds = [seed(f"feed/{unique}/{number}", ("allow", "reject")) for number in range(5)]
    puts = seeded(unserved, before, seeds)
    rescan = begun(desk, [subject(put) for put in puts], act=True, quota=2)
    assert handle(desk, rescan.bodies[0], attempt=1) == Done("rescanned")
    ends = [latest(unserved, put).status for put in puts]
    assert (ends.count(Status.REJECTED), ends.count(Status.HELD)) == (2, 3)
    assert rescan.tally().outcomes == {("allowed", "rejected"): 2, ("allowed", "held"): 3}
    table = desk.settings.items_table
    own = Takedowns(desk.aws, table, location=f"brake/rescan/{rescan.run.id}").counted(desk.now())
    assert own["overall"] == 2


def test_what_a_person_has_decided_or_holds_stays_whatever_the_policy_says(unserved: Fleet, unique: str) -> None:
    before, desk = both(unserved)
    kinds = [("hold", "reject"), ("reject", "allow")]
    puts = seeded(unserved, before, [seed(f"feed/{unique}/{n}", kind) for n, kind in enumerate(kinds)])
    released, kept = (latest(unserved, put) for put in puts)
    overrule(before, released, (0, ()), by="kim", why="fine")  # type: ignore[arg-type]
    hold(before, kept, until=(desk.now() + timedelta(days=9)).date(), by="kim", why="the police ask")
    stood = [latest(unserved, put) for put in puts]
    rescan = begun(desk, [subject(put) for put in puts], act=True)
    assert handle(desk, rescan.bodies[0], attempt=1) == Done("rescanned")
    assert [latest(unserved, put) for put in puts] == stood
    assert rescan.tally().skipped == {"ruled": 2}


def test_a_paused_run_waits_and_a_cancelled_one_drops_what_is_queued(unserved: Fleet, unique: str) -> None:
    before, desk = both(unserved)
    (put,) = seeded(unserved, before, [seed(f"feed/{unique}", ("allow", "hold"))])
    stood, runs = latest(unserved, put), Runs(desk.aws, desk.settings.items_table)
    rescan = begun(desk, [subject(put)])
    runs.pause(rescan.run.id, by="kim", why="busy", at=desk.now())
    waits = handle(desk, rescan.bodies[0], attempt=1)
    assert isinstance(waits, Retry)
    assert not waits.counts
    runs.resume(rescan.run.id)
    runs.cancel(rescan.run.id, at=desk.now())
    assert handle(desk, rescan.bodies[0], attempt=2) == Done("rescanned")
    assert (rescan.tally().skipped, latest(unserved, put)) == ({"cancelled": 1}, stood)
    assert isinstance(handle(desk, rescan.bodies[0], attempt=3), Skipped)


def test_the_audit_log_tells_of_each_decision_once_and_by_whom(unserved: Fleet, unique: str) -> None:
    before, desk = both(unserved)
    kinds = [("allow", "allow"), ("allow", "hold")]
    puts = seeded(unserved, before, [seed(f"feed/{unique}/{n}", kind) for n, kind in enumerate(kinds)])
    rescan = begun(desk, [subject(put) for put in puts])
    handle(desk, rescan.bodies[0], attempt=1)
    lines = unserved.audit_lines()
    (refreshed,) = said(lines, puts[0], "rescanned")
    assert (refreshed["run"], refreshed["policy_version"]) == (rescan.run.id, desk.policy.version)
    assert refreshed["was"]["policy_version"] == before.policy.version
    first, second = said(lines, puts[1], "decided")
    assert (first["tier"], second["tier"], second["rescan"]) == (0, 2, rescan.run.id)
