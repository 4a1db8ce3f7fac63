"""What a video shows: its metadata, and what the eyes see in sampled frames."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
from av.error import FFmpegError
from PIL import Image

from deploy.local.ai.eyes import Eyes

#: Longer videos are sampled at key frames only.
EVERY_FRAME_SECONDS = 60
MOST_SAMPLES = 60
#: Rekognition looks twice a second.
STEP_MS = 500
_WIDTH = 640


class Unwatchable(Exception):
    """The message is what Rekognition would give as StatusMessage."""


@dataclass(frozen=True, slots=True)
class Footage:
    """One decoded video: Rekognition's VideoMetadata, and (milliseconds, 0-100) for each sampled frame."""

    metadata: dict[str, Any]
    samples: tuple[tuple[int, float], ...]

    @property
    def duration_ms(self) -> int:
        """Milliseconds."""
        return int(self.metadata["DurationMillis"])


def watch(content: bytes, eyes: Eyes | None) -> Footage:
    """Decode and sample an MP4 or MOV; without `eyes` it is decoded and not looked at. Raises Unwatchable."""
    try:
        with av.open(io.BytesIO(content), mode="r") as container:
            stream = _video_stream(container)
            metadata = _metadata(container, stream)
            frames = _sampled(container, stream, metadata["DurationMillis"])
            samples = tuple((ms, eyes.look(image) if eyes else 0.0) for ms, image in frames)
    except (FFmpegError, EOFError, ValueError):
        raise Unwatchable("Unsupported codec/format: the video cannot be decoded") from None
    if not samples:
        raise Unwatchable("the video has no frames")
    return Footage(metadata, samples)


def _video_stream(container: Any) -> Any:  # PyAV's classes are made at run time
    if "mp4" not in container.format.name.split(","):
        raise Unwatchable("the video is not MP4 or MOV")
    if not container.streams.video:
        raise Unwatchable("the file has no video")
    stream = container.streams.video[0]
    if stream.codec_context.name != "h264":
        raise Unwatchable("the video's codec is not H.264")
    return stream


def _metadata(container: Any, stream: Any) -> dict[str, Any]:
    return {
        "Codec": "h264",
        "DurationMillis": int((container.duration or 0) / 1000),
        "Format": "QuickTime / MOV",
        "FrameRate": float(stream.average_rate or 0),
        "FrameHeight": stream.codec_context.height,
        "FrameWidth": stream.codec_context.width,
    }


def _sampled(container: Any, stream: Any, duration_ms: int) -> Iterator[tuple[int, Image.Image]]:
    if duration_ms > EVERY_FRAME_SECONDS * 1000:
        stream.codec_context.skip_frame = "NONKEY"
    step = max(STEP_MS, duration_ms // MOST_SAMPLES)
    due, taken = 0, 0
    for frame in container.decode(stream):
        ms = int(1000 * (frame.time or 0))
        if ms >= due and taken < MOST_SAMPLES:
            scale = min(1.0, _WIDTH / frame.width)
            yield ms, frame.to_image(width=int(frame.width * scale), height=int(frame.height * scale))
            due, taken = ms + step, taken + 1
