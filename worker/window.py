"""The window: how many messages of a lane this process may hold at once."""

from __future__ import annotations

import threading


class Window:
    """Slots that receivers take before they ask for messages, and acknowledgements give back."""

    def __init__(self, size: int, *, least: int = 1) -> None:
        """`size` is how many slots there are; nobody takes any until `least` are free."""
        self.size, self._least = size, min(least, size)
        self._free = size
        self._changed = threading.Condition()
        self._closed = False

    def take(self, most: int) -> int:
        """Take up to `most` slots, waiting until enough are free; 0 once the window is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._free >= self._least or self._closed)
            if self._closed:
                return 0
            taken = min(most, self._free)
            self._free -= taken
            return taken

    def give(self, slots: int = 1) -> None:
        """Give slots back."""
        if not slots:
            return
        with self._changed:
            self._free += slots
            if self._free >= self._least:
                self._changed.notify(self._free // self._least)

    def close(self) -> None:
        """Nobody gets a slot any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def full(self) -> bool:
        """Whether nobody can take a slot now."""
        return self._free < self._least

    @property
    def free(self) -> int:
        """Slots that nobody has taken."""
        return self._free
