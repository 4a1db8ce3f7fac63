"""Broken files by the thousand: the worker lives, and every one of them ends with a name for what it is."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus.pictures import FORMATS, MOVING, frames, in_format, photo
from corpus.texts import ENCODINGS, LANGUAGES
from corpus.videos import video
from fleet import Fleet, Put, running_fleet

from tasks.record.standing import Status

#: Bits that are turned over in one file, at most.
MOST_FLIPS = 40
#: Seconds for one file among all the others.
PATIENCE = 600.0
NAMED = {Status.ALLOWED, Status.REDACTED, Status.HELD, Status.REJECTED}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet of its own, whose worker must not be another one at the end."""
    with running_fleet(Path(tmp_path_factory.mktemp("fuzz")), job_seconds=0.1) as fleet:
        fleet.start_worker()
        yield fleet


def healthy() -> list[bytes]:
    """One file of each format."""
    pictures = [in_format(name, photo)() for name in FORMATS]
    moving = [frames(photo().transpose(0), form, options) for form, options in MOVING.items()]
    videos = [video([photo]), video([photo], form="mov"), video([photo], form="webm", codec="libvpx")]
    texts = [LANGUAGES[language].encode(encoding) for encoding, language in ENCODINGS.items()]
    return [*pictures, *moving, *videos, *texts, b'{"text": "hello", "n": [1, 2, {"a": null}]}']


def broken(count: int, *, seed: int) -> Iterator[bytes]:
    """Each format in turn, cut or with bits turned over, or both, and never the same twice."""
    chance, whole = random.Random(seed), healthy()
    for number in range(count):
        body = bytearray(whole[number % len(whole)])
        if chance.random() < 0.5:
            del body[chance.randrange(1, len(body)) :]
        if chance.random() < 0.7:
            # The head says what follows: half of the bits are turned over there.
            for _ in range(chance.randint(1, MOST_FLIPS)):
                reach = min(len(body), 64) if chance.random() < 0.5 else len(body)
                body[chance.randrange(reach)] ^= 1 << chance.randrange(8)
        yield bytes(body)


def _all_end_well(fleet: Fleet, *, count: int, seed: int) -> None:
    (worker,) = fleet.workers
    puts = [fleet.put(f"feed/fuzz/{seed}/{number}", body) for number, body in enumerate(broken(count, seed=seed))]
    ends = Counter(_end(fleet, put) for put in puts)
    assert worker.ended() is None
    assert set(ends) <= NAMED, ends
    assert ends[Status.HELD] > count / 10
    assert fleet.depth(fleet.settings.dead_letter_url("uploads")) == 0


def _end(fleet: Fleet, put: Put) -> Status:
    standing = fleet.ended(put, within=PATIENCE)
    assert standing.status is Status.ALLOWED or standing.rules
    return standing.status


def test_fifty_broken_files(fleet: Fleet) -> None:
    _all_end_well(fleet, count=50, seed=1)


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_two_thousand_broken_files(fleet: Fleet) -> None:
    _all_end_well(fleet, count=2000, seed=2)
