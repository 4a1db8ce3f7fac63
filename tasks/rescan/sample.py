"""Survey a source: count all that is in it, and ask what is on record of a random sample of each part."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any, Protocol, TypeVar

from config.lanes import LANES
from tasks.desk import Desk
from tasks.detect.kind import Kind
from tasks.intake.present import current
from tasks.rescan.classify import Sorted, Way, classify, is_named
from tasks.rescan.enqueue import FOREIGN
from tasks.rescan.inventory import Inventory, subject_of
from tasks.rescan.kinds import kind_by_name
from tasks.rescan.needs import Looks, Seen
from tasks.rescan.plan import Plan, plan_of
from tasks.rescan.reckoning import JOBS, QUOTAS, Assumed
from tasks.rescan.subject import Partition, Source, Subject
from tasks.rescan.survey import Found, Sampled, Sort, Survey

#: Subjects of whom it is asked what is on record: an interval of two percent at most, in seconds.
SAMPLE = 10_000
#: Parts that are read, and questions that are asked, at the same time.
THREADS = 8
#: Of an inventory: reading one is work for the processor, of which more threads only make more changes.
READERS = 2
#: Subjects of one question, and between two words on how many were read.
QUESTION, NOTED = 100, 10_000
#: Of a part, however small its share, so many are asked about at least.
LEAST = 5

Given = TypeVar("Given")
Made = TypeVar("Made")
#: Told how many subjects have been read, in all.
OnProgress = Callable[[int], None]


class Named(Protocol):
    """An object as far as it is counted."""

    @property
    def bucket(self) -> str:
        """Its bucket."""

    @property
    def key(self) -> str:
        """Decoded."""

    @property
    def size(self) -> int:
        """Bytes; -1 where that is not known."""


@dataclass(slots=True)
class Counted:
    """One part of a source: how many of each sort there are, and a random sample of them."""

    id: str
    size: int = 0
    counts: Counter[Sort] = field(default_factory=Counter)
    bytes: Counter[Sort] = field(default_factory=Counter)
    key_bytes: int = 0
    sample: list[Subject] = field(default_factory=list)


def planned(
    desk: Desk, source: Source, *, most: int = SAMPLE, workers: int = 1, on_progress: OnProgress | None = None
) -> Plan:
    """The plan of a run over a source under `desk.policy`, worked by so many worker processes.

    A source of at most `most` subjects is asked about whole. Raises Fault, and Unreadable.
    """
    return plan_of(survey(desk, source, most=most, on_progress=on_progress), assumed(desk, workers=workers))


def survey(
    desk: Desk, source: Source, *, most: int = SAMPLE, seed: int = 0, on_progress: OnProgress | None = None
) -> Survey:
    """Count a source's subjects, every one of them, and sort a sample. Memory holds the sample. Raises as `planned`."""
    read = _Progress(on_progress or (lambda _: None))
    parts: list[Counted] = []
    with ThreadPoolExecutor(THREADS, thread_name_prefix="survey") as pool:
        count = partial(count_part, desk, source, most=most, seed=seed, read=read)
        readers = READERS if isinstance(source, Inventory) else THREADS
        for part in _in_turn(pool, count, source.partitions(), at_once=readers):
            parts.append(part)
            if sum(len(one.sample) for one in parts) > 2 * most:
                thin(parts, most=most, seed=seed)
        read.end()
        thin(parts, most=most, seed=seed)
        surveyed = _Surveyed(desk)
        for part in parts:
            groups = (part.sample[begin : begin + QUESTION] for begin in range(0, len(part.sample), QUESTION))
            surveyed.add(part, _in_turn(pool, partial(sort_out, desk), groups))
    return surveyed.survey(source)


def count_part(
    desk: Desk, source: Source, part: Partition, *, most: int, seed: int, read: Callable[[int], None]
) -> Counted:
    """Read a part to its end; its sample is of at most so many, each subject as likely as any other."""
    counted, surface_for = Counted(part.id), desk.policy.surface_for
    counts, sizes, sample = counted.counts, counted.bytes, counted.sample
    chosen = draw(most, random.Random(f"{seed}/{part.id}"))  # noqa: S311  # nobody gains by guessing it
    next_, at = next(chosen)
    names, subject = _names(source, part)
    number = -1
    for number, named in enumerate(names):
        # A billion of them come through here.
        key, size = named.key, named.size
        sort = (kind_by_name(key, size), surface_for(key, named.bucket).name)
        counts[sort] += 1
        if size > 0:
            sizes[sort] += size
        counted.key_bytes += len(key)
        if number == next_:
            sample[at : at + 1] = [subject(named)]
            next_, at = next(chosen)
        if number % NOTED == NOTED - 1:
            read(NOTED)
    counted.size = number + 1
    read(counted.size % NOTED)
    return counted


def _names(source: Source, part: Partition) -> tuple[Iterator[Named], Callable[[Any], Subject]]:
    """What a part names, and how that becomes a subject."""
    if isinstance(source, Inventory):
        return source.rows(part), subject_of
    return (subject for subject, _ in source.read(part)), lambda subject: subject


