"""The second reviewer, on a DynamoDB over HTTP: a grave takedown takes two people who rule the same, and never one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fleet import desk_on

from deploy.local.run import LocalCloud
from tasks.aws.faults import Moved
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.standing import Standing, Status
from tasks.review.case import Case, CaseStatus, Kind, Reviewer, Ruling
from tasks.review.cases import find_case, open_case
from tasks.review.claims import NotYours, claim, claim_next, escalate, release
from tasks.review.rows import Change, change_case
from tasks.review.ruling import Given, TooLate, rule, undo
from tests.contract.shipped import shipped_policy

ANA, BEN, EVA = (Reviewer(name=name) for name in ("ana", "ben", "eva"))
ZOE, MAX = (Reviewer(name=name, senior=True) for name in ("zoe", "max"))
GRAVE, KNOWN, MILD = "rules/minors-and-nudity", "known/violations", "labels/Gambling>=90"
WEAPONS = "moderation/Weapons"


@pytest.fixture(scope="module")
def desk(cloud: LocalCloud) -> Desk:
    return replace(desk_on(cloud), policy=shipped_policy())


@pytest.fixture
def case(desk: Desk, unique: str) -> Iterator[str]:
    """A grave case; its upload is gone."""
    return held(desk, unique, GRAVE)


def held(desk: Desk, key: str, *rules: str) -> str:
    now = datetime.now(UTC)
    item = Item(
        bucket=desk.settings.uploads_bucket,
        key=key,
        version_id="v1",
        etag="e1",
        size=10,
        sequencer="",
        event_time=now,
    )
    standing = Standing(
        item=item, status=Status.HELD, surface=key, tier=2, rules=rules, decided_at=now, policy_version="p"
    )
    desk.state.decide(standing)
    open_case(desk, standing)
    return item.id


def ruled(desk: Desk, case: str, who: Reviewer, kind: Kind = Kind.REJECT, **said: Any) -> Given:
    claim(desk, case, who)
    against = {"rule": WEAPONS} if kind in (Kind.REJECT, Kind.STRIKE) else {}
    return rule(desk, case, Ruling(kind=kind, by=who.name, why="seen it", **{**against, **said}), undo_seconds=600)


def at(desk: Desk, case: str) -> Case:
    found = find_case(desk, case)
    assert found is not None
    return found


def test_two_people_who_rule_the_same_take_it_down_and_the_second_cannot_tell(desk: Desk, case: str) -> None:
    first = ruled(desk, case, ANA)
    assert (first.waits, first.case.status, first.case.ruling) == (True, CaseStatus.OPEN, None)
    seen = claim(desk, case, BEN)
    told = seen.summary()
    assert [told[name] for name in ("first", "first_by", "second_by", "ruling")] == [None] * 4
    assert [line["event"] for line in seen.history] == ["claimed", "released", "claimed"]
    second = rule(desk, case, Ruling(kind=Kind.REJECT, by="ben", why="so do I", rule=WEAPONS), undo_seconds=600)
    assert (second.waits, second.case.status) == (False, CaseStatus.RULED)
    assert second.case.ruling
    assert (second.case.ruling.by, second.case.ruling.first_by) == ("ben", "ana")
    # Taken back it is still the second one's to confirm.
    undo(desk, case, by="ben")
    again = rule(desk, case, Ruling(kind=Kind.REJECT, by="ben", why="yes", rule=WEAPONS), undo_seconds=600)
    assert again.case.status is CaseStatus.RULED


def test_nobody_confirms_their_own_ruling_and_dynamodb_says_so(desk: Desk, case: str) -> None:
    ruled(desk, case, ZOE)
    with pytest.raises(NotYours, match="takes somebody else"):
        claim(desk, case, ZOE)
    assert not ZOE.wants(at(desk, case))
    # Not even where the row says that it is theirs.
    stolen = {"status": CaseStatus.CLAIMED.value, "claimed_by": "zoe", "claim_id": "stolen"}
    change_case(desk, case, Change(put=stolen), only_if={"status": CaseStatus.OPEN})
    for kind, against in ((Kind.REJECT, WEAPONS), (Kind.ALLOW, "")):
        with pytest.raises(NotYours):
            rule(desk, case, Ruling(kind=kind, by="zoe", why="w", rule=against))
    assert at(desk, case).ruling is None
    with pytest.raises(Moved):
        change_case(desk, case, Change(put={"status": "x"}), only_if={}, unless={"first_by": "zoe"})


def test_who_disagrees_sends_it_to_the_seniors_and_a_third_decides_alone(desk: Desk, case: str) -> None:
    ruled(desk, case, ANA)
    given = ruled(desk, case, ZOE, Kind.ALLOW)
    assert given.waits
    disputed = at(desk, case)
    assert (disputed.status, disputed.escalated, disputed.first, disputed.ruling) == (CaseStatus.OPEN, True, None, None)
    told = disputed.history[-1]
    assert (told["event"], told["by"]) == ("disputed", "")
    assert [each["kind"] for each in told["rulings"]] == ["reject", "allow"]
    for reviewer in (ANA, BEN, ZOE):
        with pytest.raises(NotYours):
            claim(desk, case, reviewer)
    third = ruled(desk, case, MAX, Kind.STRIKE)
    assert (third.waits, third.case.status) == (False, CaseStatus.RULED)


def test_a_strike_is_not_the_same_as_a_removal(desk: Desk, case: str) -> None:
    ruled(desk, case, ANA)
    assert ruled(desk, case, BEN, Kind.STRIKE).waits
    assert at(desk, case).escalated


def test_the_first_ruling_outlives_whoever_gives_the_case_back_or_hands_it_up(desk: Desk, case: str) -> None:
    ruled(desk, case, ANA)
    release(desk, claim(desk, case, BEN).case_id, by="ben")
    escalate(desk, claim(desk, case, EVA).case_id, by="eva", why="hard")
    assert not ruled(desk, case, ZOE).waits


def test_the_same_form_twice_is_one_first_ruling_and_it_can_be_taken_back_until_somebody_looks(
    desk: Desk, case: str
) -> None:
    claim(desk, case, ANA)
    form = Ruling(kind=Kind.REJECT, by="ana", why="w", rule=WEAPONS)
    once, twice = rule(desk, case, form), rule(desk, case, form)
    assert (once.case, once.waits) == (twice.case, twice.waits)
    assert undo(desk, case, by="ana").claimed_by == "ana"
    assert at(desk, case).first is None
    rule(desk, case, replace(form, ruling_id="another"))
    claim(desk, case, BEN)
    with pytest.raises(TooLate, match="somebody else"):
        undo(desk, case, by="ana")


def test_a_ruling_under_a_claim_that_has_been_another_s_since_is_refused(desk: Desk, case: str) -> None:
    """Else it would take the place of what somebody else has ruled first meanwhile."""
    stale = claim(desk, case, BEN)
    later = replace(desk, now=lambda: desk.now() + timedelta(hours=1))
    claim(later, case, ANA)
    rule(desk, case, Ruling(kind=Kind.REJECT, by="ana", why="w", rule=WEAPONS))
    assert claim(desk, case, BEN).claim_id != stale.claim_id
    with pytest.raises(Moved):
        change_case(desk, case, Change(put={"first": "x"}), only_if={"claim_id": stale.claim_id})
    assert at(desk, case).first_by == "ana"


@pytest.mark.parametrize("rules", [(GRAVE, KNOWN), (MILD,)])
def test_what_is_known_and_what_is_not_grave_takes_one_person_unless_the_caller_wants_two(
    desk: Desk, unique: str, rules: tuple[str, ...]
) -> None:
    assert not ruled(desk, held(desk, f"{unique}-1", *rules), ANA).waits
    case = held(desk, f"{unique}-2", *rules)
    claim(desk, case, ANA)
    ruling = Ruling(kind=Kind.REJECT, by="ana", why="w", rule=WEAPONS)
    assert rule(desk, case, ruling, confirmed=True).waits
    assert not ruled(desk, case, BEN).waits


def test_an_allow_of_a_grave_case_takes_one_person(desk: Desk, case: str) -> None:
    assert not ruled(desk, case, ANA, Kind.ALLOW).waits
    assert claim_next(replace(desk, policy=shipped_policy()), replace(ANA, surfaces=frozenset({case}))) is None
