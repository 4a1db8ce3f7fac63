"""`python -m tasks.detect.still '{"pixels": ...}'`: a picture in, a small soft grey still of it out.

A process of its own, as `tasks.detect.convert` is and for the same reasons, with the same argument and the same
answer: a single view, `body`. For people who should see as little as decides: what is so small and grey cannot be made
sharp again by whoever it is sent to.
"""

from __future__ import annotations

import io
import json
import sys

from PIL import Image, ImageFilter

from tasks.detect.convert import confine
from tasks.detect.picture import Converter
from tasks.detect.raster import DAMAGE, DAMAGE_TOO, Refused, on, open_picture, plain, prepare, turn_of, upright

#: The still's longer side, and how far each of its pixels spreads.
SIDE, SOFT = 96, 1.2
#: The converter of stills.
COMMAND = (sys.executable, "-P", "-m", "tasks.detect.still")


def still_maker() -> Converter:
    """What makes stills, one from each picture."""
    return Converter(frames=1, command=COMMAND)


def main() -> None:
    """Make a still of standard input."""
    wanted = json.loads(sys.argv[1])
    confine(memory=wanted["memory"], seconds=wanted["seconds"])
    body = sys.stdin.buffer.read()
    prepare(body)
    out = sys.stdout.buffer
    out.write(b"ready\n")
    out.flush()
    try:
        still = still_of(body, pixels=wanted["pixels"])
    except Refused as why:
        out.write(json.dumps({"refused": why.reason}).encode() + b"\n")
        return
    out.write(json.dumps({"views": [("body", len(still))]}).encode() + b"\n" + still)


def still_of(body: bytes, *, pixels: int) -> bytes:
    """A PNG of the picture as it opens. Raises Refused."""
    Image.MAX_IMAGE_PIXELS = max(1, pixels // 2)
    try:
        with open_picture(body, pixels=pixels) as image:
            if image.format == "JPEG":
                image.draft("RGB", (2 * SIDE, 2 * SIDE))
            turn = turn_of(image)
            frame = on("white", plain(image))
            frame.thumbnail((SIDE, SIDE))
            out = io.BytesIO()
            upright(frame, turn).convert("L").filter(ImageFilter.GaussianBlur(SOFT)).save(out, "PNG")
            return out.getvalue()
    except MemoryError:
        raise Refused("image-memory") from None
    except Image.DecompressionBombError:
        raise Refused("image-bomb") from None
    except (*DAMAGE, *DAMAGE_TOO):
        raise Refused("image-format") from None


if __name__ == "__main__":
    main()
