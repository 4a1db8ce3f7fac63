"""The audit log's objects, read back: listed by time, and read many at once in the order of the list."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Gone
from tasks.aws.session import Aws
from tasks.intake.upload import get_whole

PREFIX = "log/"
#: Objects that are read at once, and that may be waiting in memory until their turn comes.
READERS, WAITING = 16, 48


@dataclass(frozen=True, slots=True)
class LogObject:
    """An object of the log, and when S3 took it."""

    key: str
    modified: datetime


def hour_prefix(at: datetime) -> str:
    """What the keys of all that was sealed within an hour begin with."""
    return f"{PREFIX}{at:%Y/%m/%d/%H}/"


def objects_between(
    aws: Aws, bucket: str, since: datetime | None, until: datetime, *, after: str = ""
) -> Iterator[LogObject]:
    """Everything in the hours from that of `since` (None: the first) to that of `until`, in order. Raises Fault.

    With `after`, a key, only what stands behind it.
    """
    end = hour_prefix(until + timedelta(hours=1))
    asked: dict[str, Any] = {"Bucket": bucket, "Prefix": PREFIX}
    if since:
        asked["StartAfter"] = hour_prefix(since)
    if after:
        asked["StartAfter"] = max(after, asked.get("StartAfter", ""))
    while True:
        answer = call(aws.store, aws.s3.list_objects_v2, **asked)
        for entry in answer.get("Contents", []):
            if entry["Key"] >= end:
                return
            yield LogObject(entry["Key"], entry["LastModified"])
        if not (token := answer.get("NextContinuationToken")):
            return
        asked["ContinuationToken"] = token


def body_at(aws: Aws, bucket: str, key: str) -> bytes | None:
    """An object's bytes, None where there is none. Raises Fault."""
    try:
        return bytes(get_whole(aws, Bucket=bucket, Key=key)["Bytes"])
    except Gone:
        return None


def bodies(aws: Aws, bucket: str, objects: Iterable[LogObject]) -> Iterator[tuple[LogObject, bytes | None]]:
    """Each object with its bytes, in the order given; None for one that went away meanwhile. Raises Fault.

    Memory is bounded however many there are: no more are read ahead than may wait.
    """
    ahead: deque[tuple[LogObject, Future[bytes | None]]] = deque()
    listed = iter(objects)
    with ThreadPoolExecutor(READERS, thread_name_prefix="audit") as pool:
        while True:
            for one in islice(listed, WAITING - len(ahead)):
                ahead.append((one, pool.submit(body_at, aws, bucket, one.key)))
            if not ahead:
                return
            one, body = ahead.popleft()
            yield one, body.result()
