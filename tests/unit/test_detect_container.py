"""Videos and recordings that Rekognition does not read are told apart by their bytes, and never taken for texts."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest

from tasks.detect.container import is_film, is_sound
from tasks.detect.kind import HEAD_BYTES, Kind, kind_of


def recording(form: str, codec: str) -> bytes:
    """A tenth of a second of silence."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=48_000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), "int16"), format="s16", layout="mono")
        frame.sample_rate = 48_000
        resampled = av.AudioResampler(stream.format, "mono", 48_000, stream.frame_size or None).resample(frame)
        for part in resampled:
            container.mux(stream.encode(part))
        container.mux(stream.encode())
    return out.getvalue()


def kind(body: bytes) -> Kind:
    return kind_of(body[:HEAD_BYTES], size=len(body))


@pytest.mark.parametrize(
    ("form", "codec", "expected"),
    [
        ("mp4", "libx264", Kind.VIDEO),
        ("mov", "libx264", Kind.VIDEO),
        ("mp4", "mpeg4", Kind.VIDEO),
        ("matroska", "libx264", Kind.FILM),
        ("webm", "libvpx", Kind.FILM),
        ("avi", "mpeg4", Kind.FILM),
        ("asf", "wmv2", Kind.FILM),
        ("flv", "flv", Kind.FILM),
        ("mpegts", "libx264", Kind.FILM),
        ("vob", "mpeg2video", Kind.FILM),
        ("mpeg2video", "mpeg2video", Kind.FILM),
        ("rm", "rv20", Kind.FILM),
    ],
)
def test_a_video_is_told_by_its_container(
    form: str, codec: str, expected: Kind, make_video: Callable[..., bytes], plain_image: Callable[..., bytes]
) -> None:
    assert kind(make_video([plain_image()], form=form, codec=codec, seconds_each=0.5)) is expected


@pytest.mark.parametrize(
    ("form", "codec"),
    [
        *(("wav", "pcm_s16le"), ("aiff", "pcm_s16be"), ("caf", "pcm_s16le"), ("mp3", "libmp3lame"), ("flac", "flac")),
        *(("ogg", "libopus"), ("adts", "aac"), ("ipod", "aac")),
    ],
)
def test_a_recording_is_told_by_its_container(form: str, codec: str) -> None:
    assert kind(recording(form, codec)) is Kind.SOUND


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"OggS\0\x02" + b"\0" * 22 + b"\x80theora", Kind.FILM),
        (b"OggS\0\x02" + b"\0" * 22 + b"\x01video\0\0", Kind.FILM),
        (b"OggS\0\x02" + b"\0" * 22 + b"\x01vorbis", Kind.SOUND),
        (b"OggS\0\x02" + b"\0" * 22 + b"\x7fFLAC", Kind.SOUND),
        (b"\xff\xfb\x90\x64" + b"\0" * 9, Kind.SOUND),
        (b"#!AMR\n\x3c", Kind.SOUND),
        (b"\0\0\0\x143gp6\0\0\0\0", Kind.UNKNOWN),
        (b"\0\0\0\x14ftyp3gp6\0\0\0\x003gp6", Kind.FILM),
        (b"\0\0\x12\x34moov\0\0\0\x6cmvhd", Kind.VIDEO),
        (b"\x01\xff\0\0mdat", Kind.VIDEO),
        (b"xxxxmdat", Kind.TEXT),
        (b"OggS and ends", Kind.TEXT),
        (b"RIFF raff AVI ", Kind.TEXT),
        (b"FLV is no more", Kind.TEXT),
        (b"ID3 tags", Kind.TEXT),
        (b"fLaCs", Kind.TEXT),
        (("G" + "a" * 187).encode() * 4, Kind.TEXT),
    ],
)
def test_a_head_tells_the_kind(head: bytes, expected: Kind) -> None:
    assert kind(head) is expected


def test_a_transport_stream_with_stamps_is_one_too() -> None:
    packet = b"\0\0\0\0\x47\x40\x00\x10" + b"\xff" * 184
    assert is_film(packet * 4)
    assert not is_film(packet * 3)
    assert not is_film(b"\x47\x40\x11\x10" + b"\0" * 184)


def test_the_mark_of_a_utf16_text_is_no_recording() -> None:
    assert not is_sound("hello".encode("utf-16"))
