"""One SQS queue in memory whose every operation is independent of its depth."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

#: Takes the messages of one ReceiveMessage.
Receiver = Callable[[list["Message"]], None]


@dataclass(slots=True)
class Message:
    """One message, and when (monotonic seconds) it was sent, and hidden until."""

    number: int
    body: str
    sent_at: float
    visible_at: float = 0.0
    receives: int = 0
    deleted: bool = False

    @property
    def receipt(self) -> str:
        """The handle of its latest receive."""
        return f"{self.number}:{self.receives}"


@dataclass(slots=True)
class Queue:
    """Messages in the order they were sent; the hidden ones come back by their time."""

    visibility: float
    sent: int = 0
    deleted: int = 0
    #: Deletes of what had been deleted already.
    repeated: int = 0
    #: Receives that were not a message's first.
    redelivered: int = 0
    #: Seconds from sent to deleted, in the order of the deletes.
    latencies: list[float] = field(default_factory=list)
    #: Messages per ReceiveMessage -> how often.
    batches: Counter[int] = field(default_factory=Counter)
    _all: dict[int, Message] = field(default_factory=dict)
    _visible: deque[Message] = field(default_factory=deque)
    _hidden: list[tuple[float, int]] = field(default_factory=list)
    _waiting: deque[tuple[int, Receiver]] = field(default_factory=deque)

    @property
    def visible(self) -> int:
        """Messages that a receive would find."""
        return len(self._visible)

    @property
    def left(self) -> int:
        """Messages that are not deleted."""
        return len(self._all)

    def send(self, bodies: Sequence[str], *, now: float) -> None:
        """Put messages on the queue; whoever waits gets them."""
        for body in bodies:
            message = Message(self.sent, body, now)
            self._all[self.sent] = message
            self._visible.append(message)
            self.sent += 1
        self._serve(now)

    def receive(self, most: int, receiver: Receiver, *, now: float) -> bool:
        """Give the receiver up to `most` messages; False when there are none and it has been lined up."""
        self.show(now)
        if self._visible:
            receiver(self._take(most, now))
            return True
        self._waiting.append((most, receiver))
        return False

    def give_up(self, receiver: Receiver) -> bool:
        """The receiver waits no longer; False where it was served already."""
        for waiting in self._waiting:
            if waiting[1] is receiver:
                self._waiting.remove(waiting)
                return True
        return False

    def delete(self, receipt: str, *, now: float) -> None:
        """Delete a message; an old receipt deletes it too, as SQS does more often than not."""
        message = self._all.pop(int(receipt.partition(":")[0]), None)
        if message is None:
            self.repeated += 1
            return
        message.deleted = True
        self.deleted += 1
        self.latencies.append(now - message.sent_at)

    def hide(self, receipt: str, seconds: float, *, now: float) -> None:
        """Hide a message for so long from now, 0 to show it."""
        message = self._all.get(int(receipt.partition(":")[0]))
        if message is not None and message.receipt == receipt:
            message.visible_at = now + seconds
            heapq.heappush(self._hidden, (message.visible_at, message.number))
            self._serve(now)

    def purge(self) -> None:
        """Forget every message that nobody has."""
        for message in self._visible:
            self._all.pop(message.number, None)
        self._visible.clear()

    def show(self, now: float) -> None:
        """Make visible whose time has come."""
        while self._hidden and self._hidden[0][0] <= now:
            at, number = heapq.heappop(self._hidden)
            message = self._all.get(number)
            # It may have been hidden anew since; then a later entry of the heap stands for it.
            if message is not None and message.visible_at == at:
                self._visible.append(message)

    def _serve(self, now: float) -> None:
        self.show(now)
        while self._visible and self._waiting:
            most, receiver = self._waiting.popleft()
            receiver(self._take(most, now))

    def _take(self, most: int, now: float) -> list[Message]:
        taken = [self._visible.popleft() for _ in range(min(most, len(self._visible)))]
        for message in taken:
            message.receives += 1
            message.visible_at = now + self.visibility
            self.redelivered += message.receives > 1
            heapq.heappush(self._hidden, (message.visible_at, message.number))
        self.batches[len(taken)] += 1
        return taken
