"""What is like a case: the upload that had the same bytes, and what waits on the same surface for the same reason."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from tasks.desk import Desk
from tasks.record.standing import Standing
from tasks.review.case import Case, Reviewer
from tasks.review.cases import waiting

#: Cases that are named.
MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """What `findings.html` names beside a case."""

    #: `s3://BUCKET/KEY` of the upload with the same bytes that was looked at first; empty where there was none.
    same_bytes: str
    #: Of that upload: others may have come under its key since.
    version: str
    #: Others that wait for one of the case's reasons, what is due first first.
    cases: tuple[Case, ...]

    def __bool__(self) -> bool:
        """Whether anything is like it."""
        return bool(self.same_bytes or self.cases)


def alike(desk: Desk, case: Case, standing: Standing | None, *, reviewer: Reviewer) -> Alike:
    """What is like a case among what a reviewer may see: one Query, however much waits. Raises Fault."""
    there = waiting(desk, case.severity, surface=case.surface, escalated=case.escalated).cases if case.surface else ()
    rules = set(case.rules)
    found = (one for one in there if one.case_id != case.case_id and rules & set(one.rules) and reviewer.may_see(one))
    same, _, version = standing.reused_from.rpartition("@") if standing else ("", "", "")
    return Alike(same_bytes=same, version=version, cases=tuple(islice(found, MOST)))
