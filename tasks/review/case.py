"""Case: an item that a person must look at, as one row of the cases table."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from tasks.decide.review import covers_rule

#: The index of cases by what is to be done next with them: a `queue`, in the order of `rank` (a moment, as text).
BY_QUEUE = "by-queue"
#: The same of those that wait for somebody, by queue and surface: `high feed`.
BY_PLACE = "by-place"
#: Claimed cases, by the end of their lease.
CLAIMED = "claimed"
#: Cases that somebody has ruled on, by when that is to be carried out; they leave once it is.
RULED = "ruled"
#: How the queues of cases that only senior reviewers are offered begin; a severity comes behind.
SENIOR = "senior/"
#: How the queues of closed cases begin; the hour (UTC) comes behind, as 2026-11-22T06.
CLOSED = "closed/"


class CaseStatus(StrEnum):
    """What is to be done next with a case."""

    OPEN = "open"
    CLAIMED = "claimed"
    #: Somebody has ruled, and may still undo that.
    RULED = "ruled"
    #: A worker carries the ruling out.
    ACTING = "acting"
    CLOSED = "closed"
    #: Of a part of a post: whoever rules on the post rules on it.
    MERGED = "merged"


class Kind(StrEnum):
    """What a person can rule."""

    ALLOW = "allow"
    REDACT = "redact"
    HOLD = "hold"
    REJECT = "reject"
    #: Reject, and count it against the uploader.
    STRIKE = "strike"
    RESTORE = "restore"
    #: Of an appeal: what was decided stands.
    UPHOLD = "uphold"


class Side(StrEnum):
    """Who asks for another look at a decision."""

    UPLOADER = "uploader"
    REPORTER = "reporter"


class Ask(StrEnum):
    """What somebody asks for."""

    #: That a person looks at what was allowed.
    REPORT = "report"
    #: That another person looks at what was decided.
    APPEAL = "appeal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal:
    """Why a case is looked at once more, in the words of whoever asks. Words stay in the row, and nowhere else."""

    side: Side
    #: Which decision it is about (`tasks.review.decision`): each can be appealed once.
    decision: str
    ask: Ask = Ask.APPEAL
    #: What they chose of `tasks.review.appeal.CHOICES`.
    choice: str = ""
    words: str = ""
    #: ISO 8601, UTC.
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A person's decision on a case. Times are ISO 8601, UTC."""

    kind: Kind
    by: str
    why: str
    #: What it breaks, as a path of rules (`moderation/Violence/Weapons`); empty where nothing is broken.
    rule: str = ""
    #: What to mask: [begin, end) in code points of the text.
    spans: tuple[tuple[int, int], ...] = ()
    #: Of a form: submitted twice, it is one ruling.
    ruling_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    #: When it was given; `rule` fills in what follows.
    at: str = ""
    #: When it is carried out; until then it can be undone.
    act_at: str = ""
    #: The policy that was in force when it was given.
    policy_version: str = ""
    #: For colleagues; nobody else reads it.
    note: str = ""
    #: Who ruled the same before, where it took two people.
    first_by: str = ""

    def fields(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the cases table. Times are ISO 8601, UTC; what is not there is empty."""

    case_id: str
    location: str
    version: str
    status: CaseStatus
    surface: str = ""
    uploader: str = ""
    kind: str = ""
    language: str = ""
    #: Views, as the application said when the case was opened (`x-amz-meta-reach`).
    reach: int = 0
    rules: tuple[str, ...] = ()
    policy_version: str = ""
    #: Held only because too much was taken down by itself.
    braked: bool = False
    severity: str = ""
    opened_at: str = ""
    due_at: str = ""
    #: Only senior reviewers are offered it.
    escalated: bool = False
    #: label, confidence, part, detector of the surest findings.
    findings: tuple[Mapping[str, Any], ...] = ()
    #: Where in a video to look first, as `Moment.summary` has it.
    moments: tuple[Mapping[str, Any], ...] = ()
    #: Keys of a post's parts.
    parts: tuple[str, ...] = ()
    merged_into: str = ""
    claimed_by: str = ""
    claim_id: str = ""
    claimed_at: str = ""
    lease_until: str = ""
    skipped_by: frozenset[str] = frozenset()
    ruling: Ruling | None = None
    #: What the first of two people ruled, until the second has: nobody else is to read it before.
    first: Ruling | None = None
    #: Who gave it, and who ruled otherwise then: neither may have the case again.
    first_by: str = ""
    second_by: str = ""
    #: What the ruling came to: a status of items, `superseded` and `gone` included; empty until it is carried out.
    result: str = ""
    closed_at: str = ""
    #: What people did with it: at, event, by, why.
    history: tuple[Mapping[str, Any], ...] = ()
    #: The queue that it is in.
    queue: str = ""
    #: Of an appeal or a report: what is asked, and by whom.
    appeal: Appeal | None = None
    #: Names of those who must not rule on it: they did, on what is appealed.
    barred: frozenset[str] = frozenset()

    def summary(self) -> dict[str, Any]:
        """The case as `modfleet review list --json` prints it."""
        said = {name: getattr(self, name) for name in self.__dataclass_fields__}
        shown = said | {"skipped_by": sorted(self.skipped_by), "ruling": self.ruling and self.ruling.fields()}
        shown |= {"barred": sorted(self.barred), "appeal": self.appeal and asdict(self.appeal)}
        # The second reviewer must not see what the first one ruled, nor that they are the second.
        shown |= dict.fromkeys(("first", "first_by", "second_by"))
        return {name: list(value) if isinstance(value, tuple) else value for name, value in shown.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """Who reviews, and what they may be offered."""

    name: str
    #: None is all of them.
    surfaces: frozenset[str] | None = None
    #: Paths of rules (`moderation/Explicit`, `guardrail`): only cases all of whose rules are below one. None is any.
    labels: frozenset[str] | None = None
    #: Paths of rules that they are never offered.
    never: frozenset[str] = frozenset()
    #: Is offered what was escalated, and may take any case.
    senior: bool = False

    def may_see(self, case: Case) -> bool:
        """Whether this case is among what they may be offered."""
        if self.name in case.barred:
            return False
        if self.surfaces is not None and case.surface not in self.surfaces:
            return False
        if case.escalated and not self.senior:
            return False
        if any(covers_rule(path, rule) for path in self.never for rule in case.rules):
            return False
        return self.labels is None or all(any(covers_rule(path, rule) for path in self.labels) for rule in case.rules)

    def wants(self, case: Case) -> bool:
        """Whether to offer it to them: they may see it, and have not skipped it."""
        return self.may_see(case) and self.may_rule(case) and self.name not in case.skipped_by

    def may_rule(self, case: Case) -> bool:
        """Whether they have not ruled on it before, where it takes two people."""
        return self.name not in (case.first_by, case.second_by)


def waiting_in(severity: str, *, escalated: bool) -> str:
    """The queue of an open case."""
    return f"{SENIOR}{severity}" if escalated else severity


def place_of(queue: str, surface: str) -> str:
    """A queue's part of one surface."""
    return f"{queue} {surface}"


def case_from(row: Mapping[str, Any]) -> Case:
    """The case of a row; what an older row does not have is empty."""
    said = {name: value["S"] for name, value in row.items() if "S" in value}
    plain = {name: said[name] for name in _TEXTS if name in said}
    return Case(
        **plain,
        status=CaseStatus(said["status"]),
        reach=int(said.get("reach", 0)),
        braked="braked" in said,
        escalated="escalated" in said,
        rules=tuple(json.loads(said.get("rules", "[]"))),
        findings=tuple(json.loads(said.get("findings", "[]"))),
        moments=tuple(json.loads(said.get("moments", "[]"))),
        parts=tuple(json.loads(said.get("parts", "[]"))),
        skipped_by=frozenset(row.get("skipped_by", {"SS": ()})["SS"]),
        barred=frozenset(row.get("barred", {"SS": ()})["SS"]),
        appeal=appeal_from(said["appeal"]) if "appeal" in said else None,
        ruling=ruling_from(said["ruling"]) if "ruling" in said else None,
        first=ruling_from(said["first"]) if "first" in said else None,
        history=tuple(json.loads(line["S"]) for line in row.get("history", {"L": ()})["L"]),
    )


#: Attributes that are text in the row and in the case.
_TEXTS = (
    *("case_id", "location", "version", "surface", "uploader", "kind", "language", "policy_version", "severity"),
    *("opened_at", "due_at", "merged_into", "claimed_by", "claim_id", "claimed_at", "lease_until", "result"),
    *("closed_at", "queue", "first_by", "second_by"),
)


def ruling_from(text: str) -> Ruling:
    """The ruling whose `fields` are this JSON."""
    said = json.loads(text)
    spans = tuple((begin, end) for begin, end in said["spans"])
    return Ruling(**said | {"kind": Kind(said["kind"]), "spans": spans})


def appeal_from(text: str) -> Appeal:
    """The appeal whose `asdict` is this JSON."""
    said = json.loads(text)
    return Appeal(**said | {"side": Side(said["side"]), "ask": Ask(said["ask"])})
