"""Media: where the bytes of an item are by now, what they are, and a URL of them that soon ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tasks.act.plan import Action
from tasks.act.quarantine import quarantine_key
from tasks.aws.faults import Gone, Moved, Unreadable
from tasks.desk import Desk
from tasks.detect.first_look import read_opening
from tasks.detect.kind import HEAD_BYTES, Kind, kind_of
from tasks.detect.opening import pack
from tasks.detect.picture import Converter
from tasks.detect.signature import PICTURE_BRANDS, is_box
from tasks.intake.submission import from_header
from tasks.intake.upload import get_whole, read_body
from tasks.item import Item
from tasks.record.standing import Standing

#: Seconds that a URL of content can be used.
PICTURE_SECONDS, FILM_SECONDS = 300, 900
#: What all browsers show of themselves, by how it begins. SVG and HTML are never among it: they can hold scripts.
_SHOWN = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)
_PLAYED = (
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"OggS", "video/ogg"),
)
_HEARD = (
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"RIFF", "audio/wav"),
    (b"\xff", "audio/mpeg"),
)
_PICTURES, _FILMS = (Kind.IMAGE, Kind.PICTURE), (Kind.VIDEO, Kind.FILM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """The bytes of one thing as they are there now."""

    #: Names exactly these bytes, be they in the uploads bucket or in quarantine.
    item: Item
    #: Their beginning.
    head: bytes
    kind: Kind
    #: As it was declared; believed of the encoding of texts only.
    content_type: str = ""
    #: The text shown beside it.
    caption: str = ""

    @property
    def shown_as(self) -> str:
        """The type that a browser shows; empty for what none does."""
        if self.kind in _PICTURES:
            return _picture_type(self.head)
        if self.kind is Kind.VIDEO:
            return "video/mp4"
        table = {Kind.FILM: _PLAYED, Kind.SOUND: _HEARD}.get(self.kind, ())
        boxed = "audio/mp4" if self.kind is Kind.SOUND and is_box(self.head) else ""
        return boxed or next((name for start, name in table if self.head.startswith(start)), "")

    @property
    def is_picture(self) -> bool:
        """Whether it is looked at, and does not run."""
        return self.kind in _PICTURES

    @property
    def is_film(self) -> bool:
        """Whether it is a video, playable or not."""
        return self.kind in _FILMS


def find_media(desk: Desk, standing: Standing, item: Item) -> Media:
    """The bytes that were looked at, of the item or of one part of a post: mostly one call.

    Of a bucket without versions it is checked that nothing else took their place. Raises Gone; Fault.
    """
    for place in _places(desk, standing, item):
        try:
            return _media(desk, place)
        except (Gone, Moved):
            continue
    raise Gone("the bytes that were looked at are not kept any more")


def url_of(desk: Desk, media: Media) -> str:
    """A URL of exactly these bytes, shown as what they are, for some minutes. No call is made."""
    item = media.item
    version = {"VersionId": item.version_id} if item.version_id else {}
    return desk.aws.s3.generate_presigned_url(
        "get_object",
        Params={
            "Bucket": item.bucket,
            "Key": item.key,
            **version,
            "ResponseContentType": media.shown_as,
            "ResponseContentDisposition": "inline",
            "ResponseCacheControl": "no-store",
        },
        ExpiresIn=seconds_of(media),
    )


def seconds_of(media: Media) -> int:
    """How long a URL of it can be used."""
    return PICTURE_SECONDS if media.is_picture else FILM_SECONDS


def still_of(desk: Desk, media: Media, *, small: Converter) -> bytes:
    """A small grey still, made in a child process. Raises Unreadable where none can be made; Fault."""
    if media.is_film and media.kind is not Kind.VIDEO:
        raise Unreadable("a video that nothing here reads", reason="video-format")
    if media.is_film:
        with desk.projector.turn():
            frames = desk.projector.convert(pack(read_opening(desk, media.item)))
        return _first(small, bytes(frames[0].image["Bytes"]))
    return _first(small, _whole(desk, media))


def preview_of(desk: Desk, media: Media) -> bytes:
    """A picture that browsers do not show, as one that they do. Raises Unreadable; Fault."""
    return _first(desk.converter, _whole(desk, media))


def _first(converter: Converter, body: bytes) -> bytes:
    with converter.turn():
        return bytes(converter.convert(body)[0].image["Bytes"])


def _whole(desk: Desk, media: Media) -> bytes:
    if media.item.size > desk.converter.most_bytes:
        raise Unreadable(f"{media.item.size} bytes", reason="image-size")
    return read_body(desk.aws, media.item)


def _places(desk: Desk, standing: Standing, item: Item) -> Iterator[Item]:
    """Where the bytes may be, the likeliest first; a copy in quarantine has a name of its own."""
    copy = replace(item, bucket=desk.settings.quarantine_bucket, key=quarantine_key(item), version_id=None)
    quarantined = Action.QUARANTINE in standing.receipts
    yield from (copy, item) if quarantined else (item, copy)


def _media(desk: Desk, place: Item) -> Media:
    """Raises Gone; Moved where something else is there."""
    copied = place.bucket == desk.settings.quarantine_bucket
    # A large copy is made in parts, and has an ETag of its own; nobody but modfleet writes there.
    exact = {"VersionId": place.version_id} if place.version_id else {} if copied else {"IfMatch": place.etag}
    part = {"Range": f"bytes=0-{HEAD_BYTES - 1}"} if place.size else {}
    answer = get_whole(desk.aws, Bucket=place.bucket, Key=place.key, **exact, **part)
    head = answer["Bytes"]
    version = place.version_id or answer.get("VersionId")
    return Media(
        item=replace(place, version_id=version, etag=answer["ETag"].strip('"')),
        head=head,
        kind=kind_of(head, size=place.size),
        content_type=answer.get("ContentType", ""),
        caption=from_header(answer.get("Metadata", {}).get("caption", "")),
    )


def _picture_type(head: bytes) -> str:
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if is_box(head) and head[8:12] in PICTURE_BRANDS:
        return "image/avif" if head[8:11] == b"avi" else ""
    return next((name for start, name in _SHOWN if head.startswith(start)), "")
