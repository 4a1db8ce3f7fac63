"""The one composition root: settings become clients, stores, the policy and the desk."""

from __future__ import annotations

import secrets
import socket
from datetime import UTC, datetime

from config.prices import parse_prices
from config.settings import Settings, SettingsError
from tasks.aws.breaker import Breakers
from tasks.aws.calls import Guard
from tasks.aws.limiter import Limiter
from tasks.aws.session import Aws, connect
from tasks.aws.slots import Slots
from tasks.decide.policy_file import parse_policy
from tasks.desk import Desk
from tasks.record.audit import AuditLog
from tasks.record.state import State


def wire(settings: Settings, *, breakers: Breakers | None = None, meter: Guard | None = None) -> Desk:
    """Everything a run works with. Raises PolicyError when the policy file is no policy, PricesError likewise.

    Raises SettingsError where a limit is set on an operation that does not exist.

    A worker hands in its breakers: its calls then heed them, and the fleet's limits. Commands are never held up.
    `meter` counts every try.
    """
    aws = connect(settings).guarded((meter,) if meter else ())
    if breakers is not None:
        aws = _guarded(settings, aws, breakers)
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
        prices=parse_prices(settings.prices_file.read_text("utf-8"), source=settings.prices_file.name),
    )


def _guarded(settings: Settings, aws: Aws, breakers: Breakers) -> Aws:
    """With guards in the order in which they are asked: nobody waits for a token to call what is down."""
    aws = aws.guarded((breakers, *aws.store.guards))
    if not settings.rate_limits:
        return aws
    if unknown := sorted(set(settings.rate_limits) - aws.operations()):
        raise SettingsError(f"MODFLEET_RATE_LIMITS: no such operation, so nothing would be limited: {unknown}")
    limiter = Limiter(aws, table=settings.items_table, quotas=settings.rate_limits)
    return aws.guarded((*aws.store.guards, limiter))


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
