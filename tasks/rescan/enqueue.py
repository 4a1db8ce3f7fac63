"""The enqueuer: from a run's source to messages on the rescan lane, part by part, from checkpoint to checkpoint.

Any number of them share a run. What one of them did when it was killed, another does again, and it counts once.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile

from tasks.aws.faults import Fault, Transient
from tasks.desk import Desk
from tasks.rescan.chunk import Chunk, packed, write_chunk, written_bytes
from tasks.rescan.chunk_rows import ChunkRow, Chunks
from tasks.rescan.classify import Sorted, Way, classify
from tasks.rescan.leases import Full, Lost, Part, Partitions, Step
from tasks.rescan.order import band_of, banded, unbanded
from tasks.rescan.pace import Pace
from tasks.rescan.run import Run, RunState
from tasks.rescan.run_rows import NotNow, Runs
from tasks.rescan.send import send
from tasks.rescan.subject import Source, Subject

#: Subjects that are read before the next checkpoint, and bytes of their messages: a transaction holds 4 MB.
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
WINDOW, WINDOW_BYTES = 5_000, 2_500_000
#: Messages of one checkpoint: two more rows are written with them, and a transaction takes a hundred.
MOST_CHUNKS = 90
#: Subjects that are asked about at once, and how many such questions are asked at the same time.
QUESTION, THREADS = 100, 8
#: Messages that may be on the lane unworked; each is worked long before its queue would forget it (4 days).
MOST_AHEAD = 5_000
#: Seconds between two looks at what a run waits for.
LOOK_SECONDS = 5.0
#: The same while another enqueuer divides the source.
SOON = 1.0
#: Times in a row that the enqueuer goes on after calls failed for good, before it gives up.
MOST_FAULTS = 20

#: Reasons why a subject is not sent, beside those of `tasks.rescan.classify`.
OVER_BUDGET, FOREIGN = "over the budget", "not an uploads bucket"


class Stopped(Exception):
    """Somebody wants this enqueuer to end; what it held is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How an enqueuer waits, and for what."""

    #: Why nothing may be sent just now, empty where it may (`tasks.rescan.behind`).
    behind: Callable[[], str] = str
    #: Set by whoever wants it to end.
    stop: threading.Event = field(default_factory=threading.Event)
    #: Seconds; returns sooner once it is to end.
    idle: Callable[[float], object] = time.sleep
    pace: Pace = field(default_factory=Pace)


@dataclass(slots=True, kw_only=True)
class Enqueuer:
    """One of a run's enqueuers; `run` works until all is sent. `desk` is under the run's policy."""

    desk: Desk
    run_id: str
    source: Source
    #: Names this enqueuer; no other ever has the name.
    me: str
    lease_seconds: float = 30.0
    waits: Waits = field(default_factory=Waits)
    #: Subjects between two checkpoints.
    window: int = WINDOW
    _runs: Runs = field(init=False)
    _parts: Partitions = field(init=False)
    _hands: ThreadPoolExecutor = field(init=False)
    #: The part that was taken last: there may be thousands, and those before it are not free.
    _last: str = ""

    def __post_init__(self) -> None:
        """Nothing is read or sent before `run`."""
        aws, table = self.desk.aws, self.desk.settings.items_table
        self._runs = Runs(aws, table)
        self._parts = Partitions(aws=aws, table=table, run_id=self.run_id, me=self.me, seconds=self.lease_seconds)
        self._hands = ThreadPoolExecutor(THREADS, thread_name_prefix="classify")

    def run(self) -> Run:
        """Send, until all is sent or the run has ended; returns the run. Raises Stopped, Unreadable and Fault."""
        faults = 0
        try:
            while (run := self._found()).state in (RunState.PLANNED, RunState.ENQUEUING, RunState.PAUSED):
                try:
                    if not self._work(run):
                        self._idle(SOON if run.state is RunState.PLANNED else LOOK_SECONDS)
                    faults = 0
                except Lost:
                    continue
                except Transient:
                    faults += 1
                    if faults > MOST_FAULTS:
                        raise
                    self._idle()
            return run
        finally:
            self._hands.shutdown()

    def _work(self, run: Run) -> bool:
        """Do the next thing that there is to do; False where there is nothing now. Raises Lost."""
        if run.state is RunState.PAUSED:
            return False
        if run.state is RunState.PLANNED:
            return self._parts.divide(banded(self.source.partitions(), run.order), now=self.desk.now())
        now = self.desk.now()
        part = self._parts.take(now=now, since=self._last) or (self._parts.take(now=now) if self._last else None)
        if part is None:
            return self._runs.all_sent(self.run_id)
        self._last = part.id
        self._send_part(part, run)
        return True

    def _send_part(self, part: Part, run: Run) -> None:
        try:
            self._send_again(part)
            for window in windows(self.source, part, run=run, most=self.window):
                part, goes_on = self._send_window(part, window)
                if not goes_on:
                    break
        except (Stopped, Fault):
            self._parts.release(part)
            raise
        if not self._found().ended:
            self._parts.close(part, now=self.desk.now())

    def _send_again(self, part: Part) -> None:
        """Whatever died between a checkpoint and its messages may have sent some of them, or none."""
        first, last = part.chunk_id(part.unsent), part.chunk_id(part.number - 1)
        if part.unsent == part.number:
            return
        rows = Chunks(self.desk.aws, self.desk.settings.items_table).since(self.run_id, first)
        self._send([row.body for row in takewhile(lambda row: row.id <= last, rows) if row.body])

    def _send_window(self, part: Part, window: Sequence[Read]) -> tuple[Part, bool]:
        """Send what is to be sent of some subjects; whether there is more to do in this part."""
        ways = self._classified([read.subject for read in window])
        while True:
            run = self._open(part)
            if run is None or run.room == 0:
                return part, False
            step = self._step(run, part, [*zip(window, ways, strict=True)])
            if len(step.chunks) > MOST_CHUNKS:
                part, goes_on = self._send_window(part, window[: len(window) // 2])
                return self._send_window(part, window[len(window) // 2 :]) if goes_on else (part, False)
            try:
                part = self._parts.checkpoint(part, step, now=self.desk.now(), most=run.max_items)
            except Full:
                # Paused, ended, or another enqueuer has sent the last that might be: the run says which.
                continue
            self._send([chunk.body for chunk in step.chunks])
            self.waits.pace.take(step.items, sleep=partial(self._sleep_on, part))
            return part, True

    def _step(self, run: Run, part: Part, found: Sequence[tuple[Read, Sorted]]) -> Step:
        """What comes of some subjects, as far as the run has room for them."""
        to_send: dict[bool, list[Subject]] = {True: [], False: []}
        skipped, sent, read, after = Counter[str](), 0, 0, part.after
        for each, way in found:
            why = self._why_not(run, way)
            if not why and run.room is not None and sent >= run.room:
                break
            after, read = each.after, read + 1
            if why:
                skipped[why] += 1
                continue
            to_send[way.way is Way.REDECIDE].append(way.subject)
            sent += 1
        groups = [(redecide, group) for redecide, some in to_send.items() for group in packed(some, redecide=redecide)]
        chunks = [
            self._row(part.chunk_id(part.number + index), group, redecide=redecide)
            for index, (redecide, group) in enumerate(groups)
        ]
        return Step(after=after, chunks=tuple(chunks), read=read, skipped=skipped)

    def _why_not(self, run: Run, way: Sorted) -> str:
        """Why a subject is not sent; empty where it is."""
        if way.subject.bucket not in self.desk.settings.uploads_buckets:
            return FOREIGN
        if way.way in (Way.SKIP, Way.RULED):
            return way.why
        return OVER_BUDGET if way.way is not Way.REDECIDE and run.over_budget else ""

    def _row(self, chunk_id: str, subjects: tuple[Subject, ...], *, redecide: bool) -> ChunkRow:
        body = write_chunk(Chunk(run_id=self.run_id, id=chunk_id, subjects=subjects, redecide=redecide))
        return ChunkRow(id=chunk_id, body=body, items=len(subjects), redecide=redecide, done_at="")

    def _classified(self, subjects: Sequence[Subject]) -> list[Sorted]:
        groups = [subjects[begin : begin + QUESTION] for begin in range(0, len(subjects), QUESTION)]
        return [each for group in self._hands.map(partial(classify, self.desk), groups) for each in group]

    def _send(self, bodies: Sequence[str]) -> None:
        send(self.desk.aws, self.desk.settings.queue_url("rescan"), bodies, group=self.run_id)

    def _open(self, part: Part) -> Run | None:
        """The run, once something may be sent; None where it has ended. The lease is kept meanwhile. Raises Lost."""
        while True:
            live = self.waits.behind()
            run = self._found()
            if run.ended:
                return None
            why = live or _why_wait(run)
            if run.state is RunState.ENQUEUING and why != run.waits_for:
                self._runs.note_wait(self.run_id, why)
            if run.state is RunState.ENQUEUING and not why:
                return run
            self._idle()
            self._parts.renew(part, now=self.desk.now())

    def _found(self) -> Run:
        if self.waits.stop.is_set():
            raise Stopped
        run = self._runs.find(self.run_id)
        if run is None:
            raise NotNow(f"there is no rescan {self.run_id}; `modfleet rescan list` names those that were started")
        return run

    def _sleep_on(self, part: Part, seconds: float) -> None:
        """Wait for as long as that, and keep the part: whoever took it would send the same again. Raises Lost."""
        while seconds > 0 and not self.waits.stop.is_set():
            self._idle(seconds)
            seconds -= self._turn
            self._parts.renew(part, now=self.desk.now())

    def _idle(self, seconds: float = LOOK_SECONDS) -> None:
        self.waits.idle(min(seconds, self._turn))

    @property
    def _turn(self) -> float:
        """Seconds without a lease being renewed, at most."""
        return self.lease_seconds / 3


def _why_wait(run: Run) -> str:
    """What of its own a run waits for before more of it is sent; empty where it does not."""
    ahead = run.chunks - run.chunks_done
    if ahead >= MOST_AHEAD:
        return f"{ahead:,} messages are not worked yet"
    spent_out = run.max_cost_usd is not None and run.spent_micros >= round(run.max_cost_usd * 1e6)
    if run.over_budget and ahead and not spent_out:
        return "all that it may cost is put aside for what was sent; what of it is not spent is free again soon"
    return ""


@dataclass(frozen=True, slots=True)
class Read:
    """A subject, and the token behind it."""

    subject: Subject
    after: str


def windows(source: Source, part: Part, *, run: Run, most: int) -> Iterator[list[Read]]:
    """What is left of a part, in its order, so many subjects at a time; those of another band are passed over."""
    partition, band = unbanded(part.partition)
    is_in = band_of(run.order, at=run.created_at)
    window, size = list[Read](), 0
    for subject, after in source.read(partition, after=part.after):
        if band is not None and is_in(subject) != band:
            continue
        window.append(Read(subject, after))
        size += written_bytes(subject)
        if len(window) >= most or size >= WINDOW_BYTES:
            yield window
            window, size = [], 0
    if window:
        yield window
