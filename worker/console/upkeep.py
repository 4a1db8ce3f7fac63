"""What a console does while it serves: follows the policy in force, and records how far its audit log has come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from worker.books import Books
from worker.in_force import HasDesk, Watch
from worker.metrics import Registry


@contextmanager
def kept_up(console: HasDesk) -> Iterator[None]:
    """Every MODFLEET_POLICY_SECONDS the console's desk becomes that of the policy in force, as a worker's does.

    Pages work with the desk that they began with. Two threads, which end with it.
    """
    desk = console.desk
    # Nobody collects a console's metrics: the page and the log tell of a policy that cannot be taken up.
    watch, books = Watch(console, Registry(), seconds=desk.settings.policy_seconds), Books(desk)
    watch.start()
    books.start()
    try:
        yield
    finally:
        watch.close()
        books.close()
