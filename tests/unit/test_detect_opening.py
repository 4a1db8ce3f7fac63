"""The opening of a video: what of it is read, and what a child makes of it."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tasks.aws.faults import Unreadable
from tasks.detect.opening import LENGTH_BYTES, Opening, index_at, index_beyond, pack, projector, seconds_by, unpack


def colour(name: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (256, 256), name).save(out, "PNG")
    return out.getvalue()


def film(seconds: int, *, to: Path, options: dict[str, str] | None = None, noise: bool = False) -> bytes:
    """A second of red, one of green, one of blue, and so on; with noise it is large."""
    colours, chance = ((200, 0, 0), (0, 200, 0), (0, 0, 200)), np.random.default_rng(1)
    with av.open(str(to), "w", format="mp4", options=options or {}) as container:
        stream: Any = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for frame in range(5 * seconds):
            pixels = np.full((96, 128, 3), colours[frame // 5 % 3], "uint8")
            if noise:
                pixels += chance.integers(0, 50, pixels.shape, "uint8")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return to.read_bytes()


def names(first: int) -> tuple[str, ...]:
    return tuple(f"frame:{first + 1000 * second}" for second in range(3))


def shown(opening: Opening, *, frames: int = 3) -> list[tuple[str, str]]:
    """(part, main colour) of each frame that the projector shows."""
    found = []
    for view in projector(frames=frames).convert(pack(opening)):
        means = np.asarray(Image.open(io.BytesIO(view.image["Bytes"]))).reshape(-1, 3).mean(axis=0)
        found.append((view.part, "rgb"[int(means.argmax())]))
    return found


def test_an_opening_is_packed_and_unpacked() -> None:
    opening = Opening(size=99, head=b"head", index_at=50, index=b"index")
    assert unpack(pack(opening)) == opening
    assert [opening.read(*place) for place in ((0, 2), (2, 9), (4, 9), (50, 3), (52, -1), (60, 1))] == [
        *(b"he", b"ad", b"", b"ind", b"dex", b""),
    ]


@pytest.mark.parametrize(
    ("head", "size", "expected"),
    [
        (b"\0\0\0\x08ftyp\0\0\0\x08moov\0\0\0\x64mdat", 116, None),
        (b"\0\0\0\x08ftyp\0\0\0\x64mdat....", 200, 108),
        (b"\0\0\0\x08ftyp\0\0\0\x01mdat\0\0\0\2\0\0\0\0..", 2**33 + 99, 2**33 + 8),
        (b"\0\0\0\x08ftyp\0\0\0\0mdat....", 200, None),
        (b"\0\0\0\x08ftyp\0\0\0\x64mdat....", 100, None),
        (b"\0\0\0\x08ftyp\0\0\0\x04mdat....", 200, None),
        (b"", 200, None),
    ],
)
def test_the_index_is_looked_for_where_the_boxes_say(head: bytes, size: int, expected: int | None) -> None:
    assert index_beyond(head, size=size) == expected


@pytest.mark.parametrize("options", [{}, {"movflags": "faststart"}, {"movflags": "frag_keyframe+empty_moov"}])
def test_the_first_frames_are_shown_one_a_second(options: dict[str, str], tmp_path: Path) -> None:
    body = film(4, to=tmp_path / "film.mp4", options=options)
    whole = Opening(size=len(body), head=body)
    # In fragments, the clock starts where the first frame is decoded.
    times, colours = zip(*shown(whole), strict=True)
    assert (times, colours) in [(names(0), ("r", "g", "b")), (names(400), ("r", "g", "b"))]
    assert len(shown(whole, frames=1)) == 1


def test_an_index_at_the_end_is_used_without_what_lies_between(tmp_path: Path) -> None:
    body = film(20, to=tmp_path / "film.mp4", noise=True)
    head = body[: len(body) // 4]
    index_at = index_beyond(head, size=len(body))
    assert index_at is not None
    assert body[index_at + 4 : index_at + 8] == b"moov"
    opening = Opening(size=len(body), head=head, index_at=index_at, index=body[index_at:])
    assert shown(opening) == [("frame:0", "r"), ("frame:1000", "g"), ("frame:2000", "b")]


@pytest.mark.parametrize("options", [{}, {"movflags": "faststart"}])
def test_an_index_tells_how_long_a_video_is(options: dict[str, str], tmp_path: Path) -> None:
    body = film(4, to=tmp_path / "film.mp4", options=options)
    at = index_at(body, size=len(body))
    assert at is not None
    assert seconds_by(body[at : at + LENGTH_BYTES]) == 4.0


@pytest.mark.parametrize(
    ("version", "fields", "expected"),
    [
        (0, struct.pack(">8xII12x", 600, 1_500), 2.5),
        (1, struct.pack(">16xIQ", 90_000, 90_000 * 2**32), 2.0**32),
        (0, struct.pack(">8xII12x", 600, 0), None),
        (0, struct.pack(">8xII12x", 0, 600), None),
        (0, struct.pack(">8xII12x", 600, 2**32 - 1), None),
        (1, struct.pack(">16xIQ", 600, 2**64 - 1), None),
        (2, struct.pack(">16xIQ", 600, 600), None),
        (1, struct.pack(">16xI", 600), None),
    ],
)
def test_a_length_is_read_in_both_versions_and_never_guessed(
    version: int, fields: bytes, expected: float | None
) -> None:
    header = b"mvhd" + bytes([version, 0, 0, 0]) + fields
    assert seconds_by(b"\0\0\1\0moov\0\0\0\x6c" + header) == expected
    assert seconds_by(b"\0\0\1\0free\0\0\0\x6c" + header) is None


@pytest.mark.parametrize("length", [0, 100, 300])
def test_what_cannot_be_decoded_shows_nothing_and_says_why(length: int, tmp_path: Path) -> None:
    body = film(1, to=tmp_path / "film.mp4")[:length]
    with pytest.raises(Unreadable) as caught:
        projector().convert(pack(Opening(size=len(body) or 1, head=body)))
    assert caught.value.reason == "image-format"


def test_a_frame_that_is_too_large_is_not_decoded(make_video: Callable[..., bytes]) -> None:
    body = make_video([colour("red")])
    with pytest.raises(Unreadable) as caught:
        projector(pixels=256 * 255).convert(pack(Opening(size=len(body), head=body)))
    assert caught.value.reason == "image-bomb"
