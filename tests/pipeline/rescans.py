"""Runs of rescans as tests begin them: items that stand as an older policy left them, and messages on record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import yaml
from fleet import Fleet, Put, until
from interrupted import forgetful

from config.settings import CONFIG
from tasks.aws.calls import call
from tasks.aws.faults import Transient
from tasks.decide.policy import Policy
from tasks.decide.policy_file import parse_policy
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.kind import Kind
from tasks.item import Item
from tasks.outcome import Done, Outcome, Skipped
from tasks.pipeline import conclude
from tasks.record.standing import Standing, Status
from tasks.rescan.chunk import Chunk, write_chunk
from tasks.rescan.chunk_rows import ChunkRow, Chunks, new_row
from tasks.rescan.run import Brief, Run
from tasks.rescan.run_rows import Runs, run_key
from tasks.rescan.subject import Subject
from tasks.rescan.tally import Tally, merge, tally_told

#: What the shipped policy says otherwise before and after the change that the rescan is for.
BEFORE: dict[str, Any] = {
    "labels": {"Weapons": {"hold": 60, "reject": 90}, "Explicit": {"hold": 60, "reject": 85}},
    "pii": {"EMAIL": "redact", "PHONE": "redact", "ADDRESS": "hold", "AGE": "allow", "PASSWORD": "redact"},
}
AFTER: dict[str, Any] = {
    "labels": {"Weapons": {"hold": 30, "reject": 50}, "Explicit": {"hold": 90, "reject": 99}},
    "pii": {"EMAIL": "allow", "PHONE": "hold", "ADDRESS": "redact", "AGE": "redact", "PASSWORD": "redact"},
}
#: Text that a finding of personal data covers.
MASKABLE = "0123456789"


def policy(change: dict[str, Any]) -> Policy:
    """The shipped policy with a change, and without a brake."""
    return parse_policy(policy_text(change))


def policy_text(change: dict[str, Any]) -> str:
    """The same as its file has it."""
    said = yaml.safe_load((CONFIG / "policy.yaml").read_text("utf-8"))
    said["labels"] |= change["labels"]
    said["pii"]["types"] |= change["pii"]
    del said["brake"]
    return yaml.safe_dump(said)


def under(desk: Desk, change: dict[str, Any]) -> Desk:
    """The desk under such a policy; it looks at everything anew."""
    return forgetful(replace(desk, policy=policy(change)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """An item to be: what was found in it."""

    key: str
    label: str = ""
    confidence: float = 0.0
    uploader: str = ""
    body: bytes = field(default=b"")

    @property
    def is_text(self) -> bool:
        return self.label.startswith("pii/")

    def content(self) -> bytes:
        return self.body or f"{MASKABLE} {self.key}".encode()

    def findings(self) -> tuple[Finding, ...]:
        if not self.label:
            return ()
        detector, version = ("comprehend-pii", "unversioned") if self.is_text else ("rekognition-image", "7.0")
        span = (0, len(MASKABLE)) if self.is_text else None
        found = Finding(detector=detector, detector_version=version, label=self.label, confidence=self.confidence)
        return (replace(found, part="body", span=span),)


def seeded(fleet: Fleet, desk: Desk, seeds: Sequence[Seed]) -> list[Put]:
    """Upload them, and have them stand as the desk's policy wants it, without asking any detector."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda seed: _seed(fleet, desk, seed), seeds))


def _seed(fleet: Fleet, desk: Desk, seed: Seed) -> Put:
    said = {"uploader": seed.uploader} if seed.uploader else {}
    body, bucket = seed.content(), fleet.settings.uploads_bucket
    kind = {"ContentType": "text/plain; charset=utf-8"} if seed.is_text else {}
    made = call(desk.aws.store, desk.aws.s3.put_object, Bucket=bucket, Key=seed.key, Body=body, Metadata=said, **kind)
    put = Put(bucket, seed.key, made["VersionId"], made["ETag"].strip('"'), body)
    words = {"guardrail": desk.settings.guardrail_version, "comprehend-pii": "unversioned"}
    standing = Standing(
        item=item_of(put),
        status=Status.PENDING,
        surface=desk.policy.surface_of(item_of(put)).name,
        kind=Kind.TEXT if seed.is_text else Kind.IMAGE,
        uploader=seed.uploader,
        detectors=words if seed.is_text else {"rekognition-image": "7.0"},
        history=({"at": desk.now().isoformat(), "event": "received"},),
    )
    until(lambda: _concluded(desk, standing, seed), what=f"a seed at {seed.key}")
    return put


def _concluded(desk: Desk, standing: Standing, seed: Seed) -> bool:
    """Whether it stands; a busy local cloud may not answer at once."""
    try:
        return isinstance(conclude(desk, standing, seed.findings()), Done | Skipped)
    except Transient:
        return False


def item_of(put: Put) -> Item:
    """An upload as an event names it."""
    at = datetime.now(UTC)
    where = {"bucket": put.bucket, "key": put.key, "version_id": put.version, "etag": put.etag}
    return Item(**where, size=len(put.body), sequencer=f"{at.timestamp():.6f}".rjust(32, "0"), event_time=at)


def subject(put: Put) -> Subject:
    """The same as a listing tells of it."""
    at = datetime.now(UTC).replace(microsecond=0)
    where = {"bucket": put.bucket, "key": put.key, "version_id": put.version, "etag": put.etag}
    return Subject(**where, size=len(put.body), modified_at=at)


@dataclass(frozen=True, slots=True)
class Rescan:
    """A run whose messages are all on record."""

    desk: Desk
    run: Run
    chunks: tuple[Chunk, ...]

    @property
    def bodies(self) -> list[str]:
        return [write_chunk(chunk) for chunk in self.chunks]

    def now(self) -> Run:
        found = Runs(self.desk.aws, self.desk.settings.items_table).find(self.run.id)
        assert found is not None
        return found

    def tally(self) -> Tally:
        """Of all messages, as their rows tell it."""
        rows = Chunks(self.desk.aws, self.desk.settings.items_table).all(self.run.id)
        return merge(tally_told(row.said) for row in rows)


def begun(desk: Desk, subjects: Sequence[Subject], *, each: int = 100, redecide: bool = False, **brief: Any) -> Rescan:
    """Begin a run of so many subjects a message, all of whose messages are sent, as far as its row tells."""
    runs, table = Runs(desk.aws, desk.settings.items_table), desk.settings.items_table
    run = runs.start(Brief(source={}, policy_version=desk.policy.version, by="alex", **brief), at=desk.now())
    chunks = tuple(
        Chunk(run_id=run.id, id=f"p0-{number:05d}", subjects=tuple(some), redecide=redecide)
        for number, some in enumerate(_in_parts(subjects, each))
    )
    for chunk in chunks:
        row = ChunkRow(id=chunk.id, body=write_chunk(chunk), items=len(chunk.subjects), redecide=redecide, done_at="")
        desk.aws.dynamodb.put_item(TableName=table, Item=new_row(row, run_id=run.id, at=desk.now()))
    runs.add(run.id, chunks=len(chunks), enqueued=len(subjects))
    desk.aws.dynamodb.update_item(
        TableName=table,
        Key=run_key(run.id),
        UpdateExpression="SET #state = :working",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":working": {"S": "working"}},
    )
    return Rescan(desk, run, chunks)


def outcomes(results: Iterable[Outcome]) -> list[str]:
    """The kinds of outcomes."""
    return [type(one).__name__ for one in results]


def _in_parts(subjects: Sequence[Subject], each: int) -> Iterator[Sequence[Subject]]:
    for start in range(0, len(subjects), each):
        yield subjects[start : start + each]
