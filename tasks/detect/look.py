"""Look at an item with every detector that its kind and its surface ask for."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.aws.faults import Gone, Permanent, Unreadable
from tasks.decide.policy import Surface
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.first_look import look_at_video
from tasks.detect.image import look_at_image
from tasks.detect.job import Job
from tasks.detect.kind import UNREADABLE_KINDS, Kind, unreadable
from tasks.detect.lettering import LETTERING, read_lettering
from tasks.detect.picture import View
from tasks.detect.text import TextChain, look_at_text
from tasks.intake.document import joined, read_document
from tasks.intake.encoding import decode
from tasks.intake.upload import Upload
from tasks.item import Item


def look(desk: Desk, item: Item, upload: Upload, *, kind: Kind, surface: Surface) -> tuple[Finding, ...] | Job:
    """What there is to see in an item, or the job that is looking; what cannot be looked at is a finding too.

    Of a text that is not too long to be looked at, the upload's head is all.

    Raises Gone or Moved when the item is not there any more, and only then.
    """
    try:
        if kind is Kind.VIDEO:
            return look_at_video(desk, item, surface=surface)
        if kind is Kind.TEXT:
            if item.size > desk.settings.max_text_bytes:
                return (unreadable("text-size"),)
            text = decode(upload.head, content_type=upload.content_type).text
            return look_at_document(desk, item, text=text, surface=surface, context=upload.context)
        if kind in (Kind.IMAGE, Kind.PICTURE):
            return _look_at_picture(desk, item, kind=kind, head=upload.head, surface=surface)
    except Unreadable as why:
        return (unreadable(why.reason),)
    return (unreadable(UNREADABLE_KINDS[kind]),)


def _look_at_picture(desk: Desk, item: Item, *, kind: Kind, head: bytes, surface: Surface) -> tuple[Finding, ...]:
    floor = desk.settings.floor_confidence
    looked = look_at_image(desk.aws, item, kind=kind, head=head, floor=floor, converter=desk.converter)
    return looked.findings + look_at_lettering(desk, item, views=looked.shown, surface=surface)


def look_at_lettering(desk: Desk, item: Item, *, views: Sequence[View], surface: Surface) -> tuple[Finding, ...]:
    """What there is to see in the words that a picture shows, where the surface asks for them."""
    if not surface.text_in_images:
        return ()
    try:
        text = read_lettering(desk.aws, views)
    except Unreadable as why:
        return (unreadable(why.reason, part=LETTERING),)
    return look_at_words(desk, item, text=text, part=LETTERING, surface=surface)


def look_at_document(
    desk: Desk, item: Item, *, text: str, surface: Surface, context: tuple[str, ...] = ()
) -> tuple[Finding, ...]:
    """What there is to see in a body of text, or in those of its texts that the surface names; spans are of the body.

    Raises Unreadable (`text-json`).
    """
    document = read_document(text)
    texts = document.texts_at(surface.text_paths)
    findings = look_at_words(desk, item, text=joined(texts), part="body", surface=surface, context=context)
    return document.place(findings, texts)


def look_at_words(
    desk: Desk, item: Item, *, text: str, part: str, surface: Surface, context: tuple[str, ...] = ()
) -> tuple[Finding, ...]:
    """What there is to see in a text, or in a caption; the context is what was said before it."""
    try:
        return look_at_text(desk.aws, text, chain=text_chain(desk, item, surface, part=part, context=context))
    except Unreadable as why:
        return (unreadable(why.reason, part=part),)
    except Gone as fault:
        # A guardrail or a model that does not exist; it must not pass for a missing item.
        raise Permanent(fault.detail, call=fault.call, code=fault.code) from fault


def text_chain(desk: Desk, item: Item, surface: Surface, *, part: str, context: tuple[str, ...] = ()) -> TextChain:
    """How this surface wants a text looked at."""
    return TextChain(
        guardrail_id=desk.settings.guardrail_id,
        guardrail_version=desk.settings.guardrail_version,
        classifier_model=desk.settings.classifier_model,
        prompt=desk.prompt,
        is_gray=desk.policy.is_gray,
        pii=surface.pii,
        part=part,
        item_id=item.id,
        policy_version=desk.policy.version,
        guardrail_checks=desk.settings.guardrail_checks,
        about=surface.about,
        context=context,
        toxicity=surface.toxicity,
        find_terms=desk.terms.find,
        terms_version=desk.terms.version,
    )
