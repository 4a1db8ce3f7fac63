"""What somebody has looked at, told to the audit log."""

from __future__ import annotations

from typing import Any

from tasks.desk import Desk
from tasks.item import Item
from tasks.record.entries import command_entry
from worker.console.sessions import Visitor


def note_view(desk: Desk, what: str, visitor: Visitor, *, item: Item | None = None, **facts: Any) -> None:
    """Write that somebody looks at something; returns when that is in the log. Raises Fault: then it is not shown.

    `facts` hold neither content nor personal data.
    """
    said = {"policy_version": desk.policy.version, **facts}
    desk.audit.append([command_entry(command=what, event="view", by=visitor.name, at=desk.now(), item=item, **said)])
