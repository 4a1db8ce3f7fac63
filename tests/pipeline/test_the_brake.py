"""Above the policy's quota of takedowns the rest is held, nothing is counted twice, and a person ends all of it."""

from __future__ import annotations

import getpass
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from fleet import Fleet, Put, said
from interrupted import Crash, Watch, forgetful, later, watched

from config.settings import CONFIG
from tasks.decide.policy_file import parse_policy
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Skipped
from tasks.overrule import NotHeld
from tasks.record.brake import Takedowns
from tasks.record.braked import Braked
from tasks.record.known import Entry, Known
from tasks.record.standing import Standing, Status
from tasks.unbrake import confirm, release
from tests.contract.command import Said, run
from worker.brake import Chosen, settle_all

WHO = {"by": "alex", "why": "they are what they seem"}


@pytest.fixture
def policy_file(unique: str, tmp_path: Path) -> Callable[..., Path]:
    """The shipped policy with one more surface, named as its prefix, that may have so many takedowns an hour."""

    def write(quota: int, *, hold: str = "flag") -> Path:
        said = yaml.safe_load((CONFIG / "policy.yaml").read_text("utf-8"))
        said["surfaces"][unique] = {"prefix": f"{unique}/", "visibility": "after", "hold": hold}
        said["brake"] = {"takedowns_per_hour": {unique: quota}}
        (tmp_path / "policy.yaml").write_text(yaml.safe_dump(said), "utf-8")
        return tmp_path / "policy.yaml"

    return write


@pytest.fixture
def desk(unserved: Fleet, policy_file: Callable[..., Path]) -> Callable[..., Desk]:
    """A desk under that policy."""

    def make(quota: int, **more: str) -> Desk:
        return forgetful(replace(unserved.desk, policy=parse_policy(policy_file(quota, **more).read_text("utf-8"))))

    return make


@pytest.fixture
def violation(unserved: Fleet, unique: str) -> Callable[[int], Put]:
    """Upload something that the policy rejects."""
    return lambda number: unserved.put(f"{unique}/{number}", f"zorblat {unique} {number}".encode())


def ends(fleet: Fleet, puts: list[Put]) -> Counter[str]:
    return Counter(recorded(fleet, put).status.value for put in puts)


def recorded(fleet: Fleet, put: Put) -> Standing:
    found = fleet.standing(put)
    assert found is not None
    return found


def counted(desk: Desk, surface: str) -> int:
    return Takedowns(desk.aws, desk.settings.items_table).counted(desk.now())[surface]


def held(desk: Desk, surface: str) -> list[Braked]:
    return list(Chosen(surface=surface).among(desk))


def modfleet(fleet: Fleet, policy: Path, *words: str) -> Said:
    return run({**fleet.cloud.environment, "MODFLEET_POLICY_FILE": str(policy)}, *words, "--json")


def test_what_is_above_the_quota_is_held_and_taken_down_once_a_person_says_so(
    unserved: Fleet,
    desk: Callable[..., Desk],
    policy_file: Callable[..., Path],
    violation: Callable[[int], Put],
    unique: str,
) -> None:
    braking = desk(3)
    puts = [violation(number) for number in range(8)]
    events = [unserved.event_of(put) for put in puts]
    for event in events:
        assert isinstance(handle(braking, event, attempt=1), Done)
    assert ends(unserved, puts) == {"rejected": 3, "held": 5}
    waiting = [put for put in puts if recorded(unserved, put).status is Status.HELD]
    for put in waiting:
        standing, case = recorded(unserved, put), unserved.case(put)
        assert (standing.tier, standing.rules) == (2, (f"brake/{unique}",))
        assert standing.braked == recorded(unserved, puts[0]).rules
        assert case is not None
        assert (case["status"], case["braked"]) == ("open", "yes")
        assert unserved.public(put.key)[0] == 200
        assert unserved.notices(put) == []
    # A second delivery, whether the first one is known to have ended or not, counts nothing and changes nothing.
    for event in events:
        assert isinstance(handle(later(braking), event, attempt=2), Skipped)
    assert (counted(braking, unique), ends(unserved, puts)) == (3, {"rejected": 3, "held": 5})

    policy = policy_file(3)
    shown = modfleet(unserved, policy, "brake", "status").json
    assert (shown["quotas"], shown["takedowns"][unique], shown["full"]) == ({unique: 3}, 3, [unique])
    assert shown["held"]["by_surface"][unique] == 5
    done = modfleet(unserved, policy, "brake", "confirm", "--why", "a raid", "--surface", unique, "--by", "kim")
    assert (done.code, done.json["taken_down"], done.json["why_left"]) == (0, 5, [])
    assert ends(unserved, puts) == {"rejected": 8}
    assert (counted(braking, unique), held(braking, unique)) == (3, [])
    lines = unserved.audit_lines()
    for put in waiting:
        standing, case = recorded(unserved, put), unserved.case(put)
        assert (standing.tier, standing.rules) == (3, standing.braked)
        assert unserved.current(put) is None
        assert unserved.quarantined(put) == [put.body]
        assert len(unserved.notices(put)) == 1
        assert case is not None
        assert (case["status"], case["result"]) == ("closed", "rejected")
        (decided,) = said(lines, put, "decided")
        (overruled,) = said(lines, put, "overrule")
        assert (decided["tier"], decided["rules"]) == (2, [f"brake/{unique}"])
        assert (overruled["actor"], overruled["reason"], overruled["tier"]) == ("kim", "a raid", 3)


