"""A picture's pixels: opened within bounds, as a viewer would see them, and as JPEG or PNG. Runs in the converter."""

from __future__ import annotations

import importlib
import io
import math
import struct
import zlib
from collections.abc import Iterator
from typing import cast

from PIL import AvifImagePlugin, Image, TiffImagePlugin, WebPImagePlugin

#: Pixels a side that Rekognition wants at least: https://docs.aws.amazon.com/rekognition/latest/dg/limits.html
MIN_SIDE = 80
#: The smaller side of what was smaller: enough for a detector to see what there is to see.
ENLARGED_SIDE = 256
#: The longer side of what was larger. Rekognition takes 10,000, in no more bytes than MAX_BYTES.
LONGEST_SIDE = 4096
#: Longer side to smaller; scaled down beyond it, the smaller one would fall below the minimum.
MOST_RATIO = LONGEST_SIDE // MIN_SIDE
#: Bytes of an image in a request: https://docs.aws.amazon.com/rekognition/latest/dg/limits.html
MAX_BYTES = 5 * 1024 * 1024
#: Pixels up to which a picture is sent without loss.
_LOSSLESS_PIXELS = 256 * 256
_QUALITIES = (92, 75)
#: Share of a picture that must be see-through for what lies behind it to matter: more than rounded corners.
_SEE_THROUGH = 0.001

#: What Pillow's readers raise on damaged bytes.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, RuntimeError)
DAMAGE_TOO = (struct.error, zlib.error, AttributeError, AssertionError)

# HEIF stands behind AVIF, which takes what it can of the brands that both may carry.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: SubIFDs and DNGVersion: a camera's raw data behind a thumbnail that Pillow would take for the picture.
_RAW_TAGS = (330, 50706)


class Refused(Exception):
    """The picture is not converted; `reason` is the slug of the finding."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def prepare(body: bytes) -> None:
    """Load the codec that only some pictures need, and keep every codec on one thread."""
    # Each thread of a codec takes address space, which is what the memory budget counts.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    if body[4:8] == b"ftyp":
        # Twice as slow to load as all the others together.
        heif = importlib.import_module("pillow_heif")
        heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def open_picture(body: bytes, *, pixels: int) -> Image.Image:
    """The picture, its header read and nothing decoded yet. Raises Refused (`image-bomb`, `image-format`, ...)."""
    try:
        image = Image.open(io.BytesIO(body), formats=_FORMATS)
    except Image.DecompressionBombError:
        raise Refused("image-bomb") from None
    check_size(image, pixels=pixels)
    if isinstance(image, TiffImagePlugin.TiffImageFile) and any(tag in image.tag_v2 for tag in _RAW_TAGS):
        raise Refused("image-raw")
    if frames_of(image) == 1 and b"moov" in _boxes(body):
        # A film within a still picture, which no codec here reads.
        raise Refused("image-sequence")
    return image


def check_size(image: Image.Image, *, pixels: int) -> None:
    """Raises Refused (`image-bomb`) where this frame claims to have more pixels."""
    if image.width * image.height > pixels:
        raise Refused("image-bomb")


def frames_of(image: Image.Image) -> int:
    """How many frames or pages a viewer may come to see. A JPEG's further pictures are for other devices."""
    return 1 if image.format in ("JPEG", "MPO") else int(getattr(image, "n_frames", 1))


def turn_of(image: Image.Image) -> int:
    """The EXIF orientation that is still to be applied; 1 is upright. What cannot be read is ignored, as viewers do."""
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
    except (*DAMAGE, *DAMAGE_TOO):
        return 1
    return turn if turn in _TURNS else 1


def upright(image: Image.Image, turn: int) -> Image.Image:
    """Turned and mirrored as the EXIF orientation says."""
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image


def plain(image: Image.Image) -> Image.Image:
    """The frame in RGB, or in RGBA where something of it is see-through."""
    if image.mode.startswith(("I", "F")):
        image = _eight_bit(image)
    if not image.has_transparency_data:
        return _in_mode("RGB", image)
    clear = _in_mode("RGBA", image)
    return clear if _is_see_through(clear) else clear.convert("RGB")


def on(backdrop: str, image: Image.Image) -> Image.Image:
    """A `plain` frame in RGB, before a backdrop of this colour."""
    if image.mode == "RGB":
        return image
    flat = Image.new("RGB", image.size, backdrop)
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def pieces(image: Image.Image, *, most: int) -> Iterator[Image.Image]:
    """The picture at a size that Rekognition takes, in pieces along its longer side where it is too narrow for one.

    Raises Refused (`image-size`) where there would be more than `most`.
    """
    short, long = sorted(image.size)
    # One of a few pixels is stretched instead: nobody could recognise a thing in it as it is.
    count = math.ceil(long / max(short * MOST_RATIO, LONGEST_SIDE))
    if count > most:
        raise Refused("image-size")
    for number in range(count):
        begin, end = (round(long * edge / count) for edge in (number, number + 1))
        wide = image.width == long
        box = (begin, 0, end, image.height) if wide else (0, begin, image.width, end)
        yield image.resize(_fit(box), Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)


def encode(image: Image.Image) -> bytes:
    """A PNG of a small picture, a JPEG of any other, in no more than MAX_BYTES."""
    if image.width * image.height <= _LOSSLESS_PIXELS:
        return _saved(image, "PNG")
    for quality in _QUALITIES:
        if len(body := _saved(image, "JPEG", quality=quality)) <= MAX_BYTES:
            return body
    return encode(image.reduce(2))


def _fit(box: tuple[int, int, int, int]) -> tuple[int, int]:
    """The size at which this box of the picture is sent."""
    width, height = box[2] - box[0], box[3] - box[1]
    short, long = sorted((width, height))
    scale = LONGEST_SIDE / long
    scale = min(scale, ENLARGED_SIDE / short) if short < MIN_SIDE else min(scale, 1.0)
    return max(MIN_SIDE, round(width * scale)), max(MIN_SIDE, round(height * scale))


def _saved(image: Image.Image, form: str, **options: int) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def _in_mode(mode: str, image: Image.Image) -> Image.Image:
    # Pillow would copy what is in this mode already, and a large picture is not had twice.
    return image if image.mode == mode else image.convert(mode)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Gray of 8 bits from gray of 16 bits, as viewers show it, or from numbers of any size, from black to white."""
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value * (1 / 256) + 0).convert("L")
    least, most = cast("tuple[float, float]", image.getextrema())
    if not math.isfinite(most - least) or most == least:
        raise Refused("image-format")
    scale = 255 / (most - least)
    return image.point(lambda value: value * scale - least * scale).convert("L")


def _is_see_through(image: Image.Image) -> bool:
    counts = image.getchannel("A").histogram()
    missing = sum(count * (255 - alpha) for alpha, count in enumerate(counts))
    return missing > _SEE_THROUGH * 255 * image.width * image.height


def _boxes(body: bytes) -> set[bytes]:
    """The kinds of the outermost boxes of an ISO base media file; empty for any other."""
    kinds, at = set[bytes](), 0
    while body[4:8] == b"ftyp" and len(head := body[at : at + 16]) >= 8:
        kinds.add(head[4:8])
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(head[8:16], "big") if size == 1 else size
        if size < 8:
            break
        at += size
    return kinds


#: Named so that no reader finds them only after looking through every other plugin of Pillow's.
READERS = (AvifImagePlugin, TiffImagePlugin, WebPImagePlugin)
