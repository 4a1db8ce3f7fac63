"""A line: one lane's way from SQS to the event loop and back."""

from __future__ import annotations

import random
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
from worker.again import ATTRIBUTES
from worker.batches import MAX_BATCH, Batches
from worker.inflight import InFlight
from worker.vital import Died, Vital, end_worker
from worker.window import Window

log = structlog.get_logger("modfleet.line")

Message = dict[str, Any]
#: Takes a lane's name and messages that are this process's, on a receiver's thread.
Deliver = Callable[[str, list[Message]], None]

#: Receivers of one lane; more would only contend for the interpreter's lock. Measured in tests/bench.
MAX_RECEIVERS = 3
#: Messages that wait in the process beside those on their way, so that no thread waits for the network.
AHEAD = MAX_BATCH
#: Seconds that a poll may take beyond its own time.
POLL_GRACE = 1.0
#: Seconds before asking again where ReceiveMessage failed: the first wait, which doubles up to the cap.
AFTER_FAULT, AFTER_FAULTS = 1.0, 10.0
#: Seconds that a paused lane's messages stay hidden. Shown at once, each would be taken and given back by every
#: long poll still open in the fleet, and every time counts as an attempt.
WHILE_PAUSED = LONG_POLL_SECONDS


class Line:
    """Receives a lane's messages, keeps them hidden while they are worked on, deletes them when done.

    It can be stopped and started again: Celery does that when it believes to have lost its connection.
    """

    def __init__(  # noqa: PLR0913  # the last three have one right value outside of tests
        self,
        lane: Lane,
        *,
        aws: Aws,
        url: str,
        concurrency: int,
        poll_seconds: int = LONG_POLL_SECONDS,
        died: Died = end_worker,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`concurrency` is how many of the lane's tasks can run at once; nothing runs until `start`."""
        self.lane, self._aws, self._url, self._clock = lane, aws, url, clock
        self._poll_seconds = poll_seconds
        self.batches = Batches(aws, url)
        self.inflight = InFlight(lane.visibility, clock=clock)
        receivers = min(MAX_RECEIVERS, 1 + concurrency // 8)
        # A receiver waits for room for a full batch: one slot at a time would cost a call a message.
        self.window = Window(max(2 * concurrency, concurrency + AHEAD + receivers * MAX_BATCH), least=MAX_BATCH)
        #: Monotonic seconds: when SQS last answered a receiver, be it with a fault.
        self.polled_at = clock()
        self.acker = Acker(self.batches, died=died)
        self._open, self._busy, self._closed = threading.Event(), threading.Event(), threading.Event()
        self._wanted, self._paused = False, False
        self._gate = threading.Lock()
        self._faults = 0
        self._receivers = [
            Vital(receive, name=f"receive-{lane.name}-{number}", died=died)
            for number, receive in enumerate([self._receive, *[self._help] * (receivers - 1)])
        ]

    @property
    def paused(self) -> bool:
        """Whether nothing is received on purpose, for a while."""
        return self._paused

    def start(self, deliver: Deliver) -> None:
        """Begin receiving, or receive again after `stop`, now for another `deliver`."""
        self._deliver = deliver
        self._turn(wanted=True)
        if not self.acker.started:
            self.acker.start()
            for thread in self._receivers:
                thread.start()

    def pause(self) -> None:
        """Receive nothing more, and give back what waits; what runs goes on."""
        self._give_back(self._turn(paused=True), seconds=WHILE_PAUSED)

    def resume(self) -> None:
        """Receive again, unless the line is stopped."""
        self._turn(paused=False)

    def stop(self) -> None:
        """Receive nothing more, and give back what waits; what runs goes on."""
        self._give_back(self._turn(wanted=False), seconds=0)

    def abandon(self) -> None:
        """Give back even what runs: this process is about to end, and somebody else may begin at once."""
        self._give_back(self._turn(wanted=False) + self.inflight.give_back(running=True), seconds=0)

    def close(self) -> None:
        """After the last task: delete what is done. The line cannot be started again.

        Returns when no poll is open any more: SQS would hand it messages, and hide them for a process that is gone.
        """
        self.stop()
        self._closed.set()
        self.window.close()
        self._open.set()
        self._busy.set()
        for thread in self._receivers:
            if thread.is_alive():
                thread.join(self._poll_seconds + POLL_GRACE)
        self.acker.close()

    def done(self, receipt: str) -> None:
        """A message's work is done: delete it soon."""
        newest = self.inflight.settle(receipt, done=True)
        self.acker.add(newest or receipt)
        if newest:
            self.window.give()

    def left(self, receipt: str) -> None:
        """A message stays on the queue; somebody has said when it comes back."""
        if self.inflight.settle(receipt, done=False):
            self.window.give()

    def keep_hidden(self) -> None:
        """Hide for longer what is still in this process's hands."""
        by_seconds: dict[int, list[str]] = {}
        for receipt, seconds in self.inflight.due():
            by_seconds.setdefault(seconds, []).append(receipt)
        for seconds, receipts in by_seconds.items():
            at = self._clock()
            failed = self.batches.hide(receipts, seconds=seconds)
            # Who gave one back meanwhile showed it to others, and this call has hidden it from them again.
            crossed = self.inflight.extended(set(receipts).difference(failed), seconds, at=at)
            self.batches.hide(crossed, seconds=WHILE_PAUSED if self._wanted else 0)

    def _turn(self, *, wanted: bool | None = None, paused: bool | None = None) -> list[str]:
        """Open or shut the line, by what was last said of each; returns the receipts to give back."""
        with self._gate:
            self._wanted = self._wanted if wanted is None else wanted
            self._paused = self._paused if paused is None else paused
            if self._wanted and not self._paused:
                self.inflight.accept()
                self._open.set()
                return []
            if not self._closed.is_set():
                self._open.clear()
            return self.inflight.give_back()

    def _give_back(self, receipts: list[str], *, seconds: int) -> None:
        self.window.give(len(receipts))
        self.batches.hide(receipts, seconds=seconds)

    def _receive(self) -> None:
        """The receiver that always asks."""
        while not self._closed.is_set():
            self._open.wait()
            self._receive_into_window()

    def _help(self) -> None:
        """Another receiver, that asks only while full batches come."""
        while not self._closed.is_set():
            self._busy.wait()
            self._open.wait()
            self._receive_into_window()

    def _receive_into_window(self) -> None:
        slots, used = self.window.take(MAX_BATCH), 0
        try:
            if slots and self._open.is_set() and not self._closed.is_set():
                used = self._receive_up_to(slots)
        finally:
            self.window.give(slots - used)

    def _receive_up_to(self, slots: int) -> int:
        """Ask once; returns how many of the slots are used."""
        asked_at = self._clock()
        try:
            answer = call(
                self._aws.store,
                self._aws.polling.receive_message,
                QueueUrl=self._url,
                MaxNumberOfMessages=slots,
                WaitTimeSeconds=self._poll_seconds,
                # Said here, so that SQS and `inflight` cannot disagree.
                VisibilityTimeout=self.lane.visibility,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp", "AWSTraceHeader"],
                MessageAttributeNames=ATTRIBUTES,
            )
        except Fault as fault:
            self._wait_after(fault)
            return 0
        messages = answer.get("Messages", [])
        self.polled_at, self._faults = self._clock(), 0
        self._busy.set() if len(messages) == slots else self._busy.clear()
        return self._hand_over(messages, asked_at=asked_at)

    def _wait_after(self, fault: Fault) -> None:
        """Whatever it is (no credentials, no queue, OverLimit), it may pass: ask again, but do not hammer."""
        self.polled_at = self._clock()
        self._busy.clear()
        most = min(AFTER_FAULTS, AFTER_FAULT * 2.0**self._faults)
        self._faults = min(self._faults + 1, 16)
        log.warning("not_received", lane=self.lane.name, why=str(fault))
        self._aws.store.sleep(random.uniform(most / 2, most))  # noqa: S311  # jitter

    def _hand_over(self, messages: list[Message], *, asked_at: float) -> int:
        taken = self.inflight.add(messages, asked_at=asked_at)
        for message in taken.repeated:
            self.acker.add(message["ReceiptHandle"])
        if taken.refused:
            seconds = WHILE_PAUSED if self._wanted else 0
            self.batches.hide([message["ReceiptHandle"] for message in taken.refused], seconds=seconds)
        if taken.fresh:
            self._deliver(self.lane.name, taken.fresh)
        return len(taken.fresh)