def test_what_is_released_is_shown_by_somebody_s_word(
    unserved: Fleet,
    desk: Callable[..., Desk],
    policy_file: Callable[..., Path],
    violation: Callable[[int], Put],
    unique: str,
) -> None:
    braking = desk(0, hold="withhold")
    put = violation(1)
    assert handle(braking, unserved.event_of(put), attempt=1) == Done("held")
    assert unserved.public(put.key)[0] == 403
    hidden_after = recorded(unserved, put).time_to_takedown_ms
    policy = policy_file(0, hold="withhold")
    assert list(Chosen(surface=unique, rule="labels").among(braking)) == []
    tried = modfleet(unserved, policy, "brake", "release", "--why", "w", "--surface", unique, "--dry-run")
    assert (tried.code, tried.json["items"], len(held(braking, unique))) == (0, 1, 1)
    done = modfleet(unserved, policy, "brake", "release", "--why", "a bad list", "--surface", unique)
    assert (done.code, done.json["left_up"]) == (0, 1)
    standing, case = recorded(unserved, put), unserved.case(put)
    assert (standing.status, standing.tier, standing.rules) == (Status.ALLOWED, 0, ())
    assert standing.time_to_takedown_ms == hidden_after is not None
    assert standing.overruled is not None
    assert getpass.getuser() in standing.overruled["by"]
    assert unserved.public(put.key) == (200, put.body)
    assert case is not None
    assert (case["status"], case["result"]) == ("closed", "allowed")
    assert [notice["type"] for notice in unserved.notices(put)] == ["statement_of_reasons", "restriction_lifted"]
    assert handle(later(braking), unserved.event_of(put), attempt=2) == Skipped("already allowed")


def test_a_run_that_dies_after_it_was_counted_is_counted_once(
    unserved: Fleet, desk: Callable[..., Desk], violation: Callable[[int], Put], unique: str
) -> None:
    braking, put = desk(2), violation(1)
    event = unserved.event_of(put)
    whole = Watch()
    assert handle(watched(braking, whole), unserved.event_of(violation(0)), attempt=1) == Done("rejected")
    counting = whole.calls.index("transact_write_items") - 1
    assert whole.calls[counting] == "update_item"
    dying = Watch(at=counting, after=True)
    with pytest.raises(Crash):
        handle(watched(braking, dying), event, attempt=1)
    assert (counted(braking, unique), unserved.standing(put)) == (2, None)
    # Its place is kept for it: what comes between is held.
    between = violation(2)
    assert handle(braking, unserved.event_of(between), attempt=1) == Done("held")
    assert handle(later(braking), event, attempt=2) == Done("rejected")
    assert counted(braking, unique) == 2


def test_a_confirmation_that_dies_after_any_of_its_writes_is_finished_by_the_next(
    unserved: Fleet, desk: Callable[..., Desk], violation: Callable[[int], Put], unique: str
) -> None:
    braking = desk(0)

    def braked(number: int) -> Put:
        put = violation(number)
        assert handle(braking, unserved.event_of(put), attempt=1) == Done("held")
        return put

    whole = Watch()
    confirm(watched(braking, whole), recorded(unserved, braked(-1)), **WHO)
    assert len(whole.writes) > 8
    puts = [braked(number) for number in whole.writes]
    died = 0
    for put, number in zip(puts, whole.writes, strict=True):
        try:
            confirm(watched(braking, Watch(at=number, after=True)), recorded(unserved, put), **WHO)
        except Crash:
            died += 1
    # The first run of a process makes a call or two that no other makes.
    assert died > 8
    rest = later(braking)
    settled = settle_all(rest, lambda desk, standing: confirm(desk, standing, **WHO), held(rest, unique))
    assert (settled.left, held(rest, unique)) == (0, [])
    assert ends(unserved, puts) == {"rejected": len(puts)}
    for put in puts:
        assert unserved.current(put) is None
        assert len({notice["notice_id"] for notice in unserved.notices(put)}) == 1
        case = unserved.case(put)
        assert case is not None
        assert case["status"] == "closed"


def test_who_comes_second_is_told_what_the_first_one_said(
    unserved: Fleet, desk: Callable[..., Desk], violation: Callable[[int], Put], unique: str
) -> None:
    braking, put = desk(0), violation(1)
    assert handle(braking, unserved.event_of(put), attempt=1) == Done("held")
    as_held = recorded(unserved, put)
    assert release(braking, as_held, **WHO) == Done("allowed")
    with pytest.raises(NotHeld, match="it is allowed, for alex has said so"):
        confirm(braking, as_held, by="kim", why="no")
    assert ends(unserved, [put]) == {"allowed": 1}
    assert held(braking, unique) == []


def test_a_post_goes_with_its_part_and_known_violations_go_above_every_quota(
    unserved: Fleet, desk: Callable[..., Desk], violation: Callable[[int], Put], unique: str
) -> None:
    braking, part = replace(desk(1), seen=unserved.desk.seen), violation(1)
    manifest = {"modfleet": "post", "text": "look", "media": [part.key]}
    post = unserved.put(f"{unique}/post.json", json.dumps(manifest).encode())
    assert handle(braking, unserved.event_of(post), attempt=1) == Done("rejected")
    assert (ends(unserved, [part, post]), counted(braking, unique)) == ({"rejected": 2}, 1)
    known, other = violation(2), violation(3)
    lists = Known(braking.aws, table=braking.settings.items_table)
    sha256, said = hashlib.sha256(known.body).hexdigest(), {"reason": "r", "added_by": "kim", "added_at": "t"}
    lists.name_lists(["confirmed-violating"])
    lists.add(Entry(list="confirmed-violating", sha256=sha256, **said))
    braking = replace(braking, known=lists)
    assert handle(braking, unserved.event_of(known), attempt=1) == Done("rejected")
    assert handle(braking, unserved.event_of(other), attempt=1) == Done("held")
    assert counted(braking, unique) == 1
