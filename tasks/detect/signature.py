"""Pictures by their first bytes: which Rekognition reads by itself, and which hold more than it would see."""

from __future__ import annotations

from collections.abc import Iterator

#: What Rekognition reads by reference: JPEG and PNG.
_BY_REFERENCE = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
#: GIF, TIFF of either byte order, and BigTIFF.
_MAGIC = (b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0\x08\0", b"MM\0+\0\x08")
#: ISO base media brands (https://mp4ra.org/registered-types/brands) of HEIC, HEIF and AVIF, still and animated.
PICTURE_BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs heif mif1 mif2 miaf msf1 avif avis".split())
#: Bytes of the headers by which versions of BMP are told apart, at offset 14.
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)

_PNG_START = 8
#: A PNG's chunks that may change what a viewer sees: frames, transparency, rotation.
_MORE = {b"acTL", b"tRNS", b"eXIf"}
#: Where it says what a pixel is made of, and the two answers that have transparency.
_COLOUR_TYPE, _WITH_ALPHA = 25, (b"\4", b"\6")


def goes_by_reference(head: bytes) -> bool:
    """Whether this is a JPEG or PNG."""
    return head.startswith(_BY_REFERENCE)


def needs_conversion(head: bytes) -> bool:
    """Whether this is a picture that Rekognition does not read: WebP, GIF, HEIC, AVIF, BMP, TIFF."""
    return (
        head.startswith(_MAGIC)
        or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")
        or _is_bmp(head)
        or (is_box(head) and head[8:12] in PICTURE_BRANDS)
    )


def is_box(head: bytes) -> bool:
    """Whether this is ISO base media: MP4, HEIC and many more."""
    # The box's length comes first, and no such box is so long that its first byte could be a letter.
    return head[:1] == b"\0" and head[4:8] == b"ftyp"


def may_show_more(head: bytes) -> bool:
    """Whether a JPEG or PNG may look otherwise in a browser than to Rekognition, which sees one opaque frame.

    A PNG may be animated, or have its true picture in its transparency. Where its pixels begin after `head`, it may.
    """
    if not head.startswith(_BY_REFERENCE[1]):
        return False
    if head[_COLOUR_TYPE : _COLOUR_TYPE + 1] in _WITH_ALPHA:
        return True
    for kind in _chunks(head):
        if kind in _MORE:
            return True
        if kind == b"IDAT":
            return False
    return True


def _chunks(png: bytes) -> Iterator[bytes]:
    at = _PNG_START
    while len(kind := png[at + 4 : at + 8]) == 4:
        yield kind
        at += 12 + int.from_bytes(png[at : at + 4], "big")


def _is_bmp(head: bytes) -> bool:
    """By more than its two letters, with which many a text begins."""
    return head.startswith(b"BM") and head[6:10] == bytes(4) and int.from_bytes(head[14:18], "little") in _BMP_HEADERS
