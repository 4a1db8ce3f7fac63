"""The server that every contender runs against: SQS, and as much of S3, DynamoDB and Rekognition as one image needs.

`python -m tests.bench.fake_aws --latency 0.01 --detector 0.2` prints `{"endpoint": ...}` and serves until its
standard input ends. Each call is counted, and acted on after its latency. `GET /-/stats` says what happened;
`POST /-/fill` puts messages on a queue, `/-/purge` takes them off, `/-/pace` sends them one by one.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import re
import sys
import time
from collections import Counter
from typing import Any

import uvloop

from tests.bench.fake_sqs import Sqs
from tests.bench.wire import Connection, Reply, Request

#: What stands for a message's number in a template.
NUMBER = "@N@"
_JSON = b"Content-Type: application/x-amz-json-1.1\r\n"
_PICTURE = (
    b'Content-Type: image/jpeg\r\nETag: "d41d8cd98f00b204e9800998ecf8427e"\r\nx-amz-version-id: v1\r\n'
    b"x-amz-meta-uploader: someone\r\nContent-Range: bytes 0-4095/81920\r\n"
)
_JPEG = b"\xff\xd8\xff\xe0" + bytes(4092)
_CLEAN = b'{"ModerationLabels":[],"ContentTypes":[],"ModerationModelVersion":"7.0"}'
#: The number of the message that a decision's row is about, from its key.
_KEY_NUMBER = re.compile(rb"/(\d{9})\.jpg")


class FakeAws:
    """One server for all services; the service is read from the request as AWS's own front doors do."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, base: str, flags: argparse.Namespace) -> None:
        """`flags` has `latency`, `detector`, `dynamodb` and `visibility`, in seconds."""
        self.loop, self.flags = loop, flags
        self.sqs = Sqs(loop=loop, base=base, visibility=flags.visibility)
        self.calls: Counter[str] = Counter()
        #: Seconds from a message's sending to its decision's write.
        self.decided: list[float] = []
        self._sent_at: dict[int, float] = {}

    def handle(self, request: Request, reply: Reply) -> None:
        """Count, wait, answer."""
        if request.path.startswith("/-/"):
            reply(200, json.dumps(self._control(request)).encode(), _JSON)
            return
        service, operation = _called(request)
        self.calls[f"{service}.{operation}"] += 1
        latency = {"rekognition": self.flags.detector, "dynamodb": self.flags.dynamodb}.get(service)
        latency = self.flags.latency if latency is None else latency
        if latency:
            self.loop.call_later(latency, self._act, service, operation, request, reply)
        else:
            self._act(service, operation, request, reply)

    def _act(self, service: str, operation: str, request: Request, reply: Reply) -> None:
        if service == "sqs":
            self.sqs.handle(operation, json.loads(request.body), reply)
        elif service == "rekognition":
            reply(200, _CLEAN, _JSON)
        elif service == "dynamodb":
            self._note_decision(request.body)
            reply(200, _claimed(request.body) if operation == "BatchExecuteStatement" else b"{}", _JSON)
        elif operation == "GetObject":
            reply(206, _JPEG, _PICTURE)
        else:
            reply(200, b"", b'ETag: "d41d8cd98f00b204e9800998ecf8427e"\r\n')

    def _note_decision(self, body: bytes) -> None:
        found = _KEY_NUMBER.search(body)
        sent_at = self._sent_at.pop(int(found[1]), None) if found else None
        if sent_at is not None:
            self.decided.append(time.monotonic() - sent_at)

    def _control(self, request: Request) -> dict[str, Any]:
        asked = json.loads(request.body or b"{}")
        if request.path == "/-/fill":
            self._send(asked, asked["count"])
        elif request.path == "/-/purge":
            self.sqs.queue(asked["queue"]).purge()
        elif request.path == "/-/pace":
            self._pace(asked, asked["count"])
        return self._stats()

    def _send(self, asked: dict[str, Any], count: int) -> None:
        queue, now = self.sqs.queue(asked["queue"]), time.monotonic()
        bodies = [asked["template"].replace(NUMBER, f"{queue.sent + n:09d}") for n in range(count)]
        self._sent_at |= dict.fromkeys(range(queue.sent, queue.sent + count), now)
        if asked.get("base64"):
            bodies = [base64.b64encode(body.encode()).decode() for body in bodies]
        queue.send(bodies, now=now)

    def _pace(self, asked: dict[str, Any], left: int) -> None:
        if left:
            self._send(asked, 1)
            self.loop.call_later(asked["every"], self._pace, asked, left - 1)

    def _stats(self) -> dict[str, Any]:
        queues = {
            name: {
                "sent": queue.sent,
                "visible": queue.visible,
                "left": queue.left,
                "deleted": queue.deleted,
                "repeated": queue.repeated,
                "redelivered": queue.redelivered,
                "latencies": queue.latencies,
                "batches": {str(size): times for size, times in sorted(queue.batches.items())},
            }
            for name, queue in self.sqs.queues.items()
        }
        answer = {
            "at": time.monotonic(), "cpu": time.process_time(), "calls": dict(self.calls), "queues": queues,
            "decided": self.decided,
        }  # fmt: skip
        # Latencies are handed out once, so that a long run does not send them over and over.
        self.decided = []
        for queue in self.sqs.queues.values():
            queue.latencies = []
        return answer


def _claimed(body: bytes) -> bytes:
    """Every statement succeeds."""
    return json.dumps({"Responses": [{} for _ in json.loads(body)["Statements"]]}).encode()


def _called(request: Request) -> tuple[str, str]:
    target = request.headers.get(b"x-amz-target", b"").decode()
    if not target:
        return "s3", {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject"}.get(request.method, request.method)
    front, operation = target.split(".", 1)
    for name, service in (("AmazonSQS", "sqs"), ("DynamoDB", "dynamodb"), ("Rekognition", "rekognition")):
        if front.startswith(name):
            return service, operation
    return front.lower(), operation


async def serve(flags: argparse.Namespace) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    fake: FakeAws | None = None

    def handle(request: Request, reply: Reply) -> None:
        assert fake is not None
        fake.handle(request, reply)

    server = await loop.create_server(lambda: Connection(handle), "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    fake = FakeAws(loop, base=endpoint, flags=flags)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    sys.stdout.write(json.dumps({"endpoint": endpoint}) + "\n")
    sys.stdout.flush()
    await ended.wait()


def main() -> None:
    """Read the flags and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds of every call but those below")
    parser.add_argument("--detector", type=float, help="seconds of Rekognition's")
    parser.add_argument("--dynamodb", type=float, help="seconds of DynamoDB's")
    parser.add_argument("--visibility", type=float, default=60.0)
    parser.add_argument("--until-eof", action="store_true", help="as every child of deploy.local.children is told")
    gc.freeze()
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
