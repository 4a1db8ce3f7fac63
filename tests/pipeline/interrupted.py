"""A desk whose every AWS call can be watched, and at one of them something happens: a crash, a newer upload."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MethodType
from typing import Any

from fleet import Fleet
from pydantic import AnyHttpUrl

from tasks.clock import utc_now
from tasks.desk import Desk
from tasks.record.audit import AuditLog
from tasks.record.state import State
from worker.wiring import writer_name

CLIENTS = ("s3", "sqs", "dynamodb", "sns", "rekognition", "bedrock", "batches", "comprehend", "cloudfront")
#: What changes something out there; a crash between two of these is a crash after the first.
WRITES = {
    "put_object",
    "copy_object",
    "delete_object",
    "put_object_tagging",
    "put_item",
    "update_item",
    "transact_write_items",
    "publish",
    "create_invalidation",
    "send_message",
    "send_message_batch",
    "create_model_invocation_job",
    "stop_model_invocation_job",
}
DETECTORS = {
    "detect_moderation_labels",
    "start_content_moderation",
    "apply_guardrail",
    "converse",
    "detect_pii_entities",
}

Answer = dict[str, Any]
#: Called instead of a client's method, with its name and what calls it.
Around = Callable[[str, Callable[[], Answer]], Answer]


class Crash(BaseException):
    """The process died here: nothing in the program knows this exception."""


def crash() -> None:
    """Die."""
    raise Crash


class _Client:
    """A boto3 client whose every call goes through `around`."""

    def __init__(self, client: object, around: Around) -> None:
        self._client, self._around = client, around

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name.startswith("_") or not isinstance(found, MethodType):
            return found

        def method(_client: object, **params: object) -> Answer:
            return self._around(name, lambda: found(**params))

        # Bound to the client and called as its method is: faults are told apart by both.
        method.__name__ = name
        return MethodType(method, self._client)


@dataclass(slots=True)
class Watch:
    """Notes each call by name, and at number `at` (from 0) runs `then`: before the call, or `after` it."""

    at: int = -1
    then: Callable[[], object] = crash
    after: bool = False
    calls: list[str] = field(default_factory=list)

    def __call__(self, name: str, go: Callable[[], Answer]) -> Answer:
        here = len(self.calls) == self.at
        self.calls.append(name)
        if here and not self.after:
            self.then()
        answer = go()
        if here and self.after:
            self.then()
        return answer

    @property
    def writes(self) -> list[int]:
        """The numbers of the calls that wrote."""
        return [number for number, name in enumerate(self.calls) if name in WRITES]


def at_call(name: str, then: Callable[[], object], *, after: bool = False) -> Around:
    """Run `then` once, before or `after` the first call of that name."""
    pending = [then]

    def around(called: str, go: Callable[[], Answer]) -> Answer:
        meant = called == name and bool(pending)
        if meant and not after:
            pending.pop()()
        answer = go()
        if meant and after:
            pending.pop()()
        return answer

    return around


def after_write(number: int) -> Around:
    """Die right after this write, counted from 0."""
    seen = 0

    def around(name: str, go: Callable[[], Answer]) -> Answer:
        nonlocal seen
        answer = go()
        if name in WRITES:
            seen += 1
            if seen > number:
                crash()
        return answer

    return around


def watched(desk: Desk, around: Around) -> Desk:
    """The desk with every client, the state and the audit log included, behind `around`."""
    clients = {name: client for name in CLIENTS if (client := getattr(desk.aws, name))}
    aws = replace(desk.aws, **{name: _Client(client, around) for name, client in clients.items()})
    audit = AuditLog(aws, bucket=desk.settings.audit_bucket, writer=writer_name(), now=desk.now)
    return replace(desk, aws=aws, state=State(aws, desk.settings.items_table), audit=audit)


def forgetful(desk: Desk) -> Desk:
    """The desk that looks at the same bytes every time, so that every run makes the same calls."""
    return replace(desk, seen=None)


def later(desk: Desk, **passed: float) -> Desk:
    """The desk after some time, by `timedelta`'s names; by default longer than a lease."""
    delta = timedelta(**(passed or {"seconds": 61}))

    def now() -> datetime:
        return utc_now() + delta

    return replace(desk, now=now)


def on_bucket(fleet: Fleet, bucket: str) -> Desk:
    """The fleet's desk, moderating another bucket, which the public sees at a place of its own."""
    public_url = AnyHttpUrl(f"{str(fleet.settings.public_url).rstrip('/')}/~{bucket}")
    settings = fleet.settings.model_copy(update={"uploads_bucket": bucket, "public_url": public_url})
    return replace(fleet.desk, settings=settings)
