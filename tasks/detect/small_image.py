"""Images below Rekognition's minimum side are enlarged, so that a tiny upload is no way past the detectors."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from tasks.aws.faults import Unreadable

#: Pixels a side that Rekognition wants at least: https://docs.aws.amazon.com/rekognition/latest/dg/limits.html
MIN_SIDE = 80
#: Pixels a side that it takes at most.
MAX_SIDE = 10_000
#: The smaller side of what is sent instead: enough for a detector to see what there is to see.
ENLARGED_SIDE = 256
#: Bytes of an image that is sent in the request instead of by reference.
MAX_INLINE_BYTES = 5 * 1024 * 1024


def enlarge(body: bytes) -> bytes:
    """A PNG of a JPEG or PNG whose smaller side is below the minimum, scaled up.

    Raises Unreadable: `image-format` for what cannot be decoded, `image-size` for what is not small, or so
    narrow that no scale makes it fit.
    """
    try:
        with Image.open(io.BytesIO(body), formats=("JPEG", "PNG")) as image:
            width, height = _enlarged(*image.size)
            larger = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    except Image.DecompressionBombError:
        raise Unreadable("too many pixels to decode", reason="image-size") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise Unreadable("the image cannot be decoded", reason="image-format") from None
    target = io.BytesIO()
    larger.save(target, "PNG")
    return target.getvalue()


def _enlarged(width: int, height: int) -> tuple[int, int]:
    """The size to scale to. The caller's pixels are bounded by it: nothing larger than it is ever decoded."""
    smaller = min(width, height)
    scale = ENLARGED_SIDE / max(smaller, 1)
    if smaller >= MIN_SIDE or max(width, height) * scale > MAX_SIDE:
        raise Unreadable(f"{width} x {height} pixels", reason="image-size")
    return max(1, round(width * scale)), max(1, round(height * scale))
