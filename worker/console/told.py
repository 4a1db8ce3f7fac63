"""What an uploader is told on the pages of a decision, in plain words, and nothing of who decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.act.statement import is_reported, occasion_of, reasons_for
from tasks.decide.rule_path import path_of, paths_of
from tasks.desk import Desk
from tasks.record.standing import Standing, Status
from tasks.review.answer import stands_in_words
from tasks.review.appeal import find_appeal
from tasks.review.asked import MOOT, OVERTURNED, UPHELD, outcome_of
from tasks.review.case import Case, CaseStatus
from tasks.review.decision import decided_at, decision_of
from tasks.review.token import Link
from worker.console.wording import minutes

#: What became of a thing, by what is told of it.
DONE: Mapping[str, str] = {
    "removed": "we took down",
    "masked": "we covered a part of",
    "hidden": "we hid",
}
EXTENT: Mapping[str, str] = {
    "removed": "Nobody can see it, wherever this service is available. That has no end date.",
    "masked": "The rest of it stays online. That part is covered wherever this service is available, with no end date.",
    "hidden": "Nobody can see it, wherever this service is available, until a person has looked at it.",
}
#: Moments of a video that are named.
MOST_MOMENTS = 5
_KINDS = {"image": "image", "picture": "image", "video": "video", "film": "video", "sound": "recording", "text": "text"}
BACK = (Status.RESTORED, Status.ALLOWED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One decision as its uploader reads it. Times are ISO 8601, UTC."""

    token: str
    reference: str
    #: `image`, `video`, `text`, `post`: what it is.
    what: str
    #: The last part of its key.
    name: str
    #: `removed`, `masked`, `hidden`; empty where nothing of it is restricted.
    occasion: str
    #: The operator's words, in the uploader's language, and which that is.
    text: str
    language: str
    #: The rules in words.
    reasons: tuple[str, ...]
    #: `0:41 to 0:55`.
    moments: tuple[str, ...]
    #: Policy of the decision, by its version.
    policy: str
    at: str
    until: str
    found: str
    decided: str
    #: Something later was decided: this link is not about that.
    anew: bool
    back: bool
    #: Whether it can be asked about still.
    open: bool
    asked: Case | None
    #: `overturned`, `upheld` or `moot`; empty while nobody has ruled.
    outcome: str
    #: That the decision stands, in the uploader's language.
    stands: str

    @property
    def steps(self) -> list[tuple[str, str, bool]]:
        """(what, when, whether it is done) of an appeal, in order."""
        if self.asked is None or self.asked.appeal is None:
            return []
        begun = next((str(line["at"]) for line in self.asked.history if line["event"] == "claimed"), "")
        decided = self.asked.closed_at if self.asked.status is CaseStatus.CLOSED else ""
        return [
            ("Received", self.asked.appeal.at, True),
            ("A person looks at it", begun, bool(begun or decided)),
            ("Decided", decided, bool(decided)),
        ]


def told_of(desk: Desk, link: Link, standing: Standing, *, token: str) -> Told:
    """What a link's page says: two reads at most. Raises Fault."""
    occasion = occasion_of(standing) or ""
    reasons = _reasons(desk, standing) if occasion else {}
    asked = find_appeal(desk, standing.item.id, link.decision, side=link.side)
    outcome = outcome_of(asked.appeal, asked.result) if asked and asked.appeal else ""
    anew = link.decision != decision_of(standing)
    back = standing.status in BACK
    language, text = _in_their_language(desk, standing, reasons.get("texts", {}))
    return Told(
        token=token,
        reference=(asked.case_id if asked else link.decision)[:12].upper(),
        what="post" if standing.parts else _KINDS.get(standing.kind.value, "file"),
        name=standing.item.key.rpartition("/")[2],
        occasion=occasion,
        text=text,
        language=language,
        reasons=_in_words(desk, standing, language),
        moments=_moments(standing),
        policy=standing.policy_version,
        at=decided_at(standing).isoformat(),
        until=link.until.isoformat(),
        found="a report" if is_reported(standing) else "automated screening",
        decided="a person on our team" if standing.overruled else "an automated rule",
        anew=anew,
        back=back,
        open=not (asked or anew or back) and bool(occasion) and desk.now() <= link.until,
        asked=asked,
        outcome=outcome,
        stands=_stands(desk, standing) if outcome == UPHELD else "",
    )


def headline(told: Told) -> str:
    """The title of the page, in a few words."""
    if told.outcome == OVERTURNED or (told.back and not told.outcome):
        return "What you posted can be seen again"
    if told.outcome == UPHELD:
        return "We looked again, and the decision stands"
    if told.outcome == MOOT:
        return "There is something newer in its place"
    if told.asked:
        return "We are looking at it again"
    return {"removed": "We took down what you posted", "masked": "We covered a part of what you posted"}.get(
        told.occasion, "We hid what you posted for now"
    )


def _reasons(desk: Desk, standing: Standing) -> Mapping[str, Any]:
    """As they were told or, where a person has decided since, as they were then."""
    if standing.overruled is None and standing.reasons.get("occasion") == occasion_of(standing):
        return standing.reasons
    return reasons_for(desk.policy, standing, at=decided_at(standing))


def _in_their_language(desk: Desk, standing: Standing, texts: Mapping[str, str]) -> tuple[str, str]:
    notices = desk.policy.notices
    own = notices.known(standing.language) or notices.language
    language = own if own in texts else next(iter(texts), own)
    return language, texts.get(language, "")


def _in_words(desk: Desk, standing: Standing, language: str) -> tuple[str, ...]:
    known = language if language in desk.policy.notices.languages else desk.policy.notices.language
    paths = paths_of((*standing.rules, *standing.braked), standing.findings)
    return desk.policy.notices.reasons(paths, surface=standing.surface, language=known)


def _moments(standing: Standing) -> tuple[str, ...]:
    """When in a video what its rules are about is to be seen."""
    named = {path_of(rule) for rule in standing.rules}
    times = sorted({one.time_ms for one in standing.findings if one.time_ms and one.label in named})
    return tuple(f"{minutes(begin)} to {minutes(end)}" for begin, end in times[:MOST_MOMENTS])


def _stands(desk: Desk, standing: Standing) -> str:
    texts = stands_in_words(desk, standing)
    own = desk.policy.notices.known(standing.language) or desk.policy.notices.language
    return texts.get(own) or next(iter(texts.values()))


def day(moment: str) -> str:
    """`22 May 2027`."""
    at = datetime.fromisoformat(moment)
    return f"{at.day} {at:%B %Y}"
