"""The one composition root: settings become clients, stores, the policy and the desk."""

from __future__ import annotations

import secrets
import socket
from datetime import UTC, datetime

from config.settings import Settings
from tasks.aws.session import connect
from tasks.decide.policy_file import parse_policy
from tasks.desk import Desk
from tasks.record.audit import AuditLog
from tasks.record.state import State


def wire(settings: Settings) -> Desk:
    """Everything a run works with. Raises PolicyError when the policy file is no policy."""
    aws = connect(settings)
    policy = parse_policy(settings.policy_file.read_text("utf-8"), source=settings.policy_file.name)
    return Desk(
        aws=aws,
        settings=settings,
        policy=policy,
        prompt=settings.classifier_file.read_text("utf-8"),
        state=State(aws, settings.items_table),
        audit=AuditLog(aws, bucket=settings.audit_bucket, writer=writer_name(), now=utc_now),
        now=utc_now,
    )


def writer_name() -> str:
    """A name that no other process ever has: each process writes an audit chain of its own."""
    return f"{socket.gethostname()}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)
