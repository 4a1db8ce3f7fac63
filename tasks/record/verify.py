"""Verify the audit log: every chain is there, whole, in order, and as far as it was recorded to go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from tasks.aws.session import Aws
from tasks.record.chain import Chain, Head, Problem, first_after, writer_and_number
from tasks.record.heads import Heads
from tasks.record.log_objects import LogObject, bodies, body_at, hour_prefix, objects_between

#: Problems that are kept; more are counted.
MOST = 1000


def _quietly(_seen: LogObject) -> None:
    """Tell nobody how far it is."""


@dataclass(slots=True)
class Verified:
    """What was read, and what is wrong with it."""

    objects: int = 0
    lines: int = 0
    writers: int = 0
    #: Writers of whom it was not recorded how far they had come: of those a lost tail would not show.
    without_head: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    #: Of all problems, those that are not kept as well.
    found: int = 0

    def add(self, problems: Iterable[Problem]) -> None:
        """Count problems, and keep the first."""
        for problem in problems:
            self.found += 1
            if len(self.problems) < MOST:
                self.problems.append(problem)


def verify(
    aws: Aws,
    *,
    bucket: str,
    heads: Heads,
    since: datetime | None,
    until: datetime,
    seen: Callable[[LogObject], None] = _quietly,
) -> Verified:
    """Read every object of the hours from that of `since` to that of `until`, and check every line. Raises Fault.

    Memory does not grow with the log, only with the number of writers: a few hundred bytes for each process that ever
    wrote. What is written meanwhile does no harm: heads are read first, and an object that came too late for the list
    is looked for before it is called missing.
    """
    verifier = _Verifier(aws, bucket, whole=since is None)
    # Before anything is listed: a head must not be ahead of the list.
    verifier.expect(head for head in heads.between(since, until) if _within(head.key, since, until))
    for one, body in bodies(aws, bucket, objects_between(aws, bucket, since, until)):
        seen(one)
        verifier.take(one.key, body)
    return verifier.conclude()


class _Verifier:
    """Every writer's chain, as far as it has been read."""

    def __init__(self, aws: Aws, bucket: str, *, whole: bool) -> None:
        self._aws, self._bucket, self._whole = aws, bucket, whole
        self._heads: dict[str, list[Head]] = defaultdict(list)
        self._chains: dict[str, Chain] = {}
        self._said = Verified()

    def expect(self, heads: Iterable[Head]) -> None:
        """Heads of what will be read."""
        for head in heads:
            self._heads[head.writer].append(head)

    def take(self, key: str, body: bytes | None) -> None:
        """The next object in the order of keys."""
        named = writer_and_number(key)
        if named is None:
            self._said.add([Problem(what="an object that was added: no writer names one so", writer="", key=key)])
            return
        writer, number = named
        if body is None:
            # Whatever comes next says that it is missing; so does a head.
            return
        chain = self._chains.get(writer) or self._begin(writer, number, body)
        self._catch_up(chain, number, body)
        self._said.add(chain.take(key, body, number=number))
        self._said.objects += 1

    def conclude(self) -> Verified:
        """What is known once everything has been read."""
        for writer in self._heads.keys() - self._chains.keys():
            self._chains[writer] = Chain(writer, heads=self._heads[writer])
        for writer in sorted(self._chains):
            self._said.add(self._chains[writer].lost())
        self._said.writers = len(self._chains)
        self._said.lines = sum(chain.read for chain in self._chains.values())
        self._said.without_head = sorted(name for name, chain in self._chains.items() if not chain.has_head)
        return self._said

    def _begin(self, writer: str, number: int, body: bytes) -> Chain:
        """A chain whose first objects may lie before what is looked at: the last of those says how it goes on."""
        chain = self._chains[writer] = Chain(writer, heads=self._heads.get(writer, ()))
        if number == 1 or self._whole:
            return chain
        after = first_after(body)
        before = body_at(self._aws, self._bucket, after) if after else None
        # Where it names one that is not there, the chain begins with a gap.
        if after is None or (before is not None and writer_and_number(after) == (writer, number - 1)):
            chain.begin_with(body, number=number, before=before)
        return chain

    def _catch_up(self, chain: Chain, number: int, body: bytes) -> None:
        """What seems to be missing may have been written only after its hour was listed."""
        late: list[tuple[int, str, bytes]] = []
        while number > (chain.objects or 0) + 1 and (after := first_after(body)):
            if writer_and_number(after) != (chain.writer, number - 1):
                break
            if (found := body_at(self._aws, self._bucket, after)) is None:
                break
            number, body = number - 1, found
            late.append((number, after, body))
        for of, key, body in reversed(late):
            self._said.add(chain.take(key, body, number=of))
            self._said.objects += 1


def _within(key: str, since: datetime | None, until: datetime) -> bool:
    hour = key[: len(hour_prefix(until))]
    return (since is None or hour >= hour_prefix(since)) and hour <= hour_prefix(until)
