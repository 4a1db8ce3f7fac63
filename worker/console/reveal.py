"""Reveal: content step by step, each step asked for, and written to the audit log before anything is handed out."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from tasks.aws.faults import Gone, Unreadable
from tasks.desk import Desk
from tasks.detect.kind import Kind
from tasks.intake.encoding import decode
from tasks.intake.upload import read_body
from tasks.item import Item
from tasks.post import part_name
from tasks.record.standing import Standing
from tasks.review.case import Case
from worker.console.case import open_to, part_of_page, write_view
from worker.console.door import permits
from worker.console.limits import REVEAL, spend
from worker.console.media import Media, find_media, preview_of, seconds_of, still_of, url_of
from worker.console.passages import Shown, shown_text
from worker.console.refusal import Refused
from worker.console.roles import Permission
from worker.console.sessions import Visitor

router = APIRouter()

#: 1 a small soft grey still, 2 full size but grey and blurred, 3 grey and sharp, 4 in colour. 0 is nothing.
STILL, BLURRED, GREY, COLOUR = 1, 2, 3, 4
#: Severities in which the first look at a text shows no more than the first letters of what was flagged.
SEVERE = ("top", "critical", "high")
#: Seconds for which the browser may ask for a still, once it was told where it is.
STILL_SECONDS = 300
_STILL, _PREVIEW = "still", "preview"
CAPTION = "caption"

Reviewing = Annotated[Visitor, Depends(permits(Permission.REVIEW))]


class Step(BaseModel):
    """The form of a step."""

    step: int = Field(ge=STILL, le=COLOUR)
    #: Which item of a post; 0 is the item itself.
    part: int = Field(0, ge=0)
    #: All of a long text.
    whole: bool = False
    #: The page has it already, and only shows more of it from now on.
    again: bool = False


class Made(BaseModel):
    """The address of a picture that is made here."""

    part: int = Field(ge=0)
    form: str
    #: Seconds since 1970.
    until: int
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody asks to see."""

    case: Case
    standing: Standing
    #: Which item of the post; 0 is the item itself, or the post's own text.
    part: int
    step: int

    @property
    def item(self) -> Item:
        """The item, as it was looked at."""
        return self.standing.everything[self.part]


@router.post("/cases/{case_id}/reveal")
def reveal(request: Request, case_id: str, visitor: Reviewing, form: Annotated[Step, Form()]) -> Response:
    """One step more of one thing."""
    desk: Desk = request.app.state.console.desk
    spend(request, REVEAL, visitor.name)
    asked = _asked(desk, case_id, visitor, part=form.part, step=form.step)
    if form.again:
        _write(desk, visitor, asked)
        return Response(status_code=204)
    try:
        media = find_media(desk, asked.standing, asked.item)
    except Gone:
        return _part(request, visitor, asked, shape="gone")
    # A view that is not on record is not had: where the log cannot be written, this raises.
    _write(desk, visitor, asked)
    if media.kind in (Kind.TEXT, Kind.POST):
        return _text(request, visitor, asked, media=media, whole=form.whole)
    caption = _caption(asked, media)
    if form.step == STILL:
        source = _signed(request, visitor, asked, form=_STILL)
        shape = "still" if media.is_picture or media.kind is Kind.VIDEO else "no-still"
        return _part(request, visitor, asked, shape=shape, media=media, source=source, caption=caption)
    return _full(request, visitor, asked, media=media, caption=caption)


@router.get("/cases/{case_id}/still")
def still(request: Request, case_id: str, visitor: Reviewing, made: Annotated[Made, Query()]) -> Response:
    """A picture that is made here, for who was given its address by `reveal`, and for some minutes."""
    desk: Desk = request.app.state.console.desk
    right = _proof(visitor, case_id, part=made.part, form=made.form, until=made.until)
    if not hmac.compare_digest(made.proof.encode(), right.encode()) or desk.now().timestamp() > made.until:
        raise Refused(403, "Not any more", "Ask for it again on the page of the case.")
    asked = _asked(desk, case_id, visitor, part=made.part, step=STILL)
    try:
        media = find_media(desk, asked.standing, asked.item)
        body = preview_of(desk, media) if made.form == _PREVIEW else _still(request, media)
    except Gone:
        raise Refused(404, "Gone", "The content is not kept any more.") from None
    except Unreadable:
        raise Refused(422, "No picture", "No picture can be made of it.") from None
    return Response(body, media_type="image/png" if body.startswith(b"\x89PNG") else "image/jpeg")


