"""A rescan's source, made again from what the run's row says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.desk import Desk
from tasks.rescan.subject import Source, Unreadable


def source_of(spec: Mapping[str, Any], desk: Desk) -> Source:
    """The source whose `spec` this is. Raises Unreadable where it is none."""
    raise Unreadable(f"no such source: {spec.get('source')!r}")
