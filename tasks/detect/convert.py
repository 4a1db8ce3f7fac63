"""`python -m tasks.detect.convert '{"pixels": ...}'`: a picture in, what Rekognition should be shown of it out.

A process of its own: codecs crash, hang and eat memory, and this one may. It has no credentials and writes no file.

Standard input is the picture. The argument is a JSON object: `pixels` a frame may have, `frames` to show at most,
`memory` in bytes and `seconds` of CPU to do it in, and `only_more`, to show nothing of a single opaque upright frame.
Standard output is the line `ready`, then one of JSON: `{"refused": "image-format"}`, or `{"views": [["body", 1234]]}`
with each view's name and length, whose bytes (JPEG or PNG) follow in that order.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from tasks.detect.raster import (
    DAMAGE,
    DAMAGE_TOO,
    LONGEST_SIDE,
    Refused,
    check_size,
    encode,
    frames_of,
    on,
    open_picture,
    pieces,
    plain,
    prepare,
    turn_of,
    upright,
)
from tasks.detect.scenes import pick, tiny

#: Transparency is shown before both, so that nothing can hide in the colour of one page.
BACKDROPS = ("white", "black")

#: A frame's number and the backdrop it stands before.
Shot = tuple[int, str]
#: A name, and the bytes of a JPEG or PNG.
View = tuple[str, bytes]


def main() -> None:
    """Convert standard input."""
    serve(lambda body, wanted: convert(body, **{name: wanted[name] for name in ("pixels", "frames", "only_more")}))


def serve(make: Callable[[bytes, Mapping[str, Any]], list[View]]) -> None:
    """Answer standard input with what `make` makes of it, by what the argument wants, and within its bounds.

    `make` may raise Refused.
    """
    wanted = json.loads(sys.argv[1])
    confine(memory=wanted["memory"], seconds=wanted["seconds"])
    body = sys.stdin.buffer.read()
    prepare(body)
    out = sys.stdout.buffer
    out.write(b"ready\n")
    out.flush()
    try:
        views = make(body, wanted)
    except Refused as why:
        _say({"refused": why.reason})
        return
    _say({"views": [(name, len(view)) for name, view in views]})
    for _, view in views:
        out.write(view)


def confine(*, memory: int, seconds: int) -> None:
    """Limit this process: address space in bytes, seconds of CPU, no files, no core, and the first to be killed."""
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        # Where the machine runs out of memory it is this process that ends, and not the worker.
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def convert(body: bytes, *, pixels: int, frames: int, only_more: bool) -> list[View]:
    """The views of a picture, each with its name: `body`, or `frame:3`, `frame:3 on black`, `frame:0 piece 2`.

    Raises Refused.
    """
    with opened(body, pixels=pixels) as image:
        return _converted(Reel(image, pixels=pixels), most=frames, only_more=only_more)


@contextmanager
def opened(body: bytes, *, pixels: int) -> Iterator[Image.Image]:
    """A picture to be looked at meanwhile; whatever its bytes do to its reader is why it is Refused."""
    # Pillow refuses twice as many, some readers before they have claimed the memory for them.
    Image.MAX_IMAGE_PIXELS = max(1, pixels // 2)
    try:
        with warnings.catch_warnings(action="ignore"), open_picture(body, pixels=pixels) as image:
            yield image
    except MemoryError:
        raise Refused("image-memory") from None
    except Image.DecompressionBombError:
        raise Refused("image-bomb") from None
    except (*DAMAGE, *DAMAGE_TOO):
        raise Refused("image-format") from None


class Reel:
    """The frames of a picture, each as `plain` makes it; the last one is kept."""

    def __init__(self, image: Image.Image, *, pixels: int) -> None:
        self._image, self._pixels = image, pixels
        self._kept: tuple[int, Image.Image] | None = None

    @property
    def numbers(self) -> list[int]:
        """Every frame's number; the one that viewers show first comes first."""
        first = self._image.tell()
        return [first, *(number for number in range(frames_of(self._image)) if number != first)]

    def frame(self, number: int) -> Image.Image:
        """A frame, not turned yet. Raises Refused, and what readers raise on damaged bytes."""
        if self._kept and self._kept[0] == number:
            return self._kept[1]
        self._kept = None
        if self._image.tell() != number:
            self._image.seek(number)
        check_size(self._image, pixels=self._pixels)
        if self._image.format == "JPEG":
            # A fraction of a large one is decoded at a fraction of the price.
            self._image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        self._kept = number, plain(self._image)
        return self._kept[1]

    def turn(self) -> int:
        """The EXIF orientation of the frame that was asked for last."""
        return turn_of(self._image)


def _converted(reel: Reel, *, most: int, only_more: bool) -> list[tuple[str, bytes]]:
    shots = _shots(reel, most=most)
    if only_more and len(shots) == 1 and reel.turn() == 1:
        return []
    views = [view for shot in shots for view in _pieces_of(reel, shot, most=most)]
    if len(views) > most:
        raise Refused("image-size")
    return views if only_more or len(views) > 1 else [("body", view) for _, view in views]


def _shots(reel: Reel, *, most: int) -> list[Shot]:
    """What to show: the picture as it opens, then the scenes least like what is shown already."""
    shots, thumbs = list[Shot](), list[Image.Image]()
    for number in reel.numbers:
        small = tiny(frame := reel.frame(number))
        for backdrop in BACKDROPS if frame.mode == "RGBA" else BACKDROPS[:1]:
            shots.append((number, backdrop))
            thumbs.append(on(backdrop, small))
    return [shots[place] for place in pick(thumbs, most=most)]


def _pieces_of(reel: Reel, shot: Shot, *, most: int) -> Iterator[tuple[str, bytes]]:
    number, backdrop = shot
    name = f"frame:{number}" + (f" on {backdrop}" if backdrop != BACKDROPS[0] else "")
    frame = reel.frame(number)
    parts = [encode(upright(on(backdrop, piece), reel.turn())) for piece in pieces(frame, most=most)]
    for place, part in enumerate(parts, 1):
        yield (f"{name} piece {place}" if len(parts) > 1 else name), part


def _say(document: dict[str, object]) -> None:
    sys.stdout.buffer.write(json.dumps(document).encode() + b"\n")


if __name__ == "__main__":
    main()
