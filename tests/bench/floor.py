"""The floor: a loop on boto3 written by hand, which does the calls and nothing else.

`python -m tests.bench.floor --workload plumbing --threads 16`. Pollers take up to ten messages at a time, workers do
them, recorders write the audit lines and delete in groups of up to ten or 100 ms. It knows no retry, no
visibility extension, no drain and no failure: less than this cannot be done with the same calls.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Queue, SimpleQueue
from typing import Any

from tests.bench.by_hand import LEAN, PLAIN, ByHand

POLLERS, RECORDERS = 6, 6
GROUP, GROUP_SECONDS = 10, 0.1

Message = dict[str, Any]


class Floor:
    """Threads around three queues in memory."""

    def __init__(self, workload: str, *, threads: int, lean: bool) -> None:
        """Nothing runs until `start`."""
        self.by_hand = ByHand(LEAN if lean else PLAIN)
        self.work, self.ahead = self.by_hand.work[workload], self.by_hand.ahead.get(workload)
        self.url = os.environ["BENCH_QUEUE_URL"]
        self.received: Queue[Message] = Queue(maxsize=threads + 2 * GROUP)
        self.done: SimpleQueue[tuple[str, str | None]] = SimpleQueue()
        self.gathering = threading.Lock()
        self.threads = [
            *(threading.Thread(target=self.poll) for _ in range(POLLERS)),
            *(threading.Thread(target=self.run) for _ in range(threads)),
            *(threading.Thread(target=self.record) for _ in range(RECORDERS)),
        ]

    def start(self) -> None:
        """Run until killed."""
        for thread in self.threads:
            thread.start()

    def poll(self) -> None:
        """Receive."""
        receive: Callable[..., dict[str, Any]] = self.by_hand.sqs.receive_message
        while True:
            messages = receive(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=20).get("Messages", [])
            if messages and self.ahead:
                self.ahead([message["Body"] for message in messages])
            for message in messages:
                self.received.put(message)

    def run(self) -> None:
        """Do."""
        while True:
            message = self.received.get()
            self.done.put((message["ReceiptHandle"], self.work(message["Body"])))

    def record(self) -> None:
        """Write what was done, then delete."""
        while True:
            group = self.group()
            if lines := [line for _, line in group if line]:
                self.by_hand.log(lines)
            entries = [{"Id": str(n), "ReceiptHandle": receipt} for n, (receipt, _) in enumerate(group)]
            self.by_hand.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)

    def group(self) -> list[tuple[str, str | None]]:
        """Up to ten, or what has come within a tenth of a second."""
        with self.gathering:
            group, until = [self.done.get()], time.monotonic() + GROUP_SECONDS
            with suppress(Empty):
                while len(group) < GROUP:
                    group.append(self.done.get(timeout=max(0.0, until - time.monotonic())))
        return group


def main() -> None:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", required=True)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--lean", action="store_true", help="with clients told what modfleet's are told")
    flags = parser.parse_args()
    Floor(flags.workload, threads=flags.threads, lean=flags.lean).start()


if __name__ == "__main__":
    main()
