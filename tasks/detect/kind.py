"""What an object is, by its bytes and never by its name or Content-Type; and how to say that it is unreadable."""

from __future__ import annotations

from enum import StrEnum

from tasks.detect.container import is_film, is_sound
from tasks.detect.finding import Finding
from tasks.detect.signature import PICTURE_BRANDS, goes_by_reference, is_box, needs_conversion
from tasks.intake.encoding import peek


class Kind(StrEnum):
    """What can be done with an object: which detector reads it."""

    #: JPEG or PNG, which Rekognition reads by reference.
    IMAGE = "image"
    #: WebP, GIF, HEIC, AVIF, BMP or TIFF, which it reads only converted.
    PICTURE = "picture"
    #: MP4 or MOV.
    VIDEO = "video"
    #: A video in a container that Rekognition does not read: WebM, AVI, WMV, FLV, MPEG, Ogg, 3GP.
    FILM = "film"
    #: A recording without pictures.
    SOUND = "sound"
    #: In an encoding that can be told by its bytes.
    TEXT = "text"
    #: A manifest that names a text and media. Found by what it says, not by `kind_of`.
    POST = "post"
    EMPTY = "empty"
    UNKNOWN = "unknown"


#: The slug of the finding for kinds that no detector reads.
UNREADABLE_KINDS: dict[Kind, str] = {
    Kind.EMPTY: "empty",
    Kind.UNKNOWN: "unknown-kind",
    Kind.FILM: "video-format",
    Kind.SOUND: "audio",
}

#: Bytes from the start of an object that `kind_of` wants to see.
HEAD_BYTES = 4096


def _brands(names: str) -> frozenset[bytes]:
    return frozenset(name.encode().ljust(4) for name in names.split())


#: ISO base media brands (https://mp4ra.org/registered-types/brands) of MP4 and QuickTime files.
_VIDEO_BRANDS = _brands(
    "isom iso2 iso3 iso4 iso5 iso6 iso7 iso8 iso9 mp41 mp42 mp71 avc1 M4V M4VH M4VP MSNV dash qt f4v"
)
#: Audio in the same container.
_SOUND_BRANDS = _brands("M4A M4B M4P F4A F4B")
#: Pictures, also such as nobody here reads (CR3, JPEG 2000, JPEG XL), and audio in the same container.
_OTHER_BRANDS = _SOUND_BRANDS | PICTURE_BRANDS | _brands("avio crx jp2 jxl")
#: The major brands of 3GP and 3G2 in every edition, where they claim to be nothing else.
_PHONES = (b"3gp", b"3g2", b"3gg", b"3gr", b"3gs")
#: How a QuickTime file from before there were brands may begin.
_ATOMS = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")

#: Documents written in letters which are not the ones that they show: PDF, PostScript, RTF.
_DRAWN = ("%pdf-", "%!ps", "{\\rtf")


def kind_of(head: bytes, *, size: int) -> Kind:
    """The kind of an object of `size` bytes that begins with `head` (HEAD_BYTES of it, or all)."""
    if size == 0:
        return Kind.EMPTY
    if goes_by_reference(head) or needs_conversion(head):
        return Kind.IMAGE if goes_by_reference(head) else Kind.PICTURE
    if is_box(head):
        return _kind_by_brand(head)
    if head[:1] < b"\t" and head[4:8] in _ATOMS:
        return Kind.VIDEO
    if is_film(head) or is_sound(head):
        return Kind.FILM if is_film(head) else Kind.SOUND
    return Kind.TEXT if _is_text(head, is_cut=len(head) < size) else Kind.UNKNOWN


def unreadable(reason: str, *, detector: str = "intake", detector_version: str = "", part: str = "body") -> Finding:
    """The finding that an item could not be looked at; `reason` is a slug such as `image-format`."""
    return Finding(
        detector=detector, detector_version=detector_version, label=f"unreadable/{reason}", confidence=100.0, part=part
    )


def _kind_by_brand(head: bytes) -> Kind:
    if _is_video(head):
        return Kind.VIDEO
    if head[8:12] in _SOUND_BRANDS:
        return Kind.SOUND
    return Kind.FILM if head.startswith(_PHONES, 8) else Kind.UNKNOWN


def _is_video(head: bytes) -> bool:
    """By the major brand; by the compatible ones where it is neither a known video nor a known other thing."""
    length = int.from_bytes(head[:4], "big")
    major = head[8:12]
    compatible = {head[at : at + 4] for at in range(16, min(length, len(head)) - 3, 4)}
    if major in _VIDEO_BRANDS | _OTHER_BRANDS:
        return major in _VIDEO_BRANDS
    return bool(compatible & _VIDEO_BRANDS) and not compatible & _OTHER_BRANDS


def _is_text(head: bytes, *, is_cut: bool) -> bool:
    text = peek(head, is_cut=is_cut)
    return text is not None and not _may_be_drawing(text, is_cut=is_cut)


def _may_be_drawing(text: str, *, is_cut: bool) -> bool:
    """Whether this is markup that a browser may draw as a picture (SVG): reading its letters is not looking at it."""
    start = text.lstrip().lower()
    if start.startswith(_DRAWN):
        return True
    while start.startswith("<!--") and "-->" in start:
        start = start.split("-->", 1)[1].lstrip()
    if is_cut and (not start or start.startswith(("<!", "<?"))):
        return not start.startswith("<!doctype html")  # the root element, and so everything, is still to come
    return start.startswith("<") and (start.startswith("<?xml") or "svg" in start)
