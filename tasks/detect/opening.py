"""The opening of an MP4 or MOV: its first bytes, and its index where that stands at the end, without the rest."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.detect.picture import Converter

#: Bytes from the start of a video: some seconds of it.
HEAD_BYTES = 6 * 1024 * 1024
#: Bytes of the index at most; the index of an hour of film has about half of it.
INDEX_BYTES = 4 * 1024 * 1024

#: Shows frames of an opening: the converter of videos.
COMMAND = (sys.executable, "-P", "-m", "tasks.detect.frames")

#: Bytes of an index that hold what says how long the video is.
LENGTH_BYTES = 48

_INDEX, _HEADER = b"moov", b"mvhd"
#: By the version of a movie header: its units a second, and its length, behind two dates.
_HEADERS = {0: struct.Struct(">8xII"), 1: struct.Struct(">16xIQ")}
#: The video's size, the length of its first piece, and where the second piece stands.
_FRAME = struct.Struct(">QQQ")
_SHORT, _LONG = 8, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Two pieces of a file of `size` bytes: the beginning, and what stands `index_at`."""

    size: int
    head: bytes
    index_at: int = 0
    index: bytes = b""

    def read(self, at: int, size: int) -> bytes:
        """Bytes from a place on, as many as there are in one piece; none where nothing was read."""
        start, piece = (self.index_at, self.index) if self.index and at >= self.index_at else (0, self.head)
        begin = at - start
        return piece[begin:] if size < 0 else piece[begin : begin + size]


def projector(
    *, frames: int = 3, pixels: int = 100_000_000, memory: int = 1024 * 1024 * 1024, seconds: int = 10
) -> Converter:
    """What shows the first `frames` of a video, one a second, of `pixels`; `memory` in bytes, `seconds` of CPU."""
    return Converter(
        most_bytes=_FRAME.size + HEAD_BYTES + INDEX_BYTES,
        pixels=pixels,
        frames=frames,
        memory=memory,
        seconds=seconds,
        command=COMMAND,
    )


def index_at(head: bytes, *, size: int) -> int | None:
    """Where the index of a video stands, within its first bytes or behind them; None where none is to be seen."""
    end = 0
    for at, kind, length in _boxes(head, size=size):
        if kind == _INDEX:
            return at
        end = at + length
    return end if end and len(head) <= end < size else None


def index_beyond(head: bytes, *, size: int) -> int | None:
    """Where the index of a video stands if not within its first bytes; None if it does, or where none is to be seen."""
    at = index_at(head, size=size)
    return at if at is not None and at >= len(head) else None


def seconds_by(index: bytes) -> float | None:
    """How long a video is by the beginning of its index (`LENGTH_BYTES`); None where that does not say.

    A movie header comes first: its version, two dates, its units a second, and its length in them.
    https://developer.apple.com/documentation/quicktime-file-format/movie_header_atom
    """
    header = index[_SHORT:]
    if index[4:_SHORT] != _INDEX or header[4:_SHORT] != _HEADER or len(header) < LENGTH_BYTES - _SHORT:
        return None
    version, fields = header[_SHORT], _HEADERS.get(header[_SHORT])
    if fields is None:
        return None
    units, length = fields.unpack_from(header, _SHORT + 4)
    # All ones: the writer could not tell. Nothing: a film in fragments, each of which has a length of its own.
    unknown = not units or not length or length == (2**64 - 1 if version else 2**32 - 1)
    return None if unknown else float(length / units)


def pack(opening: Opening) -> bytes:
    """One body of both pieces, which `unpack` takes apart again."""
    frame = _FRAME.pack(opening.size, len(opening.head), opening.index_at)
    return frame + opening.head + opening.index


def unpack(body: bytes) -> Opening:
    """The opening that was packed."""
    size, length, index_at = _FRAME.unpack_from(body)
    head, index = body[_FRAME.size : _FRAME.size + length], body[_FRAME.size + length :]
    return Opening(size=size, head=head, index_at=index_at, index=index)


def _boxes(head: bytes, *, size: int) -> Iterator[tuple[int, bytes, int]]:
    """(place, kind, length) of the outermost boxes that begin within the head."""
    at = 0
    while at + _SHORT <= len(head):
        length, kind = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + _SHORT]
        if length == 1:
            length = int.from_bytes(head[at + _SHORT : at + _LONG], "big")
        elif length == 0:
            length = size - at
        if length < _SHORT:
            return
        yield at, kind, length
        at += length
