"""Pictures by their first bytes: which may show a viewer more than Rekognition sees by reference."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from tasks.detect.signature import may_show_more


def png(mode: str = "RGB", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (20, 20)).save(out, "PNG", **options)
    return out.getvalue()


def moving() -> bytes:
    return png(save_all=True, append_images=[Image.new("RGB", (20, 20), "red")])


def wordy(length: int) -> bytes:
    """A PNG with so many bytes in front of its pixels."""
    info = PngImagePlugin.PngInfo()
    info.add(b"teXt", b"a\0" + b"b" * length)
    return png(pnginfo=info)


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return png(exif=exif)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16"])
def test_an_opaque_png_shows_what_it_shows(mode: str) -> None:
    assert not may_show_more(png(mode))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_a_png_with_transparency_may_show_more(mode: str) -> None:
    assert may_show_more(png(mode))


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_png_with_a_colour_that_is_see_through_may_show_more(mode: str) -> None:
    assert may_show_more(png(mode, transparency=(0, 0, 0) if mode == "RGB" else 0))


def test_a_moving_or_turned_png_shows_more() -> None:
    assert may_show_more(moving())
    assert may_show_more(turned())


def test_a_png_whose_pixels_begin_beyond_what_was_read_may_show_more() -> None:
    assert not may_show_more(wordy(100)[:4096])
    assert may_show_more(wordy(5000)[:4096])
    assert not may_show_more(wordy(5000))


def test_a_jpeg_is_one_opaque_frame() -> None:
    assert not may_show_more(b"\xff\xd8\xff\xe0" + bytes(100))


@pytest.mark.parametrize("size", [(4, 4), (0xFFFFFFFF, 4)])
def test_lengths_that_lie_do_not_hang_or_fail(size: tuple[int, int]) -> None:
    length = size[0].to_bytes(4, "big")
    assert may_show_more(png()[:8] + length + b"junk" * 100)
