"""Small images: enlarged and looked at, never passed by; what no scale can fit is unreadable."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tasks.aws.faults import Unreadable
from tasks.aws.session import Aws
from tasks.detect.image import look_at_image
from tasks.detect.small_image import ENLARGED_SIDE, MAX_INLINE_BYTES, MAX_SIDE, MIN_SIDE, enlarge
from tasks.item import Item

Stub = Callable[[object], Stubber]
Recorded = Callable[[str], dict[str, Any]]
Form = Literal["PNG", "JPEG", "GIF"]
ITEM = Item(
    bucket="uploads-example",
    key="feed/tiny.png",
    version_id="v1",
    etag="e",
    size=100,
    sequencer="",
    event_time=datetime(2026, 1, 1, tzinfo=UTC),
)


def picture(width: int, height: int, *, form: Form = "PNG", mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, form)
    return out.getvalue()


def claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def size_of(body: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(body)) as image:
        image.load()
        assert (image.format, image.mode) == ("PNG", "RGB")
        return image.size


@pytest.mark.parametrize(
    ("size", "enlarged"),
    [
        ((1, 1), (256, 256)),
        ((79, 79), (256, 256)),
        ((79, 400), (256, 1296)),
        ((400, 79), (1296, 256)),
        ((1, 39), (256, 9984)),
        ((64, 48), (341, 256)),
    ],
)
def test_an_image_below_the_minimum_is_enlarged_and_keeps_its_shape(
    size: tuple[int, int], enlarged: tuple[int, int]
) -> None:
    assert size_of(enlarge(picture(*size))) == enlarged


@given(st.integers(1, MIN_SIDE - 1), st.floats(1, MAX_SIDE / ENLARGED_SIDE))
@settings(max_examples=15, deadline=None)
def test_what_is_enlarged_is_what_rekognition_takes(side: int, ratio: float) -> None:
    for size in ((side, int(side * ratio)), (int(side * ratio), side)):
        assert all(MIN_SIDE <= pixels <= MAX_SIDE for pixels in size_of(enlarge(picture(*size))))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_is_enlarged(mode: str) -> None:
    assert size_of(enlarge(picture(8, 8, mode=mode))) == (256, 256)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_every_kind_of_jpeg_is_enlarged(mode: str) -> None:
    assert size_of(enlarge(picture(8, 8, form="JPEG", mode=mode))) == (256, 256)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (picture(MIN_SIDE, MIN_SIDE), "image-size"),
        (picture(1, 40), "image-size"),
        (claims(60_000, 60_000), "image-size"),
        (claims(2**31 - 1, 1), "image-size"),
        (claims(8, 8), "image-format"),
        (claims(0, 0), "image-format"),
        (picture(8, 8)[:40], "image-format"),
        (picture(8, 8, form="JPEG")[:-200], "image-format"),
        (picture(8, 8, form="GIF"), "image-format"),
        (b"", "image-format"),
        (b"hello", "image-format"),
    ],
    ids=[
        "not small",
        "too narrow",
        "a bomb",
        "a thread",
        "no pixels",
        "no size",
        "a cut PNG",
        "a cut JPEG",
        "a GIF",
        "nothing",
        "a text",
    ],
)
def test_what_cannot_be_enlarged_is_unreadable_and_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        enlarge(body)
    assert caught.value.reason == reason


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # damage may make it claim to be large
@pytest.mark.parametrize("whole", [picture(9, 9), picture(9, 9, form="JPEG")], ids=["PNG", "JPEG"])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_damage_to_an_image_makes_it_fail_in_another_way(whole: bytes, data: st.DataObject) -> None:
    damaged = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        damaged[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    try:
        enlarge(bytes(damaged[:cut]))
    except Unreadable as fault:
        assert fault.reason in {"image-format", "image-size"}  # noqa: PT017  # most damage is harmless


class TestInTheChain:
    """An image that Rekognition refuses by reference is looked at all the same."""

    def test_it_is_read_enlarged_and_sent_as_bytes(self, offline_aws: Aws, stub: Stub, recorded: Recorded) -> None:
        body = picture(8, 8)
        rekognition = stub(offline_aws.rekognition)
        rekognition.add_client_error("detect_moderation_labels", "InvalidParameterException")
        rekognition.add_response(
            "detect_moderation_labels",
            recorded("rekognition.DetectModerationLabels.orphan"),
            {"Image": {"Bytes": enlarge(body)}, "MinConfidence": 30.0},
        )
        give(stub(offline_aws.s3), body)
        (finding,) = look_at_image(offline_aws, ITEM, floor=30.0)
        assert finding.label == "moderation/Death and Emaciation/Corpses"

    def test_one_that_is_refused_and_not_small_is_unreadable(self, offline_aws: Aws, stub: Stub) -> None:
        stub(offline_aws.rekognition).add_client_error("detect_moderation_labels", "InvalidParameterException")
        give(stub(offline_aws.s3), picture(100, 100))
        with pytest.raises(Unreadable):
            look_at_image(offline_aws, ITEM, floor=30.0)

    def test_one_that_is_refused_even_when_enlarged_is_unreadable(self, offline_aws: Aws, stub: Stub) -> None:
        rekognition = stub(offline_aws.rekognition)
        for _ in range(2):
            rekognition.add_client_error("detect_moderation_labels", "InvalidParameterException")
        give(stub(offline_aws.s3), picture(8, 8))
        with pytest.raises(Unreadable) as caught:
            look_at_image(offline_aws, ITEM, floor=30.0)
        assert caught.value.reason == "image-refused"

    def test_one_that_is_refused_and_heavy_is_unreadable_without_being_read(self, offline_aws: Aws, stub: Stub) -> None:
        stub(offline_aws.s3)
        stub(offline_aws.rekognition).add_client_error("detect_moderation_labels", "InvalidParameterException")
        with pytest.raises(Unreadable):
            look_at_image(offline_aws, replace(ITEM, size=MAX_INLINE_BYTES + 1), floor=30.0)


def give(s3: Stubber, body: bytes) -> None:
    """Let S3 have exactly this version of the item."""
    stream = StreamingBody(io.BytesIO(body), len(body))
    wanted = {"Bucket": ITEM.bucket, "Key": ITEM.key, "VersionId": ITEM.version_id}
    s3.add_response("get_object", {"Body": stream, "ETag": '"e"'}, wanted)
