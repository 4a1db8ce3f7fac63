"""Pictures: every format that people upload, clean and flagged, then truncated, lying, and too much."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image
from skimage import data

from corpus.entry import Entry

pillow_heif.register_heif_opener()

FLAGGED = Path(__file__).parents[1] / "fixtures" / "abstract20_grid.png"
EXPLICIT = "labels/Explicit"

#: Name -> Pillow's format, its options, and the mode that is saved.
FORMATS: dict[str, tuple[str, dict[str, Any], str]] = {
    "baseline.jpg": ("JPEG", {"quality": 90}, "RGB"),
    "progressive.jpg": ("JPEG", {"quality": 80, "progressive": True}, "RGB"),
    "cmyk.jpg": ("JPEG", {"quality": 90}, "CMYK"),
    "plain.png": ("PNG", {}, "RGB"),
    "alpha.png": ("PNG", {}, "RGBA"),
    "palette.png": ("PNG", {}, "P"),
    "lossy.webp": ("WEBP", {"quality": 95}, "RGB"),
    "lossless.webp": ("WEBP", {"lossless": True}, "RGB"),
    "alpha.webp": ("WEBP", {"lossless": True}, "RGBA"),
    "still.gif": ("GIF", {}, "P"),
    "plain.bmp": ("BMP", {}, "RGB"),
    "raw.tiff": ("TIFF", {}, "RGB"),
    "lzw.tiff": ("TIFF", {"compression": "tiff_lzw"}, "RGB"),
    "deflate.tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}, "RGB"),
    "photo.heic": ("HEIF", {"quality": 90}, "RGB"),
    "photo.avif": ("AVIF", {"quality": 85}, "RGB"),
}
#: Formats in which several frames move.
MOVING: dict[str, dict[str, Any]] = {
    "GIF": {"duration": 100, "loop": 0},
    "WEBP": {"duration": 100, "lossless": True},
    "PNG": {"duration": 100},
}
#: The first bytes that a truncated file keeps, as a share.
CUTS = (0.3, 0.7)


def pictures() -> Iterator[Entry]:
    """All of them."""
    yield from _healthy()
    yield from _moving()
    yield from _turned()
    yield from _odd_sizes()
    yield from _truncated()
    yield from _lying()
    yield from _bombs()


@cache
def photo() -> Image.Image:
    """A photo that nobody minds."""
    return Image.fromarray(data.astronaut()).resize((256, 256))


@cache
def tiny() -> Image.Image:
    """Colour noise of 20 x 20 px that a real model, shown it at 256, takes for something explicit."""
    return Image.open(FLAGGED).convert("RGB")


@cache
def flagged() -> Image.Image:
    """The same at 256 px."""
    return tiny().resize((256, 256), Image.Resampling.BICUBIC)


def saved(image: Image.Image, form: str, mode: str = "RGB", **options: Any) -> bytes:
    """An image in one format."""
    out = io.BytesIO()
    # Dithered to a palette of everybody's, it would be another picture.
    shown = image.convert("RGB").quantize(256, dither=Image.Dither.NONE) if mode == "P" else image.convert(mode)
    shown.save(out, form, **options)
    return out.getvalue()


def in_format(name: str, image: Callable[[], Image.Image]) -> Callable[[], bytes]:
    """A maker of an image in one of FORMATS."""
    form, options, mode = FORMATS[name]
    return lambda: saved(image(), form, mode, **options)


def _healthy() -> Iterator[Entry]:
    for name in FORMATS:
        yield Entry(name=f"clean-{name}", make=in_format(name, photo), ends="allowed")
        # Of its colours a palette holds enough only while they are few.
        noise = tiny if FORMATS[name][2] == "P" else flagged
        yield Entry(name=f"flagged-{name}", make=in_format(name, noise), ends="rejected", rule=EXPLICIT)
    yield Entry(name="grey.jpg", make=lambda: saved(photo(), "JPEG", "L"), ends="allowed")
    yield Entry(name="grey-16-bit.png", make=lambda: saved(photo().convert("I;16"), "PNG", "I;16"), ends="allowed")
    yield Entry(name="black-and-white.png", make=lambda: saved(photo(), "PNG", "1"), ends="allowed")
    yield Entry(name="grey-alpha.png", make=lambda: saved(photo(), "PNG", "LA"), ends="allowed")
    yield Entry(name="two-pages.tiff", make=_two_pages, ends="rejected", rule=EXPLICIT)


def _two_pages() -> bytes:
    out = io.BytesIO()
    photo().save(out, "TIFF", save_all=True, append_images=[flagged()])
    return out.getvalue()


def _moving() -> Iterator[Entry]:
    """Three frames; what is flagged comes last, where who looks at the first alone does not see it."""
    for form, options in MOVING.items():
        for name, last, ends, rule in (
            ("clean", photo, "allowed", ""),
            ("flagged", tiny if form == "GIF" else flagged, "rejected", EXPLICIT),
        ):
            yield Entry(
                name=f"moving-{name}.{form.lower()}",
                make=lambda form=form, last=last, options=options: frames(last(), form, options),
                ends=ends,
                rule=rule,
            )


def frames(last: Image.Image, form: str, options: dict[str, Any]) -> bytes:
    """A moving picture of three frames, of which `last` is the last."""
    out = io.BytesIO()
    first, *others = (
        shown.resize(tiny().size).quantize(256, dither=Image.Dither.NONE) if form == "GIF" else shown
        for shown in (photo(), photo().rotate(180), last)
    )
    first.save(out, form, save_all=True, append_images=others, **options)
    return out.getvalue()


def _turned() -> Iterator[Entry]:
    """EXIF's eight orientations."""
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield Entry(
            name=f"turned-{orientation}.jpg",
            make=lambda exif=exif: saved(flagged(), "JPEG", quality=95, exif=exif),
            ends="rejected",
            rule=EXPLICIT,
        )


