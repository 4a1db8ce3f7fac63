"""Celery on kombu's own SQS transport: `python -m tests.bench.stock --workload plumbing [--tuned]`.

At its defaults only what does not work on SQS at all is switched off (remote control, gossip, mingle, heartbeat).
Tuned is what field notes and issue threads advise: threads, a short polling interval, a deeper prefetch, late
acknowledgement, one layer of base64 less.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from celery import Celery

from tests.bench.by_hand import ByHand, body_of

QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING")


def create_app(workload: str, *, tuned: bool) -> Celery:
    """The app with one task for the workload."""
    app = Celery("stock", broker="sqs://")
    options: dict[str, Any] = {"predefined_queues": {"uploads": {"url": os.environ["BENCH_QUEUE_URL"]}}}
    if tuned:
        options |= {"polling_interval": 0.02, "wait_time_seconds": 20, "sqs_base64_encoding": False}
        app.conf.update(worker_prefetch_multiplier=4, task_acks_late=True, task_ignore_result=True)
    app.conf.update(broker_transport_options=options, task_default_queue="uploads", worker_enable_remote_control=False)
    by_hand = ByHand()

    @app.task(name=f"bench.{workload}", bind=True)
    def work(self: Any, *_: object) -> None:
        if workload == "plumbing":
            return
        if line := by_hand.work[workload](body_of(workload, self.request.id)):
            by_hand.log([line])

    return app


def main() -> None:
    """Read the flags and run until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", required=True)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--tuned", action="store_true")
    flags = parser.parse_args()
    pool = ("-P", "threads", "-c", str(flags.threads)) if flags.tuned else ()
    create_app(flags.workload, tuned=flags.tuned).worker_main(["--quiet", "worker", "-Q", "uploads", *pool, *QUIET])


if __name__ == "__main__":
    main()
