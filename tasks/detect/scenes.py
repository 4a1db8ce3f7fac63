"""Which of many frames to look at: the first, then those that look least like any chosen before (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageChops

#: Pixels a side of the tiny copies that are compared.
TINY = 16
#: Levels of 255 by which at least one tiny pixel must differ for two frames to be two scenes.
ANOTHER_SCENE = 16


def tiny(image: Image.Image) -> Image.Image:
    """A tiny copy of a frame."""
    return image.resize((TINY, TINY), Image.Resampling.BOX)


def distance(one: Image.Image, other: Image.Image) -> int:
    """Levels (0-255) by which two tiny copies differ where they differ most.

    Not on average: what is new in a frame may stand in a corner of it.
    """
    return max(most for _, most in _extrema(ImageChops.difference(one, other)))


def pick(frames: Sequence[Image.Image], *, most: int) -> list[int]:
    """The places of at most so many tiny frames, ascending: the first, then always the one least like those chosen."""
    chosen, apart = [0], [distance(frames[0], frame) for frame in frames]
    while len(chosen) < min(most, len(frames)):
        farthest = max(range(len(frames)), key=apart.__getitem__)
        if apart[farthest] < ANOTHER_SCENE:
            break
        chosen.append(farthest)
        apart = [min(known, distance(frames[farthest], frame)) for known, frame in zip(apart, frames, strict=True)]
    return sorted(chosen)


def _extrema(image: Image.Image) -> list[tuple[int, int]]:
    bands = image.getextrema()
    return [(int(low), int(high)) for low, high in bands]  # type: ignore[misc]  # RGB has one pair a band
