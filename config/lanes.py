"""The lane table: one row per queue, read by the routes, the CLI, the template's check and the README."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lane:
    """One SQS queue with its dead-letter queue, and how its messages are worked."""

    name: str
    #: Seconds a received message stays hidden; a crashed worker's messages come back after this long.
    visibility: int
    #: Deliveries before a message is parked with its reason.
    attempts: int
    #: Tasks at once in one worker process (threads that wait on the network).
    concurrency: int
    #: Services without which none of its messages can be worked: while one is down, the lane is paused.
    needs: tuple[str, ...]
    purpose: str

    @property
    def max_receive_count(self) -> int:
        """The queue's own redrive limit: a safety net above `attempts`, for messages that kill the worker."""
        return self.attempts + 3


_STORES = ("s3", "dynamodb")
_JUDGING = ("rekognition", "bedrock-runtime", "comprehend", *_STORES)

LANES: dict[str, Lane] = {
    lane.name: lane
    for lane in (
        Lane("uploads", 60, 6, 16, _JUDGING, "live S3 events and submitted items"),
        Lane("rescan", 60, 6, 8, _JUDGING, "the back catalog"),
        Lane("video", 60, 6, 4, ("rekognition", *_STORES), "checks on running video jobs"),
        Lane("rulings", 60, 6, 4, _STORES, "human decisions, appeals, deferred actions"),
    )
}
