"""Rulings: what a person decides on a case's page, taken back while that can be, and how long the case is theirs."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel

from tasks.review.case import Case, Kind, Ruling
from tasks.review.claims import NotYours, claim, claim_next, claims_of, escalate, release, renew, skip
from tasks.review.ruling import NotARuling, TooLate, rule, undo
from tasks.review.second import REMOVALS
from worker.console.case import case_page, open_to
from worker.console.door import permits
from worker.console.limits import REMOVALS as MANY_REMOVALS
from worker.console.limits import RULE, spend
from worker.console.pages import is_fragment, page
from worker.console.panel import SKIPS, Draft, panel_of
from worker.console.refusal import Refused
from worker.console.roles import Permission
from worker.console.sessions import Visitor

router = APIRouter()

#: What an allow says where its reviewer says nothing: it breaks nothing, and that is all.
NO_VIOLATION = "no violation"
#: Characters of a reason, and of a note.
MOST_LETTERS = 2_000
#: Seconds for which the next case is set aside; nobody who sits over a decision longer keeps it from others.
AHEAD_SECONDS = 120.0
_SPAN = re.compile(r"(\d{1,9})\s*[:-]\s*(\d{1,9})")
_RULING_ID = re.compile(r"[0-9a-f]{32}")

Reviewing = Annotated[Visitor, Depends(permits(Permission.REVIEW))]


class Decision(BaseModel):
    """The form. What it lacks or has wrong, `ruling_of` says."""

    ruling_id: str = ""
    choice: str = ""
    limit: str = "hold"
    strike: bool = False
    rule: str = ""
    why: str = ""
    note: str = ""
    span: list[str] = []
    spans: str = ""
    #: `next` or `stay`.
    then: str = "next"

    @property
    def draft(self) -> Draft:
        """What somebody has written, to be shown again."""
        return Draft(
            choice=self.choice,
            limit=self.limit,
            strike=self.strike,
            rule=self.rule,
            why=self.why,
            note=self.note,
            spans=tuple(self.span),
            more_spans=self.spans,
        )


@router.post("/cases/{case_id}/rule")
def give(request: Request, case_id: str, visitor: Reviewing, form: Annotated[Decision, Form()]) -> Response:
    """Commit what is chosen, then show the next case; the same form twice is one ruling."""
    spend(request, RULE, visitor.name)
    console = request.app.state.console
    try:
        if form.choice == "escalate":
            escalate(console.desk, case_id, by=visitor.name, why=_needed(form.why))
            return onward(request, visitor, form.then, case_id=case_id)
        ruling = ruling_of(form, by=visitor.name)
        many = ruling.kind in REMOVALS and console.limits.take(MANY_REMOVALS, visitor.name) > 0
        given = rule(console.desk, case_id, ruling, undo_seconds=console.undo_seconds, confirmed=many)
    except NotARuling as wrong:
        return _again(request, case_id, visitor, form, status=422, wrong=f"{wrong}."[:1].upper() + f"{wrong}."[1:])
    except NotYours as lost:
        return _again(request, case_id, visitor, form, status=409, wrong=_lost(lost))
    return onward(request, visitor, form.then, case_id=case_id, ruled=True, changed=given.changed)


@router.post("/cases/{case_id}/undo")
def take_back(request: Request, case_id: str, visitor: Reviewing) -> Response:
    """Take one's ruling back: the case is theirs again."""
    try:
        undo(request.app.state.console.desk, case_id, by=visitor.name)
    except TooLate as late:
        raise Refused(409, "Too late to undo", f"{late}.".capitalize()) from None
    except NotYours as lost:
        raise Refused(409, "Nothing to undo", f"{lost}.".capitalize()) from None
    return _go(request, f"/cases/{case_id}")


@router.post("/cases/{case_id}/skip")
def pass_over(request: Request, case_id: str, visitor: Reviewing, why: Annotated[str, Form()]) -> Response:
    """Give the case back and never be offered it again; one of five reasons."""
    if why not in SKIPS:
        raise Refused(422, "Not skipped", "Choose one of the reasons.")
    desk = request.app.state.console.desk
    _held(lambda: skip(desk, case_id, by=visitor.name, why=why))
    return onward(request, visitor, "next", case_id=case_id)


@router.post("/cases/{case_id}/escalate")
def hand_up(request: Request, case_id: str, visitor: Reviewing, why: Annotated[str, Form()]) -> Response:
    """Hand the case to the senior reviewers."""
    desk = request.app.state.console.desk
    if not why.strip():
        raise Refused(422, "Not escalated", "Say why: whoever gets it should know.")
    _held(lambda: escalate(desk, case_id, by=visitor.name, why=why[:MOST_LETTERS]))
    return onward(request, visitor, "next", case_id=case_id)


@router.post("/cases/{case_id}/release")
def give_back(request: Request, case_id: str, visitor: Reviewing) -> Response:
    """Give the case back to its queue, for anybody."""
    desk = request.app.state.console.desk
    _held(lambda: release(desk, case_id, by=visitor.name))
    return _go(request, "/")


@router.post("/cases/{case_id}/claim")
def take(request: Request, case_id: str, visitor: Reviewing) -> Response:
    """Claim this very case: for who is senior, and for whoever had it before."""
    desk = request.app.state.console.desk
    case, standing = open_to(desk, case_id, visitor)
    if not panel_of(desk, case, standing, visitor=visitor).may_take:
        raise Refused(409, "Not yours to take", "Cases are handed out in their order; a senior reviewer may pick one.")
    _held(lambda: claim(desk, case_id, visitor.reviewer))
    return _go(request, f"/cases/{case_id}")


