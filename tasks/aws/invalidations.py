"""Invalidations: what several runs want purged while one call is under way goes into the next call together."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks.aws.calls import call
from tasks.aws.faults import Fault, Permanent
from tasks.aws.session import Aws

#: Paths in one call; CloudFront has at most 3,000 of a distribution in progress.
#: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/InvalidationLimits.html
MOST_PATHS = 1_000


@dataclass(eq=False, slots=True)
class _Wish:
    """What one run wants purged, and what has become of it; `woken` is set when it is done or is to lead."""

    paths: tuple[str, ...]
    reference: str
    woken: threading.Event = field(default_factory=threading.Event)
    invalidation: str = ""
    fault: Fault | None = None

    @property
    def done(self) -> bool:
        return bool(self.invalidation or self.fault)


class Invalidations:
    """The purges of one process. A lone one is sent at once: nobody waits for company."""

    def __init__(self) -> None:
        """Nothing happens until something is to be purged."""
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[_Wish]] = {}

    def send(self, aws: Aws, distribution: str, paths: Sequence[str], *, reference: str) -> list[str]:
        """Have paths (or `#tag`s) forgotten; returns when CloudFront has taken them, with the invalidations' ids.

        The same paths with the same reference again are the same invalidation. Raises Fault.
        """
        chunks = [tuple(paths[at : at + MOST_PATHS]) for at in range(0, len(paths), MOST_PATHS)]
        return [self._send(aws, distribution, _Wish(chunk, _name(reference, chunk))) for chunk in chunks]

    def waiting(self, distribution: str) -> list[str]:
        """The references of what waits for the call that is under way."""
        with self._lock:
            return [wish.reference for wish in self._waiting.get(distribution, ())]

    def _send(self, aws: Aws, distribution: str, wish: _Wish) -> str:
        with self._lock:
            waiting = self._waiting.get(distribution)
            if waiting is not None:
                waiting.append(wish)
            else:
                self._waiting[distribution] = deque()
        if waiting is not None:
            wish.woken.wait()
        if not wish.done:
            self._lead(aws, distribution, wish)
        if isinstance(wish.fault, Permanent):
            # Perhaps another's path was refused, and not one of these.
            wish.fault, wish.invalidation = None, _create(aws, distribution, [wish])
        if wish.fault:
            raise wish.fault
        return wish.invalidation

    def _lead(self, aws: Aws, distribution: str, wish: _Wish) -> None:
        """Send what has come together, and leave the next call to the next in line."""
        batch = [wish, *self._join(distribution, len(wish.paths))]
        try:
            invalidation = _create(aws, distribution, batch)
            for one in batch:
                one.invalidation = invalidation
        except Fault as fault:
            for one in batch:
                one.fault = fault
        finally:
            with self._lock:
                waiting = self._waiting[distribution]
                # Whoever joined a leader that died before CloudFront answered is in line again.
                waiting.extendleft(one for one in reversed(batch[1:]) if not one.done)
                following = waiting.popleft() if waiting else None
                if following is None:
                    del self._waiting[distribution]
            for one in (*batch[1:], *((following,) if following else ())):
                if one.done or one is following:
                    one.woken.set()

    def _join(self, distribution: str, paths: int) -> list[_Wish]:
        joined: list[_Wish] = []
        with self._lock:
            waiting = self._waiting[distribution]
            while waiting and paths + len(waiting[0].paths) <= MOST_PATHS:
                joined.append(waiting.popleft())
                paths += len(joined[-1].paths)
        return joined


def _create(aws: Aws, distribution: str, batch: list[_Wish]) -> str:
    paths = sorted({path for wish in batch for path in wish.paths})
    reference = batch[0].reference if len(batch) == 1 else _name("", [wish.reference for wish in batch])
    answer = call(
        aws.store,
        aws.cloudfront.create_invalidation,
        DistributionId=distribution,
        InvalidationBatch={"CallerReference": reference, "Paths": {"Quantity": len(paths), "Items": paths}},
    )
    return str(answer["Invalidation"]["Id"])


def _name(reference: str, parts: Sequence[str]) -> str:
    """CloudFront refuses other paths under a reference that it knows, so they are part of it."""
    digest = hashlib.sha256("\0".join(sorted(parts)).encode()).hexdigest()
    return f"{reference}-{digest[:16]}" if reference else digest
