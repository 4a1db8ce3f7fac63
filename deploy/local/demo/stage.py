"""The stage: a local cloud, a real worker on it, and the demo's own view of both, over plain AWS calls and HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import urllib3

from config.lanes import LANES
from deploy.local.aws import client
from deploy.local.children import Child
from deploy.local.demo.post import Post
from deploy.local.run import LocalCloud

#: Seconds until a worker that starts on a busy machine has received something.
START_DEADLINE = 90.0
#: Seconds for the last messages to be deleted.
DRAIN_DEADLINE = 20.0
#: Seconds for an interrupted worker to finish what it has in hand; the demo ends with it.
END_DEADLINE = 10.0
_POLL = 0.1
_IN_HAND = "ApproximateNumberOfMessagesNotVisible"
_COUNTS = ("ApproximateNumberOfMessages", _IN_HAND, "ApproximateNumberOfMessagesDelayed")
#: Seconds after which a killed worker's messages come back; 60 outside of a demo, which nobody would wait for.
VISIBILITY = 4


class StageError(Exception):
    """Something that should run has ended, or never began; the message names its log."""


class Stage:
    """The cloud as a context, with nothing left running at its exit; `start_worker` starts the worker."""

    def __init__(self, home: Path) -> None:
        """Logs are written to `home`."""
        self._cloud = LocalCloud(home=home)
        self._worker: Child | None = None
        self._workers = 0
        self._pids: list[int] = []
        #: What came from the notices topic.
        self._heard: list[dict[str, Any]] = []
        self._http = urllib3.PoolManager(timeout=10, retries=False)

    def __enter__(self) -> Self:
        """Start the cloud. Raises ChildError."""
        try:
            self._open(self._cloud.__enter__().environment)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _open(self, env: dict[str, str]) -> None:
        self.environment = env
        endpoint = env["AWS_ENDPOINT_URL"]
        self.s3, self.sqs, self.dynamodb = (client(name, endpoint) for name in ("s3", "sqs", "dynamodb"))
        self.uploads, self.quarantine = env["MODFLEET_UPLOADS_BUCKET"], env["MODFLEET_QUARANTINE_BUCKET"]
        self._notices = _subscribe(self.sqs, client("sns", endpoint), topic=env["MODFLEET_NOTICES_TOPIC_ARN"])

    def __exit__(self, *_: object) -> None:
        """End the worker, then the cloud."""
        try:
            if self._worker is not None:
                self._worker.end(within=END_DEADLINE)
        finally:
            self._cloud.stop()

    @property
    def home(self) -> Path:
        """Where files of the demo go."""
        return self._cloud.home

    @property
    def pids(self) -> list[int]:
        """Process ids of everything that was started."""
        return self._cloud.pids + self._pids

    def start_worker(self) -> None:
        """`modfleet worker` on every lane, as it runs anywhere."""
        command = [str(Path(sys.executable).parent / "modfleet"), "worker", "--lanes", ",".join(LANES)]
        self._workers += 1
        log = self._cloud.home / f"worker{self._workers}.log"
        hurried = {"MODFLEET_VISIBILITY_SECONDS": str(VISIBILITY), "MODFLEET_POLICY_SECONDS": "1"}
        environment = self._cloud.child_environment() | hurried
        self._worker = Child(command, log=log, environment=environment, announces=False)
        self._pids.append(self._worker.pid)

    def kill_worker(self) -> None:
        """SIGKILL it, which it cannot hear, and wait until it is gone."""
        if self._worker is not None:
            os.kill(self._worker.pid, signal.SIGKILL)
            self._worker.end()
            self._worker = None

    def wait_until_receiving(self) -> None:
        """Until the worker has emptied the uploads queue, where S3's own test event lies. Raises StageError."""
        deadline = time.monotonic() + START_DEADLINE
        while self.waiting("uploads"):
            if time.monotonic() > deadline:
                raise StageError(f"the worker received nothing within {START_DEADLINE:.0f} s")
            self.check_alive()
            time.sleep(_POLL)

    def check_alive(self) -> None:
        """Raises StageError when the worker or a part of the cloud has ended by itself."""
        dead = self._cloud.dead()
        if self._worker is not None and self._worker.ended() is not None:
            dead.append(self._worker.log)
        if dead:
            raise StageError(f"ended by itself; see {', '.join(map(str, dead))}")

    def upload(self, post: Post) -> str:
        """Put a post into the uploads bucket, as any application would; its VersionId."""
        answer = self.s3.put_object(
            Bucket=self.uploads,
            Key=post.key,
            Body=post.read(),
            ContentType=post.content_type,
            Metadata=post.metadata,
        )
        return str(answer["VersionId"])

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every row of the items table that is about a version."""
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.environment["MODFLEET_ITEMS_TABLE"], ConsistentRead=True
        )
        return (row for page in pages for row in page["Items"] if "status" in row)

    def case_status(self, case_id: str) -> str | None:
        """`open`, or None where there is no such case."""
        key = {"case_id": {"S": case_id}}
        table = self.environment["MODFLEET_CASES_TABLE"]
        row = self.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        return str(row["status"]["S"]) if row else None

    def public(self, key: str) -> tuple[int, bytes]:
        """Status and body that the public URL answers with."""
        answer = self._http.request("GET", f"{self.environment['MODFLEET_PUBLIC_URL']}/{quote(key)}")
        return answer.status, answer.data

    def waiting(self, lane: str, *, dead: bool = False) -> int:
        """Messages on a lane's queue, or on its dead-letter queue, in whatever state."""
        url = self.environment[f"MODFLEET_{lane.upper()}_QUEUE_URL"] + ("-dlq" if dead else "")
        counts = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))["Attributes"]
        return sum(int(counts[name]) for name in _COUNTS)

    def in_hand(self, lane: str) -> int:
        """Messages of a lane that some worker has received and not settled."""
        url = self.environment[f"MODFLEET_{lane.upper()}_QUEUE_URL"]
        counts = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[_IN_HAND])["Attributes"]
        return int(counts[_IN_HAND])

    def audit_lines(self) -> Iterator[dict[str, Any]]:
        """Every line of the audit log."""
        bucket = self.environment["MODFLEET_AUDIT_BUCKET"]
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="log/"):
            for entry in page.get("Contents", ()):
                body: bytes = self.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                yield from map(json.loads, body.splitlines())

    def is_idle(self) -> bool:
        """Whether no queue holds a message that a worker has or will get."""
        return not any(self.waiting(lane) for lane in LANES)

    def messages_left(self) -> dict[str, int]:
        """Messages by queue, once they have had time to be deleted; dead-letter queues included."""
        deadline = time.monotonic() + DRAIN_DEADLINE
        while not self.is_idle() and time.monotonic() < deadline:
            time.sleep(_POLL)
        left = {lane: self.waiting(lane) for lane in LANES}
        return left | {f"{lane}-dlq": self.waiting(lane, dead=True) for lane in LANES}

    def reasons(self) -> Iterator[str]:
        """Why messages were parked, as the worker wrote it on them."""
        for lane in LANES:
            url = self.environment[f"MODFLEET_{lane.upper()}_QUEUE_URL"] + "-dlq"
            batch = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            for message in batch.get("Messages", ()):
                yield message.get("MessageAttributes", {}).get("reason", {}).get("StringValue", "(none given)")

    def notices(self) -> set[tuple[str, str]]:
        """(key, version) of every item whose uploader was sent a statement of reasons."""
        self._hear()
        items = [said["item"] for said in self._heard if said["type"] == "statement_of_reasons"]
        return {(item["key"], item["version"]) for item in items}

    def account_events(self, uploader: str) -> list[str]:
        """What the application was told of an account (warn, limit, suspend), each event once, in its order."""
        self._hear()
        events = {said["event_id"]: said for said in self._heard if said["type"] == "account"}
        return [str(said["event"]) for said in events.values() if said["uploader"] == uploader]

    def _hear(self) -> None:
        while batch := self.sqs.receive_message(QueueUrl=self._notices, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                self._heard.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self._notices, ReceiptHandle=message["ReceiptHandle"])

    def command(self, *words: str) -> dict[str, Any]:
        """What `modfleet ... --json` prints, as an operator types it. Raises StageError where it fails."""
        said = [str(Path(sys.executable).parent / "modfleet"), *words, "--json"]
        environment = self._cloud.child_environment()
        ran = subprocess.run(said, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # ours
        if ran.returncode:
            raise StageError(f"modfleet {' '.join(words)}: {ran.stderr.strip()[-500:]}")
        answer: dict[str, Any] = json.loads(ran.stdout)
        return answer


def _subscribe(sqs: Any, sns: Any, *, topic: str) -> str:
    """The URL of a queue that gets every notice, as the application's own would."""
    url = str(sqs.create_queue(QueueName="demo-notices")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return url