@router.post("/cases/{case_id}/renew")
def hold_on(request: Request, case_id: str, visitor: Reviewing) -> Response:
    """Hold the case for longer. Its page asks while somebody works on it: JSON, seconds `left` or why it is `lost`."""
    desk = request.app.state.console.desk
    if not is_fragment(request):
        _held(lambda: renew(desk, case_id, by=visitor.name))
        return _go(request, f"/cases/{case_id}")
    try:
        case = renew(desk, case_id, by=visitor.name)
    except NotYours as lost:
        return JSONResponse({"lost": _lost(lost)}, status_code=409)
    return JSONResponse({"left": panel_of(desk, case, None, visitor=visitor).left})


@router.post("/cases/{case_id}/ahead")
def set_aside(request: Request, case_id: str, visitor: Reviewing) -> Response:
    """Set the next case aside, so that it is there at once, for whoever has armed a decision on this one: 204.

    Its page is not loaded before somebody looks at it: the audit log tells who has seen what.
    """
    desk = request.app.state.console.desk
    if [case.case_id for case in claims_of(desk, visitor.name)] == [case_id]:
        claim_next(desk, visitor.reviewer, seconds=AHEAD_SECONDS)
    return Response(status_code=204)


def ruling_of(form: Decision, *, by: str) -> Ruling:
    """The ruling that a form asks for. Raises NotARuling."""
    kinds = {
        "allow": Kind.ALLOW,
        "restore": Kind.RESTORE,
        "uphold": Kind.UPHOLD,
        "remove": Kind.STRIKE if form.strike else Kind.REJECT,
        "limit": Kind.REDACT if form.limit == "redact" else Kind.HOLD,
    }
    if form.choice not in kinds:
        raise NotARuling("choose what you decide")
    if not _RULING_ID.fullmatch(form.ruling_id):
        raise NotARuling("the form is incomplete: load the page again")
    kind = kinds[form.choice]
    against = kind in (*REMOVALS, Kind.REDACT)
    if against and not form.rule:
        raise NotARuling("choose the rule that it breaks")
    why = form.why if form.why.strip() or kind is not Kind.ALLOW else NO_VIOLATION
    return Ruling(
        kind=kind,
        by=by,
        why=_needed(why),
        note=form.note.strip()[:MOST_LETTERS],
        rule=form.rule if against else "",
        spans=_spans(form) if kind is Kind.REDACT else (),
        ruling_id=form.ruling_id,
    )


def next_case(request: Request, visitor: Visitor) -> Case | None:
    """The case that is theirs already, or else the next one, claimed."""
    desk = request.app.state.console.desk
    # What was set aside comes after what is in hand, though its lease ends first.
    for case in sorted(claims_of(desk, visitor.name), key=lambda case: case.claimed_at):
        with suppress(NotYours):
            return renew(desk, case.case_id, by=visitor.name)
    return claim_next(desk, visitor.reviewer)


def onward(
    request: Request, visitor: Visitor, then: str, *, case_id: str, ruled: bool = False, changed: bool = False
) -> Response:
    """To the next case, or back to this one; `ruled` brings the bar along with which it can be undone."""
    after = f"?after={case_id}{'&changed=1' if changed else ''}" if ruled else ""
    if then == "stay":
        return _go(request, f"/cases/{case_id}{after}")
    case = next_case(request, visitor)
    return _go(request, f"/cases/{case.case_id}{after}" if case else f"/{after}")


def _go(request: Request, to: str) -> Response:
    if is_fragment(request):
        return Response(headers={"HX-Redirect": to})
    return RedirectResponse(to, status_code=303)


def _again(request: Request, case_id: str, visitor: Visitor, form: Decision, *, status: int, wrong: str) -> Response:
    """What is wrong, with nothing lost: htmx leaves the form as it is, a page without it gets it back filled in."""
    if is_fragment(request):
        return page(request, "decision_said.html", visitor=visitor, status=status, wrong=wrong, lost=status == 409)
    desk = request.app.state.console.desk
    case, standing = open_to(desk, case_id, visitor)
    panel = panel_of(desk, case, standing, visitor=visitor, draft=form.draft, wrong=wrong)
    return case_page(request, case, standing, visitor=visitor, status=status, panel=panel)


def _needed(why: str) -> str:
    if not why.strip():
        raise NotARuling("say what you saw: others will ask")
    if len(why) > MOST_LETTERS:
        raise NotARuling(f"at most {MOST_LETTERS:,} characters")
    return why.strip()


def _spans(form: Decision) -> tuple[tuple[int, int], ...]:
    written = [*form.span, *filter(None, re.split(r"[,;\s]+", re.sub(r"\s*([:-])\s*", r"\1", form.spans.strip())))]
    found = [_SPAN.fullmatch(one) for one in written]
    if not all(found):
        raise NotARuling("places are written BEGIN:END, as 7:19")
    spans = sorted({(int(one[1]), int(one[2])) for one in found if one})
    if not spans:
        raise NotARuling("choose the words to mask")
    return tuple(spans)


def _held(work: Callable[[], Case]) -> None:
    """Raises Refused (409) where the case is not theirs."""
    try:
        work()
    except NotYours as lost:
        raise Refused(409, "Not your case any more", _lost(lost)) from None


def _lost(why: NotYours) -> str:
    return f"This case is not yours any more: {why}. What you wrote is still here; nothing was done."
