"""What one lane of this process has received and not settled, so that it can be kept hidden, or given back."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

#: SQS hides no message longer than twelve hours from when it was received.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
MAX_HIDDEN_SECONDS = 43_200
#: Messages whose work is done are remembered, so that a delete that failed repeats no work.
REMEMBERED = 10_000


@dataclass(slots=True)
class Held:
    """A message that is this process's until `hidden_until` (monotonic seconds)."""

    message_id: str
    receipt: str
    received_at: float
    hidden_until: float
    started: bool = False


class InFlight:
    """The messages of one lane, by receipt handle. Every method is safe to call from any thread."""

    def __init__(self, visibility: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`visibility` is the lane's, in seconds."""
        self._visibility, self._clock = visibility, clock
        self._held: dict[str, Held] = {}
        self._done: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def add(self, messages: Iterable[dict[str, Any]], *, asked_at: float) -> list[dict[str, Any]]:
        """Take messages as ReceiveMessage gave them; returns those whose work was done before.

        `asked_at` is when ReceiveMessage was called: the least that SQS hides them is counted from there.
        """
        with self._lock:
            repeated = []
            for message in messages:
                if message["MessageId"] in self._done:
                    repeated.append(message)
                    continue
                receipt = message["ReceiptHandle"]
                self._held[receipt] = Held(message["MessageId"], receipt, asked_at, asked_at + self._visibility)
            return repeated

    def start(self, receipt: str) -> bool:
        """Whether the work on a message may begin; it may not once the message was given back."""
        with self._lock:
            held = self._held.get(receipt)
            if held is None:
                return False
            held.started = True
            return True

    def settle(self, receipt: str, *, done: bool) -> None:
        """The message is out of this process's hands; `done` remembers it."""
        with self._lock:
            held = self._held.pop(receipt, None)
            if held is None or not done:
                return
            self._done[held.message_id] = None
            while len(self._done) > REMEMBERED:
                self._done.popitem(last=False)

    def due(self) -> list[tuple[str, int]]:
        """Receipts to hide for longer, and the seconds from now: those past a third of their time."""
        now = self._clock()
        with self._lock:
            late = [held for held in self._held.values() if held.hidden_until - now < self._visibility * 2 / 3]
        wanted = [(held, min(self._visibility, held.received_at + MAX_HIDDEN_SECONDS - now)) for held in late]
        return [(held.receipt, int(seconds)) for held, seconds in wanted if now + int(seconds) > held.hidden_until]

    def extended(self, receipt: str, seconds: int, *, at: float) -> None:
        """SQS has hidden a message for `seconds` more, counted from `at`."""
        with self._lock:
            held = self._held.get(receipt)
            if held is not None:
                held.hidden_until = at + seconds

    def give_back(self) -> list[str]:
        """Take out all messages whose work has not begun; their receipts are to be made visible."""
        with self._lock:
            waiting = [receipt for receipt, held in self._held.items() if not held.started]
            for receipt in waiting:
                del self._held[receipt]
            return waiting
