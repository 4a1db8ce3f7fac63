"""The order of a run (pure): by bands, the first of the whole source before the second of any part of it.

Nothing is sorted: a source is read once for each band, and memory stays flat whatever its size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from tasks.detect.kind import Kind
from tasks.rescan.kinds import kind_by_name
from tasks.rescan.subject import Partition, Subject

#: Days since the upload at which the bands of `newest` end, and bytes at which those of `largest` begin.
DAYS, BYTES = (7, 30, 90, 365), (100_000_000, 10_000_000, 1_000_000, 100_000)
NEWEST, OLDEST, LARGEST, MEDIA = "newest", "oldest", "largest", "media"
ORDERS = (NEWEST, OLDEST, LARGEST, MEDIA)
_FILMS, _PICTURES = (Kind.VIDEO, Kind.FILM), (Kind.IMAGE, Kind.PICTURE)

#: The band of a subject, from 0.
Band = Callable[[Subject], int]


def bands(order: str) -> int:
    """How often the source is read; 1 where there is no order."""
    return {NEWEST: len(DAYS) + 1, OLDEST: len(DAYS) + 1, LARGEST: len(BYTES) + 1, MEDIA: 3}.get(order, 1)


def band_of(order: str, *, at: datetime) -> Band:
    """Says in which band a subject is; ages are those of a moment, the run's start. What is not known comes last."""
    return {NEWEST: _newest(at), OLDEST: _oldest(at), LARGEST: _largest, MEDIA: _media}.get(order, lambda _: 0)


def banded(parts: Iterable[Partition], order: str) -> Iterator[Partition]:
    """Every part once for each band, the first bands first: they sort so."""
    count = bands(order)
    if count == 1:
        yield from parts
        return
    # Read to the end once: the parts of a source may be found by many calls.
    every = list(parts)
    for band in range(count):
        for part in every:
            yield Partition(id=f"{band}.{part.id}", spec={"band": band, "of": part.id, "spec": dict(part.spec)})


def unbanded(part: Partition) -> tuple[Partition, int | None]:
    """The source's own part, and the band of it that is meant; None is all."""
    if part.spec.keys() != {"band", "of", "spec"}:
        return part, None
    return Partition(id=part.spec["of"], spec=part.spec["spec"]), part.spec["band"]


def _newest(at: datetime) -> Band:
    return lambda subject: sum(_age(subject, at) >= days for days in DAYS)


def _oldest(at: datetime) -> Band:
    newest = _newest(at)
    return lambda subject: len(DAYS) - newest(subject) if subject.modified_at else len(DAYS)


def _age(subject: Subject, at: datetime) -> float:
    return (at - subject.modified_at).total_seconds() / 86_400 if subject.modified_at else float("inf")


def _largest(subject: Subject) -> int:
    return sum(subject.size < size for size in BYTES)


def _media(subject: Subject) -> int:
    kind = kind_by_name(subject.key, subject.size)
    return 0 if kind in _FILMS else 1 if kind in _PICTURES else 2