def _asked(desk: Desk, case_id: str, visitor: Visitor, *, part: int, step: int) -> Asked:
    """Raises Refused; Fault."""
    case, standing = open_to(desk, case_id, visitor)
    if standing is None or part >= len(standing.everything):
        raise Refused(404, "Not on record", "Nothing is on record of this item any more, so its content is not found.")
    return Asked(case=case, standing=standing, part=part, step=step)


def _write(desk: Desk, visitor: Visitor, asked: Asked) -> None:
    write_view(desk, "view content", visitor, asked.case, asked.standing, step=asked.step, part=asked.part)


def _text(request: Request, visitor: Visitor, asked: Asked, *, media: Media, whole: bool) -> Response:
    desk: Desk = request.app.state.console.desk
    shown = shape = None
    if media.item.size > desk.settings.max_text_bytes:
        shape = "too-long"
    else:
        try:
            shown = _read(desk, asked, media=media, whole=whole)
        except Unreadable:
            shape = "unreadable"
        except Gone:
            shape = "gone"
    caption = _caption(asked, media)
    return _part(request, visitor, asked, shape=shape or "text", media=media, shown=shown, caption=caption)


def _read(desk: Desk, asked: Asked, *, media: Media, whole: bool) -> Shown:
    """The text, marked. Raises Gone, Unreadable."""
    text = decode(read_body(desk.aws, media.item), content_type=media.content_type).text
    return _marked(asked, text, whole=whole)


def _caption(asked: Asked, media: Media) -> Shown | None:
    return _marked(asked, media.caption, of=CAPTION, whole=True) if media.caption else None


def _marked(asked: Asked, text: str, *, of: str = "", whole: bool) -> Shown:
    """A text, or the caption `of` one thing; of a post, findings name its parts by their keys."""
    name = part_name(asked.item.key) if asked.part else ""
    part = "#".join(one for one in (name, of) if one) or "body"
    return shown_text(
        text,
        [finding for finding in asked.standing.findings if finding.part == part],
        plain=bool(of),
        masked=asked.step < COLOUR,
        severe=asked.case.severity in SEVERE,
        whole=whole,
    )


def _full(request: Request, visitor: Visitor, asked: Asked, *, media: Media, caption: Shown | None) -> Response:
    """In full size: by S3 where a browser shows such a thing, else as a picture that is made here."""
    desk: Desk = request.app.state.console.desk
    if media.shown_as:
        shape, source = media.shown_as.partition("/")[0], url_of(desk, media)
    elif media.is_picture:
        shape, source = "image", _signed(request, visitor, asked, form=_PREVIEW)
    else:
        shape, source = "no-player", ""
    seconds = seconds_of(media)
    return _part(request, visitor, asked, shape=shape, media=media, source=source, caption=caption, seconds=seconds)


def _part(request: Request, visitor: Visitor, asked: Asked, *, shape: str, **said: Any) -> Response:
    texts: list[Shown | None] = [said.get("shown"), said.get("caption")]
    masked = any(one.masked for one in texts if one)
    usual = {"media": None, "source": "", "seconds": STILL_SECONDS, "shown": None, "caption": None}
    about = {"case": asked.case, "part": asked.part, "step": asked.step, "shape": shape, "masked": masked}
    about["next"] = _next(asked.step, shape, masked=masked)
    return part_of_page(request, "reveal.html", visitor=visitor, title="Content", **{**usual, **about, **said})


def _next(step: int, shape: str, *, masked: bool) -> int:
    """The step to which the next press leads; 0 where there is no more to be seen."""
    if shape in ("still", "no-still"):
        return BLURRED
    if shape in ("image", "video", "audio"):
        return step + 1 if step < COLOUR else 0
    return COLOUR if masked and step < COLOUR else 0


def _still(request: Request, media: Media) -> bytes:
    console = request.app.state.console
    return still_of(console.desk, media, small=console.small)


def _signed(request: Request, visitor: Visitor, asked: Asked, *, form: str) -> str:
    """The address of a picture that is made here: nobody else's session, and no other part, fits its proof."""
    desk: Desk = request.app.state.console.desk
    until = int((desk.now() + timedelta(seconds=STILL_SECONDS)).timestamp())
    case_id = asked.case.case_id
    proof = _proof(visitor, case_id, part=asked.part, form=form, until=until)
    return f"/cases/{case_id}/still?part={asked.part}&form={form}&until={until}&proof={proof}"


def _proof(visitor: Visitor, case_id: str, *, part: int, form: str, until: int) -> str:
    said = f"still\0{case_id}\0{part}\0{form}\0{until}"
    return hmac.new(visitor.secret.encode(), said.encode(), hashlib.sha256).hexdigest()
