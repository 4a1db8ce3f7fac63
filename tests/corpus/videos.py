"""Videos and recordings: what Rekognition reads, what it does not, and what is broken."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np
from PIL import Image

from corpus.entry import Entry
from corpus.pictures import EXPLICIT, flagged, photo

SIDE, RATE = 256, 10


def videos() -> Iterator[Entry]:
    """All of them."""
    clean, late, early = [photo], [photo, flagged], [flagged, photo]
    for name, shown, ends in (("clean", clean, "allowed"), ("late", late, "rejected"), ("early", early, "rejected")):
        for form in ("mp4", "mov"):
            yield Entry(
                name=f"{name}.{form}",
                make=lambda shown=shown, form=form: video(shown, form=form),
                ends=ends,
                rule=EXPLICIT if ends == "rejected" else "",
            )
    for name, form, codec in (
        ("clip.webm", "webm", "libvpx"),
        ("clip.mkv", "matroska", "libx264"),
        ("clip.avi", "avi", "mpeg4"),
        ("clip.flv", "flv", "flv1"),
        ("clip.ts", "mpegts", "libx264"),
    ):
        yield Entry(
            name=name,
            make=lambda form=form, codec=codec: video(late, form=form, codec=codec),
            ends="held",
            rule="unreadable/video-format",
        )
    yield Entry(
        name="webm-as.mp4",
        make=lambda: video(late, form="webm", codec="libvpx"),
        ends="held",
        rule="unreadable/video-format",
        content_type="video/mp4",
    )
    yield Entry(name="cut.mp4", make=lambda: video(clean)[:3000], ends="held", rule="unreadable/video-codec")
    yield Entry(
        name="only-its-magic.mp4",
        make=lambda: b"\0\0\0\x18ftypmp42" + bytes(64),
        ends="held",
        rule="unreadable/video-codec",
    )
    yield Entry(name="song.wav", make=song, ends="held", rule="unreadable/audio")
    for name, form, codec in (
        ("song.mp3", "mp3", "libmp3lame"),
        ("song.m4a", "ipod", "aac"),
        ("song.flac", "flac", "flac"),
    ):
        yield Entry(
            name=name, make=lambda form=form, codec=codec: recording(form, codec), ends="held", rule="unreadable/audio"
        )


def video(shown: list[Callable[[], Image.Image]], *, form: str = "mp4", codec: str = "libx264") -> bytes:
    """A second of each picture."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for picture in shown:
            pixels = np.asarray(picture().convert("RGB").resize((SIDE, SIDE)))
            for _ in range(RATE):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def recording(form: str, codec: str) -> bytes:
    """Half a second of silence."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=44_100)
        sample = "s16" if codec == "flac" else "fltp" if codec == "aac" else "s16p"
        silence = av.AudioFrame(format=sample, layout="stereo", samples=22_050)
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        silence.sample_rate = 44_100
        for frame in av.AudioResampler(
            format=stream.format.name, layout="stereo", rate=44_100, frame_size=stream.codec_context.frame_size or 1024
        ).resample(silence):
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def song() -> bytes:
    """A WAV of a quarter of a second."""
    out = io.BytesIO()
    with wave.open(out, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(8000)
        written.writeframes(struct.pack("<2000h", *([0] * 2000)))
    return out.getvalue()
