"""A ruling goes by the rulings lane to a worker process, which carries it out."""

from __future__ import annotations

from collections.abc import Callable

from fleet import Fleet, until

from tasks.record.standing import Status
from tasks.review.case import CaseStatus, Kind, Reviewer, Ruling
from tasks.review.cases import find_case
from tasks.review.claims import claim
from tasks.review.ruling import rule


def test_a_worker_takes_down_what_a_person_rejects(served: Fleet, picture: Callable[..., bytes], unique: str) -> None:
    put = served.put(f"feed/{unique}", picture(labels={"Weapons": 70.0}))
    standing = served.ended(put)
    assert standing.status is Status.HELD
    case_id = claim(served.desk, standing.item.id, Reviewer(name="ana")).case_id
    ruling = Ruling(kind=Kind.REJECT, by="ana", why="a real one", rule="moderation/Weapons")
    rule(served.desk, case_id, ruling, undo_seconds=0)
    case = until(
        lambda: (found := find_case(served.desk, case_id)) and found.status is CaseStatus.CLOSED and found,
        what="the end of the ruling",
    )
    assert case
    assert case.result == "rejected"
    assert served.current(put) is None
