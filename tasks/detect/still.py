"""`python -m tasks.detect.still '{"pixels": ...}'`: a picture in, a small soft grey still of it out.

A process of its own, as `tasks.detect.convert` is and for the same reasons, with the same argument and the same
answer: a single view, `body`. For people who should see as little as decides: what is so small and grey cannot be made
sharp again by whoever it is sent to.
"""

from __future__ import annotations

import io
import sys

from PIL import ImageFilter

from tasks.detect.convert import opened, serve
from tasks.detect.picture import Converter
from tasks.detect.raster import on, plain, turn_of, upright

#: The still's longer side, and how far each of its pixels spreads.
SIDE, SOFT = 96, 1.2
#: The converter of stills.
COMMAND = (sys.executable, "-P", "-m", "tasks.detect.still")


def still_maker() -> Converter:
    """What makes stills, one from each picture."""
    return Converter(frames=1, command=COMMAND)


def main() -> None:
    """Make a still of standard input."""
    serve(lambda body, wanted: [("body", still_of(body, pixels=wanted["pixels"]))])


def still_of(body: bytes, *, pixels: int) -> bytes:
    """A PNG of the picture as it opens. Raises Refused."""
    with opened(body, pixels=pixels) as image:
        if image.format == "JPEG":
            image.draft("RGB", (2 * SIDE, 2 * SIDE))
        turn = turn_of(image)
        frame = on("white", plain(image))
        frame.thumbnail((SIDE, SIDE))
        out = io.BytesIO()
        upright(frame, turn).convert("L").filter(ImageFilter.GaussianBlur(SOFT)).save(out, "PNG")
        return out.getvalue()


if __name__ == "__main__":
    main()