def draw(most: int, chance: random.Random) -> Iterator[tuple[int, int]]:
    """Which of endlessly many, in order, take which of so many places: every one stays as likely as any other.

    Li's algorithm L: only those that take a place cost anything. https://doi.org/10.1145/198429.198435
    """
    yield from ((number, number) for number in range(most))
    number, weight = most - 1, 1.0
    while True:
        weight *= math.exp(math.log(1 - chance.random()) / most)
        number += math.floor(math.log(1 - chance.random()) / math.log1p(-weight)) + 1
        yield number, chance.randrange(most)


def thin(parts: list[Counted], *, most: int, seed: int) -> None:
    """Leave of each part's sample a share as large as the part's of the whole; about so many in all."""
    of = sum(part.size for part in parts)
    if sum(len(part.sample) for part in parts) <= most:
        return
    for part in parts:
        keep = max(LEAST, math.ceil(most * part.size / of))
        if keep < len(part.sample):
            part.sample = random.Random(f"{seed}/{part.id}").sample(part.sample, keep)  # noqa: S311  # as above


def assumed(desk: Desk, *, workers: int = 1) -> Assumed:
    """What plans for this fleet are reckoned by."""
    settings = desk.settings
    return Assumed(
        prices=desk.prices,
        surfaces={surface.name: surface for surface in desk.policy.surfaces},
        looks=Looks(
            image_frames=settings.image_frames,
            max_text_bytes=settings.max_text_bytes,
            guardrail_checks=settings.guardrail_checks,
            classifier_model=settings.classifier_model,
            prompt=len(desk.prompt),
        ),
        quotas={**QUOTAS, **settings.rate_limits},
        video_jobs=settings.video_slots or JOBS,
        workers=max(1, workers),
        concurrency=LANES["rescan"].concurrency,
    )


def sort_out(desk: Desk, subjects: Sequence[Subject]) -> list[Sorted]:
    """As `classify` sorts them; where a source does not say which version is there, S3 is asked. Raises Fault."""
    left, there = [], []
    for subject in subjects:
        if subject.bucket not in desk.settings.uploads_buckets:
            left.append(Sorted(subject=subject, way=Way.SKIP, why=FOREIGN))
        elif found := subject if is_named(subject) else _there(desk, subject):
            there.append(found)
        else:
            left.append(Sorted(subject=subject, way=Way.SKIP, why="gone"))
    return left + classify(desk, there)


def _there(desk: Desk, subject: Subject) -> Subject | None:
    """What is under a key, None where nothing is."""
    if (item := current(desk, subject.bucket, subject.key)) is None:
        return None
    return replace(subject, version_id=item.version_id, etag=item.etag, modified_at=item.event_time)


class _Surveyed:
    """Adds the parts up."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._counts, self._bytes, self._key_bytes = Counter[Sort](), Counter[Sort](), 0
        self._parts: list[Sampled] = []
        self._seen: dict[Kind, Seen] = {}

    def add(self, part: Counted, answers: Iterable[list[Sorted]]) -> None:
        """One more part, and what was found about its sample."""
        self._counts.update(part.counts)
        self._bytes.update(part.bytes)
        self._key_bytes += part.key_bytes
        found = Counter(map(self._found, chain.from_iterable(answers)))
        self._parts.append(Sampled(size=part.size, asked=found.total(), found=found))

    def survey(self, source: Source) -> Survey:
        """All of them together."""
        return Survey(
            counts=self._counts,
            bytes=self._bytes,
            key_bytes=self._key_bytes,
            parts=tuple(self._parts),
            seen=self._seen,
            reading=source.requests(self._counts.total()),
        )

    def _found(self, one: Sorted) -> Found:
        subject, standing = one.subject, one.standing
        if standing and standing.decided:
            self._seen.setdefault(standing.kind, Seen()).add(standing.units)
        return one.way, one.why, _sort_of(self._desk, subject)


def _sort_of(desk: Desk, subject: Subject) -> Sort:
    return kind_by_name(subject.key, subject.size), desk.policy.surface_for(subject.key, subject.bucket).name


def _in_turn(
    pool: Executor, work: Callable[[Given], Made], each: Iterable[Given], *, at_once: int = THREADS
) -> Iterator[Made]:
    """What comes of each, in no order; no more of them are begun than can be worked at once."""
    running: set[Future[Made]] = set()
    for one in each:
        running.add(pool.submit(work, one))
        if len(running) >= at_once:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    yield from (future.result() for future in wait(running).done)


class _Progress:
    """Adds up what the threads have read."""

    def __init__(self, told: OnProgress) -> None:
        self._told, self._read = told, 0

    def __call__(self, more: int) -> None:
        # Two threads at once may tell a number that is a little old: it is a progress bar's.
        self._read += more
        if more == NOTED:
            self._told(self._read)

    def end(self) -> None:
        self._told(self._read)
