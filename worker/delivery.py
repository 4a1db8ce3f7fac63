"""One delivery of one SQS message, and how an outcome is carried out on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from celery import Task
from celery.exceptions import Reject

from config.lanes import LANES
from config.settings import Settings
from tasks.aws.calls import call
from tasks.aws.faults import Fault
from tasks.aws.limiter import on_behalf_of
from tasks.aws.session import Aws
from tasks.ledger import trace_header
from tasks.outcome import Done, Outcome, Parked, Retry, Skipped
from worker.again import counts_of, remembering
from worker.lines import Lines
from worker.seeing import Seeing, trace_in

log = structlog.get_logger("modfleet.delivery")

#: SQS cannot hide a message longer than twelve hours.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
MAX_VISIBILITY_SECONDS = 43_200
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html
MAX_DELAY_SECONDS = 900
#: Characters of a reason kept as a message attribute.
MAX_REASON = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message as SQS handed it over, this time."""

    lane: str
    message_id: str
    receipt: str
    #: Deliveries so far, this one included: 1 the first time.
    attempt: int
    body: str
    #: Of these, how many ended before anything was attempted, because a dependency was down.
    uncounted: int = 0
    #: When it was put on the queue, milliseconds since 1970; 0 where SQS did not say.
    sent_ms: int = 0
    #: Names it and what it causes; see `worker.seeing`.
    trace: str = ""

    @property
    def counted(self) -> int:
        """Attempts so far, this one included."""
        return self.attempt - self.uncounted


@dataclass(frozen=True, slots=True)
class Settler:
    """Carries outcomes out. A message is deleted (by Celery's acknowledgement) only after `settle` returns."""

    aws: Aws
    settings: Settings
    now: Callable[[], datetime]
    lines: Lines

    def begin(self, delivery: Delivery) -> None:
        """Raise Reject where the message was given back before its work began."""
        if not self.lines[delivery.lane].inflight.start(delivery.receipt):
            raise Reject("given back", requeue=True)

    def settle(self, delivery: Delivery, outcome: Outcome) -> str:
        """Return when the message can be deleted; raise Reject when it must come back."""
        if isinstance(outcome, Retry) and delivery.counted >= _most(delivery.lane, outcome):
            outcome = Parked(f"gave up after {delivery.counted} attempts: {outcome.why}")
        if isinstance(outcome, Retry):
            if not outcome.counts and self._send_again(delivery, outcome):
                return outcome.why
            self._hide(delivery, outcome)
            raise Reject(outcome.why, requeue=True)
        if isinstance(outcome, Parked):
            self._park(delivery, outcome)
        elif isinstance(outcome, Skipped):
            log.debug("skipped", why=outcome.why, message_id=delivery.message_id)
        return outcome.summary if isinstance(outcome, Done) else outcome.why

    def _send_again(self, delivery: Delivery, outcome: Retry) -> bool:
        """Have a delayed copy take the message's place; whether it was sent, and the message can be deleted.

        A message that was only hidden would come back with one more delivery on SQS's own count, and an outage
        of some hours would end with all that waited in the dead-letter queue.
        """
        seconds = min(max(round(outcome.after), 1), MAX_DELAY_SECONDS)
        try:
            call(
                self.aws.store,
                self.aws.sqs.send_message,
                QueueUrl=self.settings.queue_url(delivery.lane),
                MessageBody=delivery.body,
                DelaySeconds=seconds,
                MessageAttributes=remembering(deliveries=delivery.attempt, uncounted=delivery.uncounted + 1),
                **trace_header(),
            )
        except Fault as fault:
            log.warning("not_sent_again", why=str(fault), message_id=delivery.message_id)
            return False
        log.warning("wait", why=outcome.why, after=seconds, attempt=delivery.counted, message_id=delivery.message_id)
        return True

    def _hide(self, delivery: Delivery, outcome: Retry) -> None:
        # From here on nobody else may change when it comes back.
        receipt = self.lines[delivery.lane].inflight.leave(delivery.receipt)
        seconds = min(max(round(outcome.after), 1), MAX_VISIBILITY_SECONDS)
        log.warning("retry", why=outcome.why, after=seconds, attempt=delivery.attempt, message_id=delivery.message_id)
        try:
            call(
                self.aws.store,
                self.aws.sqs.change_message_visibility,
                QueueUrl=self.settings.queue_url(delivery.lane),
                ReceiptHandle=receipt,
                VisibilityTimeout=seconds,
            )
        except Fault as fault:
            # It then comes back when its visibility ends, which is soon enough.
            log.warning("retry_not_set", why=str(fault), message_id=delivery.message_id)

    def _park(self, delivery: Delivery, outcome: Parked) -> None:
        """Copy the message to the dead-letter queue with its reason; only then may it be deleted."""
        # SQS refuses an attribute that is empty or has a control character, and a reason may quote a body's names.
        reason = outcome.why.encode("unicode_escape").decode()[:MAX_REASON] or "no reason given"
        said = {
            "reason": reason,
            "lane": delivery.lane,
            "attempts": str(delivery.counted),
            "message_id": delivery.message_id,
            "parked_at": self.now().isoformat(),
        }
        log.error("parked", **said)
        try:
            call(
                self.aws.store,
                self.aws.sqs.send_message,
                QueueUrl=self.settings.dead_letter_url(delivery.lane),
                MessageBody=delivery.body,
                MessageAttributes={k: {"DataType": "String", "StringValue": v} for k, v in said.items()},
            )
        except Fault as fault:
            log.error("not_parked", why=str(fault), message_id=delivery.message_id)
            raise Reject(str(fault), requeue=True) from fault


def _most(lane: str, retry: Retry) -> int:
    """Deliveries after which a message that is to come again is parked instead.

    A wait is no attempt; but a message that ends its worker each time it is acted on would wait for the dead one's
    lease for ever, as SQS counts anew for each copy: then SQS's own limit holds.
    """
    return LANES[lane].attempts if retry.counts else LANES[lane].max_receive_count + 1


class DeliveredTask(Task):  # type: ignore[misc]  # Celery ships no types
    """A task that was delivered by SQS and returns an Outcome."""

    abstract = True

    def __call__(self, body: str) -> str:
        """Run the task and settle its message."""
        request = self.request
        delivery = Delivery(
            lane=request.lane,
            message_id=request.id,
            receipt=request.receipt,
            attempt=request.attempt,
            uncounted=request.uncounted,
            sent_ms=request.sent_ms,
            trace=request.trace,
            body=body,
        )
        settler: Settler = self.app.settler
        settler.begin(delivery)
        seeing: Seeing = self.app.seeing
        with seeing.run(delivery) as run:
            with on_behalf_of(delivery.lane):
                outcome: Outcome = self.run(body)
            seeing.concluded(run, outcome)
            return settler.settle(delivery, outcome)


def headers_of(message: dict[str, Any], *, lane: str) -> dict[str, Any]:
    """What a task must know of its delivery, from a message as ReceiveMessage returns it."""
    attempt, uncounted = counts_of(message)
    return {
        "lane": lane,
        "receipt": message["ReceiptHandle"],
        "attempt": attempt,
        "uncounted": uncounted,
        "sent_ms": int(message.get("Attributes", {}).get("SentTimestamp", 0)),
        "trace": trace_in(message.get("Attributes", {}).get("AWSTraceHeader", "")),
    }
