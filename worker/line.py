"""A line: one lane's way from SQS to the event loop and back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

from config.lanes import Lane
from tasks.aws.calls import call
from tasks.aws.faults import Fault
from tasks.aws.session import LONG_POLL_SECONDS, Aws
from worker.acker import Acker
from worker.batches import MAX_BATCH, Batches
from worker.inflight import InFlight
from worker.window import Window

log = structlog.get_logger("modfleet.line")

Message = dict[str, Any]
#: Takes a lane's name and messages that are this process's, on a receiver's thread.
Deliver = Callable[[str, list[Message]], None]

#: Receivers of one lane; more would only contend for the interpreter's lock. Measured in tests/bench.
MAX_RECEIVERS = 3
#: Messages that wait in the process, so that no thread waits for the network.
AHEAD = 20
#: Seconds before asking again where ReceiveMessage failed.
AFTER_FAULT = 1.0


class Line:
    """Receives a lane's messages, keeps them hidden while they are worked on, deletes them when done."""

    def __init__(self, lane: Lane, *, aws: Aws, url: str, concurrency: int) -> None:
        """`concurrency` is how many of the lane's tasks can run at once; nothing runs until `start`."""
        self.lane, self._aws, self._url = lane, aws, url
        self.batches = Batches(aws, url)
        self.inflight = InFlight(lane.visibility)
        self.window = Window(max(2 * concurrency, concurrency + AHEAD))
        self.polled_at = time.monotonic()
        self.acker = Acker(self.batches)
        self._open, self._busy = threading.Event(), threading.Event()
        self._stopped = False
        self._receivers = [
            threading.Thread(target=self._receive, args=(number,), name=f"receive-{lane.name}-{number}", daemon=True)
            for number in range(min(MAX_RECEIVERS, 1 + concurrency // 8))
        ]

    def start(self, deliver: Deliver) -> None:
        """Begin receiving."""
        self._deliver = deliver
        self._open.set()
        self.acker.start()
        for thread in self._receivers:
            thread.start()

    def pause(self) -> None:
        """Receive nothing more, and give back what waits; what runs goes on."""
        self._open.clear()
        self.give_back()

    def resume(self) -> None:
        """Receive again."""
        self._open.set()

    def stop(self) -> None:
        """Receive nothing more for good, and give back what waits."""
        self._stopped = True
        self.window.close()
        self._open.set()
        self._busy.set()
        self.give_back()

    def close(self) -> None:
        """After the last task: delete what is done."""
        self.stop()
        self.acker.close()

    def give_back(self) -> None:
        """Make what waits here visible to others at once."""
        self.batches.hide(self.inflight.give_back(), seconds=0)

    def done(self, receipt: str) -> None:
        """A message's work is done: delete it soon."""
        self.inflight.settle(receipt, done=True)
        self.acker.add(receipt)
        self.window.give()

    def left(self, receipt: str) -> None:
        """A message stays on the queue; somebody has said when it comes back."""
        self.inflight.settle(receipt, done=False)
        self.window.give()

    def keep_hidden(self) -> None:
        """Hide for longer what is still in this process's hands."""
        by_seconds: dict[int, list[str]] = {}
        for receipt, seconds in self.inflight.due():
            by_seconds.setdefault(seconds, []).append(receipt)
        for seconds, receipts in by_seconds.items():
            at = time.monotonic()
            if self.batches.hide(receipts, seconds=seconds) == 0:
                for receipt in receipts:
                    self.inflight.extended(receipt, seconds, at=at)

    def _receive(self, number: int) -> None:
        """One receiver's life. The first always asks; the others only while full batches come."""
        while not self._stopped:
            self._open.wait()
            if number:
                self._busy.wait()
            if slots := self.window.take(MAX_BATCH):
                self.window.give(slots - self._receive_up_to(slots))

    def _receive_up_to(self, slots: int) -> int:
        """Ask once; returns how many of the slots are used."""
        asked_at = time.monotonic()
        try:
            answer = call(
                self._aws.store,
                self._aws.polling.receive_message,
                QueueUrl=self._url,
                MaxNumberOfMessages=slots,
                WaitTimeSeconds=LONG_POLL_SECONDS,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
        except Fault as fault:
            log.warning("not_received", lane=self.lane.name, why=str(fault))
            time.sleep(AFTER_FAULT)
            return 0
        messages = answer.get("Messages", [])
        self.polled_at = time.monotonic()
        self._busy.set() if len(messages) == slots else self._busy.clear()
        return self._hand_over(messages, asked_at=asked_at)

    def _hand_over(self, messages: list[Message], *, asked_at: float) -> int:
        if self._stopped:
            self.batches.hide([message["ReceiptHandle"] for message in messages], seconds=0)
            return 0
        repeated = self.inflight.add(messages, asked_at=asked_at)
        for message in repeated:
            self.acker.add(message["ReceiptHandle"])
        fresh = [message for message in messages if message not in repeated]
        if fresh:
            self._deliver(self.lane.name, fresh)
        return len(fresh)
