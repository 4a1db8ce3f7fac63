"""What one lane of this process has received and not settled, so that it can be kept hidden, or given back."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
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
    #: SQS listens to the receipt of the newest delivery only, so this is replaced when there is another.
    receipt: str
    received_at: float
    hidden_until: float
    started: bool = False
    #: Somebody has said, or is saying, when it comes back: nobody else may.
    leaving: bool = False


@dataclass(slots=True)
class Taken:
    """What became of the messages of one ReceiveMessage."""

    #: To be worked on.
    fresh: list[dict[str, Any]] = field(default_factory=list)
    #: Done before: to be deleted once more.
    repeated: list[dict[str, Any]] = field(default_factory=list)
    #: To be given back.
    refused: list[dict[str, Any]] = field(default_factory=list)


class InFlight:
    """The messages of one lane, by the receipt they were handed over with. Safe to call from any thread."""

    def __init__(self, visibility: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`visibility` is the lane's, in seconds."""
        self._visibility, self._clock = visibility, clock
        self._held: dict[str, Held] = {}
        self._by_id: dict[str, Held] = {}
        self._done: OrderedDict[str, None] = OrderedDict()
        #: Receipts given back since `accept`.
        self._given: frozenset[str] = frozenset()
        self._refusing = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def add(self, messages: Iterable[dict[str, Any]], *, asked_at: float) -> Taken:
        """Take messages as ReceiveMessage gave them.

        `asked_at` is when ReceiveMessage was called: the least that SQS hides them is counted from there. A
        message that is held already is neither fresh nor anything else: who holds it goes on, with the new receipt.
        """
        taken = Taken()
        with self._lock:
            for message in messages:
                if message["MessageId"] in self._done:
                    taken.repeated.append(message)
                elif held := self._by_id.get(message["MessageId"]):
                    held.receipt, held.received_at = message["ReceiptHandle"], asked_at
                    held.hidden_until = asked_at + self._visibility
                elif self._refusing:
                    taken.refused.append(message)
                else:
                    self._hold(message, asked_at)
                    taken.fresh.append(message)
        return taken

    def start(self, receipt: str) -> bool:
        """Whether the work on a message may begin; it may not once the message was given back."""
        with self._lock:
            held = self._held.get(receipt)
            if held is None:
                return False
            held.started = True
            return True

    def leave(self, receipt: str) -> str:
        """Somebody will say when the message comes back; returns the receipt that SQS listens to."""
        with self._lock:
            held = self._held.get(receipt)
            if held is None:
                return receipt
            held.leaving = True
            self._by_id.pop(held.message_id, None)
            return held.receipt

    def settle(self, receipt: str, *, done: bool) -> str | None:
        """The message is out of this process's hands; `done` remembers it.

        Returns the receipt that SQS listens to, None where the message was not held any more.
        """
        with self._lock:
            held = self._held.get(receipt)
            if held is None:
                return None
            self._drop(receipt, held)
            if done:
                self._done[held.message_id] = None
            while len(self._done) > REMEMBERED:
                self._done.popitem(last=False)
            return held.receipt

    def due(self) -> list[tuple[str, int]]:
        """Receipts to hide for longer, and the seconds from now: those past a third of their time."""
        now = self._clock()
        with self._lock:
            mine = [held for held in self._held.values() if not held.leaving]
        late = [held for held in mine if held.hidden_until - now < self._visibility * 2 / 3]
        wanted = [(held, int(min(self._visibility, held.received_at + MAX_HIDDEN_SECONDS - now))) for held in late]
        return [(held.receipt, seconds) for held, seconds in wanted if seconds > max(0.0, held.hidden_until - now)]

    def extended(self, receipts: Collection[str], seconds: int, *, at: float) -> list[str]:
        """SQS has hidden these for `seconds` more, counted from `at`; returns those given back meanwhile."""
        with self._lock:
            for held in self._held.values():
                if held.receipt in receipts:
                    held.hidden_until = at + seconds
            return [receipt for receipt in receipts if receipt in self._given]

    def give_back(self, *, running: bool = False) -> list[str]:
        """Take out all messages whose work has not begun, with `running` the others too, and refuse new ones.

        Returns their receipts, to be made visible.
        """
        with self._lock:
            self._refusing = True
            given = {r: held for r, held in self._held.items() if not held.leaving and (running or not held.started)}
            for receipt, held in given.items():
                self._drop(receipt, held)
            receipts = [held.receipt for held in given.values()]
            self._given = self._given.union(receipts)
            return receipts

    def accept(self) -> None:
        """Refuse no longer."""
        with self._lock:
            self._refusing, self._given = False, frozenset()

    def _hold(self, message: dict[str, Any], asked_at: float) -> None:
        held = Held(message["MessageId"], message["ReceiptHandle"], asked_at, asked_at + self._visibility)
        self._held[held.receipt] = self._by_id[held.message_id] = held

    def _drop(self, receipt: str, held: Held) -> None:
        del self._held[receipt]
        if self._by_id.get(held.message_id) is held:
            del self._by_id[held.message_id]
