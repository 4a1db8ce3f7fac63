"""Pictures of every format become what Rekognition takes, and nothing that a codec does reaches the worker."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tasks.aws.faults import Transient, Unreadable, Withheld
from tasks.detect.convert import convert
from tasks.detect.picture import AT_ONCE, Converter, View, read_views
from tasks.detect.raster import LONGEST_SIDE, MAX_BYTES, MIN_SIDE, Refused

pillow_heif.register_heif_opener()

CONVERTER = Converter()
STILL = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
MOVING = ("PNG", "WEBP", "GIF", "TIFF", "AVIF")
COLOURS = ("red", "lime", "blue", "white", "black", "yellow", "magenta")
ORANGE = (250, 120, 10)


def picture(form: str, size: tuple[int, int] = (200, 100), *, mode: str = "RGB", **options: Any) -> bytes:
    """An orange picture whose upper left quarter is blue."""
    image = Image.new("RGB", size, ORANGE)
    image.paste((0, 0, 255), (0, 0, size[0] // 2, size[1] // 2))
    return saved(image.convert(mode), form, **options)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def moving(form: str, colours: Sequence[str] = COLOURS[:3], **options: Any) -> bytes:
    first, *others = (Image.new("RGB", (100, 100), colour) for colour in colours)
    return saved(first, form, save_all=True, append_images=others, **options)


def claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def opened(view: View) -> Image.Image:
    """A view, which is what Rekognition takes."""
    body = view.image["Bytes"]
    image = Image.open(io.BytesIO(body))
    image.load()
    assert (image.format in ("JPEG", "PNG"), image.mode, len(body) <= MAX_BYTES) == (True, "RGB", True)
    assert MIN_SIDE <= min(image.size) <= max(image.size) <= LONGEST_SIDE
    return image


def shown(body: bytes, *, converter: Converter = CONVERTER, only_more: bool = False) -> dict[str, Image.Image]:
    return {view.part: opened(view) for view in converter.convert(body, only_more=only_more)}


def colour(image: Image.Image, x: float, y: float) -> str:
    """The colour at shares of width and height, roughly: JPEG and the like lose a little."""
    red, green, blue = image.getpixel((int(x * image.width), int(y * image.height)))  # type: ignore[misc]
    named = {"blue": (0, 0, 255), "orange": ORANGE, "red": (255, 0, 0), "lime": (0, 255, 0)}
    named |= {"white": (255, 255, 255), "black": (0, 0, 0), "yellow": (255, 255, 0), "magenta": (255, 0, 255)}
    off = {name: abs(red - r) + abs(green - g) + abs(blue - b) for name, (r, g, b) in named.items()}
    return min(off, key=off.__getitem__)


def refusal(body: bytes, *, converter: Converter = CONVERTER) -> str:
    with pytest.raises(Unreadable) as caught:
        converter.convert(body)
    return caught.value.reason


@pytest.mark.parametrize("form", STILL)
def test_every_format_becomes_one_view_that_shows_the_same(form: str) -> None:
    views = shown(picture(form))
    assert list(views) == ["body"]
    assert (colour(views["body"], 0.25, 0.25), colour(views["body"], 0.75, 0.75)) == ("blue", "orange")
    assert views["body"].size == (200, 100)


@pytest.mark.parametrize("form", STILL)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_picture_is_unreadable(form: str, share: float) -> None:
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    whole = saved(noise, form)
    assert refusal(whole[: int(len(whole) * share)]) == "image-format"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (claims(60_000, 60_000), "image-bomb"),
        (claims(2**31 - 1, 1), "image-bomb"),
        (picture("GIF")[:6] + struct.pack("<HH", 65_000, 65_000) + picture("GIF")[10:], "image-bomb"),
        (b"RIFF\x50\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + 2 * b"\xff\x3f\0" + bytes(60), "image-bomb"),
        (claims(8, 8), "image-format"),
        (claims(0, 0), "image-format"),
        (b"", "image-format"),
        (b"hello", "image-format"),
        (b"\xff\xd8\xff" + bytes(100), "image-format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image-format"),
        (saved(Image.new("RGB", (9, 9)), "ICO"), "image-format"),
        (saved(Image.new("RGB", (50_000, 2)), "PNG"), "image-size"),
    ],
    ids=["png", "thread", "gif", "webp", "no pixels", "no size", "nothing", "text", "magic", "svg", "ico", "narrow"],
)
def test_what_cannot_be_converted_says_why(body: bytes, reason: str) -> None:
    assert refusal(body) == reason


def test_pixels_are_counted_before_they_are_decoded() -> None:
    small = Converter(pixels=10_000)
    assert list(shown(picture("WEBP", (100, 100)), converter=small)) == ["body"]
    for form in STILL:
        assert refusal(picture(form, (101, 100)), converter=small) == "image-bomb"


def test_a_film_in_a_still_picture_is_no_still_picture() -> None:
    assert refusal(picture("HEIF") + struct.pack(">I", 8) + b"moov") == "image-sequence"
    assert refusal(picture("AVIF") + struct.pack(">I", 8) + b"moov") == "image-sequence"


def test_a_cameras_raw_data_is_not_judged_by_its_thumbnail() -> None:
    assert refusal(picture("TIFF", tiffinfo={50706: b"\1\4\0\0"})) == "image-raw"


@pytest.mark.parametrize(("form", "mode"), [("JPEG", "CMYK"), ("TIFF", "CMYK"), ("TIFF", "LAB"), ("PNG", "P")])
def test_every_colour_space_is_shown_in_rgb(form: str, mode: str) -> None:
    view = shown(picture(form, mode=mode))["body"]
    assert (colour(view, 0.25, 0.25), colour(view, 0.75, 0.75)) == ("blue", "orange")


@pytest.mark.parametrize(("form", "mode"), [("JPEG", "L"), ("PNG", "1"), ("PNG", "LA"), ("GIF", "L")])
def test_gray_is_shown_in_gray(form: str, mode: str) -> None:
    white = Image.new("L", (100, 100), 255).convert(mode)
    assert shown(saved(white, form))["body"].getpixel((50, 50)) == (255, 255, 255)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize(("value", "expected"), [(0, 0), (0x8000, 128), (0xFFFF, 255)])
def test_sixteen_bits_are_shown_as_the_eight_that_viewers_show(form: str, value: int, expected: int) -> None:
    view = shown(saved(Image.new("I;16", (100, 100), value), form))["body"]
    assert view.getpixel((50, 50)) == (expected, expected, expected)


def test_numbers_of_any_size_are_shown_from_black_to_white() -> None:
    image = Image.new("F", (100, 100), -3.0)
    image.paste(9000.0, (50, 0, 100, 100))
    view = shown(saved(image, "TIFF"))["body"]
    assert (colour(view, 0.25, 0.5), colour(view, 0.75, 0.5)) == ("black", "white")


#: By EXIF orientation, where the blue quarter of `picture` is once it is upright: x, y.
UPRIGHT = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}


@pytest.mark.parametrize("turn", UPRIGHT)
@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG", "TIFF", "AVIF", "HEIF"])
def test_a_picture_is_shown_upright(form: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    view = shown(picture(form, exif=exif.tobytes() if form != "TIFF" else exif))["body"]
    corners = [(x, y) for x in (0, 1) for y in (0, 1) if colour(view, 0.25 + x / 2, 0.25 + y / 2) == "blue"]
    assert corners == [UPRIGHT[turn]]
    assert view.size == ((200, 100) if turn < 5 else (100, 200))


class TestTransparency:
    """What is see-through is looked at before white and before black: something can hide on either."""

    @pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "AVIF"])
    def test_it_is_shown_before_both(self, form: str) -> None:
        clear = Image.new("RGBA", (100, 100), (255, 255, 255, 0))
        clear.paste((255, 255, 255, 255), (0, 0, 50, 100))
        views = shown(saved(clear, form))
        assert list(views) == ["frame:0", "frame:0 on black"]
        assert [colour(view, 0.25, 0.5) for view in views.values()] == ["white", "white"]
        assert [colour(view, 0.75, 0.5) for view in views.values()] == ["white", "black"]

    def test_a_palette_may_be_see_through(self) -> None:
        assert "frame:0 on black" in shown(saved(Image.new("P", (100, 100)), "PNG", transparency=0))

    def test_rounded_corners_are_not_worth_a_second_look(self) -> None:
        image = Image.new("RGBA", (200, 200), (*ORANGE, 255))
        image.paste((0, 0, 0, 0), (0, 0, 4, 4))
        assert list(shown(saved(image, "PNG"))) == ["body"]

    def test_an_opaque_png_that_could_have_been_see_through_shows_nothing_more(self) -> None:
        assert shown(picture("PNG", mode="RGBA"), only_more=True) == {}

    def test_more_than_a_reference_shows_never_passes_for_the_body(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        assert list(shown(picture("PNG", exif=exif), only_more=True)) == ["frame:0"]
        assert len(shown(saved(Image.new("RGBA", (100, 100)), "PNG"), only_more=True)) == 2


class TestMoving:
    """Of moving pictures the first frame is shown, then those least like any other."""

    @pytest.mark.parametrize("form", MOVING)
    def test_every_scene_is_shown_and_named_by_its_frame(self, form: str) -> None:
        views = shown(moving(form))
        assert {part: colour(view, 0.5, 0.5) for part, view in views.items()} == {
            "frame:0": "red",
            "frame:1": "lime",
            "frame:2": "blue",
        }

    def test_at_most_as_many_are_shown_as_is_set(self) -> None:
        assert len(shown(moving("GIF", COLOURS))) == 5
        assert list(shown(moving("GIF", COLOURS), converter=Converter(frames=2))) == ["frame:0", "frame:1"]

    def test_one_scene_among_hundreds_of_frames_is_found(self) -> None:
        body = moving("WEBP", ["red"] * 150 + ["blue"] + ["red"] * 49, minimize_size=False)
        assert [colour(view, 0.5, 0.5) for view in shown(body).values()] == ["red", "blue"]

    def test_a_corner_that_changes_is_a_scene(self) -> None:
        first, second = Image.new("RGB", (400, 400), "red"), Image.new("RGB", (400, 400), "red")
        second.paste((255, 255, 255), (0, 0, 20, 20))
        assert len(shown(saved(first, "GIF", save_all=True, append_images=[second]))) == 2

    def test_what_does_not_move_is_shown_once(self) -> None:
        assert list(shown(moving("TIFF", ["red"] * 9))) == ["body"]

    def test_a_still_jpeg_is_its_first_picture(self) -> None:
        assert list(shown(moving("MPO"))) == ["body"]

    def test_frames_of_an_animated_png_are_more_than_a_reference_shows(self) -> None:
        assert list(shown(moving("PNG"), only_more=True)) == ["frame:0", "frame:1", "frame:2"]


@pytest.mark.parametrize(
    ("size", "views", "each"),
    [
        ((1, 1), 1, (256, 256)),
        ((79, 79), 1, (256, 256)),
        ((79, 400), 1, (256, 1296)),
        ((80, 80), 1, (80, 80)),
        ((1, 39), 1, (105, 4096)),
        ((9000, 3), 3, (4096, 80)),
        ((20_000, 100), 4, (4096, 82)),
        ((100, 20_000), 4, (82, 4096)),
        ((20_000, 2_000), 1, (4096, 410)),
        ((5_000, 4_000), 1, (4096, 3277)),
    ],
)
def test_every_size_becomes_one_that_rekognition_takes(
    size: tuple[int, int], views: int, each: tuple[int, int]
) -> None:
    given = list(shown(picture("PNG", size)).values())
    assert [view.size for view in given] == [each] * views
    if min(size) > 1:
        assert (colour(given[0], 0.01, 0.01), colour(given[-1], 0.99, 0.99)) == ("blue", "orange")


def test_noise_that_compresses_badly_still_fits() -> None:
    noise = saved(Image.merge("RGB", [Image.effect_noise((3000, 3000), 200) for _ in "RGB"]), "BMP")
    assert max(shown(noise)["body"].size) < 3000


class TestTheChild:
    """Whatever becomes of the child, it says something of the picture or fails; the worker lives."""

    @pytest.mark.parametrize(
        ("program", "reason"),
        [
            ("os.kill(os.getpid(), signal.SIGSEGV)", "image-crash"),
            ("os.abort()", "image-crash"),
            ("sys.exit(3)", "image-crash"),
            ("os.kill(os.getpid(), signal.SIGKILL)", "image-memory"),
            ("os.kill(os.getpid(), signal.SIGXCPU)", "image-time"),
            ("print('nonsense')", "image-crash"),
            ("print('{\"views\": []}')", "image-crash"),
            ('print(\'{"refused": "what it likes"}\')', "image-crash"),
            ("print('x' * 40_000_000)", "image-crash"),
        ],
    )
    def test_its_end_is_the_pictures_reason(self, program: str, reason: str) -> None:
        assert refusal(b"x" * 1_000_000, converter=instead(f"print('ready', flush=True); {program}")) == reason

    def test_one_that_hangs_is_ended(self) -> None:
        hangs = "print('ready', flush=True); signal.pause()"
        assert refusal(b"", converter=instead(hangs, seconds=1)) == "image-time"

    def test_one_that_does_not_even_listen_is_ended(self) -> None:
        deaf = instead("print('ready', flush=True); signal.pause()", listens=False, seconds=1)
        assert refusal(b"x" * 1_000_000, converter=deaf) == "image-time"

    @pytest.mark.parametrize(
        "program", ["sys.exit(1)", "pass", "print('ready', flush=True); os.kill(os.getpid(), signal.SIGTERM)"]
    )
    def test_one_that_does_not_work_says_nothing_of_the_picture(self, program: str) -> None:
        with pytest.raises(Transient):
            instead(program).convert(b"")

    def test_a_converter_that_is_missing_says_nothing_of_the_picture(self) -> None:
        with pytest.raises(Transient):
            Converter(command=("/nowhere/converter",)).convert(b"")

    def test_it_has_no_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        tells = """
