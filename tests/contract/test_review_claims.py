"""Cases and claims on a DynamoDB over HTTP: the order, one case for one reviewer, and what a list costs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from deploy.local.run import LocalCloud
from tasks.desk import Desk
from tasks.review.case import Case, CaseStatus, Reviewer
from tasks.review.cases import COUNTED, find_case, in_order, waiting, workload
from tasks.review.claims import NotYours, claim, claim_next, claims_of, escalate, release, renew, skip
from tasks.review.figures import figures, rulings_in
from tasks.review.rows import BadCursor
from tests.contract.many_cases import START, copy_table, row, seed
from tests.contract.visitors import Calls, Clock, desk_on
from worker import families
from worker.metrics import Registry
from worker.reviewing import ENOUGH, Reviewing

ANA, BEN, EVA = (Reviewer(name=name) for name in ("ana", "ben", "eva"))
SENIOR = Reviewer(name="zoe", senior=True)


@pytest.fixture(scope="module")
def shared(cloud: LocalCloud) -> Desk:
    return desk_on(cloud, lambda: START)


@pytest.fixture
def desk(shared: Desk, unique: str) -> Iterator[Desk]:
    """A desk with a cases table of its own and a clock that stands still."""
    dynamodb, like = shared.aws.dynamodb, shared.settings.cases_table
    name = f"cases-{unique}"
    copy_table(dynamodb, like, name)
    settings = shared.settings.model_copy(update={"cases_table": name})
    yield replace(shared, settings=settings, now=Clock(START))
    dynamodb.delete_table(TableName=name)


def ids(cases: Any) -> list[str]:
    return [case.case_id for case in cases]


def test_the_severest_comes_first_then_what_is_due_and_what_is_overdue_counts_as_one_severer(desk: Desk) -> None:
    rows = [row(1, severity="low"), row(2, severity="high", due=90), row(3, severity="high", due=30)]
    rows += [row(4, severity="top", due=500), row(5, severity="normal", due=-10), row(6, severity="critical", due=59)]
    rows += [row(7, severity="low", due=-99999), row(8, severity="normal", due=3)]
    seed(desk, rows)
    order = [int(case.case_id[-6:]) for case in in_order(desk)]
    assert order == [4, 6, 5, 3, 2, 7, 8, 1]
    assert [int(case.case_id[-6:]) for case in claimed_all(desk, ANA)] == order


def claimed_all(desk: Desk, reviewer: Reviewer) -> Iterator[Case]:
    while case := claim_next(desk, reviewer):
        yield case


def test_nobody_is_offered_what_they_may_not_see_or_have_skipped(desk: Desk) -> None:
    seed(desk, [row(1), row(2, surface="avatars"), row(3, rules='["labels/Explicit>=60", "pii/EMAIL"]')])
    shy = Reviewer(name="shy", never=frozenset({"moderation/Explicit"}))
    assert len(list(claimed_all(desk, replace(shy, surfaces=frozenset({"avatars", "chat"}))))) == 1
    narrow = Reviewer(name="narrow", labels=frozenset({"labels/Explicit"}))
    assert claim_next(desk, narrow) is None
    (first,) = ids(claimed_all(desk, shy))
    skip(desk, first, by="shy", why="not my language")
    assert claim_next(desk, shy) is None
    assert ids(claimed_all(desk, BEN)) == [first, "normal-feed-000003"]
    with pytest.raises(NotYours, match="may see"):
        claim(desk, release(desk, "normal-feed-000003", by="ben").case_id, narrow)


def test_the_third_skip_takes_a_case_to_the_seniors_and_so_does_escalating_it(desk: Desk) -> None:
    seed(desk, [row(1), row(2), row(3, severity="top")])
    for reviewer in (ANA, BEN, EVA):
        case = claim(desk, "normal-feed-000001", reviewer)
        skip(desk, case.case_id, by=reviewer.name, why="too hard")
    escalate(desk, claim(desk, "normal-feed-000002", ANA).case_id, by="ana", why="a politician")
    assert ids(claimed_all(desk, Reviewer(name="new"))) == ["top-feed-000003"]
    with pytest.raises(NotYours, match="may see"):
        claim(desk, "normal-feed-000002", BEN)
    taken = list(claimed_all(desk, SENIOR))
    assert ids(taken) == ["normal-feed-000001", "normal-feed-000002"]
    assert [line["event"] for line in taken[1].history] == ["claimed", "escalated", "claimed"]
    assert taken[1].history[1]["why"] == "a politician"


def test_a_lease_that_is_over_gives_the_case_back_to_its_place_unless_it_was_renewed(desk: Desk) -> None:
    assert isinstance(desk.now, Clock)
    seed(desk, [row(1), row(2)])
    first = claim_next(desk, ANA, seconds=60)
    second = claim_next(desk, ANA, seconds=60)
    assert first
    assert second
    assert claims_of(desk, "ana") == (first, second)
    desk.now.passes(seconds=50)
    renew(desk, second.case_id, by="ana", seconds=60)
    desk.now.passes(seconds=20)
    assert claim_next(desk, BEN) == find_case(desk, first.case_id)
    assert claim_next(desk, BEN) is None
    with pytest.raises(NotYours, match="ben has it"):
        renew(desk, first.case_id, by="ana")
    with pytest.raises(NotYours, match="ben has it"):
        release(desk, first.case_id, by="ana")
    # Over, but nobody has taken it: it is still theirs.
    desk.now.passes(hours=1)
    assert renew(desk, second.case_id, by="ana").lease_until > second.lease_until


def at_once(*works: Callable[[], None]) -> None:
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        barrier.wait()
        work()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_reviewers_who_claim_the_same_case_at_once_a_thousand_times_never_share_it(desk: Desk) -> None:
    seed(desk, [row(number) for number in range(500)])
    got: dict[str, list[str]] = {"ana": [], "ben": []}

    def each(reviewer: Reviewer) -> None:
        for number in range(500):
            try:
                got[reviewer.name].append(claim(desk, f"normal-feed-{number:06}", reviewer).case_id)
            except NotYours:
                continue

    at_once(lambda: each(ANA), lambda: each(BEN))
    assert len(got["ana"]) + len(got["ben"]) == 500
    assert not set(got["ana"]) & set(got["ben"])
    assert {find_case(desk, case).claimed_by for case in got["ben"][:20]} <= {"ben"}  # type: ignore[union-attr]


def test_many_who_are_offered_the_next_case_at_once_get_different_ones_and_all_of_them(desk: Desk) -> None:
    seed(desk, [row(number) for number in range(60)])
    got: list[str] = []
    crowd = [Reviewer(name=f"r{number}") for number in range(6)]
    at_once(*(lambda one=one: got.extend(ids(claimed_all(desk, one))) for one in crowd))  # type: ignore[misc]
    assert sorted(got) == [f"normal-feed-{number:06}" for number in range(60)]


def test_pages_go_on_where_the_one_before_ended_and_a_strange_cursor_is_refused(desk: Desk) -> None:
    seed(desk, [row(number) for number in range(7)] + [row(9, surface="avatars")])
    first = waiting(desk, "normal", surface="feed", limit=4)
    second = waiting(desk, "normal", surface="feed", limit=4, cursor=first.cursor)
    assert ids(first.cases) + ids(second.cases) == [f"normal-feed-{number:06}" for number in range(7)]
    assert not second.cursor
    with pytest.raises(BadCursor):
        waiting(desk, "normal", cursor="???")


def test_claims_pages_and_counts_cost_the_same_whatever_waits(desk: Desk) -> None:
    def cost(work: Callable[[Desk], Any]) -> tuple[dict[str, int], Any]:
        calls = Calls()
        aws = desk.aws.guarded((calls,))
        return calls.made, work(replace(desk, aws=aws))

    def claimed_and_released(desk: Desk) -> None:
        case = claim_next(desk, ANA)
        assert case
        release(desk, case.case_id, by="ana")

    works: list[Callable[[Desk], Any]] = [claimed_and_released, lambda desk: waiting(desk, "normal"), workload]
    seed(desk, [row(number) for number in range(200)])
    few = [cost(work) for work in works]
    seed(desk, [row(number) for number in range(200, 1_200)])
    many = [cost(work) for work in works]
    assert [calls for calls, _ in few] == [calls for calls, _ in many]
    assert len(many[1][1].cases) == 50
    (load,) = [load for load in many[2][1] if load.waiting]
    assert (load.waiting, load.more, load.overdue) == (COUNTED, True, 0)
    assert load.due_first == START.isoformat(timespec="milliseconds")


def test_a_case_that_is_closed_or_ruled_on_is_not_to_be_had(desk: Desk) -> None:
    seed(desk, [row(1, status=CaseStatus.CLOSED.value), row(2, status=CaseStatus.MERGED.value, merged_into="x")])
    with pytest.raises(NotYours, match="closed"):
        claim(desk, "normal-feed-000001", SENIOR)
    with pytest.raises(NotYours, match="merged into the case x"):
        claim(desk, "normal-feed-000002", SENIOR)
    with pytest.raises(NotYours, match="no such case"):
        claim(desk, "nothing", SENIOR)
    # The index may be behind: what it still offers is passed over.
    assert claim_next(desk, ANA) is None


def closed(number: int, kind: str, *, hours: float, **said: Any) -> dict[str, Any]:
    """A case that was opened at START and ruled on after so many hours."""
    at = (START + timedelta(hours=hours)).isoformat(timespec="milliseconds")
    ruling = {"kind": kind, "by": "ana", "why": "w", "rule": "", "spans": [], "ruling_id": str(number), "at": at}
    ruling |= {"act_at": at, "policy_version": "p"}
    done = {"queue": f"closed/{at[:13]}", "rank": at, "ruling": json.dumps(ruling), "result": "allowed"}
    one = row(number, status="closed", opened_at=START.isoformat(timespec="milliseconds"), **said, **done)
    return {name: value for name, value in one.items() if name != "place"}


def test_figures_tell_how_long_people_took_and_what_they_overturned(desk: Desk) -> None:
    assert isinstance(desk.now, Clock)
    gambling = {"rules": '["labels/Gambling>=90"]', "severity": "low"}
    seed(desk, [closed(n, "allow" if n < 3 else "reject", hours=n / 2, due=60) for n in range(1, 5)])
    seed(desk, [closed(9, "allow", hours=2, due=999, **gambling), closed(10, "allow", hours=-30)])
    desk.now.passes(hours=2.5)
    told = figures(desk)
    assert (told.ruled, told.late, told.capped, dict(told.by_kind)) == (5, 2, False, {"allow": 3, "reject": 2})
    assert told.seconds == {"low": (7200, 7200), "normal": (4500, 6660)}
    assert {path: one.rate for path, one in told.rules.items()} == {
        "moderation/Gambling": 1,
        "moderation/Violence/Weapons": 0.5,
    }
    assert [rulings_in(desk, START + timedelta(hours=hour)) for hour in range(3)] == [1, 2, 2]
    assert figures(desk, most=2).capped


def test_a_rule_is_called_overturned_once_it_has_enough_cases_to_tell(desk: Desk) -> None:
    assert isinstance(desk.now, Clock)
    gambling = {"rules": '["labels/Gambling>=90"]'}
    seed(desk, [closed(n, "allow", hours=0) for n in range(ENOUGH - 1)])
    # What everybody always overturns, and hardly anybody has seen.
    seed(desk, [closed(100 + n, "allow" if n else "reject", hours=0, **gambling) for n in range(5)])
    registry = Registry()
    reviewing = Reviewing(desk, registry, serves=lambda: True)

    def worst() -> float | None:
        reviewing.tick()
        desk.now.passes(seconds=60)
        return registry.snapshot().levels.get((families.OVERTURN_WORST, ()))

    assert worst() is None
    seed(desk, [closed(ENOUGH + n, "reject", hours=0) for n in range(6)])
    assert worst() == (ENOUGH - 1) / (ENOUGH + 5)


def test_one_worker_in_a_minute_tells_what_waits_and_no_other_contradicts_it(desk: Desk) -> None:
    assert isinstance(desk.now, Clock)
    seed(desk, [row(1, due=-30), row(2), closed(3, "allow", hours=0)])
    registries = Registry(), Registry(), Registry()
    first, second = (Reviewing(desk, registry, serves=lambda: True) for registry in registries[:2])
    other = Reviewing(desk, registries[2], serves=lambda: False)

    def told(registry: Registry) -> dict[str, float]:
        levels = registry.snapshot().levels
        return {family.name: value for (family, labels), value in levels.items() if labels in ((), ("normal",))}

    for each in (first, second, other):
        each.tick()
    said = {"cases_waiting": 2, "cases_overdue": 1, "case_overdue_seconds": 1800, "ruling_seconds": 0}
    assert told(registries[0]) == said | {families.RULINGS_PER_HOUR.name: 1 / 24}
    assert told(registries[1]) == told(registries[2]) == {}
    desk.now.passes(seconds=60)
    second.tick()
    first.tick()
    assert told(registries[0]) == {}
    assert told(registries[1])["case_overdue_seconds"] == 1860
