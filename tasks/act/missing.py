"""What an action finds when the item it should act on is not there any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tasks.aws.faults import Gone, Moved
from tasks.record.standing import Status


class Missing(Exception):
    """The item is not there any more, or something newer is in its place."""

    def __init__(self, status: Status) -> None:
        """`status` is what the item comes to: gone or superseded."""
        super().__init__(status.value)
        self.status = status


@contextmanager
def item_expected() -> Iterator[None]:
    """Around calls on the item itself, and on nothing else: a missing topic is no missing item."""
    try:
        yield
    except Gone as fault:
        raise Missing(Status.GONE) from fault
    except Moved as fault:
        raise Missing(Status.SUPERSEDED) from fault
