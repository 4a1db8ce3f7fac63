"""A chunk: one message of a rescan, which names as many objects as SQS bills for one request (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tasks.rescan.subject import Subject

#: Bytes that SQS bills as one request. https://aws.amazon.com/sqs/pricing/
BILLED_BYTES = 65_536
#: What the message says beside its subjects, at most: names of 63 and 128 characters and their quotes.
HEAD_BYTES = 512
#: Objects that may each wait for a detector; more would keep one message from ending within a worker's drain.
MOST_TO_DETECT = 100
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
NOT_TAKEN = re.compile("[\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Objects of one bucket that one message brings."""

    run_id: str
    #: The partition's id and a running number; the same message sent again has the same.
    id: str
    subjects: tuple[Subject, ...]
    #: Nothing may be asked of a detector for it: what turns out to need that is counted and left.
    redecide: bool


def write_chunk(chunk: Chunk) -> str:
    """The body that `tasks.intake.message.read_message` reads back as this chunk."""
    told = {
        "modfleet": "rescan",
        "run": chunk.run_id,
        "chunk": chunk.id,
        "redecide": chunk.redecide,
        "bucket": chunk.subjects[0].bucket,
        "subjects": [_row(subject) for subject in chunk.subjects],
    }
    return _written(told)


def packed(subjects: Sequence[Subject], *, redecide: bool) -> Iterator[tuple[Subject, ...]]:
    """The subjects by bucket, in their order, as many together as fit into one message."""
    most = len(subjects) if redecide else MOST_TO_DETECT
    by_bucket: dict[str, list[Subject]] = {}
    for subject in subjects:
        by_bucket.setdefault(subject.bucket, []).append(subject)
    for alike in by_bucket.values():
        begin, size = 0, HEAD_BYTES
        for at, subject in enumerate(alike):
            added = written_bytes(subject)
            if at > begin and (size + added > BILLED_BYTES or at - begin >= most):
                yield tuple(alike[begin:at])
                begin, size = at, HEAD_BYTES
            size += added
        yield tuple(alike[begin:])


def written_bytes(subject: Subject) -> int:
    """Of its part in a message, with the comma."""
    return len(_written(_row(subject)).encode()) + 1


def subject_of(bucket: str, row: Sequence[Any]) -> Subject:
    """The subject that `write_chunk` wrote."""
    key, version_id, etag, size, modified = row
    at = datetime.fromtimestamp(modified, UTC) if modified else None
    return Subject(bucket=bucket, key=key, version_id=version_id or None, etag=etag, size=size, modified_at=at)


def _written(told: object) -> str:
    """As JSON, as short as it gets, in characters that SQS takes: a key may have others."""
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return NOT_TAKEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _row(subject: Subject) -> list[Any]:
    """Key, version, ETag, size, and seconds since the epoch; empty, -1 and 0 where they are not known."""
    at = subject.modified_at.timestamp() if subject.modified_at else 0
    return [subject.key, subject.version_id or "", subject.etag, subject.size, int(at) if at == int(at) else at]