none = not any(name.startswith("AWS") for name in os.environ)
print('ready\\n{"refused": "image-%s"}' % ("clean" if none else "leaked"))"""
        assert refusal(b"", converter=instead(tells)) == "image-clean"

    @pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux only")
    def test_its_memory_is_bounded(self) -> None:
        assert refusal(large_and_clear(), converter=Converter(memory=256 * 1024 * 1024)) == "image-memory"

    def test_its_processor_time_is_bounded(self) -> None:
        assert refusal(large_and_clear(), converter=Converter(seconds=1)) == "image-time"

    def test_what_is_too_much_to_be_read_is_not_converted(self) -> None:
        assert refusal(b"x" * 11, converter=Converter(most_bytes=10, command=("/nowhere",))) == "image-size"


def test_only_few_convert_at_once_and_the_others_come_again() -> None:
    converter = Converter()
    held = [converter.turn() for _ in range(AT_ONCE)]
    for turn in held:
        turn.__enter__()
    with pytest.raises(Withheld), converter.turn(patience=0):
        pass
    for turn in held:
        turn.__exit__(None, None, None)
    with converter.turn(patience=0):
        pass


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]\n",
        b'{"views": [["body", 5]]}\n\x89PNG\r\n\x1a\n',
        b'{"views": [["body", 5]]}\nhello',
        b'{"views": [["../etc", 8]]}\n\x89PNG\r\n\x1a\n',
        b'{"views": [["body", -8]]}\n',
        b'{"views": [["body", 8], ["body", 8]]}\n' + b"\x89PNG\r\n\x1a\n" * 2,
        b'{"views": 7}\n',
        b'{"refused": 7}\n',
        b"\xff\xfe\n",
    ],
)
def test_nothing_that_the_child_says_is_trusted(said: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        read_views(said, least=1, most=1)
    assert caught.value.reason == "image-crash"


@pytest.mark.parametrize("form", [*STILL, "moving GIF", "moving PNG", "moving WEBP"])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_no_damage_makes_a_picture_fail_in_another_way(form: str, data: st.DataObject) -> None:
    whole = moving(form.split()[1]) if " " in form else picture(form, (40, 40))
    damaged = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=6)):
        damaged[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    try:
        views = convert(bytes(damaged[:cut]), pixels=1_000_000, frames=5, only_more=False)
    except Refused as refused:
        assert refused.reason in REASONS  # noqa: PT017  # some damage is harmless
    else:
        assert views


REASONS = {"image-format", "image-bomb", "image-size", "image-raw", "image-sequence"}


@cache
def large_and_clear() -> bytes:
    """81 million pixels in a few hundred KB, which take seconds and 650 MB."""
    return saved(Image.new("RGBA", (9_000, 9_000)), "PNG", compress_level=1)


def instead(program: str, *, listens: bool = True, **limits: int) -> Converter:
    """A converter that runs this program in place of ours."""
    read = "sys.stdin.buffer.read(); " if listens else ""
    return Converter(command=(sys.executable, "-c", f"import os, signal, sys; {read}{program}"), **limits)
