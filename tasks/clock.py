"""The clock of everything: UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The moment it is."""
    return datetime.now(UTC)
