"""An SQS queue in memory whose long polls end when a test says so, and which notes every call."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from botocore.exceptions import ClientError

from config.lanes import LANES

#: Seconds that a test waits for threads at most; it never waits that long unless it fails.
PATIENCE = 10.0

#: The lane of the lines under test.
LANE = replace(LANES["uploads"], visibility=60)

Entries = list[dict[str, Any]]


def error(code: str, operation: str = "ReceiveMessage") -> ClientError:
    """An error answer of SQS."""
    return ClientError({"Error": {"Code": code, "Message": "it is said"}}, operation)


class MemoryQueue:
    """Stands in for the SQS client. Time does not pass: what is hidden is shown again by `show` alone."""

    def __init__(self) -> None:
        self._visible: deque[dict[str, Any]] = deque()
        #: Receipt -> message, for every delivery that was not deleted or shown again.
        self.hidden: dict[str, dict[str, Any]] = {}
        self.asked: list[dict[str, Any]] = []
        self.deletes: list[list[str]] = []
        #: Message id and seconds of each change of visibility.
        self.changes: list[tuple[str, int]] = []
        #: Method name -> what its next calls raise, in turn; None lets one through.
        self.failing: dict[str, deque[BaseException | None]] = defaultdict(deque)
        #: Ids whose next entry in a batch fails, and whether that is the sender's fault.
        self.refusing: dict[str, bool] = {}
        self._changed = threading.Condition()
        self._numbers = count(1)
        self._shut = False
        #: Called once, as soon as a change of visibility arrives and before it is done.
        self.crossing: Callable[[], object] = lambda: None
        #: Long polls that are open now.
        self.polls = 0

    # ---- what the test does ----

    def send(self, *ids: str) -> None:
        """Put messages on the queue."""
        with self._changed:
            self._visible.extend({"MessageId": message_id, "Body": "body"} for message_id in ids)
            self._changed.notify_all()

    def show(self, message_id: str) -> None:
        """Deliver a message that is hidden once more, as when its visibility has ended."""
        with self._changed:
            message = next(m for m in self.hidden.values() if m["MessageId"] == message_id)
            self._visible.append(message)
            self._changed.notify_all()

    def take(self) -> list[str]:
        """Take every visible message away; gives their ids."""
        with self._changed:
            ids = self.visible
            self._visible.clear()
            return ids

    def shut(self) -> None:
        """Answer every long poll at once from now on, with nothing."""
        with self._changed:
            self._shut = True
            self._changed.notify_all()

    def until(self, look: Callable[[], object], what: str = "") -> None:
        """Wait until something is so that the queue hears of."""
        with self._changed:
            assert self._changed.wait_for(look, timeout=PATIENCE), what or "it did not happen"

    def heard(self) -> None:
        """Something that is looked for may have changed elsewhere."""
        with self._changed:
            self._changed.notify_all()

    @property
    def visible(self) -> list[str]:
        """Ids of what would be delivered next."""
        return [message["MessageId"] for message in self._visible]

    @property
    def deleted(self) -> list[str]:
        """Receipts, in the order of their deletion."""
        return [receipt for group in self.deletes for receipt in group]

    # ---- what the client does ----

    def receive_message(self, **params: Any) -> dict[str, Any]:
        """Up to MaxNumberOfMessages, after waiting for the first."""
        with self._changed:
            self.asked.append(params)
            self._changed.notify_all()
            self._fail("receive_message")
            self.polls += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._visible or self._shut)
            self.polls -= 1
            most = min(len(self._visible), params["MaxNumberOfMessages"])
            return {"Messages": [self._deliver(self._visible.popleft()) for _ in range(most)]}

    def delete_message_batch(self, *, QueueUrl: str, Entries: Entries) -> dict[str, Any]:  # noqa: ARG002, N803
        """Delete, except what is refused."""
        with self._changed:
            self._changed.notify_all()
            self._fail("delete_message_batch")
            good, failed = self._sorted(Entries)
            self.deletes.append([entry["ReceiptHandle"] for entry in good])
            for entry in good:
                self.hidden.pop(entry["ReceiptHandle"], None)
            return {"Failed": failed}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Entries) -> dict[str, Any]:  # noqa: ARG002, N803
        """Hide for longer, or show, except what is refused."""
        crossing, self.crossing = self.crossing, lambda: None
        crossing()
        with self._changed:
            self._changed.notify_all()
            self._fail("change_message_visibility_batch")
            good, failed = self._sorted(Entries)
            for entry in good:
                message, seconds = self.hidden[entry["ReceiptHandle"]], entry["VisibilityTimeout"]
                self.changes.append((message["MessageId"], seconds))
                if seconds == 0:
                    self._visible.append(self.hidden.pop(entry["ReceiptHandle"]))
            return {"Failed": failed}

    def _deliver(self, message: dict[str, Any]) -> dict[str, Any]:
        receipt = f"{message['MessageId']}#{next(self._numbers)}"
        self.hidden = {r: m for r, m in self.hidden.items() if m["MessageId"] != message["MessageId"]}
        self.hidden[receipt] = message
        return {**message, "ReceiptHandle": receipt, "Attributes": {"ApproximateReceiveCount": "1"}}

    def _fail(self, method: str) -> None:
        if self.failing[method] and (failure := self.failing[method].popleft()):
            raise failure

    def _sorted(self, entries: Entries) -> tuple[Entries, Entries]:
        good, failed = [], []
        for entry in entries:
            sender = self.refusing.pop(entry["ReceiptHandle"].partition("#")[0], None)
            if sender is None:
                good.append(entry)
            else:
                failed.append({"Id": entry["Id"], "SenderFault": sender, "Code": "ItIsSaid"})
        return good, failed


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Inbox:
    """The event loop's side: what was delivered, in its order."""

    def __init__(self, queue: MemoryQueue) -> None:
        self.receipts: dict[str, str] = {}
        self.runs: list[str] = []
        self._queue = queue

    def __call__(self, _lane: str, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            self.runs.append(message["MessageId"])
            self.receipts[message["MessageId"]] = message["ReceiptHandle"]
        self._queue.heard()


def arrived(queue: MemoryQueue, inbox: Inbox, *ids: str) -> None:
    """Send messages and wait until they are delivered."""
    before = len(inbox.runs)
    queue.send(*ids)
    queue.until(lambda: len(inbox.runs) >= before + len(ids), f"{ids} delivered")


def idle(queue: MemoryQueue, *, asked: int, polls: int = 1) -> None:
    """Wait until there were so many calls, of which so many wait for messages."""
    queue.until(lambda: len(queue.asked) >= asked and queue.polls == polls, f"{asked} asked, {polls} waiting")
