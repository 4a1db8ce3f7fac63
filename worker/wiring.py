"""The one composition root: settings become clients, stores, the policy and the desk."""

from __future__ import annotations

import secrets
import socket
from datetime import UTC, datetime

from config.settings import Settings
from tasks.aws.breaker import Breakers
from tasks.aws.calls import Guard
from tasks.aws.limiter import Limiter
from tasks.aws.session import Aws, connect
from tasks.aws.slots import Slots
from tasks.decide.policy_file import parse_policy
from tasks.desk import Desk
from tasks.record.audit import AuditLog
from tasks.record.state import State


def wire(settings: Settings, *, breakers: Breakers | None = None) -> Desk:
    """Everything a run works with. Raises PolicyError when the policy file is no policy.

    A worker hands in its breakers: its calls then heed them, and the fleet's limits. Commands are never held up.
    """
    aws = connect(settings)
    if breakers is not None:
        aws = aws.guarded(_guards(settings, aws, breakers))
    policy = parse_policy(settings.policy_file.read_text("utf-8"), source=settings.policy_file.name)
    return Desk(
        aws=aws,
        settings=settings,
        policy=policy,
        prompt=settings.classifier_file.read_text("utf-8"),
        state=State(aws, settings.items_table),
        audit=AuditLog(aws, bucket=settings.audit_bucket, writer=writer_name(), now=utc_now),
        now=utc_now,
        slots=_slots(settings, aws),
    )


def _guards(settings: Settings, aws: Aws, breakers: Breakers) -> tuple[Guard, ...]:
    """In the order in which they are asked: nobody waits for a token to call what is down."""
    if not settings.rate_limits:
        return (breakers,)
    limiter = Limiter(aws.guarded((breakers,)), table=settings.items_table, quotas=settings.rate_limits)
    return breakers, limiter


def _slots(settings: Settings, aws: Aws) -> Slots | None:
    if not settings.video_slots:
        return None
    return Slots(aws=aws, table=settings.items_table, limit=settings.video_slots, now=utc_now)


def writer_name() -> str:
    """A name that no other process ever has: each process writes an audit chain of its own."""
    return f"{socket.gethostname()}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)
