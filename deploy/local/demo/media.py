"""The demo's pictures and videos: photos that packages ship, a picture that the real model flags, and test cards."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import numpy as np
import pillow_heif
from PIL import Image

from deploy.local.ai.cards import MARKER

#: Colour noise that the real model takes for something explicit, and nobody else does.
FLAGGED = Path(__file__).parents[3] / "tests" / "fixtures" / "abstract20_grid.png"
#: Pixels; a phone's thumbnail is enough for the model, which sees 224 x 224.
LONGEST_SIDE = 640
_FRAME = (480, 270)
_RATE = 12


def photo(name: str) -> Image.Image:
    """A photo of scikit-image's data by its file name, scaled down; scikit-image itself is not imported."""
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    image = Image.open(Path(spec.submodule_search_locations[0]) / "data" / name).convert("RGB")
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return image


def flagged(size: tuple[int, int] = (480, 480)) -> Image.Image:
    """The picture that the real model flags, at `size` in pixels."""
    return Image.open(FLAGGED).convert("RGB").resize(size, Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, **labels: float) -> bytes:
    """A JPEG; with `labels` (v7 name, spaces as `_`: confidence) it carries a test card after its end."""
    return _encoded(image, "JPEG", quality=85) + _labels(labels)


def png(image: Image.Image, **labels: float) -> bytes:
    """As `jpeg`, a PNG."""
    return _encoded(image, "PNG") + _labels(labels)


def heic(image: Image.Image) -> bytes:
    """As a phone takes it."""
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=80)
    return out.getvalue()


def moving(frames: list[Image.Image]) -> bytes:
    """An animated WebP of frames of one size."""
    first, *others = frames
    return _encoded(first, "WEBP", save_all=True, append_images=others, duration=400, lossless=True)


def card(document: object) -> str:
    """A test card, to be put anywhere into a text or an object."""
    return MARKER + json.dumps(document)


def pan(image: Image.Image, *, seconds: float = 3.0, inside: tuple[float, float] | None = None) -> bytes:
    """An H.264 MP4: a slow pan over a photo; `inside` says from and until which second the flagged picture shows."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=_RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *_FRAME, "yuv420p"
        for frame in _frames(image, count=int(seconds * _RATE), inside=inside):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(frame), format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def _frames(image: Image.Image, *, count: int, inside: tuple[float, float] | None) -> Iterator[Image.Image]:
    width, height = _FRAME
    scale = 1.25 * max(width / image.width, height / image.height)
    wide = image.resize((round(image.width * scale), round(image.height * scale)))
    shown = flagged(_FRAME)
    for number in range(count):
        if inside and inside[0] <= number / _RATE < inside[1]:
            yield shown
            continue
        left = round((wide.width - width) * number / count)
        top = round((wide.height - height) * number / count)
        yield wide.crop((left, top, left + width, top + height))


def _encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def _labels(labels: dict[str, float]) -> bytes:
    if not labels:
        return b""
    return card({"labels": {name.replace("_", " "): sure for name, sure in labels.items()}}).encode()
