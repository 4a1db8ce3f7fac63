"""`python -m tasks.detect.frames '{"frames": 3, ...}'`: the opening of an MP4 or MOV in, its first frames out.

A process of its own, as `tasks.detect.convert` is and for the same reasons, with the same argument and the same
answer: each view is named by its time, `frame:2000` for the one at two seconds. Standard input is what
`tasks.detect.opening` packs. Needs the extra `frames`.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from typing import Any

import av
from av.error import FFmpegError
from PIL import Image

from tasks.detect.convert import confine
from tasks.detect.opening import Opening, unpack
from tasks.detect.raster import DAMAGE, Refused, encode, pieces

#: Milliseconds between two frames that are shown.
STEP_MS = 1000
#: Pixels of a frame's longer side: more shows Rekognition no more, and every frame is encoded and sent.
LONGEST_SIDE = 1280


def main() -> None:
    """Show the first frames of standard input."""
    wanted = json.loads(sys.argv[1])
    confine(memory=wanted["memory"], seconds=wanted["seconds"])
    opening = unpack(sys.stdin.buffer.read())
    out = sys.stdout.buffer
    out.write(b"ready\n")
    out.flush()
    try:
        views = first_frames(opening, most=wanted["frames"], pixels=wanted["pixels"])
    except Refused as why:
        out.write(json.dumps({"refused": why.reason}).encode() + b"\n")
        return
    out.write(json.dumps({"views": [(name, len(view)) for name, view in views]}).encode() + b"\n")
    for _, view in views:
        out.write(view)


def first_frames(opening: Opening, *, most: int, pixels: int) -> list[tuple[str, bytes]]:
    """At most so many frames from the beginning on, one a second, by name. Raises Refused where there is none."""
    views: list[tuple[str, bytes]] = []
    try:
        with av.open(_Tape(opening), mode="r", format="mov") as container:
            for ms, image in _shown(container, pixels=pixels):
                views.append((f"frame:{ms}", encode(image)))
                if len(views) == most:
                    break
    except (FFmpegError, MemoryError, *DAMAGE):
        pass  # where the opening ends in the middle of a frame, those before it are what we came for
    if not views:
        raise Refused("image-format")
    return views


def _shown(container: Any, *, pixels: int) -> Iterator[tuple[int, Image.Image]]:
    stream = container.streams.video[0]
    if stream.codec_context.width * stream.codec_context.height > pixels:
        raise Refused("image-bomb")
    # Each thread of a codec takes address space, which is what the memory budget counts.
    stream.codec_context.thread_count = 1
    due = 0
    for frame in container.decode(stream):
        ms = max(0, round(1000 * (frame.time or 0)))
        if ms >= due:
            yield ms, _fitted(frame)
            due = ms + STEP_MS


def _fitted(frame: Any) -> Image.Image:
    """Upright, and at a size that Rekognition takes."""
    image: Image.Image = frame.to_image()
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    if frame.rotation:
        image = image.rotate(frame.rotation, expand=True)
    return next(iter(pieces(image, most=1)))


class _Tape(io.RawIOBase):
    """The opening as a file with a hole where nothing was read; reading there ends the file."""

    def __init__(self, opening: Opening) -> None:
        self._opening, self._at = opening, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._opening.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        piece = self._opening.read(self._at, size)
        self._at += len(piece)
        return piece


if __name__ == "__main__":
    main()
