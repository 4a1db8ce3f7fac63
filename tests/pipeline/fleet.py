"""A fleet under test: a local cloud, worker processes on it, and what the world sees of both."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import pytest
from botocore.exceptions import ClientError
from elsewhere import outside

from config.lanes import LANES
from config.settings import load_settings
from deploy.local.children import Child
from deploy.local.knobs import Knobs
from deploy.local.run import LocalCloud
from tasks.act.quarantine import quarantine_key
from tasks.desk import Desk
from tasks.intake.message import Uploads, read_message
from tasks.record.audit import GENESIS, line_hash
from tasks.record.standing import Standing, Status
from tests.contract.command import Said, run
from worker.wiring import wire

#: Seconds between two looks at something that another process does: the first ones, and those that follow in vain. Each
#: takes the processor away from whoever is looked at.
POLL, SLOWEST_POLL = 0.05, 0.25
#: Seconds for one upload on a busy machine, queueing behind all the others included.
PATIENCE = 60.0
_LOG_TAIL = 4000

Found = TypeVar("Found")


def until(look: Callable[[], Found], *, what: str, within: float = PATIENCE) -> Found:
    """Look until there is something (true), and give it. Raises AssertionError when it takes too long."""
    deadline, pause = time.monotonic() + within, POLL
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what}"
        time.sleep(pause)
        pause = min(pause * 1.5, SLOWEST_POLL)
    return found


def card(**says: object) -> bytes:
    """A test card, to be put anywhere into an object."""
    return b"MODERATION-TEST-CARD" + json.dumps(says).encode()


@dataclass(frozen=True, slots=True)
class Put:
    """What S3 took: `version` names it as the items table does."""

    bucket: str
    key: str
    version: str
    etag: str
    body: bytes

    @property
    def location(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Fleet:
    """A local cloud with a desk on it; with `start_worker`, real workers too."""

    def __init__(self, cloud: LocalCloud, desk: Desk) -> None:
        self.cloud, self.desk = cloud, desk
        self.settings, self.aws = desk.settings, desk.aws
        self.workers: list[Child] = []
        #: By location and version: without versions that is an ETag and a number, both of which other uploads may have.
        self._notices: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        self._account_events: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._log: dict[tuple[str, str], bytes] = {}
        self._rescan_notices: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._events: dict[tuple[str, str], str] = {}
        self._notices_url = self._subscribe()

    # ---- workers ----

    def start_worker(self, *flags: str, **environment: str) -> Child:
        """A real worker process on every lane, with more flags and environment variables."""
        log = self.cloud.home / f"worker{len(self.workers)}.log"
        command = [str(Path(sys.executable).parent / "modfleet"), "worker", "--lanes", ",".join(LANES), *flags]
        environment = {**self.cloud.child_environment(), **environment}
        self.workers.append(Child(command, log=log, environment=environment, announces=False))
        return self.workers[-1]

    def kill_worker(self) -> None:
        """SIGKILL the newest worker, and wait until it is gone."""
        worker = self.workers[-1]
        os.kill(worker.pid, signal.SIGKILL)
        worker.end()

    def logs(self) -> str:
        """The end of each worker's log, to be shown when a test fails."""
        return "\n".join(f"--- {w.log.name}\n{w.log.read_text(errors='replace')[-_LOG_TAIL:]}" for w in self.workers)

    # ---- uploading ----

    def put(
        self, key: str, body: bytes, *, bucket: str = "", tags: dict[str, str] | None = None, **metadata: str
    ) -> Put:
        """Upload as an application does, by plain S3."""
        bucket = bucket or self.settings.uploads_bucket
        known = set(self._events)
        if bucket != self.settings.uploads_bucket:
            # ministack lets an overwritten object's tags live on where there are no versions; S3 does not.
            self.aws.s3.delete_object(Bucket=bucket, Key=key)
        tagging = {"Tagging": urlencode(tags)} if tags else {}
        answer = self.aws.s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata, **tagging)
        if bucket != self.settings.uploads_bucket and not tags:
            # Where versioning is suspended, they live on even then.
            self.aws.s3.delete_object_tagging(Bucket=bucket, Key=key)
        put = Put(bucket, key, answer.get("VersionId", ""), answer["ETag"].strip('"'), body)
        return put if put.version else replace(put, version=self._version_by_event(put, known))

    def plain_bucket(self, *, versioning: tuple[str, ...] = ()) -> str:
        """A new bucket without versions, whose uploads are announced on the same queue; then `versioning` is set."""
        name = f"plain-{uuid.uuid4().hex[:12]}"
        self.aws.s3.create_bucket(Bucket=name)
        for status in versioning:
            self.aws.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})  # type: ignore[typeddict-item]
        said = self.aws.s3.get_bucket_notification_configuration(Bucket=self.settings.uploads_bucket)
        queues = {"QueueConfigurations": said["QueueConfigurations"]}
        self.aws.s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=queues)
        policy = self.aws.s3.get_bucket_policy(Bucket=self.settings.uploads_bucket)["Policy"]
        self.aws.s3.put_bucket_policy(Bucket=name, Policy=policy.replace(self.settings.uploads_bucket, name))
        return name

    @contextmanager
    def unannounced(self) -> Iterator[None]:
        """Uploads made meanwhile send no event."""
        s3, bucket = self.aws.s3, self.settings.uploads_bucket
        queues = {"QueueConfigurations": s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]}
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        yield
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=queues)  # type: ignore[arg-type]

    def event_of(self, put: Put) -> str:
        """The body that S3 sent about an upload. For fleets without a worker, which would take it."""
        name = (put.location, put.version)
        return until(lambda: self._read_events().get(name), what=f"an event of {put.key[:60]}")

    def versions_of(self, key: str) -> list[str]:
        """The version of every upload of a key that S3 has announced."""
        return [version for location, version in self._read_events() if location.partition("/")[2].endswith(f"/{key}")]

    def newest_of(self, key: str, *, besides: set[str]) -> str:
        """The version of the one upload of a key that S3 announces besides these: it may take a moment."""
        (version,) = until(lambda: set(self.versions_of(key)) - besides, what=f"one more event of {key[:60]}")
        return version

    def _version_by_event(self, put: Put, known: set[tuple[str, str]]) -> str:
        """Without versions an upload is named by its event too."""

        def look() -> list[str]:
            new = [version for location, version in set(self._read_events()) - known if location == put.location]
            return [version for version in new if version.startswith(f"etag:{put.etag}@")]

        (version,) = until(look, what=f"an event of {put.key[:60]}")
        return version

    def _read_events(self) -> dict[tuple[str, str], str]:
        """Bodies of all events so far, by location and version."""
        for body in self.drain(self.settings.queue_url("uploads")):
            message = read_message(body)
            for item in message.items if isinstance(message, Uploads) else ():
                self._events[item.location, item.version] = body
        return self._events

    # ---- what became of it ----

    def standing(self, put: Put) -> Standing | None:
        """What is recorded of exactly this upload."""
        return self.desk.state.find_version(put.location, put.version)

    def ended(self, put: Put, *, within: float = PATIENCE) -> Standing:
        """Where an upload stands once nothing is left to do about it."""

        def look() -> Standing | None:
            found = self.standing(put)
            return found if found and found.status is not Status.PENDING else None

        try:
            return until(look, what=f"the end of {put.key[:60]}", within=within)
        except AssertionError as late:
            late.add_note(f"it stands at: {self.standing(put)}")
            raise

    def public(self, key: str, *, bucket: str = "") -> tuple[int, bytes]:
        """(HTTP status, body) as the public sees a key, of the uploads bucket unless another is named."""
        where = urlsplit(str(self.settings.public_url))
        assert where.hostname
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
        try:
            connection.request("GET", f"/~{bucket}/{quote(key)}" if bucket else f"/{quote(key)}")
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def current(self, put: Put) -> bytes | None:
        """The bytes that are current under an upload's key, None where there is nothing."""
        return self._bytes(put.bucket, put.key)

    def quarantined(self, put: Put) -> list[bytes]:
        """Every copy of an upload in quarantine."""
        row = self.standing(put)
        assert row is not None
        bucket, key = self.settings.quarantine_bucket, quarantine_key(row.item)
        listed = self.aws.s3.list_object_versions(Bucket=bucket, Prefix=key).get("Versions", [])
        copies = [self._bytes(bucket, key, VersionId=version["VersionId"]) for version in listed]
        return [copy for copy in copies if copy is not None]

    def tags(self, put: Put) -> dict[str, str]:
        """The tags of what is current under an upload's key."""
        answer = self.aws.s3.get_object_tagging(Bucket=put.bucket, Key=put.key)
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def case(self, put: Put) -> dict[str, str] | None:
        """The case that was opened about an upload."""
        row = self.standing(put)
        assert row is not None
        key = {"case_id": {"S": row.item.id}}
        found = self.aws.dynamodb.get_item(TableName=self.settings.cases_table, Key=key, ConsistentRead=True)
        return {name: value["S"] for name, value in found["Item"].items() if "S" in value} if "Item" in found else None

    def notices(self, put: Put) -> list[dict[str, Any]]:
        """Every statement of reasons published about an upload, so far."""
        self._hear()
        return self._notices[put.location, put.version]

    def account_events(self, uploader: str) -> list[dict[str, Any]]:
        """Every event published about an uploader's account, so far."""
        self._hear()
        return self._account_events[uploader]

    def rescan_notices(self, uploader: str) -> list[dict[str, Any]]:
        """Every notice of a rescan to an uploader, so far."""
        self._hear()
        return self._rescan_notices[uploader]

    def audit_lines(self) -> list[dict[str, Any]]:
        """Every line of the audit log. An object of it is read once, unless it has changed."""
        pages = self.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=self.settings.audit_bucket, Prefix="log/")
        there = [(entry["Key"], entry["ETag"]) for page in pages for entry in page.get("Contents", [])]
        self._log = {one: self._log.get(one) or self._bytes(self.settings.audit_bucket, one[0]) or b"" for one in there}
        return [json.loads(line) for body in self._log.values() for line in body.splitlines()]

    def modfleet(self, *words: str) -> Said:
        """Run `modfleet WORDS` on this fleet's cloud."""
        return run(self.cloud.child_environment() | {"COLUMNS": "200"}, *words)

    # ---- queues ----

    def drain(self, url: str) -> Iterator[str]:
        """Take every body that is waiting now."""
        return (message["Body"] for message in self.take(url))

    def take(self, url: str) -> Iterator[dict[str, Any]]:
        """Take every message that is waiting now, with its attributes."""
        sqs = self.aws.sqs
        wanted = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "WaitTimeSeconds": 0}
        while messages := sqs.receive_message(QueueUrl=url, **wanted).get("Messages"):  # type: ignore[arg-type]
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                yield dict(message)

    def depth(self, url: str) -> int:
        """Messages on a queue, in flight and delayed ones included."""
        names = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        )
        told = self.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        return sum(int(told.get(name, "0")) for name in names)

    def _hear(self) -> None:
        for body in self.drain(self._notices_url):
            notice = json.loads(body)
            if notice["type"] == "account":
                self._account_events[notice["uploader"]].append(notice)
            elif notice["type"] == "rescan":
                self._rescan_notices[notice["uploader"]].append(notice)
            else:
                item = notice["item"]
                self._notices[f"s3://{item['bucket']}/{item['key']}", item["version"]].append(notice)

    def _subscribe(self) -> str:
        """A queue that hears every notice."""
        url = self.aws.sqs.create_queue(QueueName="notices-heard")["QueueUrl"]
        arn = self.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic, sns = self.settings.notices_topic_arn, self.aws.sns
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})  # type: ignore[attr-defined]
        return str(url)

    def _bytes(self, bucket: str, key: str, **which: str) -> bytes | None:
        try:
            body: bytes = self.aws.s3.get_object(Bucket=bucket, Key=key, **which)["Body"].read()  # type: ignore[arg-type]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
        return body


