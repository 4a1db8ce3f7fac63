"""Foresight: the bytes of uploads whose messages wait for a thread are claimed ahead, a batch at a time.

A message waits in the process anyway, and so nobody waits for this; one call does for up to 25 messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.detect.reuse import is_remembered
from tasks.intake.message import NotAMessage, Uploads, read_message
from tasks.item import Item
from tasks.record.seen_rows import hint_of

log = structlog.get_logger("modfleet.foresight")

#: Batches claimed at once.
THREADS = 2


class Foresight:
    """Looks at the bodies of messages before they are worked. Whatever goes wrong is the run's own to find."""

    def __init__(self, desk: Desk) -> None:
        """Nothing happens until it is called."""
        self._desk = desk
        self._hands = ThreadPoolExecutor(THREADS, thread_name_prefix="foresight")

    def __call__(self, bodies: Sequence[str]) -> None:
        """Have the bytes of these messages' uploads claimed; returns at once."""
        if self._desk.seen and not self._desk.settings.hash_all:
            ahead = self._hands.submit(self._claim, bodies)
            ahead.add_done_callback(_tell)
            self._desk.seen.expect(ahead)

    def _claim(self, bodies: Sequence[str]) -> None:
        assert self._desk.seen
        items = (item for body in bodies for item in _uploads(body))
        ours = self._desk.settings.uploads_buckets
        claims = {hint_of(item): item.id for item in items if item.bucket in ours and is_remembered(item)}
        try:
            self._desk.seen.claim_ahead(claims)
        except Fault as fault:
            log.debug("not_foreseen", code=fault.code, call=fault.call)


def _uploads(body: str) -> Iterator[Item]:
    try:
        message = read_message(body)
    except NotAMessage:
        return
    if isinstance(message, Uploads):
        yield from message.items


def _tell(ahead: Future[None]) -> None:
    """A mistake of ours harms no message: what was not claimed ahead is claimed by its run."""
    if error := ahead.exception():
        log.error("not_foreseen", error=type(error).__name__)
