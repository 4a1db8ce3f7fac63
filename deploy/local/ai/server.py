"""`python -m deploy.local.ai.server`: Rekognition, Comprehend, Bedrock Runtime and Bedrock on one port."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy.local.ai.batch import Batches
from deploy.local.ai.cards import Faults
from deploy.local.ai.checks import Checks
from deploy.local.ai.comprehend import Comprehend
from deploy.local.ai.converse import Converse
from deploy.local.ai.counts import Counts
from deploy.local.ai.eyes import CANNOT_SEE, Eyes
from deploy.local.ai.guardrail import Guardrail
from deploy.local.ai.objects import Objects
from deploy.local.ai.protocol import Answer, Call, Protocol, Refusal
from deploy.local.ai.rekognition import Images
from deploy.local.ai.video import Jobs, Publish
from deploy.local.asgi import LOOPBACK, Receive, Scope, Send, headers_of, read_body, respond
from deploy.local.aws import KEY, client
from deploy.local.knobs import Knobs
from deploy.local.serving import Site, bind, run, serve

Operation = Callable[[Mapping[str, Any]], dict[str, Any]]


class Troubles:
    """Throttles and fails calls as the knobs say."""

    def __init__(self, knobs: Knobs, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._knobs, self._clock = knobs, clock
        #: Operation -> (tokens left, when counted).
        self._buckets: dict[str, tuple[float, float]] = {}
        self._failures_due = 0.0
        self._lock = threading.Lock()

    def strike(self, operation: str, service: str) -> None:
        """Raise Refusal where this call is over the rate, or one of those that fail."""
        with self._lock:
            if self._knobs.tps and not self._take(operation):
                raise Refusal("ThrottlingException", "Rate exceeded")
            self._failures_due += self._knobs.fail_rate
            if self._failures_due >= 1:
                self._failures_due -= 1
                code = "InternalServerError" if service == "rekognition" else "InternalServerException"
                raise Refusal(code, "the fail rate asked for this")

    def _take(self, operation: str) -> bool:
        """One token of a bucket that holds a second's worth."""
        now, most = self._clock(), max(self._knobs.tps, 1.0)
        tokens, counted = self._buckets.get(operation, (most, now))
        tokens = min(most, tokens + (now - counted) * self._knobs.tps)
        taken = tokens >= 1
        self._buckets[operation] = (tokens - taken, now)
        return taken


class StandIn:
    """The ASGI application: parse, trouble, delay, do, answer."""

    def __init__(self, objects: Objects, knobs: Knobs, publish: Publish) -> None:
        self._protocol, self._knobs, self._troubles = Protocol(), knobs, Troubles(knobs)
        self._counts = Counts()
        eyes, faults = Eyes(), Faults()
        images = Images(objects, eyes, faults, shortest_side=knobs.shortest_side)
        jobs = Jobs(objects, eyes, faults, most=knobs.jobs, seconds=knobs.job_seconds, publish=publish)
        converse = Converse(faults)
        batches = Batches(
            objects.s3, converse, seconds=knobs.batch_seconds, least=knobs.batch_least, bill=self._counts.bill
        )
        self._operations: dict[str, Operation] = {
            "DetectModerationLabels": images.detect_moderation_labels,
            "DetectText": images.detect_text,
            "StartContentModeration": jobs.start_content_moderation,
            "GetContentModeration": jobs.get_content_moderation,
            "DetectPiiEntities": Comprehend(faults).detect_pii_entities,
            "DetectToxicContent": Comprehend(faults).detect_toxic_content,
            "ApplyGuardrail": Guardrail(faults).apply_guardrail,
            "InvokeGuardrailChecks": Checks(faults).invoke_guardrail_checks,
            "Converse": converse.converse,
            "CreateModelInvocationJob": batches.create_model_invocation_job,
            "GetModelInvocationJob": batches.get_model_invocation_job,
            "StopModelInvocationJob": batches.stop_model_invocation_job,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = await read_body(receive)
        if scope["path"] == "/_calls":
            told = json.dumps(self._counts.told(), indent=2).encode()
            await respond(send, 200, headers={"content-type": "application/json"}, body=told)
            return
        answer = await self._answer(scope, body)
        await respond(send, answer.status, headers=answer.headers, body=answer.body)

    async def _answer(self, scope: Scope, body: bytes) -> Answer:
        call: Call | None = None
        try:
            path = scope["raw_path"].split(b"?")[0].decode("latin-1")
            call = self._protocol.parse(scope["method"], path, headers=headers_of(scope), body=body)
            operation = self._operation(call)
            self._troubles.strike(call.operation.name, call.service)
            await asyncio.sleep(self._knobs.latency_ms / 1000)
            result = await asyncio.to_thread(operation, call.params)
        except Refusal as refusal:
            if call:
                self._counts.refused(call.name)
            return self._protocol.refuse(refusal, call=call)
        self._counts.answered(call.name, call.params, result)
        return self._protocol.answer(call, result)

    def _operation(self, call: Call) -> Operation:
        operation = self._operations.get(call.operation.name)
        if operation is None:
            raise Refusal("UnknownOperationException", f"the stand-in does not do {call.operation.name}")
        return operation


def publisher(sns: Any) -> Publish:  # a boto3 client
    """What tells a topic something; where that fails, nobody hears it, as with Rekognition."""

    def publish(topic: str, message: str) -> None:
        try:
            sns.publish(TopicArn=topic, Message=message)
        except (BotoCoreError, ClientError) as error:
            sys.stderr.write(f"not told to {topic}: {type(error).__name__}\n")

    return publish


def main() -> None:
    """Read the options and serve until a signal; announces `endpoint`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port (default: a free one)")
    parser.add_argument("--host", default=LOOPBACK, help="where to listen (default: %(default)s)")
    parser.add_argument("--s3", required=True, metavar="URL", help="the endpoint of S3, for objects, and of SNS")
    parser.add_argument("--key", default=KEY, help="the access key for both (default: %(default)s)")
    parser.add_argument("--until-eof", action="store_true", help="also end when standard input ends")
    Knobs.add_flags(parser)
    chosen = parser.parse_args()
    sys.stderr.write(f"{CANNOT_SEE}\n")
    s3, sns = (client(service, chosen.s3, key=chosen.key) for service in ("s3", "sns"))
    stand_in = StandIn(Objects(s3), Knobs.chosen(chosen), publisher(sns))
    site = Site(stand_in, bind(chosen.port, host=chosen.host))
    run(serve([site], announce=lambda: {"endpoint": site.url}, until_eof=chosen.until_eof))


if __name__ == "__main__":
    main()
