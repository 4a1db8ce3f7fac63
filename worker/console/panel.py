"""The decision panel: what can be ruled on a case, by which rules, and what its uploader reads. No call is made."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tasks.decide.kinds import CATEGORIES
from tasks.decide.notices import OCCASIONS
from tasks.decide.policy import Policy
from tasks.decide.rule_path import DEFAULT
from tasks.decide.taxonomy import LEVEL_1
from tasks.desk import Desk
from tasks.detect.kind import Kind as Readable
from tasks.record.standing import Standing
from tasks.restore import TAKEN_DOWN
from tasks.review.asked import kinds_for
from tasks.review.case import Case, CaseStatus, Kind
from tasks.review.claims import whose
from worker.console.roles import Permission
from worker.console.sessions import Visitor
from worker.console.wording import plain_label

#: Rules that have a digit; the others are behind "more".
DIGITS = 9
#: Why somebody passes a case over.
SKIPS = (
    "I do not read this language",
    "I would rather not see this",
    "I know somebody in it",
    "It does not open",
    "I cannot tell",
)
#: Rules that say how something was found, and not what it breaks.
_NO_REASONS = ("brake", "unreadable", "part", "known", "unknown-label", "impossible-confidence")
#: By what a case is about, which rules come first.
_TEXTS = ("classifier/reject", "pii", "term", "guardrail", "toxicity", "rules")
_MEDIA = ("moderation", "rules")
_WRITTEN = (Readable.TEXT.value, Readable.POST.value)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the things that can be decided; its name is also the key's that chooses it."""

    name: str
    says: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that can be broken, in the words that uploaders read."""

    path: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody has written into the form."""

    choice: str = ""
    limit: str = "hold"
    strike: bool = False
    rule: str = ""
    why: str = ""
    note: str = ""
    spans: tuple[str, ...] = ()
    more_spans: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What `decision.html` shows."""

    #: Of this form: sent twice, it is one ruling.
    ruling_id: str
    choices: tuple[Choice, ...]
    first_reasons: tuple[Reason, ...]
    more_reasons: tuple[Reason, ...]
    #: Stretches that detectors have flagged in a text that can be masked: `7:19`, by code points.
    spans: tuple[str, ...]
    may_mask: bool
    #: By occasion, what its uploader reads; `{reasons}` stands for the words of the rule.
    notices: dict[str, str]
    #: Whose case it is, where it is not the visitor's.
    whose: str
    #: Whether the visitor may claim this one.
    may_take: bool
    #: Seconds until the claim ends, and since it began.
    left: float
    held: float
    draft: Draft = field(default_factory=Draft)
    wrong: str = ""
    skips: tuple[str, ...] = SKIPS


def panel_of(
    desk: Desk, case: Case, standing: Standing | None, *, visitor: Visitor, draft: Draft | None = None, wrong: str = ""
) -> Panel:
    """The panel of a case for this visitor, with what they have written into it and what is `wrong` with that."""
    now, policy = desk.now(), desk.policy
    surface = policy.surface_of(standing.item).name if standing else case.surface
    reasons = tuple(reasons_of(policy, kind=case.kind, surface=surface))
    may_mask = standing is not None and standing.kind is Readable.TEXT and not standing.parts
    flagged = {finding.span for finding in standing.findings if finding.span} if standing and may_mask else set()
    return Panel(
        ruling_id=uuid.uuid4().hex,
        choices=tuple(_choices(case, standing)) if standing else (),
        first_reasons=reasons[:DIGITS],
        more_reasons=reasons[DIGITS:],
        spans=tuple(f"{begin}:{end}" for begin, end in sorted(flagged)),
        may_mask=may_mask,
        notices=_notices(policy, surface=surface, now=now),
        whose=whose(case),
        may_take=_may_take(case, visitor),
        left=_seconds(now, case.lease_until),
        held=-_seconds(now, case.claimed_at),
        draft=draft or Draft(),
        wrong=wrong,
    )


def reasons_of(policy: Policy, *, kind: str, surface: str) -> Iterator[Reason]:
    """The rules that the policy has words for, those about such content first.

    Always in the same order: digits are learnt, and nobody should be led by what a machine has found.
    """
    families = _TEXTS if kind in _WRITTEN else _MEDIA
    said = policy.notices.rules
    paths = [path for path in said if path != DEFAULT and path.partition("/")[0] not in _NO_REASONS]
    if not any(path.startswith(families[0]) for path in paths):
        paths += [f"guardrail/{one}" for one in CATEGORIES] if kind in _WRITTEN else _top_labels()
    paths.sort(key=lambda path: next((at for at, one in enumerate(families) if path.startswith(one)), len(families)))
    for path in dict.fromkeys(paths):
        texts = said.get(path)
        says = texts[policy.notices.language].format(rule=path, surface=surface) if texts else plain_label(path)
        yield Reason(path, says)


def _top_labels() -> list[str]:
    return [f"moderation/{label}" for label in LEVEL_1]


def _choices(case: Case, standing: Standing) -> Iterator[Choice]:
    fitting = kinds_for(case, standing)
    down = standing.status in TAKEN_DOWN
    if Kind.UPHOLD in fitting:
        yield Choice("uphold", "The decision stands")
    if down and Kind.RESTORE in fitting:
        yield Choice("restore", "Restore: it was no violation")
    elif Kind.ALLOW in fitting and Kind.UPHOLD not in fitting:
        yield Choice("allow", "Allow: no violation")
    if Kind.HOLD in fitting and not down:
        yield Choice("limit", "Limit")
    if Kind.REJECT in fitting and not down:
        yield Choice("remove", "Remove")
    if not case.escalated:
        yield Choice("escalate", "Escalate to a senior reviewer")


def _notices(policy: Policy, *, surface: str, now: datetime) -> dict[str, str]:
    until = policy.retention.appeal_until(now).date().isoformat()
    language, said = policy.notices.language, policy.notices.occasions
    facts = {"surface": surface, "appeal_until": until, "reasons": "{reasons}"}
    return {name: said[name][language].format(**facts) for name in OCCASIONS}


def _may_take(case: Case, visitor: Visitor) -> bool:
    """Whoever is senior may pick a case; others take it again where it was theirs. All else is handed out in order."""
    if case.status is not CaseStatus.OPEN or not visitor.reviewer.may_rule(case):
        return False
    had_it = any(line.get("by") == visitor.name and line["event"] == "claimed" for line in case.history)
    return visitor.reviewer.may_see(case) and (visitor.may(Permission.SENIOR) or had_it)


def _seconds(now: datetime, until: str) -> float:
    return round((datetime.fromisoformat(until) - now) / timedelta(seconds=1), 1) if until else 0.0