@contextmanager
def running_fleet(home: Path, **knobs: float) -> Iterator[Fleet]:
    """A fleet on a cloud of its own, by the names of `Knobs`; it ends with all its workers."""
    with LocalCloud(home=home, knobs=Knobs(**knobs), outside=outside()) as cloud:  # type: ignore[arg-type]
        fleet = Fleet(cloud, desk_on(cloud))
        try:
            yield fleet
        finally:
            for worker in fleet.workers:
                worker.end()


def desk_on(cloud: LocalCloud) -> Desk:
    """A desk made as a worker makes its own: from the environment, by the composition root."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in cloud.environment.items():
            environment.setenv(name, value)
        return wire(load_settings())


def assert_chains_hold(lines: list[dict[str, Any]]) -> None:
    """Each writer's lines are there from the first to the last, unchanged."""
    chains: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        chains[line["writer"]].append(line)
    for chain in chains.values():
        chain.sort(key=lambda line: line["line"])
        assert [line["line"] for line in chain] == list(range(1, len(chain) + 1))
        assert [line["prev"] for line in chain] == [GENESIS, *(line["hash"] for line in chain[:-1])]
        assert all(line_hash(line) == line["hash"] for line in chain)


def said(lines: list[dict[str, Any]], put: Put, event: str) -> list[dict[str, Any]]:
    """The different entries of one event about one upload: an entry written again after a crash is one entry."""
    about = {"bucket": put.bucket, "key": put.key, "version": put.version}
    chained = ("writer", "line", "prev", "hash", "after")
    entries = [
        {name: value for name, value in line.items() if name not in chained}
        for line in lines
        if line["event"] == event and line.get("item") == about
    ]
    return [entry for number, entry in enumerate(entries) if entry not in entries[:number]]