def _odd_sizes() -> Iterator[Entry]:
    """Outside of what Rekognition takes."""
    sizes = {"one-pixel": (1, 1), "icon": (16, 16), "banner": (12_000, 100), "tower": (90, 11_000), "line": (9_000, 3)}
    for name, size in sizes.items():
        yield Entry(
            name=f"{name}.png",
            make=lambda size=size: saved(Image.new("RGB", size, (90, 120, 90)), "PNG"),
            ends="allowed",
        )
    yield Entry(
        name="flagged-icon.png",
        make=FLAGGED.read_bytes,
        ends="rejected",
        rule=EXPLICIT,
    )
    yield Entry(
        name="flagged-banner.png",
        make=lambda: saved(flagged().resize((11_000, 11_000 // 3), Image.Resampling.NEAREST), "PNG"),
        ends="rejected",
        rule=EXPLICIT,
    )
    yield Entry(name="heavy.bmp", make=lambda: saved(photo().resize((2600, 2600)), "BMP"), ends="allowed")


def _truncated() -> Iterator[Entry]:
    """Half an upload. What can still be drawn may still be judged; what cannot is held."""
    for name in (
        "baseline.jpg",
        "plain.png",
        "lossy.webp",
        "still.gif",
        "plain.bmp",
        "lzw.tiff",
        "photo.heic",
        "photo.avif",
    ):
        for cut in CUTS:
            yield Entry(
                name=f"cut-{int(cut * 100)}-{name}",
                make=lambda name=name, cut=cut: (whole := in_format(name, photo)())[: int(len(whole) * cut)],
                ends="held",
                rule="unreadable/image-format",
            )


def _lying() -> Iterator[Entry]:
    """The bytes decide, whatever the name and the Content-Type say."""
    webp, gif = in_format("lossy.webp", flagged), in_format("still.gif", tiny)
    yield Entry(name="webp-as.jpg", make=webp, ends="rejected", rule=EXPLICIT, content_type="image/jpeg")
    yield Entry(name="gif-as.txt", make=gif, ends="rejected", rule=EXPLICIT, content_type="text/plain")
    yield Entry(
        name="png-as.mp4",
        make=in_format("plain.png", flagged),
        ends="rejected",
        rule=EXPLICIT,
        content_type="video/mp4",
    )
    yield Entry(name="heic-as.png", make=in_format("photo.heic", photo), ends="allowed", content_type="image/png")
    yield Entry(
        name="zip-as.png",
        make=lambda: b"PK\x03\x04" + bytes(200),
        ends="held",
        rule="unreadable/unknown-kind",
        content_type="image/png",
    )
    yield Entry(
        name="noise-as.jpg",
        make=lambda: bytes(range(256)) * 40,
        ends="held",
        rule="unreadable/unknown-kind",
        content_type="image/jpeg",
    )
    yield Entry(
        name="drawing.svg",
        make=lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>',
        ends="held",
        rule="unreadable/unknown-kind",
        content_type="image/svg+xml",
    )
    yield Entry(name="nothing.jpg", make=bytes, ends="held", rule="unreadable/empty", content_type="image/jpeg")
    for name, magic in {
        "jpg": b"\xff\xd8\xff\xe0",
        "png": b"\x89PNG\r\n\x1a\n",
        "webp": b"RIFF\x20\0\0\0WEBPVP8 ",
        "gif": b"GIF89a",
    }.items():
        yield Entry(
            name=f"only-its-magic.{name}",
            make=lambda magic=magic: magic + bytes(64),
            ends="held",
            rule="unreadable/image-format",
        )


def _bombs() -> Iterator[Entry]:
    """Small files of very many pixels."""
    for name, side in {"bomb-30k.png": 30_000, "bomb-100k.png": 100_000}.items():
        yield Entry(name=name, make=lambda side=side: png_of(side), ends="held", rule="unreadable/image-bomb")
    yield Entry(
        name="bomb.gif",
        make=lambda: gif_of(65_000),
        ends="held",
        rule="unreadable/image-bomb",
    )


def png_of(side: int) -> bytes:
    """A black PNG of side x side pixels at 1 bit each, which nobody needs to hold in memory to write."""
    packed = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    pixels = b"".join([*(packed.compress(row * 100) for _ in range(min(side, 3000) // 100)), packed.flush()])
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def gif_of(side: int) -> bytes:
    """A GIF whose one pixel says that it stands on a canvas of side x side."""
    one = bytearray(saved(Image.new("RGB", (1, 1)), "GIF"))
    one[6:10] = struct.pack("<HH", side, side)
    return bytes(one)
